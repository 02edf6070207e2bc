//! Reading connections, lent for one short transaction each.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;

use super::connect::Database;
use super::deferred::{AsOf, Published, last_commit, left};
use super::reader::SqliteReader;
use crate::api::Reader;
use crate::error::{Error, Trouble};
use crate::limits::{MAX_READ, READERS};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_LOOK: i32 = 10_000;

pub(super) struct Readers {
    database: Database,
    deferred: Arc<Published>,
    /// Another process may be writing.
    beside_others: bool,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new(database: Database, deferred: Arc<Published>, beside_others: bool) -> Self {
        Self {
            database,
            deferred,
            beside_others,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn read(
        &self,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let connection = Lent {
            readers: self,
            connection: Some(self.take()?),
        };
        let Some(open) = &connection.connection else {
            return Err(closed());
        };
        let began = Instant::now();
        open.progress_handler(STEPS_PER_LOOK, Some(move || began.elapsed() > MAX_READ))?;
        let deferred = if self.beside_others {
            begin_beside_others(open, &self.deferred)?
        } else {
            begin(open, &self.deferred, began + MAX_READ)?
        };
        let result = job(&mut SqliteReader::new(open, &deferred, began + MAX_READ));
        let ended = open
            .progress_handler(0, None::<fn() -> bool>)
            .and_then(|()| open.execute_batch("COMMIT"));
        // The job's own error first: an input/output error also ends the transaction, and with it goes the commit.
        result.and(ended.map_err(Error::from))
    }

    /// Closes what is idle and lends nothing any more.
    pub(super) fn close(&self) {
        let mut pool = self.lock();
        pool.closed = true;
        pool.idle.clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        let full = |pool: &mut Pool| !pool.closed && pool.idle.is_empty() && pool.lent >= READERS;
        let mut pool = self
            .returned
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if pool.closed {
            return Err(closed());
        }
        pool.lent += 1;
        match pool.idle.pop() {
            Some(connection) => Ok(connection),
            None => {
                drop(pool);
                self.database
                    .connect_reader()
                    .inspect_err(|_| self.give_back(None))
            }
        }
    }

    /// A connection that failed is not given back, but closed.
    fn give_back(&self, connection: Option<Connection>) {
        let mut pool = self.lock();
        pool.lent -= 1;
        if !pool.closed {
            pool.idle.extend(connection);
        }
        self.returned.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan: it goes back, or is closed where its transaction did not end, however the job ends.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers
            .give_back(self.connection.take().filter(Connection::is_autocommit));
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

fn closed() -> Error {
    Error::Unavailable {
        trouble: Trouble::Busy,
        detail: "the store is closed".to_owned(),
    }
}
