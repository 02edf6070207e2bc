//! Reading sessions, lent for one short transaction each.

use std::time::Instant;

use super::address::{Address, Purpose};
use super::reader::PostgresReader;
use super::session::Session;
use crate::api::Reader;
use crate::error::Error;
use crate::limits::{ANSWER_GRACE, READER_WAIT};
use crate::pool::Pool;

/// Everything is read of one instant.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Behind [`BEGIN`], before the instant is fixed: until the transaction ends no partition is detached. Otherwise one could be that is said
/// to be there as of that instant.
pub(super) const HOLD_LOG: &str = "LOCK TABLE ONLY entries IN ACCESS SHARE MODE";

pub(super) struct Readers {
    address: Address,
    pool: Pool<Session>,
}

impl Readers {
    pub(super) fn new(address: Address, places: usize) -> Self {
        Self {
            address,
            pool: Pool::new(places.max(1)),
        }
    }

    pub(super) fn read(
        &self,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let ends_at = |began: Instant| began + self.address.read_statement();
        self.ask(|session| job(&mut PostgresReader::new(session, ends_at(Instant::now()))))
    }

    /// Lends a session for one transaction.
    pub(super) fn ask<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let longest = self.address.read_statement();
        let mut lent = self.pool.take(READER_WAIT.max(2 * longest))?;
        let mut session = self.begin(lent.idle.take())?;
        // The last one who read may have asked for more.
        session.set_patience(longest + ANSWER_GRACE);
        let result = work(&mut session);
        let ended = session.batch("COMMIT");
        lent.idle = Some(session).filter(|session| !session.is_broken());
        // The job's own error first: what failed in the database also ends the transaction.
        result.and_then(|made| ended.map(|()| made))
    }

    /// A session whose transaction has begun. One that was lost while it was idle is replaced, unseen by the caller.
    fn begin(&self, known: Option<Session>) -> Result<Session, Error> {
        if let Some(mut session) = known
            && begin(&mut session).is_ok()
        {
            return Ok(session);
        }
        // Most likely the others have been lost as well.
        self.pool.clear();
        let mut session = self.address.reconnect(Purpose::Read)?;
        begin(&mut session)?;
        Ok(session)
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn begin(session: &mut Session) -> Result<(), Error> {
    session.batch(&format!("{BEGIN}; {HOLD_LOG}"))
}
