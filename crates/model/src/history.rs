//! An order's history, folded: at its end, or as of an instant on either clock.
//!
//! The status is the target of the last unstruck status-bearing entry, in version order: what was accepted later stands above
//! what was accepted earlier. The *recorded* clock cuts by what the server knew; the *occurred* clock takes, with today's
//! knowledge, only what had happened by then, still in version order: two clocks in the world that disagree never make an
//! order go back, and at the end both clocks say what the head says.

use crate::entry::{Entry, EntryKind, FormatError};
use crate::fingerprint::Fingerprint;
use crate::head::{DelayScale, Head};
use crate::ids::Version;
use crate::lifecycle::{Lifecycle, StateId};
use crate::time::Timestamp;

/// An order's entries, oldest first, with its lifecycle.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    lifecycle: &'a Lifecycle,
    entries: &'a [Entry],
}

/// What an order was at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// Its status then.
    pub status: StateId,
    /// The last entry that counts.
    pub version: Version,
}

/// Entries that cannot be an order's history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// There are none.
    #[error("the order has no entries")]
    Empty,
    /// The first is not a creation with the lifecycle's first status, or a later one is a creation.
    #[error("version {0} is not what a history has there: a creation stands first, and only there")]
    Creation(Version),
    /// A version is missing, doubled or out of order.
    #[error("version {found} stands where {expected} belongs")]
    VersionGap {
        /// What should be there.
        expected: Version,
        /// What is.
        found: Version,
    },
    /// An entry names another order, lifecycle or owner than the first.
    #[error("version {0} names another order, lifecycle or owner than version 1")]
    Foreign(Version),
    /// `recorded_at` does not grow.
    #[error("version {0} was not recorded after the one before it")]
    NotLater(Version),
    /// The stored status is not what the entries so far say.
    #[error("version {version} says the status is '{stored}', its entries say '{folded}'")]
    Status {
        /// Where.
        version: Version,
        /// As stored.
        stored: Box<str>,
        /// As folded.
        folded: Box<str>,
    },
    /// A step without an arrow.
    #[error("version {version} goes from '{from}' to '{to}', which the lifecycle does not allow")]
    Arrow {
        /// Where.
        version: Version,
        /// Status before.
        from: Box<str>,
        /// Status after.
        to: Box<str>,
    },
    /// An entry about another that is not there or not of the kind it needs.
    #[error("version {0} is about an entry that is not there")]
    About(Version),
    /// The sealed part is not the one that was accepted.
    #[error("version {0} has another sealed part than was accepted")]
    Sealed(Version),
    /// An entry cannot be read.
    #[error("version {version}: {error}")]
    Format {
        /// Where.
        version: Version,
        /// Why.
        error: FormatError,
    },
}

impl<'a> History<'a> {
    /// Entries in version order, with the lifecycle of the order they are of.
    #[must_use]
    pub const fn new(lifecycle: &'a Lifecycle, entries: &'a [Entry]) -> Self {
        Self { lifecycle, entries }
    }

    /// Folds all entries into the head they make, and proves on the way that they are a history: versions without gaps, times that
    /// grow, statuses that follow from the entries, arrows that the lifecycle has.
    ///
    /// # Errors
    /// The first [`HistoryFault`].
    pub fn fold(&self, scale: DelayScale) -> Result<Folded, HistoryFault> {
        let (first, rest) = self.entries.split_first().ok_or(HistoryFault::Empty)?;
        let format = |version| move |error| HistoryFault::Format { version, error };
        if first.version != Version::FIRST {
            return Err(HistoryFault::VersionGap {
                expected: Version::FIRST,
                found: first.version,
            });
        }
        if first.kind != EntryKind::Created || first.status != self.lifecycle.initial() {
            return Err(HistoryFault::Creation(first.version));
        }
        check_sealed(first)?;
        let mut head = Head::born(first, self.lifecycle, scale).map_err(format(first.version))?;
        let mut standing = Standing::default();
        standing.take(first)?;
        let mut spilled = Vec::new();
        for entry in rest {
            check_follows(&head, entry)?;
            check_sealed(entry)?;
            self.check_step(&head, entry)?;
            standing.take(entry)?;
            self.check_status(&standing, entry)?;
            let hashes = entry
                .report_hashes(self.lifecycle)
                .map_err(format(entry.version))?;
            head.apply(entry, self.lifecycle, scale, &hashes, &mut spilled)
                .map_err(format(entry.version))?;
        }
        Ok(Folded { head, spilled })
    }

    /// What the order was as the server knew it at `at`; `None` before its creation was recorded.
    #[must_use]
    pub fn as_recorded_at(&self, at: Timestamp) -> Option<AsOf> {
        let known = self
            .entries
            .iter()
            .take_while(|entry| entry.recorded_at <= at)
            .last()?;
        Some(AsOf {
            status: known.status,
            version: known.version,
        })
    }

