//! The store API. It is synchronous: a connection is a thread, and whoever is asynchronous hands work over in groups.

use model::command::OrderRef;
use model::fingerprint::{Fingerprint, FingerprintHash};
use model::ids::{DeadLetterId, LifecycleId, OrderKey, Owner, PartyId, Position, Version};
use model::public_id::PublicId;
use model::sealed::Sealed;
use model::time::Timestamp;
use model::{Entry, Head, Lifecycle, StateId};

use crate::error::{Error, OpenError};

/// What a new store is born with. Randomness and time are the caller's.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Tells stores apart.
    pub store_id: [u8; 16],
    /// The key of the store's event ids.
    pub event_id_key: [u8; 16],
    /// Now.
    pub at: Timestamp,
}

/// What a store is for ever.
#[derive(Clone)]
pub struct Identity {
    /// Tells stores apart.
    pub store_id: [u8; 16],
    /// The key of its event ids. Not for logs.
    pub event_id_key: [u8; 16],
}

/// A commit's number, from 1, without gaps per writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(pub i64);

/// Where an order's entries begin and end, in the store's own terms: handed back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    pub(crate) first: Position,
    pub(crate) last: Position,
}

impl Placement {
    /// Of an order that has no entries stored yet.
    pub const UNBORN: Self = Self {
        first: Position::new(0),
        last: Position::new(0),
    };
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
    /// Its key, from [`Group::next_order_key`].
    pub order: OrderKey,
    /// Its public id.
    pub public_id: PublicId,
    /// Its lifecycle.
    pub lifecycle: LifecycleId,
    /// Whose it is.
    pub owner: Owner,
    /// The customer's reference.
    pub reference: Option<Box<str>>,
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
    /// Its number, from [`Group::next_dead_letter_id`].
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
}

impl GroupWrites {
    /// Whether there is nothing to store.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dead_letters.is_empty()
    }
}

/// A durable group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its commit.
    pub commit: CommitId,
    /// The last position of the log, which is the group's if it has entries.
    pub last_position: Position,
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

/// Writes groups. A writer belongs to one thread.
pub trait Writer: Send {
    /// Begins a group.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing can be written now.
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error>;

    /// The id that the next group must commit under. A group whose outcome is unknown is tried again under the same.
    fn next_commit(&self) -> CommitId;

    /// Whether a commit is durable: settles an unknown outcome.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn is_committed(&mut self, commit: CommitId) -> Result<bool, Error>;

    /// The numbers of parties, in their order; those with a new name get a new one, all in one transaction.
    ///
    /// # Errors
    /// As a commit.
    fn parties(&mut self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error>;

    /// The number of one party: see [`Writer::parties`].
    ///
    /// # Errors
    /// As a commit.
    fn party(&mut self, kind: PartyKind, name: &str) -> Result<PartyId, Error> {
        let found = self.parties(kind, &[name])?.into_iter().next();
        found.ok_or_else(|| Error::damaged("a party got no number"))
    }
}

/// One group while it is made. Dropped without commit, it leaves nothing.
pub trait Group {
    /// The orders that are named, in that order, `None` where there is none. They stay locked until the group ends.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error>;

    /// All stored entries of a loaded order, oldest first.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error>;

    /// One stored entry of a loaded order.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error>;

    /// Versions of a loaded order with this fingerprint among those that lie beside the head.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error>;

    /// A key for an order born in this group.
    fn next_order_key(&mut self) -> OrderKey;

    /// A number for a dead letter of this group.
    fn next_dead_letter_id(&mut self) -> DeadLetterId;

    /// The same refusal of the same content, if it is kept already: a sender that repeats itself adds nothing.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error>;

