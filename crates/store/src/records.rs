//! What goes into a store and comes out of it.

mod lists;

use std::time::Duration;

use crate::accounts::AuditRecord;
use crate::error::Error;
use crate::pages::ContactHasher;
use model::fingerprint::Fingerprint;
use model::ids::{DeadLetterId, LifecycleId, OrderKey, Owner, PartyId, Position, Version};
use model::public_id::PublicId;
use model::sealed::Sealed;
use model::time::Timestamp;
use model::{Entry, Head, Lifecycle, StateId};
use sha2::{Digest, Sha256};

pub use lists::{ListedOrder, OrderFilter, OrderList, OrderPage, PageFilter};

/// What a new store is born with. Randomness and time are the caller's.
#[derive(Clone)]
pub struct Birth {
    /// Tells stores apart.
    pub store_id: [u8; 16],
    /// The key of the store's event ids.
    pub event_id_key: [u8; 16],
    /// Now.
    pub at: Timestamp,
}

/// What a store is for as long as it is open; all but the epoch for ever.
#[derive(Clone)]
pub struct Identity {
    /// Tells stores apart.
    pub store_id: [u8; 16],
    /// The key of its event ids. Not for logs.
    pub event_id_key: [u8; 16],
    /// Changes when the store goes back to its past: a position of an earlier epoch may be another entry's now.
    pub epoch: [u8; 16],
}

impl Identity {
    /// The number by which orders of a contact are found.
    #[must_use]
    pub fn contact_hash(&self, contact: &str) -> i64 {
        ContactHasher::new(&self.event_id_key).hash(contact)
    }
}

/// What bringing a schema up to date came to: its versions before and after. Before there was a store, that is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before.
    pub from: i64,
    /// After.
    pub to: i64,
}

/// A commit's number, from 1, without gaps. To a writer it counts the writer's own commits, to a reader all of the store:
/// with one writer that is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(pub i64);

/// Where an order's entries begin and end, in the store's own terms: handed back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    pub(crate) first: Position,
    pub(crate) last: Position,
    /// The version that stands at `last`: a head that a group has moved on is ahead of it.
    pub(crate) last_version: Version,
    /// Whether its stored head says that something is due, or waits.
    pub(crate) timed: bool,
    /// See [`Placement::is_archived`].
    pub(crate) is_archived: bool,
}

impl Placement {
    /// Of an order that has no entries stored yet.
    pub const UNBORN: Self = Self {
        first: Position::new(0),
        last_version: Version::new(0),
        last: Position::new(0),
        timed: false,
        is_archived: false,
    };

    /// Whether the order's entries were archived: it has its head, which nothing changes any more, and no history.
    #[must_use]
    pub const fn is_archived(&self) -> bool {
        self.is_archived
    }
}

/// An order as a group loaded it, locked until the group ends.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its head.
    pub head: Head,
    /// Where its entries are.
    pub placement: Placement,
}

/// An order to be stored.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Its key, from [`Group::next_order_key`](crate::Group::next_order_key).
    pub order: OrderKey,
    /// Its public id.
    pub public_id: PublicId,
    /// Its lifecycle.
    pub lifecycle: LifecycleId,
    /// Whose it is.
    pub owner: Owner,
    /// The customer's reference.
    pub reference: Option<Box<str>>,
    /// How the customer can be reached: of this only a hash is stored, to find the order by.
    pub contact: Option<Box<str>>,
    /// When its creation was recorded.
    pub created_at: Timestamp,
    /// What was told of it.
    pub details: Sealed,
}

/// A head that a group changed.
#[derive(Clone, Debug)]
pub struct HeadChange {
    /// What was loaded: `None` for an order born in this group.
    pub before: Option<(StateId, Placement)>,
    /// The head now.
    pub head: Head,
    /// Fingerprints that no longer fit it.
    pub spilled: Vec<Fingerprint>,
}

