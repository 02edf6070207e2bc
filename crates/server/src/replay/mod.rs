//! Replaying recorded histories against a server: what to send, in which order.

pub mod olist;
