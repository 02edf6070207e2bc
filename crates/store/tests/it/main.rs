//! The store's tests, through its public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod backend;
mod conformance;
mod damage;
mod folder;
mod half_written;
mod orders;