/// A refused submission to be kept.
#[derive(Clone, Debug)]
pub struct NewDeadLetter {
    /// Its number, from [`Group::next_dead_letter_id`](crate::Group::next_dead_letter_id).
    pub id: DeadLetterId,
    /// What was asked of whom.
    pub letter: DeadLetter,
}

/// A refused submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was refused.
    pub decided_at: Timestamp,
    /// The order, if it is known.
    pub order: Option<OrderKey>,
    /// Whose order it is; nobody's, if it is not known.
    pub owner: Owner,
    /// The order's id as given.
    pub public_id: Box<str>,
    /// Who submitted it.
    pub actor: PartyId,
    /// The refusal's code.
    pub code: Box<str>,
    /// The refusal in words.
    pub detail: Box<str>,
    /// What was submitted, the bytes as received.
    pub content: Box<[u8]>,
}

impl DeadLetter {
    /// By which the same refusal of the same content is found; equality is asked of the columns themselves.
    pub(crate) fn fingerprint(&self) -> i64 {
        let mut hasher = Sha256::new();
        for part in [
            self.public_id.as_bytes(),
            self.code.as_bytes(),
            self.detail.as_bytes(),
            &self.content,
        ] {
            hasher.update(part);
            hasher.update([0]);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        digest.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
    }
}

/// A kept refusal as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDeadLetter {
    /// Its number.
    pub id: DeadLetterId,
    /// What was asked of whom.
    pub letter: DeadLetter,
    /// Set once it was accepted after all.
    pub redriven: Option<Redriven>,
}

/// All results of one group.
#[derive(Debug, Default)]
pub struct GroupWrites {
    /// Orders born in the group, by rising key.
    pub orders: Vec<NewOrder>,
    /// Heads changed, each order once.
    pub heads: Vec<HeadChange>,
    /// Entries in the order in which they were decided, each with the place of its order in `heads`.
    pub entries: Vec<(usize, Entry)>,
    /// Refusals to be kept.
    pub dead_letters: Vec<NewDeadLetter>,
    /// What else is to be kept, in the same transaction.
    pub records: Vec<Record>,
}

impl GroupWrites {
    /// Whether there is nothing to store.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dead_letters.is_empty() && self.records.is_empty()
    }
}

/// Something that is kept beside the log, in the transaction of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The answer to a request with an idempotency key, in the place of an older one under that key.
    Answer(StoredAnswer),
    /// What became of a batch.
    Batch(BatchReceipt),
    /// A dead letter was sent again and accepted.
    Redriven(DeadLetterId, Redriven),
    /// A line of the trail.
    Audit(AuditRecord),
}

/// What a group finds under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing.
    Free,
    /// An answer, however old.
    Answered(StoredAnswer),
    /// Another writer is about to store one.
    UnderWay,
}

impl From<Option<StoredAnswer>> for KeyState {
    fn from(answer: Option<StoredAnswer>) -> Self {
        answer.map_or(Self::Free, Self::Answered)
    }
}

/// An answer that was given, to be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of principal, method, path and key.
    pub key: [u8; 32],
    /// SHA-256 of the request's body.
    pub body_hash: [u8; 32],
    /// When it was given.
    pub stored_at: Timestamp,
    /// The answer, in the caller's own form.
    pub content: Box<[u8]>,
}

/// What became of a batch of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchReceipt {
    /// The public id.
    pub batch_id: Box<str>,
    /// Who sent it.
    pub actor: PartyId,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What became of it, in the caller's own form.
    pub content: Box<[u8]>,
}

impl BatchReceipt {
    /// As how many it counts against the quota of who sent it: one, and one more for each KiB.
    #[must_use]
    pub fn weight(&self) -> u64 {
        1 + u64::try_from(self.content.len() / 1024).unwrap_or(u64::MAX - 1)
    }
}

/// As what a dead letter was accepted in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// The order.
    pub order: OrderKey,
    /// Its entry.
    pub version: Version,
    /// When.
    pub at: Timestamp,
}

