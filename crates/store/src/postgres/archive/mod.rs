//! Detaching the oldest partitions of the log: which can go, what they hold, and the going.
//!
//! A partition goes only with all before it, and only when every order that has an entry there is final and has none behind. So an
//! order is archived whole or not at all, and one number tells which are: the place where the live log begins. See
//! `docs/adr/0024-archived-partitions.md`.
//!
//! Which partitions can go, and what is in them, is seen of one instant. What has been committed since then is looked through
//! afterwards, the last of it under the locks of the going. Writing files is left to the caller.

mod detach;
mod pages;
pub(super) mod partitions;
mod plan;

use model::ids::OrderKey;
use model::public_id::PublicId;
use model::time::Timestamp;
use model::{Entry, StateId};

use super::PostgresOptions;
use super::address::{Address, Purpose};
use super::connect::{ARCHIVING, LOCKS, find};
use super::convert::get;
use super::lifecycles;
use super::session::Session;
use crate::error::{Error, OpenError, Trouble};
use crate::limits::WHOLE_TABLE;
use crate::records::CommitRecord;

/// A partition of the log, as of one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The table.
    pub name: String,
    /// The first place in it.
    pub first_place: i64,
    /// The first place behind it.
    pub places_end: i64,
    /// Entries in it.
    pub entries: u64,
    /// Orders that have entries in it.
    pub orders: u64,
    /// What it takes up, indexes included.
    pub bytes: u64,
    /// Why it has to stay; `None`: it can go, with all before it.
    pub stays: Option<Stays>,
}

/// Why a partition has to stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// It is still written to, or made ahead.
    InUse,
    /// Orders that have entries in it or before it would lose a part of what they need.
    Orders {
        /// Those that are not final, or have something parked or due.
        unfinished: u64,
        /// Those that are final and have entries in a later partition.
        going_on: u64,
        /// The public ids of the first of both.
        some: Vec<PublicId>,
    },
}

/// What a partition has of an order.
#[derive(Clone, Debug)]
pub struct ArchivedOrder {
    /// Its key.
    pub order: OrderKey,
    /// Its public id.
    pub public_id: PublicId,
    /// The name of its lifecycle.
    pub lifecycle: String,
    /// The definition's version.
    pub lifecycle_version: u32,
    /// Its client's name.
    pub client: Option<Box<str>>,
    /// Its customer's name.
    pub customer: Option<Box<str>>,
    /// When its creation was recorded.
    pub created_at: Timestamp,
    /// Its entries, oldest first, each with its place.
    pub entries: Vec<(i64, Entry)>,
}

/// A commit that has entries in a partition.
#[derive(Clone, Debug)]
pub struct ArchivedCommit {
    /// The commit.
    pub commit: CommitRecord,
    /// The place of its first entry.
    pub first_place: i64,
    /// The node that wrote it.
    pub node: String,
    /// The digest before it in its chain; `None` for the first of a writer.
    pub previous_digest: Option<[u8; 32]>,
}

/// The file that a partition was written to.
#[derive(Clone, Debug)]
pub struct ArchiveFile {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// What came of going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Going {
    /// The partitions are detached.
    Gone,
    /// Nothing was changed: these orders, and perhaps more, got entries since the partitions were looked at.
    MovedOn(Vec<PublicId>),
}

/// Every statement behind the plan is made for an index: a page, or what came a moment ago. Whatever the planner thinks of it.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; \
                        SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// At most one at a time is at work on a store.
pub struct Archiver {
    session: Session,
    store_id: [u8; 16],
    /// Final statuses: of which lifecycle, and which.
    finals: Vec<(i32, StateId)>,
    /// The lifecycles by number: name and version.
    lifecycles: Vec<(i32, String, u32)>,
    /// The last commit that is known to have touched nothing that is to go.
    seen: i64,
}

impl Drop for Archiver {
    fn drop(&mut self) {
        // What is claimed is free when the archiver is gone, not when the server has seen the connection close.
        if !self.session.is_broken() {
            drop(self.session.batch("SELECT pg_advisory_unlock_all()"));
        }
    }
}

impl Archiver {
    /// Opens a store that is there, and of this version's format. Nodes may be at work on it.
    ///
    /// # Errors
    /// As [`PostgresStore::open_to_read`](super::PostgresStore::open_to_read); that another one is at work.
    pub fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        let address = Address::parse(options)?;
        let store_id = find(&address)?.store_id;
        let mut session = address.connect(Purpose::Prepare)?;
        session.set_patience(WHOLE_TABLE);
        Self::begin(session, store_id).map_err(|error| address.open_error(error))
    }

    /// Of which store the archives are.
    #[must_use]
    pub const fn store_id(&self) -> &[u8; 16] {
        &self.store_id
    }

    fn begin(mut session: Session, store_id: [u8; 16]) -> Result<Self, Error> {
        let sql = "SELECT pg_try_advisory_lock($1, $2)";
        let is_ours = session.first(sql, &[&LOCKS, &ARCHIVING])?;
        if !is_ours.map_or(Ok(false), |row| get(&row, 0))? {
            return Err(Error::Unavailable {
                trouble: Trouble::Busy,
                detail: "another process is archiving partitions of this store".to_owned(),
            });
        }
        let mut archiver = Self {
            session,
            store_id,
            finals: Vec::new(),
            lifecycles: Vec::new(),
            seen: 0,
        };
        for stored in lifecycles::all(&mut archiver.session)? {
            let (id, lifecycle) = (
                super::convert::integer(stored.id.get(), "lifecycle")?,
                stored.lifecycle,
            );
            let finals = lifecycle.state_ids().filter(|state| lifecycle.is_final(*state));
            archiver.finals.extend(finals.map(|state| (id, state)));
            archiver
                .lifecycles
                .push((id, lifecycle.name().to_owned(), lifecycle.version()));
        }
        Ok(archiver)
    }
}
