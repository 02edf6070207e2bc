//! Proving a store: that its digests agree, positions and versions have no gaps, every head is what its entries say, every
//! step is one its lifecycle has, and the counts are right.
//!
//! Reads everything, in short transactions, and goes on after what it finds: a person who must decide what to do wants the
//! whole list. The caller holds the store's lock, so that nothing changes meanwhile.
//!
//! Of what is archived there is no more than commits and heads: that they go on, are final and agree with each other and with what is noted
//! of the archives is proved, the entries themselves are not.

mod archived;
mod counts;
mod mapping;
mod together;

use std::collections::HashMap;
use std::fmt;

use model::fingerprint::Fingerprint;
use model::head::DelayScale;
use model::history::Folded;
use model::ids::{LifecycleId, OrderKey, Position};
use model::{Entry, Head, History, Lifecycle};

use crate::api::{Reader, Store};
use crate::digest::{CommitDigest, genesis};
use crate::error::Error;
use crate::records::{CommitId, CommitRecord, LogEntry, OrderRecord};

use archived::Archived;
use counts::Counts;
use together::Ahead;

/// Rows read at a time: well within the bound on a read.
const PAGE: u32 = 500;
/// Rows that cannot be read before the rest is given up.
const MAX_UNREADABLE: u32 = 10_000;
/// Findings that are listed; more are counted.
const MAX_FINDINGS: usize = 1_000;

/// What a verification found, and how much it looked at.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, at most 1,000.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
    /// Commits looked at.
    pub commits: u64,
    /// Entries looked at.
    pub entries: u64,
    /// Orders looked at.
    pub orders: u64,
    /// Those of them whose entries are archived.
    pub archived_orders: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.problem)
    }
}

/// Verifies a store. `progress` is told how many entries and orders have been looked at.
#[must_use]
pub fn verify(store: &dyn Store, progress: &mut dyn FnMut(&Report)) -> Report {
    let mut verification = Verification {
        store,
        report: Report::default(),
        counts: Counts::default(),
        ahead: Ahead::default(),
        folded_entries: 0,
        archived: Archived::default(),
        unreadable_rows: 0,
    };
    verification.files();
    verification.log(progress);
    verification.orders(progress);
    verification.report
}

struct Verification<'a> {
    store: &'a dyn Store,
    report: Report,
    counts: Counts,
    ahead: Ahead,
    folded_entries: u64,
    archived: Archived,
    unreadable_rows: u32,
}

/// Where the walk through the log stands.
struct Chain {
    /// The last commit of each writer, and its digest.
    writers: HashMap<u32, (CommitId, [u8; 32])>,
    commit: CommitId,
    position: Position,
}

