//! The wire contract, over the wire.

mod accounts;
mod bad_input;
mod batches;
mod dead_letters;
mod documents;
mod edges;
mod errors;
mod food;
mod idempotency;
mod lists;
mod live;
mod malformed;
mod observed;
mod orders;
mod process;
mod rate_limits;
mod receipts;
mod roles;
mod shipments;
mod start_on_postgres;
mod streams;
mod tokens;
mod two_nodes;
mod versions;
