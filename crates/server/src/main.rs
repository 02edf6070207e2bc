//! The `waybill` binary.

use std::process::ExitCode;

/// Commands are made on one thread and dropped on another: the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::commands::main()
}
