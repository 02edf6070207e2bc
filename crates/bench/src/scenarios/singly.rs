//! The baseline of whoever commits each event by itself: entries that a server has written, written again on a copy of its
//! database, each in a transaction of its own with the head of its order. Neither decided, counted nor digested.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use store::folder::DATABASE_FILE;
use tempfile::TempDir;

use crate::Problem;
use crate::system::as_figure;

const ENTRY_COLUMNS: usize = 15;

/// A copy of a database from before a load, and how far the load was written to it.
pub(crate) struct Singly {
    source: PathBuf,
    copy: Connection,
    position: i64,
    _folder: TempDir,
}

/// An entry, and what its order's head says after it.
struct Written {
    entry: [Value; ENTRY_COLUMNS],
    recent: Vec<u8>,
}

impl Singly {
    /// Copies the database as it is now.
    pub(crate) fn begin(folder: &Path) -> Result<Self, Problem> {
        let own = tempfile::tempdir()?;
        let copied = own.path().join(DATABASE_FILE);
        let source = folder.join(DATABASE_FILE);
        let connection = Connection::open(&source)?;
        connection.execute(
            "VACUUM INTO ?1",
            [copied.to_str().ok_or("a path that is not text")?],
        )?;
        let copy = Connection::open(copied)?;
        copy.pragma_update(None, "journal_mode", "WAL")?;
        copy.pragma_update(None, "synchronous", "FULL")?;
        copy.pragma_update(None, "cache_size", -store::limits::WRITER_CACHE_KIB)?;
        let position = copy.query_row("SELECT max(position) FROM entries", [], |row| row.get(0))?;
        Ok(Self {
            source,
            copy,
            position,
            _folder: own,
        })
    }

    /// Writes the next events; gives how many a second.
    pub(crate) fn write(&mut self, events: usize) -> Result<f64, Problem> {
        let written = self.read(events)?;
        let began = Instant::now();
        for event in &written {
            let transaction = self.copy.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT INTO entries VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
                )?
                .execute(params_from_iter(&event.entry))?;
            let [position, order, version, ..] = &event.entry;
            let (status, recorded_at) = (&event.entry[10], &event.entry[12]);
            transaction
                .prepare_cached(
                    "UPDATE order_heads SET status = ?2, version = ?3, last_position = ?4, recorded_at = ?5, \
                     recent = ?6 WHERE order_key = ?1",
                )?
                .execute(params![
                    order,
                    status,
                    version,
                    position,
                    recorded_at,
                    event.recent
                ])?;
            transaction.commit()?;
        }
        Ok(as_figure(u64::try_from(written.len())?) / began.elapsed().as_secs_f64())
    }

    fn read(&mut self, events: usize) -> Result<Vec<Written>, Problem> {
        let source = Connection::open(&self.source)?;
        let mut entries =
            source.prepare("SELECT * FROM entries WHERE position > ?1 ORDER BY position LIMIT ?2")?;
        let mut recent = source.prepare("SELECT recent FROM order_heads WHERE order_key = ?1")?;
        let mut rows = entries.query(params![self.position, i64::try_from(events)?])?;
        let mut written = Vec::with_capacity(events);
        while let Some(row) = rows.next()? {
            let mut entry: [Value; ENTRY_COLUMNS] = std::array::from_fn(|_| Value::Null);
            for (column, value) in entry.iter_mut().enumerate() {
                *value = row.get(column)?;
            }
            self.position = row.get(0)?;
            let (order, version): (i64, i64) = (row.get(1)?, row.get(2)?);
            let mut recent: Vec<u8> = recent.query_row([order], |row| row.get(0))?;
            // One fingerprint of 8 bytes for each entry after the creation.
            recent.truncate(usize::try_from(version - 1)? * 8);
            written.push(Written { entry, recent });
        }
        Ok(written)
    }
}
