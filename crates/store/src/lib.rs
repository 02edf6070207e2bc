//! Durability: one API for everything that is kept, and the databases behind it.
//!
//! A [`Store`] gives out [`Writer`]s, each on a thread of its own, and lends [`Reader`]s for bounded reads. A writer works
//! in groups: [`Writer::begin`], [`Group::load`] the heads that the group's commands touch, decide in memory, and
//! [`Group::commit`] all results in one transaction. What is written is never changed afterwards but for heads, which are always
//! what the entries, folded, say they are; [`verify`] proves it.
//!
//! This crate decides nothing and knows no roles, no HTTP and no clock. Nothing of a database shows through its API: `history` says what,
//! never how. `docs/adr/0002-storage.md` has the figures behind the layout.

pub mod accounts;
mod api;
pub mod copy;
mod deltas;
mod digest;
mod error;
pub mod folder;
mod follow;
pub mod limits;
mod pages;
mod pool;
pub mod postgres;
mod reader;
mod records;
pub mod sqlite;
pub mod verify;
mod waiting;

pub use api::{Group, Listener, Reader, Store, Writer};
pub use error::{Error, OpenError, Trouble};
pub use follow::{Interest, LogPage, OrderLabel, Wanted};
pub use records::{
    ArchiveRecord, BatchReceipt, Birth, BlockCount, CommitId, CommitRecord, Committed, DeadLetter, Expiry,
    GroupWrites, HeadChange, Identity, KeptDeadLetter, KeyState, Landed, ListedOrder, Loaded, LogEntry,
    Migrated, Miscount, NamedState, NewDeadLetter, NewOrder, OrderFilter, OrderList, OrderPage, OrderRecord,
    PageFilter, PartyKind, Placement, Record, Redriven, StatusCount, StoredAnswer, StoredLifecycle, Totals,
};
