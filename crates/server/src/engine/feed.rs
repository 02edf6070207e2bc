//! What was written here a moment ago, for who follows the log: it need not be read back.
//!
//! A short cut and no more. What another node wrote, what was decided before it was asked for, and what was too much is not here: then there is a
//! gap between two parts, and whoever finds one reads the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Entry;
use model::ids::Position;
use store::{GroupWrites, Interest, LogEntry, LogPage};

use super::limits::FEED_BYTES;

/// Where writers leave what they have written, for one reader.
#[derive(Default)]
pub struct Feed(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None`: nobody reads.
    wanted: Option<Arc<Interest>>,
    /// All of this interest.
    parts: Vec<Part>,
    bytes: usize,
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
    bytes: usize,
    /// Of all its entries.
    count: i64,
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
            state.clear();
            state.wanted = interest.cloned();
        }
    }

    /// Takes all that is there, by rising position.
    #[must_use]
    pub fn take(&self) -> Vec<Part> {
        let mut state = self.lock();
        state.bytes = 0;
        let mut parts = std::mem::take(&mut state.parts);
        drop(state);
        // Of two writers the later may leave its part first.
        parts.sort_unstable_by_key(|part| part.after);
        parts
    }

    /// What is wanted of a group that is about to be stored.
    pub(super) fn copy(&self, writes: &GroupWrites) -> Option<Copied> {
        let interest = self.lock().wanted.clone()?;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for (place, (_, entry)) in (1..).zip(&writes.entries) {
            if !interest.covers(entry) {
                continue;
            }
            bytes += bytes_of(entry);
            if bytes > FEED_BYTES {
                return None;
            }
            entries.push((place, entry.clone()));
        }
        Some(Copied {
            interest,
            entries,
            bytes,
            count: i64::try_from(writes.entries.len()).ok()?,
        })
    }

    /// The group was stored, and the log ends with it.
    pub(super) fn stored(&self, copied: Copied, last_position: Position) {
        let Copied {
            interest,
            entries,
            bytes,
            count,
        } = copied;
        if count == 0 {
            return;
        }
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
        if !state
            .wanted
            .as_ref()
            .is_some_and(|wanted| Arc::ptr_eq(wanted, &interest))
        {
            return;
        }
        if state.bytes + bytes > FEED_BYTES {
            // Nobody has taken anything for long.
            state.clear();
        }
        state.bytes += bytes + size_of::<Part>();
        state.parts.push(part);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn clear(&mut self) {
        self.parts.clear();
        self.bytes = 0;
    }
}

fn bytes_of(entry: &Entry) -> usize {
    let private = entry.private.as_ref().map_or(0, |sealed| sealed.as_bytes().len());
    size_of::<LogEntry>() + entry.body.len() + private
}
