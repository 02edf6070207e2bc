//! The server's tests through its front doors.

#![expect(
    clippy::unwrap_used,
    reason = "the harness is test code too: a panic is its way to fail"
)]

mod archive;
mod backup;
mod cli;
mod client;
mod copy;
mod crash;
mod engine;
mod full_disk;
mod harness;
mod http;
mod migrate;
mod olist;
mod replay;
mod replay_over_http;
mod settings;
mod timers;
mod user;
mod where_the_store_is;
