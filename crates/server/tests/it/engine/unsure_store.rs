//! A real store whose commits, on request, say that their outcome is unknown, or that another writer was in the way; and one key of which
//! is always held by another writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Entry;
use model::command::OrderRef;
use model::fingerprint::FingerprintHash;
use model::ids::{DeadLetterId, OrderKey, PartyId, Version};
use model::lifecycle::Lifecycle;
use model::time::Timestamp;
use store::accounts::Accounts;
use store::{
    CommitId, Committed, DeadLetter, Error, Expiry, Group, GroupWrites, Identity, KeyState, Landed, Loaded,
    OpenError, PartyKind, Reader, Store, StoredLifecycle, Trouble, Writer,
};

/// What the next commits do. Those not scripted do what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// Durable, and said to be.
    Known,
    /// Durable, and unknown.
    Made,
    /// Nothing is stored, and unknown.
    NotMade,
    /// Durable, unknown, and for as long as it is asked in the same breath, not to be found out.
    MadeButSilent,
    /// Nothing is stored, as another writer was in the way.
    Overtaken,
}

/// The key whose answer another writer is always about to store.
pub(super) const HELD_KEY: [u8; 32] = [9; 32];

/// The key that the connection is lost on, the first time that it is asked for.
pub(super) const LOST_KEY: [u8; 32] = [10; 32];

pub(super) type Script = Arc<Mutex<VecDeque<Commit>>>;

pub(super) struct UnsureStore {
    inner: Arc<dyn Store>,
    script: Script,
    begun_ahead: Arc<AtomicUsize>,
}

impl UnsureStore {
    pub(super) fn new(inner: Arc<dyn Store>, script: Script) -> Self {
        Self {
            inner,
            script,
            begun_ahead: Arc::default(),
        }
    }

    /// Counts groups that were begun while another was on its way.
    pub(super) fn counting(mut self, begun_ahead: Arc<AtomicUsize>) -> Self {
        self.begun_ahead = begun_ahead;
        self
    }
}

fn unsure() -> Error {
    Error::OutcomeUnknown {
        trouble: Trouble::Io,
        detail: "made up".to_owned(),
    }
}

impl Store for UnsureStore {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(UnsureWriter {
            inner: self.inner.writer()?,
            script: self.script.clone(),
            behind: false,
            silent: false,
            lost: false,
            away: None,
            begun_ahead: self.begun_ahead.clone(),
        }))
    }

    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        self.inner.read(job)
    }

    fn pin_lifecycles(
        &self,
        lifecycles: &[Lifecycle],
        at: Timestamp,
    ) -> Result<Vec<StoredLifecycle>, OpenError> {
        self.inner.pin_lifecycles(lifecycles, at)
    }

    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error> {
        self.inner.lifecycles()
    }
}

struct UnsureWriter {
    inner: Box<dyn Writer>,
    script: Script,
    /// A commit is durable that this writer has not heard of: it learns of it as it reads again.
    behind: bool,
    silent: bool,
    lost: bool,
    /// What the commit does that is written behind.
    away: Option<Commit>,
    begun_ahead: Arc<AtomicUsize>,
}

impl Writer for UnsureWriter {
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error> {
        self.behind = false;
        self.begun_ahead
            .fetch_add(usize::from(self.away.is_some()), Ordering::Relaxed);
        Ok(Box::new(UnsureGroup {
            inner: self.inner.begin()?,
            script: self.script.clone(),
            behind: &mut self.behind,
            silent: &mut self.silent,
            lost: &mut self.lost,
        }))
    }

    fn next_commit(&mut self) -> Result<CommitId, Error> {
        let CommitId(next) = self.inner.next_commit()?;
        Ok(CommitId(next - i64::from(self.behind)))
    }

    fn writes_behind(&self) -> bool {
        self.inner.writes_behind()
    }

    fn commit_behind(&mut self, commit: CommitId, at: Timestamp, writes: GroupWrites) -> Result<(), Error> {
        let scripted = self.script.lock().unwrap().pop_front().unwrap_or(Commit::Known);
        if scripted != Commit::NotMade {
            self.inner.commit_behind(commit, at, writes)?;
        }
        self.away = Some(scripted);
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Landed>, Error> {
        let told = self.inner.finish()?;
        let Some(scripted) = self.away.take().filter(|scripted| *scripted != Commit::Known) else {
            return Ok(told);
        };
        self.behind = scripted != Commit::NotMade;
        self.silent = scripted == Commit::MadeButSilent;
        Ok(Some(Landed {
            result: Err(unsure()),
            took: Duration::ZERO,
        }))
    }

    fn is_committed(&mut self, commit: CommitId) -> Result<bool, Error> {
        if std::mem::take(&mut self.silent) {
            return Err(Error::Unavailable {
                trouble: Trouble::Io,
                detail: "made up".to_owned(),
            });
        }
        self.behind = false;
        self.inner.is_committed(commit)
    }

    fn parties(&mut self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error> {
        self.inner.parties(kind, names)
    }

    fn accounts(&mut self) -> Result<Box<dyn Accounts + '_>, Error> {
        self.inner.accounts()
    }

    fn expire(&mut self, expiry: &Expiry, limit: u32) -> Result<u64, Error> {
        self.inner.expire(expiry, limit)
    }
}

struct UnsureGroup<'a> {
    inner: Box<dyn Group + 'a>,
    script: Script,
    behind: &'a mut bool,
    silent: &'a mut bool,
    lost: &'a mut bool,
}

impl Group for UnsureGroup<'_> {
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        self.inner.load(orders)
    }

    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error> {
        self.inner.history(loaded)
    }

    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error> {
        self.inner.entry(loaded, version)
    }

    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error> {
        self.inner.older_versions(order, hash)
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        self.inner.due(by, limit)
    }

    fn next_order_key(&mut self) -> OrderKey {
        self.inner.next_order_key()
    }

    fn next_dead_letter_id(&mut self) -> DeadLetterId {
        self.inner.next_dead_letter_id()
    }

    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
        self.inner.same_dead_letter(letter)
    }

    fn dead_letters_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        self.inner.dead_letters_of(actor)
    }

    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        self.inner.batch_receipts_of(actor)
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<KeyState, Error> {
        match *key {
            HELD_KEY => Ok(KeyState::UnderWay),
            LOST_KEY if !std::mem::replace(self.lost, true) => {
                Err(Error::Contended("the connection was lost".to_owned()))
            }
            _ => self.inner.answer(key),
        }
    }

    fn commit(
        self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error> {
        let scripted = self.script.lock().unwrap().pop_front();
        match scripted {
            None | Some(Commit::Known) => self.inner.commit(commit, at, writes),
            Some(Commit::NotMade) => Err(unsure()),
            Some(Commit::Overtaken) => Err(Error::Contended("made up".to_owned())),
            Some(made @ (Commit::Made | Commit::MadeButSilent)) => {
                self.inner.commit(commit, at, writes)?;
                *self.behind = true;
                *self.silent = made == Commit::MadeButSilent;
                Err(unsure())
            }
        }
    }
}
