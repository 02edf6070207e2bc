//! The wire contract, over the wire.

mod shipments;
