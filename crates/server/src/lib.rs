//! Server.

pub mod replay;
