//! What an order is and how it changes. Pure: no I/O, no clock, no randomness, no async.

pub mod lifecycle;
pub mod role;
pub mod time;
