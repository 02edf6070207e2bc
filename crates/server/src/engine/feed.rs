//! What was written here a moment ago, for who follows the log: it need not be read back.
//!
//! A short cut and no more. What another node wrote, what was decided before it was asked for, and what was too much is not here: then there is a
//! gap between two parts or behind the last, and whoever finds one reads the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Entry;
use model::ids::Position;
use store::{GroupWrites, Interest, LogEntry, LogPage};

use super::limits::{FEED_BYTES, FEED_ENTRIES};

/// Where writers leave what they have written, for one reader.
#[derive(Default)]
pub struct Feed(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None`: nobody reads.
    wanted: Option<Arc<Interest>>,
    /// All of this interest.
    parts: Vec<Part>,
    held: Size,
    /// Something did not fit: what comes next would not join.
    is_full: bool,
}

/// What is wanted of one group.
#[derive(Debug)]
pub struct Part {
    /// Where the log ended before the group.
    pub after: Position,
    /// Its entries that are wanted, and where it ends.
    pub page: LogPage,
}

/// What is wanted of a group that is not stored yet.
pub(super) struct Copied {
    interest: Arc<Interest>,
    /// Each with its place in the group, from 1.
    entries: Vec<(i64, Entry)>,
    size: Size,
    /// Of all its entries.
    count: i64,
}

#[derive(Clone, Copy, Default)]
struct Size {
    entries: usize,
    bytes: usize,
}

impl Size {
    const fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
        }
    }

    const fn fits(self) -> bool {
        self.entries <= FEED_ENTRIES && self.bytes <= FEED_BYTES
    }
}

impl Feed {
    /// Says what is wanted from now on: `None` for nothing. If that has changed, what is there is dropped.
    pub fn want(&self, interest: Option<&Arc<Interest>>) {
        let mut state = self.lock();
        let is_the_same = match (&state.wanted, interest) {
            (None, None) => true,
            (Some(wanted), Some(interest)) => Arc::ptr_eq(wanted, interest),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !is_the_same {
            let before = std::mem::replace(
                &mut *state,
                State {
                    wanted: interest.cloned(),
                    ..State::default()
                },
            );
            // Writers do not wait for that.
            drop(state);
            drop(before);
        }
    }

    /// Takes all that is there, by rising position.
    #[must_use]
    pub fn take(&self) -> Vec<Part> {
        let mut state = self.lock();
        state.held = Size::default();
        state.is_full = false;
        let mut parts = std::mem::take(&mut state.parts);
        drop(state);
        // Of two writers the later may leave its part first.
        parts.sort_unstable_by_key(|part| part.after);
        parts
    }

    /// What is wanted of a group that is about to be stored, if it is not too much.
    pub(super) fn copy(&self, writes: &GroupWrites) -> Option<Copied> {
        if writes.entries.is_empty() {
            return None;
        }
        let state = self.lock();
        let interest = state.wanted.clone().filter(|_| !state.is_full)?;
        drop(state);
        let mut wanted = Vec::new();
        let mut size = Size {
            bytes: size_of::<Part>(),
            ..Size::default()
        };
        for (place, (_, entry)) in (1..).zip(&writes.entries) {
            if interest.covers(entry) {
                size = size.and(size_of_one(entry));
                wanted.push((place, entry));
            }
        }
        if !size.fits() {
            self.lock().is_full = true;
            return None;
        }
        let entries = wanted.into_iter().map(|(place, entry)| (place, entry.clone()));
        Some(Copied {
            interest,
            entries: entries.collect(),
            size,
            count: i64::try_from(writes.entries.len()).ok()?,
        })
    }

    /// The group was stored, and the log ends with it.
    pub(super) fn stored(&self, copied: Copied, last_position: Position) {
        let Copied {
            interest,
            entries,
            size,
            count,
        } = copied;
        // The entries of a group lie side by side.
        let before = last_position.get() - count;
        let entries = entries.into_iter().map(|(place, entry)| LogEntry {
            position: Position::new(before + place),
            entry,
        });
        let part = Part {
            after: Position::new(before),
            page: LogPage {
                entries: entries.collect(),
                through: last_position,
            },
        };
        let mut state = self.lock();
        let is_wanted = state
            .wanted
            .as_ref()
            .is_some_and(|wanted| Arc::ptr_eq(wanted, &interest));
        if !is_wanted || state.is_full {
            return;
        }
        let held = state.held.and(size);
        if held.fits() {
            state.held = held;
            state.parts.push(part);
        } else {
            state.is_full = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size_of_one(entry: &Entry) -> Size {
    let private = entry.private.as_ref().map_or(0, |sealed| sealed.as_bytes().len());
    Size {
        entries: 1,
        bytes: size_of::<LogEntry>() + entry.body.len() + private,
    }
}

#[cfg(test)]
mod tests {
    use model::StateId;
    use model::entry::{ENTRY_FORMAT, EntryKind};
    use model::ids::{LifecycleId, OrderKey, Owner, PartyId, TenantId, Version};
    use model::time::Timestamp;

    use super::*;

    fn entry(body_bytes: usize) -> Entry {
        Entry {
            order: OrderKey::new(1),
            version: Version::new(1),
            kind: EntryKind::Created,
            format: ENTRY_FORMAT,
            lifecycle: LifecycleId::new(1),
            owner: Owner {
                tenant: TenantId::new(0),
                client: PartyId::new(1),
                customer: PartyId::NOBODY,
            },
            status: StateId::new(0),
            occurred_at: Timestamp::from_nanos(0),
            recorded_at: Timestamp::from_nanos(0),
            body: vec![0; body_bytes],
            private: None,
        }
    }

    fn group(entries: usize, body_bytes: usize) -> GroupWrites {
        GroupWrites {
            entries: vec![(0, entry(body_bytes)); entries],
            ..GroupWrites::default()
        }
    }

    fn following() -> Feed {
        let feed = Feed::default();
        feed.want(Some(&Arc::new(Interest::All)));
        feed
    }

    /// Where the parts lie that are there.
    fn taken(feed: &Feed) -> Vec<(i64, i64)> {
        let parts = feed.take().into_iter();
        parts
            .map(|part| (part.after.get(), part.page.through.get()))
            .collect()
    }

    #[test]
    fn what_was_copied_for_an_older_wish_is_not_kept() {
        let feed = following();
        let copied = feed.copy(&group(1, 10)).unwrap();
        feed.want(Some(&Arc::new(Interest::All)));
        feed.stored(copied, Position::new(1));
        assert_eq!(taken(&feed), []);
    }

    #[test]
    fn as_many_entries_as_the_bound_are_kept_and_what_comes_behind_them_is_not() {
        let feed = following();
        let first = feed.copy(&group(FEED_ENTRIES - 1, 10)).unwrap();
        feed.stored(first, Position::new(999));
        let last = feed.copy(&group(1, 10)).unwrap();
        feed.stored(last, Position::new(1_000));
        let over = feed.copy(&group(1, 10)).unwrap();
        feed.stored(over, Position::new(1_001));
        assert!(
            feed.copy(&group(1, 10)).is_none(),
            "nothing is copied for nothing"
        );
        assert_eq!(taken(&feed), [(0, 999), (999, 1_000)]);
        let again = feed.copy(&group(1, 10)).unwrap();
        feed.stored(again, Position::new(1_003));
        assert_eq!(taken(&feed), [(1_002, 1_003)]);
    }

    #[test]
    fn a_group_that_is_too_much_by_itself_is_not_copied() {
        let feed = following();
        assert!(feed.copy(&group(FEED_ENTRIES + 1, 10)).is_none());
        assert!(feed.take().is_empty());
        assert!(feed.copy(&group(FEED_ENTRIES, 10)).is_some());
        assert!(feed.copy(&group(1, FEED_BYTES)).is_none());
    }

    #[test]
    fn parts_come_by_their_place_whichever_writer_left_its_first() {
        let feed = following();
        let (first, second) = (
            feed.copy(&group(2, 10)).unwrap(),
            feed.copy(&group(3, 10)).unwrap(),
        );
        feed.stored(second, Position::new(5));
        feed.stored(first, Position::new(2));
        assert_eq!(taken(&feed), [(0, 2), (2, 5)]);
    }
}
