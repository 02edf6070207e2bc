//! A backup becomes the store of a folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::files::{PrivateFile, beside, has_log, not_writable};
use super::place::{forget_other_names, holds_store, put_in_place};
use super::{Progress, make_self_contained, prove};
use crate::error::OpenError;
use crate::folder::DataFolder;
use crate::limits::RESTORE_STEP_BYTES;
use crate::sqlite::connect::Database;
use crate::verify::Report;

/// A file that is shorter is no database at all.
const HEADER_BYTES: u64 = 100;

/// How far a restore has come: a process that ends after one of these leaves what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStep {
    /// The backup is copied into the folder. The store is as it was.
    Copied,
    /// The copy is proven, and of the format that this version writes. The store is as it was.
    Proven,
    /// The old store has its log within its file. It is the old store.
    OldFolded,
    /// The logs of a database that nobody can open lie aside. Nobody can open it.
    LogsAside,
    /// The old store has a second name. It is the old store.
    OldKept,
    /// It is the new store.
    InPlace,
}

/// A store that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What was looked at when it was proven.
    pub report: Report,
    /// Its size.
    pub bytes: u64,
    /// Where the files of the store are that was there.
    pub kept: Vec<PathBuf>,
}

/// Puts a backup in the place of a folder's store, where a new epoch begins: its number is the caller's randomness. One that is there is kept under another name if there is a time to name it
/// by, and is otherwise a reason to refuse.
///
/// # Errors
/// [`BackupError`]. The folder has the store then that it had.
pub fn restore(
    file: &Path,
    data_dir: &Path,
    epoch: &[u8; 16],
    replaced_at: Option<&str>,
    progress: &mut dyn FnMut(Progress<'_>),
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Restored, BackupError> {
    let mut backup = open_backup(file)?;
    let folder = DataFolder::lock(data_dir)?;
    let database = folder.database();
    if replaced_at.is_none() && holds_store(&database) {
        return Err(BackupError::HasStore(data_dir.to_owned()));
    }
    forget_other_names(&folder)?;
    let new = PrivateFile::create(&beside(&database, ".restoring"))?;
    copy(file, &mut backup, &new, progress)?;
    step(RestoreStep::Copied);
    let copied = Database::new(new.path().to_owned());
    copied
        .bring_copy_up_to_date(epoch)
        .map_err(|error| unsound_if_damaged(file, error))?;
    make_self_contained(new.path()).map_err(BackupError::unsound_if_damaged)?;
    let (report, _) = prove(new.path(), progress)?;
    new.sync()?;
    step(RestoreStep::Proven);
    let bytes = new.bytes()?;
    let kept = put_in_place(&folder, new, replaced_at.unwrap_or_default(), step)?;
    Ok(Restored { report, bytes, kept })
}

/// Opens a file that looks like a backup. SQLite is not asked: it might leave something beside it.
fn open_backup(path: &Path) -> Result<File, BackupError> {
    let unreadable = |error: io::Error| BackupError::NotReadable {
        path: path.to_owned(),
        reason: error.kind().to_string(),
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.len() < HEADER_BYTES {
        return Err(BackupError::NotABackup(path.to_owned()));
    }
    if has_log(path) {
        return Err(BackupError::HasLog(path.to_owned()));
    }
    match Database::new(path.to_owned()).check_marks() {
        Ok(()) => Ok(file),
        Err(error) => Err(unsound_if_damaged(path, error)),
    }
}

fn unsound_if_damaged(path: &Path, error: OpenError) -> BackupError {
    match error {
        OpenError::NotAStore(_) | OpenError::NoStore(_) => BackupError::NotABackup(path.to_owned()),
        OpenError::HalfWritten { reason, .. } => {
            BackupError::unsound("file", &format!("is cut short: {reason}"))
        }
        OpenError::Store {
            error: error @ crate::Error::Damaged(_),
            ..
        } => BackupError::unsound("file", &error.to_string()),
        other => BackupError::Open(other),
    }
}

fn copy(
    path: &Path,
    from: &mut File,
    to: &PrivateFile,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), BackupError> {
    let unreadable = |error: io::Error| BackupError::NotReadable {
        path: path.to_owned(),
        reason: error.kind().to_string(),
    };
    let of = from.metadata().map_err(unreadable)?.len();
    let mut buffer = vec![0; RESTORE_STEP_BYTES];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut buffer).map_err(unreadable)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok(());
        };
        to.file()
            .write_all(piece)
            .map_err(|error| not_writable(to.path(), &error))?;
        bytes += u64::try_from(read).unwrap_or_default();
        progress(Progress::Copied { bytes, of });
    }
}
