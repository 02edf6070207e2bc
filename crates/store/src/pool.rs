//! What readers borrow: so many at a time, each by one of them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Trouble};

/// Places for readers, and what those have left who are done.
pub(crate) struct Pool<T> {
    places: usize,
    state: Mutex<State<T>>,
    returned: Condvar,
}

struct State<T> {
    idle: Vec<T>,
    lent: usize,
    closed: bool,
}

impl<T> Pool<T> {
    pub(crate) const fn new(places: usize) -> Self {
        Self {
            places,
            state: Mutex::new(State {
                idle: Vec::new(),
                lent: 0,
                closed: false,
            }),
            returned: Condvar::new(),
        }
    }

    /// A place, with what is idle if something is.
    pub(crate) fn take(&self, patience: Duration) -> Result<Lent<'_, T>, Error> {
        let full = |state: &mut State<T>| !state.closed && state.lent >= self.places;
        let (mut state, waited) = self
            .returned
            .wait_timeout_while(self.lock(), patience, full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(busy("the store is closed"));
        }
        if waited.timed_out() {
            return Err(busy("every reading connection is lent for too long"));
        }
        state.lent += 1;
        Ok(Lent {
            pool: self,
            idle: state.idle.pop(),
        })
    }

    /// Closes what is idle.
    pub(crate) fn clear(&self) {
        self.lock().idle.clear();
    }

    /// Closes what is idle and lends nothing any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken: it is given back however the job ends, with what may be borrowed again.
pub(crate) struct Lent<'a, T> {
    pool: &'a Pool<T>,
    pub(crate) idle: Option<T>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.lent -= 1;
        if !state.closed {
            state.idle.extend(self.idle.take());
        }
        self.pool.returned.notify_one();
    }
}

fn busy(detail: &str) -> Error {
    Error::Unavailable {
        trouble: Trouble::Busy,
        detail: detail.to_owned(),
    }
}
