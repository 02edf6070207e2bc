//! The pages of a database as of one instant.
//!
//! One read transaction lasts as long as the copy: SQLite's own, so that what another process writes or checkpoints meanwhile
//! does not show. It keeps the write-ahead log from being begun anew, so the log grows by what is written; the copy is given up
//! when that is too much.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::Progress;
use super::error::BackupError;
use super::files::{beside, bytes_of};
use crate::error::{Error, Trouble};
use crate::limits::{BACKUP_STEP_PAGES, PAGE_BYTES, READER_CACHE_KIB};
use crate::sqlite::connect::Database;
use crate::sqlite::deferred::last_commit;

/// What was copied.
pub(super) struct Copied {
    /// The last commit in it.
    pub(super) last_commit: i64,
    pub(super) log_grew_bytes: u64,
}

/// Copies a database into an empty file.
pub(super) fn copy(
    database: &Database,
    to: &Path,
    max_log_bytes: u64,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Copied, BackupError> {
    let failed = |error: Error| BackupError::of_file(database.path(), error);
    let source = database.connect_reader().map_err(failed)?;
    let log = beside(database.path(), "-wal");
    let log_bytes = bytes_of(&log);
    source
        .execute_batch("BEGIN")
        .map_err(|error| failed(error.into()))?;
    // Reading begins the transaction.
    let last_commit = last_commit(&source).map_err(failed)?;
    let mut target = target(to).map_err(|error| BackupError::of_file(to, error.into()))?;
    let backup = Backup::new(&source, &mut target).map_err(|error| failed(error.into()))?;
    let mut log_grew_bytes = 0;
    loop {
        let step = backup
            .step(BACKUP_STEP_PAGES)
            .map_err(|error| of_step(database, to, error))?;
        let copied = backup.progress();
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * u64::from(PAGE_BYTES);
        let of = bytes(copied.pagecount);
        progress(Progress::Copied {
            bytes: of - bytes(copied.remaining),
            of,
        });
        log_grew_bytes = bytes_of(&log).saturating_sub(log_bytes).max(log_grew_bytes);
        match step {
            StepResult::Done => break,
            StepResult::More if log_grew_bytes > max_log_bytes => {
                return Err(BackupError::LogTooLong(max_log_bytes));
            }
            StepResult::More => {}
            _ => return Err(failed(locked())),
        }
    }
    Ok(Copied {
        last_commit: last_commit.map_or(0, |last| last.commit.0),
        log_grew_bytes,
    })
}

/// Nobody sees the file before it is whole and synced: no journal, no syncs of SQLite's.
fn target(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let target = Connection::open_with_flags(path, flags)?;
    target.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    target.pragma_update(None, "synchronous", "OFF")?;
    target.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(target)
}

/// Of the file that is written, where it can be no other.
fn of_step(database: &Database, to: &Path, error: rusqlite::Error) -> BackupError {
    match error.into() {
        error @ Error::Unavailable {
            trouble: Trouble::DiskFull | Trouble::NotWritable | Trouble::Io,
            ..
        } => BackupError::of_file(to, error),
        error => BackupError::of_file(database.path(), error),
    }
}

/// Cannot come of a transaction that reads.
fn locked() -> Error {
    Error::Unavailable {
        trouble: Trouble::Busy,
        detail: "the database is locked".to_owned(),
    }
}