/// What is kept for a time only, and until when what is older goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Answers under idempotency keys given before.
    pub answers_before: Timestamp,
    /// Receipts of batches decided before.
    pub batches_before: Timestamp,
    /// Dead letters decided before.
    pub dead_letters_before: Timestamp,
    /// Revocations of tokens that have expired by now.
    pub now: Timestamp,
}

/// A durable group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its commit.
    pub commit: CommitId,
    /// The last position of the log, which is the group's if it has entries.
    pub last_position: Position,
}

/// What came of a group that was written behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// As its commit would have said.
    pub result: Result<Committed, Error>,
    /// What writing it and making it durable took.
    pub took: Duration,
}

/// Kinds of parties that have a name outside and a number inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartyKind {
    /// A merchant, carrier account or shop.
    Client,
    /// A customer.
    Customer,
    /// Whoever submits: a user name or a key.
    Principal,
}

impl PartyKind {
    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Client => 1,
            Self::Customer => 2,
            Self::Principal => 3,
        }
    }
}

/// An order's written-once part with its head.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    /// Its public id.
    pub public_id: PublicId,
    /// The customer's reference.
    pub reference: Option<Box<str>>,
    /// When its creation was recorded.
    pub created_at: Timestamp,
    /// What was told of it; `None` once erased.
    pub details: Option<Sealed>,
    /// Its present.
    pub head: Head,
    /// Where its entries are.
    pub placement: Placement,
}

/// An entry with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The place.
    pub position: Position,
    /// The entry.
    pub entry: Entry,
}

/// A stored commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// Its number among all, in the order of their positions.
    pub commit: CommitId,
    /// Who wrote it: one of the chains of digests.
    pub writer: u32,
    /// Its number among those of its writer.
    pub number: CommitId,
    /// When it was made.
    pub at: Timestamp,
    /// The position of its first entry; if it has none, the one its first would have had.
    pub first_position: Position,
    /// How many entries it has.
    pub entries: u32,
    /// How many of them, its first ones, are archived.
    pub archived_entries: u32,
    /// SHA-256 over the writer's previous digest, number, time and count of entries, and its entries.
    pub digest: [u8; 32],
}

/// A partition of the log that was archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRecord {
    /// The table that was the partition.
    pub partition: Box<str>,
    /// Entries that it holds.
    pub entries: u64,
    /// Orders that have entries in it.
    pub orders: u64,
    /// The file, by the name it was written under.
    pub file: Box<str>,
    /// The file's SHA-256.
    pub sha256: [u8; 32],
    /// When it was detached.
    pub archived_at: Timestamp,
}

/// How many orders of a client have a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCount {
    /// The client.
    pub client: PartyId,
    /// The lifecycle.
    pub lifecycle: LifecycleId,
    /// The status.
    pub status: StateId,
    /// How many.
    pub orders: u64,
}

/// How many orders of a block of keys have a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockCount {
    /// The lifecycle.
    pub lifecycle: LifecycleId,
    /// The status.
    pub status: StateId,
    /// The key divided by [`BLOCK_ORDERS`](crate::limits::BLOCK_ORDERS).
    pub block: i64,
    /// How many.
    pub orders: u64,
}

/// A principal of whom not as much is kept as its count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miscount {
    /// The principal.
    pub actor: PartyId,
    /// What the count says.
    pub kept: u64,
    /// What there is.
    pub counted: u64,
}

/// What a definition calls a status, as SQL by other tools reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedState {
    /// The definition.
    pub lifecycle: LifecycleId,
    /// The status.
    pub status: StateId,
    /// Its name.
    pub name: Box<str>,
    /// Its phase.
    pub phase: Box<str>,
}

/// A stored lifecycle definition.
#[derive(Clone, Debug)]
pub struct StoredLifecycle {
    /// Its number.
    pub id: LifecycleId,
    /// The definition.
    pub lifecycle: Lifecycle,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The last position of the log.
    pub last_position: Position,
    /// The last commit.
    pub last_commit: CommitId,
    /// The youngest order.
    pub last_order: OrderKey,
    /// Dead letters kept.
    pub dead_letters: u64,
}
