//! Files for their owner only, made under one name and known under another once they are whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::BackupError;

/// It has people's addresses and hashes of passwords.
const OWNER_ONLY: u32 = 0o600;
/// What SQLite keeps beside a database.
pub(super) const LOGS: [&str; 2] = ["-wal", "-journal"];
/// What it makes anew of the log.
pub(super) const INDEX: &str = "-shm";

/// A path with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The folder that a file is in; `None` of a path without a file name.
pub(super) fn folder_of(file: &Path) -> Option<PathBuf> {
    file.file_name()?;
    let parent = file.parent()?;
    Some(if parent.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        parent.to_owned()
    })
}

/// Whether a database has something in a log beside it.
pub(super) fn has_log(database: &Path) -> bool {
    LOGS.iter().any(|suffix| bytes_of(&beside(database, suffix)) > 0)
}

/// The size of a file; 0 of none. It is not opened: closing it would end locks on it.
pub(super) fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

pub(super) fn not_writable(path: &Path, error: &io::Error) -> BackupError {
    BackupError::NotWritable {
        path: path.to_owned(),
        reason: error.kind().to_string(),
    }
}

/// Makes a new name in a folder survive a power cut.
pub(super) fn sync_folder_of(file: &Path) -> Result<(), BackupError> {
    let folder = folder_of(file).unwrap_or_else(|| PathBuf::from("."));
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| not_writable(&folder, &error))
}

/// Removes what may be there.
pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(not_writable(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file that is being made. Dropped before it has its name, it goes, with what SQLite left beside it.
pub(super) struct PrivateFile {
    path: PathBuf,
    /// Locked, so that another process that makes the same file is noticed.
    file: File,
    is_named: bool,
}

impl PrivateFile {
    /// Makes it empty. One that a killed process left is replaced.
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::InUse(path.to_owned()),
            _ => not_writable(path, &error),
        };
        // Held until the new one is there: whoever comes second then sees that it is not the file they have locked.
        let left = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(left) => Some(left),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if let Some(left) = &left {
            lock(left, path)?;
            let same = |left: fs::Metadata, named: fs::Metadata| {
                (left.dev(), left.ino()) == (named.dev(), named.ino())
            };
            if !left
                .metadata()
                .and_then(|left| Ok(same(left, fs::metadata(path)?)))
                .map_err(failed)?
            {
                return Err(BackupError::InUse(path.to_owned()));
            }
            remove_with_logs(path)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(OWNER_ONLY);
        let file = file.open(path).map_err(failed)?;
        let made = Self {
            path: path.to_owned(),
            file,
            is_named: false,
        };
        lock(&made.file, path)?;
        let permissions = Permissions::from_mode(OWNER_ONLY);
        made.file.set_permissions(permissions).map_err(failed)?;
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn bytes(&self) -> Result<u64, BackupError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(|error| not_writable(&self.path, &error))?.len())
    }

    /// All of it is on the disk.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        self.file
            .sync_all()
            .map_err(|error| not_writable(&self.path, &error))
    }

    /// Gives it its name, in place of what has it.
    pub(super) fn rename_to(mut self, path: &Path) -> Result<(), BackupError> {
        fs::rename(&self.path, path).map_err(|error| not_writable(path, &error))?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        // What is there now may be another process's.
        if !self.is_named {
            // What cannot be removed is replaced by the next one.
            drop(remove_with_logs(&self.path));
        }
    }
}

/// Removes a database with all that belongs to it.
pub(super) fn remove_with_logs(database: &Path) -> Result<(), BackupError> {
    for suffix in LOGS.iter().chain([&INDEX]) {
        remove(&beside(database, suffix))?;
    }
    remove(database)
}

fn lock(file: &File, path: &Path) -> Result<(), BackupError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => BackupError::InUse(path.to_owned()),
        TryLockError::Error(error) => not_writable(path, &error),
    })
}
