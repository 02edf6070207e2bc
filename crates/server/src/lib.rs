//! The server: the engine, and the commands of the `waybill` binary.

pub mod clock;
pub mod engine;
pub mod replay;
