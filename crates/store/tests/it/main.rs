//! The store's tests, through its public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod backend;
mod backup;
mod behind;
mod checkpoint;
mod conformance;
mod copy;
mod damage;
mod deferred;
mod folder;
mod full_disk;
mod half_written;
mod mapping;
mod migration;
mod orders;
mod postgres;
mod sqlite;
