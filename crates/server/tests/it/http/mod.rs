//! The wire contract, over the wire.

mod accounts;
mod shipments;