    /// What the order was in the world at `at`, by all that is known today; `None` before it began.
    #[must_use]
    pub fn as_occurred_at(&self, at: Timestamp) -> Option<AsOf> {
        let mut standing = Standing::default();
        for entry in self.entries {
            standing.take(entry).ok()?;
        }
        self.entries.first().filter(|created| created.occurred_at <= at)?;
        let mut happened = self
            .entries
            .iter()
            .filter(|entry| entry.occurred_at <= at && standing.stands(entry.version));
        happened.next_back().map(|entry| AsOf {
            status: entry.status,
            version: entry.version,
        })
    }

    /// The versions that corrections have struck.
    #[must_use]
    pub fn struck(&self) -> Vec<Version> {
        let corrections = self
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Correction);
        corrections.filter_map(|entry| entry.body().ok()?.about).collect()
    }

    fn check_step(&self, head: &Head, entry: &Entry) -> Result<(), HistoryFault> {
        let moves = entry.status != head.status;
        let body = entry.body().map_err(|error| HistoryFault::Format {
            version: entry.version,
            error,
        })?;
        let is_parked = || {
            head.parked
                .iter()
                .any(|parked| Some(parked.version) == body.about)
        };
        let allowed = match entry.kind {
            EntryKind::Created => return Err(HistoryFault::Creation(entry.version)),
            EntryKind::StatusApplied => self.lifecycle.arrow(head.status, entry.status).is_some(),
            EntryKind::Released => {
                if !is_parked() {
                    return Err(HistoryFault::About(entry.version));
                }
                self.lifecycle.arrow(head.status, entry.status).is_some()
            }
            EntryKind::Abandoned => {
                if !is_parked() {
                    return Err(HistoryFault::About(entry.version));
                }
                !moves
            }
            EntryKind::Recorded | EntryKind::Parked => !moves,
            EntryKind::Correction | EntryKind::Override => true,
        };
        if allowed {
            return Ok(());
        }
        let name = |state| self.lifecycle.state_name(state).into();
        Err(HistoryFault::Arrow {
            version: entry.version,
            from: name(head.status),
            to: name(entry.status),
        })
    }

    fn check_status(&self, standing: &Standing, entry: &Entry) -> Result<(), HistoryFault> {
        let folded = standing.status().unwrap_or(self.lifecycle.initial());
        if folded == entry.status && self.lifecycle.state(entry.status).is_some() {
            return Ok(());
        }
        Err(HistoryFault::Status {
            version: entry.version,
            stored: self.lifecycle.state_name(entry.status).into(),
            folded: self.lifecycle.state_name(folded).into(),
        })
    }
}

/// What folding gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The head.
    pub head: Head,
    /// Fingerprints that no longer fit it, oldest first.
    pub spilled: Vec<Fingerprint>,
}

/// The entries so far that stand: not struck.
#[derive(Default)]
struct Standing {
    /// Those that say what the status is, with it.
    statuses: Vec<(Version, StateId)>,
    /// Those that a correction may strike.
    strikable: Vec<Version>,
}

impl Standing {
    fn take(&mut self, entry: &Entry) -> Result<(), HistoryFault> {
        if entry.kind.bears_status() {
            self.statuses.push((entry.version, entry.status));
        }
        if entry.kind.can_be_struck() {
            self.strikable.push(entry.version);
        }
        if entry.kind == EntryKind::Correction {
            let body = entry.body().map_err(|error| HistoryFault::Format {
                version: entry.version,
                error,
            })?;
            let place = body
                .about
                .and_then(|struck| self.strikable.binary_search(&struck).ok());
            let struck = self
                .strikable
                .remove(place.ok_or(HistoryFault::About(entry.version))?);
            self.statuses.retain(|(version, _)| *version != struck);
        }
        Ok(())
    }

    fn stands(&self, version: Version) -> bool {
        self.statuses
            .binary_search_by_key(&version, |(version, _)| *version)
            .is_ok()
    }

    fn status(&self) -> Option<StateId> {
        self.statuses.last().map(|(_, status)| *status)
    }
}

/// The status that a history gives if one more entry is struck.
pub(crate) fn status_without(entries: &[Entry], strike: Version) -> Option<StateId> {
    let mut standing = Standing::default();
    for entry in entries {
        standing.take(entry).ok()?;
    }
    standing.statuses.retain(|(version, _)| *version != strike);
    standing.status()
}

fn check_follows(head: &Head, entry: &Entry) -> Result<(), HistoryFault> {
    if entry.version != head.version.next() {
        return Err(HistoryFault::VersionGap {
            expected: head.version.next(),
            found: entry.version,
        });
    }
    if (entry.order, entry.lifecycle, entry.owner) != (head.order, head.lifecycle, head.owner) {
        return Err(HistoryFault::Foreign(entry.version));
    }
    if entry.recorded_at <= head.recorded_at {
        return Err(HistoryFault::NotLater(entry.version));
    }
    Ok(())
}

/// The sealed part may be gone, when it was erased; another one may not stand in its place.
fn check_sealed(entry: &Entry) -> Result<(), HistoryFault> {
    let body = entry.body().map_err(|error| HistoryFault::Format {
        version: entry.version,
        error,
    })?;
    let found = entry.private.as_ref().map(crate::sealed::Sealed::digest);
    if found.is_some() && found != body.private_digest {
        return Err(HistoryFault::Sealed(entry.version));
    }
    Ok(())
}
