//! Putting a store in the place of another, so that a kill at any moment leaves the one or the other, never parts of both.
//!
//! The old store is first made one file, without a log beside it: then a single rename changes the one for the other, and no log
//! of the old one can be taken for the new one's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::files::{
    INDEX, LOGS, PrivateFile, beside, bytes_of, has_log, not_writable, remove, sync_folder_of,
};
use super::restore::RestoreStep;
use super::{make_self_contained, sync};
use crate::error::{Error, Trouble};
use crate::folder::{DATABASE_FILE, DataFolder};
use crate::sqlite::connect::Database;

/// What stands between the name of the database and the time it was replaced at.
const REPLACED: &str = ".replaced-";

/// Whether a folder has anything of a store. An empty file is none.
pub(super) fn holds_store(database: &Path) -> bool {
    bytes_of(database) > 0 || has_log(database)
}

/// Removes further names of the store that a killed restore left: whoever opened one of them would write to the store itself.
pub(super) fn forget_other_names(folder: &DataFolder) -> Result<(), BackupError> {
    let failed = |error: io::Error| not_writable(folder.path(), &error);
    let Ok(store) = fs::metadata(folder.database()) else {
        return Ok(());
    };
    for entry in fs::read_dir(folder.path()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_other = name
            .to_string_lossy()
            .starts_with(&format!("{DATABASE_FILE}{REPLACED}"));
        let is_same = |found: fs::Metadata| (found.dev(), found.ino()) == (store.dev(), store.ino());
        if is_other && fs::symlink_metadata(entry.path()).is_ok_and(is_same) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Puts a proven store in its place. What was there is kept under names with this time, which are given.
pub(super) fn put_in_place(
    folder: &DataFolder,
    new: PrivateFile,
    time: &str,
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Vec<PathBuf>, BackupError> {
    let database = folder.database();
    let mut kept = Vec::new();
    if holds_store(&database) {
        let aside = beside(&database, &format!("{REPLACED}{time}"));
        if bytes_of(&database) == 0 || !fold_log_in(&database)? {
            // No server opens such a database, with its log or without.
            kept.extend(move_logs(&database, &aside)?);
            step(RestoreStep::LogsAside);
        } else {
            step(RestoreStep::OldFolded);
        }
        if bytes_of(&database) > 0 {
            keep_also_as(&database, &aside)?;
            kept.push(aside);
        }
        sync_folder_of(&database)?;
        step(RestoreStep::OldKept);
    }
    // Empty, or an index of a log that is gone.
    for suffix in LOGS.iter().chain([&INDEX]) {
        remove(&beside(&database, suffix))?;
    }
    new.rename_to(&database)?;
    sync_folder_of(&database)?;
    step(RestoreStep::InPlace);
    Ok(kept)
}

/// Folds the log of the old store into it. False: nobody can open it.
fn fold_log_in(database: &Path) -> Result<bool, BackupError> {
    // SQLite removes a log that it can read nothing of.
    if Database::new(database.to_owned()).check_file().is_err() {
        return Ok(false);
    }
    match make_self_contained(database) {
        Ok(()) => sync(database).map(|()| true),
        Err(BackupError::Failed {
            error: Error::Damaged(_),
            ..
        }) => Ok(false),
        Err(BackupError::Failed {
            error:
                Error::Unavailable {
                    trouble: Trouble::Busy,
                    ..
                },
            ..
        }) => Err(BackupError::StillOpen(database.to_owned())),
        Err(other) => Err(other),
    }
}

fn move_logs(database: &Path, aside: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut kept = Vec::new();
    for suffix in LOGS {
        let (log, kept_log) = (beside(database, suffix), beside(aside, suffix));
        if bytes_of(&log) > 0 {
            refuse_taken(&kept_log)?;
            fs::rename(&log, &kept_log).map_err(|error| not_writable(&kept_log, &error))?;
            kept.push(kept_log);
        }
    }
    sync_folder_of(database)?;
    Ok(kept)
}

/// A second name, so that there is no moment without the first. A copy where the file system knows no second names.
fn keep_also_as(database: &Path, aside: &Path) -> Result<(), BackupError> {
    refuse_taken(aside)?;
    if fs::hard_link(database, aside).is_ok() {
        return Ok(());
    }
    fs::copy(database, aside).map_err(|error| not_writable(aside, &error))?;
    sync(aside)
}

fn refuse_taken(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(not_writable(path, &io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}
