//! Who reads for long keeps the write-ahead log from being copied back: a backup, or a person with a shell. Waiting for such a
//! reader would only slow the writer down, so it is told apart from the store's own, which are soon gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits::{CHECKPOINT_IDLE, MAX_GIVE_WAY};

/// What the checkpoints of a store met.
#[derive(Default)]
pub(super) struct Held(Mutex<Option<Hold>>);

/// Checkpoints that all ended at the same frame, although there were more.
struct Hold {
    copied_frames: u64,
    began: Instant,
    tried: Instant,
}

impl Held {
    /// A checkpoint has copied the log up to there; whether a reader was in its way.
    pub(super) fn note(&self, copied_frames: u64, in_the_way: bool) {
        let now = Instant::now();
        let mut hold = self.lock();
        let began = hold
            .take()
            .filter(|hold| hold.copied_frames == copied_frames)
            .map_or(now, |hold| hold.began);
        *hold = in_the_way.then_some(Hold {
            copied_frames,
            began,
            tried: now,
        });
    }

    /// Whether that has been so for longer than any reader of the store's own lives.
    pub(super) fn for_long(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|hold| hold.began.elapsed() >= MAX_GIVE_WAY)
    }

    /// Whether another try is too early: each sorts what it cannot copy.
    pub(super) fn is_to_be_left(&self) -> bool {
        self.for_long()
            && self
                .lock()
                .as_ref()
                .is_some_and(|hold| hold.tried.elapsed() < CHECKPOINT_IDLE)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
