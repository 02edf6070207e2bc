//! Copies of an embedded store: made beside a server that goes on writing, proven before they count, and put in the place of a
//! store. See `docs/adr/0023-backups.md`.
//!
//! A backup is one SQLite file with what the log held at one instant folded in. Neither a backup nor a restored store is ever
//! seen half: both are made under another name, synced, proven, and renamed.

mod copy;
mod error;
mod files;
mod place;
mod restore;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::SqliteStore;
use super::connect::Database;
use crate::error::{Error, OpenError};
use crate::folder::DATABASE_FILE;
use crate::limits::BACKUP_LOG_BYTES;
use crate::verify::{Finding, Report, verify};

pub use error::BackupError;
pub use restore::{RestoreStep, Restored, restore};

use files::{PrivateFile, not_writable, sync_folder_of};

/// How to make a backup.
#[derive(Clone, Copy, Debug)]
pub struct BackupOptions {
    /// Whether a file of that name is replaced.
    pub force: bool,
    /// See [`BACKUP_LOG_BYTES`].
    pub max_log_bytes: u64,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            force: false,
            max_log_bytes: BACKUP_LOG_BYTES,
        }
    }
}

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many bytes are copied.
    Copied {
        /// So far.
        bytes: u64,
        /// Of so many.
        of: u64,
    },
    /// So much of the copy is proven.
    Proven(&'a Report),
}

/// A backup that was made.
#[derive(Debug)]
pub struct BackedUp {
    /// What was looked at when it was proven.
    pub report: Report,
    /// Its size.
    pub bytes: u64,
    /// By how much the write-ahead log grew meanwhile.
    pub log_grew_bytes: u64,
}

/// Copies the store of a folder into one file, as of one instant after the call. Another process may be writing.
///
/// Not for a process that has the store open itself: closing a file ends the locks that the process has on it.
///
/// # Errors
/// [`BackupError`]. There is no new file then, and what was there is as it was.
pub fn back_up(
    data_dir: &Path,
    file: &Path,
    options: &BackupOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<BackedUp, BackupError> {
    let database = Database::new(data_dir.join(DATABASE_FILE));
    let identity = database.look(data_dir)?;
    refuse_place(data_dir, file, options.force)?;
    let part = PrivateFile::create(&files::beside(file, ".part"))?;
    let copied = copy::copy(&database, part.path(), options.max_log_bytes, progress)?;
    make_self_contained(part.path()).map_err(BackupError::unsound_if_damaged)?;
    part.sync()?;
    let (report, last) = prove(part.path(), progress)?;
    if last != (identity.store_id, copied.last_commit) {
        return Err(BackupError::unsound(
            "file",
            "the copy does not end where it was begun",
        ));
    }
    // Again: much may have happened meanwhile.
    refuse_place(data_dir, file, options.force)?;
    let bytes = part.bytes()?;
    part.rename_to(file)?;
    sync_folder_of(file)?;
    Ok(BackedUp {
        report,
        bytes,
        log_grew_bytes: copied.log_grew_bytes,
    })
}

fn refuse_place(data_dir: &Path, file: &Path, force: bool) -> Result<(), BackupError> {
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_dir() => {
            return Err(not_writable(file, &io::ErrorKind::IsADirectory.into()));
        }
        Ok(_) if !force => return Err(BackupError::Exists(file.to_owned())),
        Ok(_) | Err(_) => {}
    }
    let Some(folder) = files::folder_of(file) else {
        return Err(not_writable(file, &io::ErrorKind::InvalidFilename.into()));
    };
    let folder = fs::canonicalize(&folder).map_err(|error| not_writable(&folder, &error))?;
    if fs::canonicalize(data_dir).is_ok_and(|data_dir| data_dir == folder) {
        return Err(BackupError::InDataFolder(file.to_owned()));
    }
    Ok(())
}

/// Makes one file of a database that has a log beside it, to be read anywhere. Refused while somebody else has it open.
fn make_self_contained(path: &Path) -> Result<(), BackupError> {
    let switched = || -> Result<String, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(crate::limits::BUSY_WAIT)?;
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
    };
    let mode = switched().map_err(|error| BackupError::of_file(path, error.into()))?;
    if mode == "delete" && !files::has_log(path) {
        return Ok(());
    }
    let detail = format!("its log cannot be folded in, the journal mode stays {mode}");
    Err(BackupError::of_file(path, Error::damaged(detail)))
}

/// What a store is known by, and its last commit.
type End = ([u8; 16], i64);

/// Proves a copy that nobody else has, and says what it ends with.
fn prove(path: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(Report, End), BackupError> {
    let store = open_copy(path).map_err(|error| BackupError::unsound("file", &error.to_string()))?;
    let report = verify(&store, &mut |report| progress(Progress::Proven(report)));
    if !report.findings.is_empty() {
        return Err(BackupError::Unsound(Box::new(report)));
    }
    let store: &dyn crate::Store = &store;
    let totals = store
        .reading(|reader| reader.totals())
        .map_err(|error| BackupError::of_file(path, error))?;
    Ok((report, (store.identity().store_id, totals.last_commit.0)))
}

fn open_copy(path: &Path) -> Result<SqliteStore, OpenError> {
    let folder = files::folder_of(path).unwrap_or_else(|| PathBuf::from("."));
    SqliteStore::open_copy(path, &folder)
}

/// A report of one finding: what is wrong with a file before anything in it can be looked at.
fn report_of(place: &str, problem: &str) -> Report {
    Report {
        findings: vec![Finding {
            place: place.to_owned(),
            problem: problem.to_owned(),
        }],
        ..Report::default()
    }
}

/// Syncs a file that SQLite wrote.
fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| not_writable(path, &error))
}
