//! Replaying recorded histories: what to send ([`olist`]) and sending it ([`replay`]).

pub mod olist;
mod run;

pub use run::{ReplayError, Summary, replay, tracking_number};
