//! The store API. It is synchronous: a connection is a thread, and whoever is asynchronous hands work over in groups.

use std::time::Duration;

use model::command::OrderRef;
use model::fingerprint::FingerprintHash;
use model::ids::{DeadLetterId, OrderKey, PartyId, Version};
use model::time::Timestamp;
use model::{Entry, Lifecycle};

use crate::accounts::Accounts;
use crate::error::{Error, OpenError};
use crate::records::{
    CommitId, Committed, DeadLetter, Expiry, GroupWrites, Identity, KeyState, Landed, Loaded, PartyKind,
    StoredLifecycle,
};

pub use crate::reader::Reader;

/// Writes groups. A writer belongs to one thread.
pub trait Writer: Send {
    /// Begins a group.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing can be written now; [`Error::Contended`] if the next commit has another id by now.
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error>;

    /// The id that the next group must commit under. A group whose outcome is unknown is tried again under the same.
    ///
    /// # Errors
    /// Whatever reading gives: after a failure what is stored is asked anew.
    fn next_commit(&mut self) -> Result<CommitId, Error>;

    /// Whether groups can be written behind: see [`Writer::commit_behind`].
    fn writes_behind(&self) -> bool {
        false
    }

    /// Begins to store what a group came to that was dropped since; the next one can be begun and decided meanwhile, on top of it. Only
    /// beginning and deciding are allowed until [`Writer::finish`] has told what came of it.
    ///
    /// # Errors
    /// As a commit: nothing is stored then, and there is nothing to finish.
    fn commit_behind(&mut self, commit: CommitId, at: Timestamp, writes: GroupWrites) -> Result<(), Error> {
        let (_, _) = (at, writes);
        Err(Error::Statement(format!(
            "commit {} cannot be written behind",
            commit.0
        )))
    }

    /// Waits for what is written behind and tells what came of it, once. After a failure everything that was decided on top of
    /// it is void.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nobody can tell any more.
    fn finish(&mut self) -> Result<Option<Landed>, Error> {
        Ok(None)
    }

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

    /// Begins a transaction over accounts.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing can be written now.
    fn accounts(&mut self) -> Result<Box<dyn Accounts + '_>, Error>;

    /// Deletes what has been kept long enough, at most `limit` rows of each kind, in one transaction. How many went: fewer than
    /// `limit` of each kind means that nothing is left to do.
    ///
    /// # Errors
    /// As a commit.
    fn expire(&mut self, expiry: &Expiry, limit: u32) -> Result<u64, Error>;

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
    /// A group names all its orders at once: one that is asked for later is not waited for where another writer has it.
    ///
    /// # Errors
    /// Whatever reading gives; [`Error::Contended`]: the group is to be begun again.
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error>;

    /// All stored entries of a loaded order, oldest first.
    ///
    /// # Errors
    /// Whatever reading gives; [`Error::Archived`].
    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error>;

    /// One stored entry of a loaded order.
    ///
    /// # Errors
    /// Whatever reading gives; [`Error::Archived`].
    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error>;

    /// Versions of a loaded order with this fingerprint among those that lie beside the head.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error>;

    /// Orders with something due by an instant, the longest due first, as [`Reader::due`] gives them. They are locked until the group
    /// ends, and those that another writer holds at this moment are left out: of several writers that ask at once each gets others. So
    /// nobody is waited for, and a group that asks before it names any order meets the order in which locks are taken: it may load what it
    /// was given, and nothing else.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error>;

    /// A key for an order born in this group.
    fn next_order_key(&mut self) -> OrderKey;

    /// A number for a dead letter of this group.
    fn next_dead_letter_id(&mut self) -> DeadLetterId;

    /// The same refusal of the same content, if it is kept already: a sender that repeats itself adds nothing.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error>;

    /// Dead letters kept of one principal, those of this group left out.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn dead_letters_of(&mut self, actor: PartyId) -> Result<u64, Error>;

    /// As how many the receipts of a principal's batches count, those of this group left out: see [`BatchReceipt::weight`](crate::BatchReceipt::weight).
    ///
    /// # Errors
    /// Whatever reading gives.
    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error>;

    /// What stands under an idempotency key. If nothing does, or an answer, the key is the group's until it ends.
    ///
    /// # Errors
    /// Whatever reading gives; [`Error::Contended`]: the group is to be begun again.
    fn answer(&mut self, key: &[u8; 32]) -> Result<KeyState, Error>;

    /// Stores everything, durably and at once. `at` is the commit's time.
    ///
    /// # Errors
    /// [`Error::Statement`]: one of the values is to blame, nothing is stored. [`Error::Unavailable`]: nothing is stored.
    /// [`Error::Contended`]: nothing is stored, and the group may be begun again.
    /// [`Error::OutcomeUnknown`]: ask [`Writer::is_committed`]. [`Error::Archived`]: an order of the group is, nothing is stored.
    fn commit(
        self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error>;
}

/// Hears that a store was written to.
pub trait Listener: Send {
    /// Waits until this node or another one may have written to the log, at most `patience`; true if told so. It may be told for nothing,
    /// and news may be lost: whoever needs to know looks into the log, now and then also without having been told.
    ///
    /// A lost connection is made again, unseen by the caller, and however little patience it has; then something may have been missed,
    /// which counts as being told.
    fn wait(&mut self, patience: Duration) -> bool;
}

/// A place where orders are kept.
pub trait Store: Send + Sync {
    /// What it is for ever.
    fn identity(&self) -> &Identity;

    /// A writer, for a thread to own. The embedded store has one; over a server each node may have several.
    ///
    /// # Errors
    /// Whatever connecting gives.
    fn writer(&self) -> Result<Box<dyn Writer>, Error>;

    /// Lends a reader: all that the job reads is of one instant. The job may be run a second time from its beginning, where the connection
    /// was lost: what it keeps of the first must not count.
    ///
    /// # Errors
    /// What the job gives, and what connecting gives.
    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error>;

    /// As [`Store::read`], for lists and reports, which may be of a moment ago, at most of the bound that the store was opened with: on a
    /// replica, if there is one that is new enough.
    ///
    /// # Errors
    /// As [`Store::read`].
    fn read_behind(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        self.read(job)
    }

    /// Hears of what is written from now on; `None` where nobody but this store writes.
    ///
    /// # Errors
    /// Whatever connecting gives.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, Error> {
        Ok(None)
    }

    /// What whoever runs it should know, though everything works: that a replica is not read, and why.
    fn trouble(&self) -> Option<String> {
        None
    }

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
    pub fn reading<T>(&self, job: impl FnMut(&mut dyn Reader) -> Result<T, Error>) -> Result<T, Error> {
        made_by(job, |job| self.read(job))
    }

    /// As `reading`, of a moment ago: see [`Store::read_behind`].
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn reading_behind<T>(
        &self,
        job: impl FnMut(&mut dyn Reader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        made_by(job, |job| self.read_behind(job))
    }
}

fn made_by<T>(
    mut job: impl FnMut(&mut dyn Reader) -> Result<T, Error>,
    read: impl FnOnce(&mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<T, Error> {
    let mut made = None;
    read(&mut |reader| {
        made = Some(job(reader)?);
        Ok(())
    })?;
    made.ok_or_else(|| Error::damaged("a read gave nothing"))
}
