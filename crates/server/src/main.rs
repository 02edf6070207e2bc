//! The `waybill` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::commands::main()
}