    /// Stores everything, durably and at once. `at` is the commit's time.
    ///
    /// # Errors
    /// [`Error::Statement`]: one of the values is to blame, nothing is stored. [`Error::Unavailable`]: nothing is stored.
    /// [`Error::OutcomeUnknown`]: ask [`Writer::is_committed`].
    fn commit(
        self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error>;
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
    /// Its number.
    pub commit: CommitId,
    /// When it was made.
    pub at: Timestamp,
    /// The position of its first entry; if it has none, the one its first would have had.
    pub first_position: Position,
    /// How many entries it has.
    pub entries: u32,
    /// SHA-256 over the writer's previous digest, this row and its entries.
    pub digest: [u8; 32],
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

/// Reads, in one short transaction: everything a reader says belongs together.
pub trait Reader {
    /// An order by its public id or its key.
    ///
    /// # Errors
    /// Here and below: [`Error::Unavailable`], [`Error::Damaged`], [`Error::ReadTooLong`].
    fn order(&mut self, order: &OrderRef) -> Result<Option<OrderRecord>, Error>;

    /// All entries of an order, oldest first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn history(&mut self, order: &OrderRecord) -> Result<Vec<LogEntry>, Error>;

    /// Orders after a key, by rising key.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn orders(&mut self, after: OrderKey, limit: u32) -> Result<Vec<OrderRecord>, Error>;

    /// Entries after a position, by rising position.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn log(&mut self, after: Position, limit: u32) -> Result<Vec<LogEntry>, Error>;

    /// Commits after one, by rising number.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn commits(&mut self, after: CommitId, limit: u32) -> Result<Vec<CommitRecord>, Error>;

    /// Fingerprints of an order that lie beside its head, in no order.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn older_fingerprints(&mut self, order: OrderKey) -> Result<Vec<Fingerprint>, Error>;

    /// A dead letter.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn dead_letter(&mut self, id: DeadLetterId) -> Result<Option<DeadLetter>, Error>;

    /// Orders with something due by an instant, the longest due first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error>;

    /// The kept counts, sorted.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn status_counts(&mut self) -> Result<Vec<StatusCount>, Error>;

    /// The number of a party, if the name is known.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn party(&mut self, kind: PartyKind, name: &str) -> Result<Option<PartyId>, Error>;

    /// The name of a party.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn party_name(&mut self, party: PartyId) -> Result<Option<String>, Error>;

    /// How much there is.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn totals(&mut self) -> Result<Totals, Error>;

    /// Orders without a head, heads without an order, and pairs that differ in lifecycle or owner: there are none in a sound
    /// store.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn unpaired_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error>;

    /// What the database itself finds wrong with its files; empty when all is well.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn integrity_problems(&mut self) -> Result<Vec<String>, Error>;
}

/// A place where orders are kept.
pub trait Store: Send + Sync {
    /// What it is for ever.
    fn identity(&self) -> &Identity;

    /// A writer, for a thread to own.
    ///
    /// # Errors
    /// Whatever connecting gives.
    fn writer(&self) -> Result<Box<dyn Writer>, Error>;

    /// Lends a reader: all that the job reads is of one instant.
    ///
    /// # Errors
    /// What the job gives, and what connecting gives.
    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error>;

    /// Keeps definitions for ever and gives each its number: the one it has, if it is known.
    ///
    /// # Errors
    /// [`OpenError::LifecycleChanged`] where one of the same name and version differs; [`OpenError::Store`].
    fn pin_lifecycles(
        &self,
        lifecycles: &[Lifecycle],
        at: Timestamp,
    ) -> Result<Vec<StoredLifecycle>, OpenError>;

    /// All definitions ever kept.
    ///
    /// # Errors
    /// As reading; [`Error::Damaged`] for one that is not what its hash says.
    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error>;
}

impl dyn Store + '_ {
    /// Lends a reader and gives back what the job makes of it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn reading<T>(&self, mut job: impl FnMut(&mut dyn Reader) -> Result<T, Error>) -> Result<T, Error> {
        let mut made = None;
        self.read(&mut |reader| {
            made = Some(job(reader)?);
            Ok(())
        })?;
        made.ok_or_else(|| Error::damaged("a read gave nothing"))
    }
}
