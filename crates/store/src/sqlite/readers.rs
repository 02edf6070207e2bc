//! Reading connections, lent for one short transaction each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connect::Database;
use super::deferred::{AsOf, Published, last_commit, left};
use super::reader::SqliteReader;
use crate::api::Reader;
use crate::error::Error;
use crate::limits::{MAX_READ, READERS, WHOLE_TABLE};
use crate::pool::Pool;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_LOOK: i32 = 10_000;

pub(super) struct Readers {
    database: Database,
    deferred: Arc<Published>,
    /// Another process may be writing.
    beside_others: bool,
    /// See [`MAX_READ`].
    longest: Duration,
    pool: Pool<Connection>,
}

impl Readers {
    pub(super) const fn new(database: Database, deferred: Arc<Published>, beside_others: bool) -> Self {
        Self {
            database,
            deferred,
            beside_others,
            longest: MAX_READ,
            pool: Pool::new(READERS),
        }
    }

    /// Of a store that nobody writes: no read is in anybody's way, however slow the disk.
    pub(super) const fn be_patient(&mut self) {
        self.longest = WHOLE_TABLE;
    }

    pub(super) fn read(
        &self,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // None is lent for much longer than a read may take.
        let mut lent = self.pool.take(Duration::MAX)?;
        let connection = match lent.idle.take() {
            Some(connection) => connection,
            None => self.database.connect_reader()?,
        };
        let read = self.read_by(&connection, job);
        // One whose transaction did not end is closed.
        lent.idle = Some(connection).filter(Connection::is_autocommit);
        read
    }

    fn read_by(
        &self,
        connection: &Connection,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (began, longest) = (Instant::now(), self.longest);
        connection.progress_handler(STEPS_PER_LOOK, Some(move || began.elapsed() > longest))?;
        let deferred = if self.beside_others {
            begin_beside_others(connection, &self.deferred)?
        } else {
            begin(connection, &self.deferred, began + longest)?
        };
        let result = job(&mut SqliteReader::new(connection, &deferred, began + longest));
        let ended = connection
            .progress_handler(0, None::<fn() -> bool>)
            .and_then(|()| connection.execute_batch("COMMIT"));
        // The job's own error first: an input/output error also ends the transaction, and with it goes the commit.
        result.and(ended.map_err(Error::from))
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Begins a transaction, and gives what is deferred as of the commit it begins after. A commit in between is rare, two are rarer.
pub(super) fn begin(connection: &Connection, published: &Published, ends_at: Instant) -> Result<AsOf, Error> {
    while Instant::now() < ends_at {
        let edition = published.edition();
        connection.execute_batch("BEGIN")?;
        let deferred = last_commit(connection).map(|last| AsOf::new(edition, last));
        if let Ok(Some(deferred)) = deferred {
            return Ok(deferred);
        }
        connection.execute_batch("ROLLBACK")?;
        deferred?;
    }
    Err(Error::ReadTooLong)
}

/// The same where another process writes, which tells nobody: what is deferred is read in the transaction itself, if a commit
/// has come since it was read last.
fn begin_beside_others(connection: &Connection, published: &Published) -> Result<AsOf, Error> {
    connection.execute_batch("BEGIN")?;
    let last = last_commit(connection)?;
    if let Some(deferred) = AsOf::new(published.edition(), last) {
        return Ok(deferred);
    }
    let edition = Arc::new(left(connection)?);
    published.replace(edition.clone());
    AsOf::new(edition, last).ok_or_else(|| Error::damaged("a transaction that changes while it lasts"))
}
