//! Reading what lies together in one go, as a read has its price whatever it reads. Where something of it cannot be read, everything is
//! read by itself: what is damaged must not hide its neighbours.

use std::collections::{HashMap, VecDeque};

use model::ids::{LifecycleId, Position};

use model::{Entry, Lifecycle};

use super::{PAGE, Verification};
use crate::error::Error;
use crate::records::{CommitRecord, LogEntry, OrderRecord};

/// Entries of several orders read at a time: well within the bound on a read.
const ENTRIES: u32 = 2_000;

/// A page of the log that was read and not looked at yet: groups are small.
#[derive(Default)]
pub(super) struct Ahead {
    /// The position behind which the page is whole.
    after: i64,
    entries: VecDeque<LogEntry>,
}

impl Ahead {
    /// Forgets what lies up to a position.
    fn skip_to(&mut self, after: i64) {
        if after < self.after {
            self.entries.clear();
        }
        self.after = after;
        while self
            .entries
            .pop_front_if(|found| found.position.get() <= after)
            .is_some()
        {}
    }

    fn take(&mut self, end: i64) -> Vec<LogEntry> {
        let mut taken = Vec::new();
        while let Some(found) = self.entries.pop_front_if(|found| found.position.get() < end) {
            self.after = found.position.get();
            taken.push(found);
        }
        taken
    }
}

impl Verification<'_> {
    /// The entries of a commit that are not archived, as far as they are there.
    pub(super) fn entries_of(&mut self, commit: &CommitRecord) -> Vec<Entry> {
        let first = commit.first_position.get();
        let end = first.saturating_add(i64::from(commit.entries));
        let mut next = first.saturating_add(i64::from(commit.archived_entries));
        let mut entries = Vec::new();
        while next < end {
            let page = match self.log_between(next, end) {
                Ok(page) => page,
                Err(error) => {
                    if self.unreadable(format!("position {next}"), &error) {
                        break;
                    }
                    next += 1;
                    continue;
                }
            };
            let before = next;
            for LogEntry { position, entry } in page {
                if position.get() < next {
                    self.found(format!("position {position}"), "stands out of order");
                    continue;
                }
                self.missing(next, position.get());
                next = position.get() + 1;
                entries.push(entry);
            }
            if next == before {
                self.missing(next, end);
                break;
            }
        }
        entries
    }

    fn missing(&mut self, from: i64, to: i64) {
        if to - from == 1 {
            self.found(format!("position {from}"), "is missing");
        } else if to > from {
            self.found(format!("positions {from} to {}", to - 1), "are missing");
        }
    }

    /// The next entries from a position on and before another, some or all of them. None: there are none.
    fn log_between(&mut self, next: i64, end: i64) -> Result<Vec<LogEntry>, Error> {
        let after = next.saturating_sub(1);
        self.ahead.skip_to(after);
        let position = Position::new(after);
        if self.ahead.entries.is_empty() {
            match self.store.reading(|reader| reader.log(position, PAGE)) {
                Ok(page) => self.ahead.entries = page.into(),
                Err(_) => {
                    let wanted = u32::try_from(end - next).unwrap_or(PAGE).min(PAGE);
                    let mut page = self.page(|reader, limit| reader.log(position, limit.min(wanted)))?;
                    page.retain(|found| found.position.get() < end);
                    return Ok(page);
                }
            }
        }
        Ok(self.ahead.take(end))
    }

    /// Looks at a page of orders.
    pub(super) fn orders_of(
        &mut self,
        mut page: &[OrderRecord],
        lifecycles: &HashMap<LifecycleId, Lifecycle>,
    ) {
        while let Some(first) = page.first() {
            if first.placement.is_archived() {
                self.order(first, None, lifecycles);
                page = page.get(1..).unwrap_or_default();
                continue;
            }
            let (part, rest) = page.split_at(part_of(page));
            let read = self
                .store
                .reading(|reader| Ok((reader.histories(part)?, reader.older_fingerprints_of(part)?)));
            match read {
                Ok((histories, older)) => {
                    for (order, read) in part.iter().zip(histories.into_iter().zip(older)) {
                        self.order(order, Some(read), lifecycles);
                    }
                }
                Err(_) => part.iter().for_each(|order| self.order(order, None, lifecycles)),
            }
            page = rest;
        }
    }
}

/// How many of the orders have few enough entries to be read together: at least one. Those that are archived are not.
fn part_of(page: &[OrderRecord]) -> usize {
    let mut entries = 0_u32;
    let mut fits = |order: &&OrderRecord| {
        entries = entries.saturating_add(order.head.version.get());
        entries <= ENTRIES && !order.placement.is_archived()
    };
    page.iter().take_while(&mut fits).count().max(1)
}
