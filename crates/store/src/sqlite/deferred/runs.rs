//! Deferred heads as readers see them: sorted runs that never change, the newest last.
//!
//! Each commit has its edition of them, told before it is durable, so that whatever commit a reader's transaction begins
//! after, there is an edition that says of heads what was true then.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use model::ids::OrderKey;

use super::update::HeadUpdate;
use crate::records::CommitId;

/// Heads by rising key.
pub(super) type Run = Vec<(OrderKey, Arc<HeadUpdate>)>;

/// A few runs, each at least twice as long as the one after it.
#[derive(Clone, Default)]
pub(super) struct Runs(Vec<Arc<Run>>);

impl Runs {
    pub(super) fn of(run: Run) -> Self {
        if run.is_empty() {
            Self::default()
        } else {
            Self(vec![Arc::new(run)])
        }
    }

    fn find(&self, order: OrderKey) -> Option<&HeadUpdate> {
        self.0.iter().rev().find_map(|run| find_in(run, order))
    }

    /// These and a newer run. Runs of like length become one, without what is past: each head is moved a few times, and a
    /// reader looks into a few runs, however many groups there were.
    fn with(&self, run: &Arc<Run>) -> Self {
        if run.is_empty() {
            return self.clone();
        }
        let mut runs = self.0.clone();
        let mut newest = run.clone();
        while let Some(before) = runs.pop_if(|before| before.len() <= 2 * newest.len()) {
            newest = Arc::new(merged(&before, &newest));
        }
        if !newest.is_empty() {
            runs.push(newest);
        }
        Self(runs)
    }
}

/// Both, where two heads are of one order the newer.
fn merged(older: &Run, newer: &Run) -> Run {
    let mut run = Run::with_capacity(older.len() + newer.len());
    let (mut older, mut newer) = (older.iter().peekable(), newer.iter().peekable());
    loop {
        let order = match (older.peek(), newer.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return run,
        };
        let next = match order {
            Ordering::Less => older.next(),
            Ordering::Equal => {
                older.next();
                newer.next()
            }
            Ordering::Greater => newer.next(),
        };
        run.extend(next.filter(|(_, update)| !update.is_past()).cloned());
    }
}

fn find_in(run: &Run, order: OrderKey) -> Option<&HeadUpdate> {
    let place = run.binary_search_by_key(&order, |(key, _)| *key).ok()?;
    run.get(place).map(|(_, update)| &**update)
}

/// A commit, and the digest that no other commit under its number has: one that failed is not the one that came in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sqlite) struct LastCommit {
    pub(in crate::sqlite) commit: CommitId,
    pub(in crate::sqlite) digest: [u8; 32],
}

/// What is deferred as of a commit, and as of the one that is under way.
#[derive(Default)]
pub(in crate::sqlite) struct Edition {
    /// `None` before the first.
    last: Option<LastCommit>,
    runs: Runs,
    next: Option<(LastCommit, Arc<Run>)>,
}

impl Edition {
    pub(super) const fn of(last: Option<LastCommit>, runs: Runs) -> Self {
        Self {
            last,
            runs,
            next: None,
        }
    }
}

/// The edition of the moment.
#[derive(Default)]
pub(in crate::sqlite) struct Published(RwLock<Arc<Edition>>);

impl Published {
    pub(in crate::sqlite) fn new(edition: Edition) -> Self {
        Self(RwLock::new(Arc::new(edition)))
    }

    /// To be taken before a transaction begins: see [`AsOf::new`].
    pub(in crate::sqlite) fn edition(&self) -> Arc<Edition> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::sqlite) fn replace(&self, edition: impl Into<Arc<Edition>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = edition.into();
    }

    /// Before a commit: a reader may begin after it before this process learns that it is durable.
    pub(super) fn announce(&self, next: LastCommit, run: Arc<Run>) {
        let edition = self.edition();
        self.replace(Edition {
            last: edition.last,
            runs: edition.runs.clone(),
            next: Some((next, run)),
        });
    }

    /// After the commit that was announced.
    pub(super) fn confirm(&self) {
        let edition = self.edition();
        if let Some((last, run)) = &edition.next {
            self.replace(Edition::of(Some(*last), edition.runs.with(run)));
        }
    }
}

/// What is deferred as of the commit that a reader's transaction began after.
pub(in crate::sqlite) struct AsOf {
    edition: Arc<Edition>,
    with_next: bool,
}

impl AsOf {
    /// `None`: the edition is not of that commit, and the transaction is to begin anew with a newer one.
    pub(in crate::sqlite) fn new(edition: Arc<Edition>, last: Option<LastCommit>) -> Option<Self> {
        let with_next = edition.next.as_ref().is_some_and(|(next, _)| Some(*next) == last);
        let fits = with_next || edition.last == last;
        fits.then_some(Self { edition, with_next })
    }

    /// The newest deferred head of an order. Its table may have a newer one.
    pub(in crate::sqlite) fn find(&self, order: OrderKey) -> Option<&HeadUpdate> {
        let next = self.edition.next.as_ref().filter(|_| self.with_next);
        next.and_then(|(_, run)| find_in(run, order))
            .or_else(|| self.edition.runs.find(order))
    }
}
