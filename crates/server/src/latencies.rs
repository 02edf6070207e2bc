//! Times of commits, and their percentiles.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::{GroupObservation, Observer};

/// Times kept at most: the newest stand for the rest once a long run has more.
const KEPT: usize = 1 << 20;

/// Collects how long commits took.
#[derive(Clone, Debug, Default)]
pub struct CommitLatencies(Arc<Mutex<Vec<Duration>>>);

/// Percentiles of a set of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// How many times there are.
    pub count: usize,
    /// Half of them are at most this.
    pub p50: Duration,
    /// Nine in ten are at most this.
    pub p90: Duration,
    /// Ninety-nine in a hundred are at most this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl CommitLatencies {
    /// An observer that adds to this collection.
    #[must_use]
    pub fn observer(&self) -> Observer {
        let times = self.clone();
        Box::new(move |observation: &GroupObservation| times.add(observation.commit))
    }

    /// Adds a time.
    pub fn add(&self, time: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() == KEPT {
            times.drain(..KEPT / 2);
        }
        times.push(time);
    }

    /// The percentiles so far; `None` while there are no times.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        times.sort_unstable();
        let at = |percent: usize| {
            times
                .get((times.len() * percent).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(Percentiles {
            count: times.len(),
            p50: at(50)?,
            p90: at(90)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}
