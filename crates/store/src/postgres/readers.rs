//! Reading sessions, lent for one short transaction each.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::address::{Address, Purpose};
use super::reader::PostgresReader;
use super::session::Session;
use crate::api::Reader;
use crate::error::{Error, Trouble};
use crate::limits::{ANSWER_GRACE, MAX_READ, READER_WAIT};

/// Everything is read of one instant.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) struct Readers {
    address: Address,
    places: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Session>,
    lent: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new(address: Address, places: usize) -> Self {
        Self {
            address,
            places: places.max(1),
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn read(
        &self,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut lent = Lent {
            idle: self.take()?,
            readers: self,
        };
        let mut session = self.begin(lent.idle.take())?;
        // The last one who read may have asked for more.
        session.set_patience(MAX_READ + ANSWER_GRACE);
        let result = job(&mut PostgresReader::new(&mut session, Instant::now() + MAX_READ));
        let ended = session.batch("COMMIT");
        lent.idle = Some(session).filter(|session| !session.is_broken());
        // The job's own error first: what failed in the database also ends the transaction.
        result.and(ended)
    }

    /// A session whose transaction has begun. One that was lost while it was idle is replaced, unseen by the caller.
    fn begin(&self, known: Option<Session>) -> Result<Session, Error> {
        if let Some(mut session) = known
            && session.batch(BEGIN).is_ok()
        {
            return Ok(session);
        }
        // Most likely the others have been lost as well.
        self.lock().idle.clear();
        let mut session = self.address.reconnect(Purpose::Read)?;
        session.batch(BEGIN)?;
        Ok(session)
    }

    /// Closes what is idle and lends nothing any more.
    pub(super) fn close(&self) {
        let mut pool = self.lock();
        pool.closed = true;
        pool.idle.clear();
    }

    /// A place, with a session if one is idle.
    fn take(&self) -> Result<Option<Session>, Error> {
        let full = |pool: &mut Pool| !pool.closed && pool.lent >= self.places;
        let (mut pool, waited) = self
            .returned
            .wait_timeout_while(self.lock(), READER_WAIT, full)
            .unwrap_or_else(PoisonError::into_inner);
        let refuse = |detail: &str| Error::Unavailable {
            trouble: Trouble::Busy,
            detail: detail.to_owned(),
        };
        if pool.closed {
            return Err(refuse("the store is closed"));
        }
        if waited.timed_out() {
            return Err(refuse("every reading connection is lent for too long"));
        }
        pool.lent += 1;
        Ok(pool.idle.pop())
    }

    fn give_back(&self, session: Option<Session>) {
        let mut pool = self.lock();
        pool.lent -= 1;
        if !pool.closed {
            pool.idle.extend(session);
        }
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken: it is given back however the job ends, with the session if that has ended its transaction.
struct Lent<'a> {
    readers: &'a Readers,
    idle: Option<Session>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.give_back(self.idle.take());
    }
}