impl Verification<'_> {
    fn found(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(Finding {
                place: place.into(),
                problem: problem.into(),
            });
        } else {
            self.report.more_findings += 1;
        }
    }

    /// Notes what cannot be read; whether that was so often by now that looking on is of no use: behind one damaged row there
    /// may be no other for a long way.
    fn unreadable(&mut self, place: String, error: &Error) -> bool {
        self.found(place, error.to_string());
        self.unreadable_rows += 1;
        let too_many = self.unreadable_rows > MAX_UNREADABLE;
        if too_many {
            self.found(
                "store",
                format!("more than {MAX_UNREADABLE} rows cannot be read: the rest was not looked at"),
            );
        }
        too_many
    }

    /// Gives what was read, or notes why it could not be.
    fn noting<T>(&mut self, place: &str, read: Result<T, Error>) -> Option<T> {
        read.inspect_err(|error| self.found(place, error.to_string()))
            .ok()
    }

    /// A page, or its first row where the page cannot be read: what is damaged must not hide its neighbours.
    fn page<T>(&self, read: impl Fn(&mut dyn Reader, u32) -> Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
        let page = self.store.reading(|reader| read(reader, PAGE));
        page.or_else(|_| self.store.reading(|reader| read(reader, 1)))
    }

    fn files(&mut self) {
        let problems = self.store.reading(|reader| reader.integrity_problems());
        for problem in self.noting("database", problems).unwrap_or_default() {
            self.found("database", problem);
        }
        let unpaired = self.store.reading(|reader| reader.unpaired_orders(PAGE));
        for order in self.noting("orders", unpaired).unwrap_or_default() {
            self.found(
                format!("order {order}"),
                "the order and its head do not belong together: one is missing, or lifecycle or owner differ",
            );
        }
    }

    fn log(&mut self, progress: &mut dyn FnMut(&Report)) {
        let mut chain = Chain {
            writers: HashMap::new(),
            commit: CommitId(0),
            position: Position::new(0),
        };
        let last = self.store.reading(|reader| reader.totals());
        let last = self
            .noting("commits", last)
            .map_or(CommitId(0), |totals| totals.last_commit);
        while chain.commit < last {
            let after = chain.commit;
            match self.page(|reader, limit| reader.commits(after, limit)) {
                Ok(commits) if commits.is_empty() => break,
                Ok(commits) => {
                    commits.iter().for_each(|commit| self.commit(&mut chain, commit));
                    if chain.commit <= after {
                        self.found(format!("commit {}", after.0), "is followed by lower numbers");
                        break;
                    }
                }
                Err(error) => {
                    chain.commit = CommitId(after.0 + 1);
                    if self.unreadable(format!("commit {}", chain.commit.0), &error) {
                        break;
                    }
                }
            }
            progress(&self.report);
        }
        // Of one instant: where others write meanwhile, what comes after the last commit has one of its own.
        let rest = self.store.reading(|reader| {
            let is_last = reader.commits(chain.commit, 1)?.is_empty();
            reader.log(chain.position, u32::from(is_last))
        });
        if let Some(entry) = self.noting("log", rest).and_then(|rest| rest.into_iter().next()) {
            self.found(format!("position {}", entry.position), "belongs to no commit");
        }
    }

    fn commit(&mut self, chain: &mut Chain, commit: &CommitRecord) {
        let place = format!("commit {}", commit.commit.0);
        if commit.commit.0 - 1 != chain.commit.0 {
            self.found(&*place, format!("stands where {} belongs", chain.commit.0 + 1));
        }
        let expected = Position::new(chain.position.get().saturating_add(1));
        if commit.first_position != expected {
            self.found(
                &*place,
                format!("begins at position {}, not {expected}", commit.first_position),
            );
        }
        let before_first = || {
            (
                CommitId(0),
                genesis(&self.store.identity().store_id, commit.writer),
            )
        };
        let (before, digest) = chain
            .writers
            .get(&commit.writer)
            .copied()
            .unwrap_or_else(before_first);
        // Where a commit is missing altogether, that has been said.
        if commit.number.0 - 1 != before.0 && commit.commit.0 - 1 == chain.commit.0 {
            let (writer, number, expected) = (commit.writer, commit.number.0, before.0.saturating_add(1));
            self.found(
                &*place,
                format!("is number {number} of writer {writer}, where {expected} belongs"),
            );
        }
        let mut digest = CommitDigest::new(&digest, commit.number, commit.at, commit.entries);
        for entry in self.entries_of(commit) {
            self.report.entries += 1;
            digest.add(&entry);
        }
        self.archived.in_commits += u64::from(commit.archived_entries);
        if commit.archived_entries == 0 && digest.finish() != commit.digest {
            self.found(&*place, "its digest is not that of the log up to it");
        }
        self.report.commits += 1;
        // From what is stored, so that one damaged commit is one finding and not every later one.
        chain
            .writers
            .insert(commit.writer, (commit.number, commit.digest));
        chain.commit = commit.commit;
        let last = commit.first_position.get().saturating_sub(1);
        chain.position = Position::new(last.saturating_add(i64::from(commit.entries)));
    }

    fn orders(&mut self, progress: &mut dyn FnMut(&Report)) {
        let Some(lifecycles) = self.noting("lifecycles", self.store.lifecycles()) else {
            return;
        };
        let lifecycles: HashMap<LifecycleId, Lifecycle> = lifecycles
            .into_iter()
            .map(|stored| (stored.id, stored.lifecycle))
            .collect();
        let last = self.store.reading(|reader| reader.totals());
        let last = self
            .noting("orders", last)
            .map_or(OrderKey::new(0), |totals| totals.last_order);
        let mut after = OrderKey::new(0);
        while after < last {
            match self.page(|reader, limit| reader.orders(after, limit)) {
                Ok(page) => {
                    let read_to = page.last().map_or(last, |order| order.head.order);
                    self.orders_of(&page, &lifecycles);
                    if read_to <= after {
                        // Pages of a damaged index may lead round in a circle.
                        self.found(format!("order {after}"), "is followed by lower keys");
                        break;
                    }
                    after = read_to;
                }
                Err(error) => {
                    after = after.next();
                    if self.unreadable(format!("order {after}"), &error) {
                        break;
                    }
                }
            }
            progress(&self.report);
        }
        if self.folded_entries != self.report.entries {
            let (folded, logged) = (self.folded_entries, self.report.entries);
            self.found(
                "log",
                format!("holds {logged} entries, the orders' histories {folded}"),
            );
        }
        self.compare_mapping(&lifecycles);
        self.compare_archived();
        self.compare_counts();
    }

    /// `read` is what could be read together with what other orders have: otherwise it is read here.
    fn order(
        &mut self,
        order: &OrderRecord,
        read: Option<(Vec<LogEntry>, Vec<Fingerprint>)>,
        lifecycles: &HashMap<LifecycleId, Lifecycle>,
    ) {
        self.report.orders += 1;
        let place = format!("order {}", order.public_id);
        let head = &order.head;
        self.counts.add(head);
        let Some(lifecycle) = lifecycles.get(&head.lifecycle) else {
            return self.found(
                place,
                format!("has the unknown lifecycle {}", head.lifecycle.get()),
            );
        };
        if order.placement.is_archived() {
            return self.archived_order(&place, order, lifecycle);
        }
        let (history, older) = read.unzip();
        let history = history.map_or_else(|| self.store.reading(|reader| reader.history(order)), Ok);
        let Some(history) = self.noting(&place, history) else {
            return;
        };
        self.folded_entries += u64::try_from(history.len()).unwrap_or(u64::MAX);
        let ends = (
            history.first().map(|found| found.position),
            history.last().map(|found| found.position),
        );
        if ends != (Some(order.placement.first), Some(order.placement.last)) {
            self.found(&*place, "its head does not say where its entries begin and end");
        }
        let entries: Vec<Entry> = history.into_iter().map(|found| found.entry).collect();
        match History::new(lifecycle, &entries).fold(DelayScale::ONE) {
            Ok(folded) => self.compare(&place, order, &entries, older, &folded),
            Err(fault) => self.found(place, fault.to_string()),
        }
    }

    fn compare(
        &mut self,
        place: &str,
        order: &OrderRecord,
        entries: &[Entry],
        older: Option<Vec<Fingerprint>>,
        folded: &Folded,
    ) {
        if without_times(&order.head) != without_times(&folded.head) {
            self.found(
                place,
                format!(
                    "its head (version {}) is not what its entries say",
                    order.head.version
                ),
            );
        }
        if entries
            .first()
            .is_some_and(|born| born.recorded_at != order.created_at)
        {
            self.found(place, "was not created when its first entry was recorded");
        }
        let born = entries
            .first()
            .and_then(|entry| entry.body().ok())
            .unwrap_or_default();
        if born.public_id != Some(order.public_id.as_str()) {
            self.found(place, "was created under another public id");
        }
        let details = order
            .details
            .as_ref()
            .map(|details| details.digest_with(order.reference.as_deref()));
        if details.is_some() && details != born.details_digest {
            self.found(
                place,
                "its details or its reference are not those it was created with",
            );
        }
        let older = older.map_or_else(
            || {
                self.store
                    .reading(|reader| reader.older_fingerprints(order.head.order))
            },
            Ok,
        );
        let Some(mut older) = self.noting(place, older) else {
            return;
        };
        let mut expected = folded.spilled.clone();
        older.sort_unstable_by_key(|fingerprint| fingerprint.get());
        expected.sort_unstable_by_key(|fingerprint| fingerprint.get());
        if older != expected {
            self.found(
                place,
                "the fingerprints beside its head are not those of its entries",
            );
        }
    }
}

/// A head to compare: when its next step is due depends on the delay scale it was made under, whether one is due does not.
fn without_times(head: &Head) -> (Head, bool) {
    (
        Head {
            step_due: None,
            ..head.clone()
        },
        head.step_due.is_some(),
    )
}
