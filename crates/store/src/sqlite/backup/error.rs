//! Why there is no backup, or no restored store.

use std::path::{Path, PathBuf};

use super::report_of;
use crate::error::{Error, OpenError};
use crate::verify::Report;

/// A backup or a restore that was not done. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store, or the folder it is in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is such a file.
    #[error("{0} exists: name another file, or give --force to replace it")]
    Exists(PathBuf),
    /// It would be among the files it is to protect.
    #[error("{0} is in the data folder itself: name a place outside of it, best on another disk")]
    InDataFolder(PathBuf),
    /// Another backup makes the same file.
    #[error("another backup is being written to {0}: wait for it, or name another file")]
    InUse(PathBuf),
    /// A file or folder cannot be written.
    #[error("{path} cannot be written: {reason}")]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The database does not do it.
    #[error("{path}: {error}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: Error,
    },
    /// Too much was written while the store was copied.
    #[error(
        "gave up: the server's write-ahead log has grown by more than {} MiB since the copy began, as so much is written \
         meanwhile. Copy to a faster disk or at a quieter time, or allow more with --max-log-mib",
        .0 >> 20
    )]
    LogTooLong(u64),
    /// The copy, or the backup to be restored, is not sound.
    #[error("not sound: {} findings", .0.findings.len())]
    Unsound(Box<Report>),
    /// It is no backup.
    #[error("{0} is not a Waybill backup: name a file that `waybill backup` has made")]
    NotABackup(PathBuf),
    /// It is a store's file, not all of it.
    #[error(
        "{0} has a write-ahead log beside it, so it is not a backup: name a file that `waybill backup` has made"
    )]
    HasLog(PathBuf),
    /// There is a store where one is to be put.
    #[error("{0} holds a store: name another folder, or give --replace to move that store aside")]
    HasStore(PathBuf),
    /// Somebody reads the store that is to be moved aside.
    #[error("another process has {0} open, such as a backup or a shell: wait for it to end")]
    StillOpen(PathBuf),
}

impl BackupError {
    /// What the database says of a file.
    pub(super) fn of_file(path: &Path, error: Error) -> Self {
        Self::Failed {
            path: path.to_owned(),
            error,
        }
    }

    /// Of a copy: what the database cannot read of it is a finding.
    pub(super) fn unsound_if_damaged(self) -> Self {
        match self {
            Self::Failed {
                error: error @ Error::Damaged(_),
                ..
            } => Self::unsound("file", &error.to_string()),
            other => other,
        }
    }

    pub(super) fn unsound(place: &str, problem: &str) -> Self {
        Self::Unsound(Box::new(report_of(place, problem)))
    }
}
