//! Reading sessions, lent for one short transaction each.

use std::time::{Duration, Instant};

use super::address::{Address, Purpose};
use super::reader::PostgresReader;
use super::session::Session;
use crate::api::Reader;
use crate::error::Error;
use crate::limits::{ANSWER_GRACE, READER_WAIT};
use crate::pool::Pool;

/// Everything is read of one instant.
macro_rules! begin {
    () => {
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    };
}
macro_rules! hold_log {
    () => {
        "LOCK TABLE ONLY entries IN ACCESS SHARE MODE"
    };
}
pub(super) const BEGIN: &str = begin!();
/// Behind [`BEGIN`], before the instant is fixed: until the transaction ends no partition is detached. Otherwise one could be that is said
/// to be there as of that instant.
pub(super) const HOLD_LOG: &str = hold_log!();
const BEGIN_AND_HOLD: &str = concat!(begin!(), "; ", hold_log!());

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

    /// Lends a session for one transaction. The work may be begun twice: a session that was lost while it was idle is replaced,
    /// unseen by the caller.
    pub(super) fn ask<T>(&self, mut work: impl FnMut(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let longest = self.address.read_statement();
        let mut lent = self.pool.take(READER_WAIT.max(2 * longest))?;
        if let Some(mut session) = lent.idle.take() {
            let result = within_transaction(&mut session, longest, &mut work);
            let is_lost = result.is_err() && session.is_broken() && !session.has_answered();
            lent.idle = Some(session).filter(|session| !session.is_broken());
            if !is_lost {
                return result;
            }
            // Most likely the others have been lost as well.
            self.pool.clear();
        }
        let mut session = self.address.reconnect(Purpose::Read)?;
        let result = within_transaction(&mut session, longest, &mut work);
        lent.idle = Some(session).filter(|session| !session.is_broken());
        result
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Neither the beginning nor the end is waited for: each would take as long as what is read.
fn within_transaction<T>(
    session: &mut Session,
    longest: Duration,
    work: &mut impl FnMut(&mut Session) -> Result<T, Error>,
) -> Result<T, Error> {
    // The last one who read may have asked for more.
    session.set_patience(longest + ANSWER_GRACE);
    session.begin_unwaited(BEGIN_AND_HOLD);
    let result = work(session);
    session.end_unwaited();
    result
}
