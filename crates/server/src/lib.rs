//! The server: the engine, and the commands of the `waybill` binary.

pub mod accounts;
pub mod app;
pub mod archive_file;
pub mod client;
pub mod clock;
pub mod commands;
pub mod engine;
pub mod housekeeping;
pub mod http;
pub mod latencies;
pub mod live;
pub mod logging;
mod patience;
pub mod place;
pub mod replay;
pub mod secret_file;
pub mod server;
pub mod settings;
pub mod timers;
pub mod traffic;
