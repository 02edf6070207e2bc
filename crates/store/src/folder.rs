//! The data folder of an embedded store, and the lock that keeps a second process out of it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::error::OpenError;
use crate::limits::{LOCK_PAUSE, LOCK_WAIT};

/// The database.
pub const DATABASE_FILE: &str = "waybill.db";
const LOCK_FILE: &str = "waybill.lock";
/// Longest process id that is worth reading.
const MAX_PID_BYTES: u64 = 20;

/// A locked data folder. The lock goes with the value, and with the process, however that ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if there is none, and locks it.
    ///
    /// # Errors
    /// [`OpenError::NotAFolder`], [`OpenError::NotWritable`], [`OpenError::InUse`].
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        if path.exists() && !path.is_dir() {
            return Err(OpenError::NotAFolder(path.to_owned()));
        }
        create_private(path).map_err(|error| not_writable(path, &error))?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_path)
            .map_err(|error| not_writable(&lock_path, &error))?;
        match try_for_a_while(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    path: path.to_owned(),
                    by: read_pid(&lock),
                });
            }
            Err(TryLockError::Error(error)) => return Err(not_writable(&lock_path, &error)),
        }
        // The id only helps a person to find the process: a full disk must not keep a store from being opened.
        if lock.set_len(0).is_ok() {
            drop(write!(lock, "{}", std::process::id()));
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database's path.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }
}

/// Makes the folder for this user only: it holds people's addresses, and the key of the event ids.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Whoever held the lock may have ended just now: a process that it was starting keeps the file open until it is another program.
fn try_for_a_while(lock: &File) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_PAUSE),
            tried => return tried,
        }
    }
}

fn not_writable(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::NotWritable {
        path: path.to_owned(),
        reason: error.kind().to_string(),
    }
}

fn read_pid(lock: &File) -> Option<String> {
    let mut text = String::new();
    lock.take(MAX_PID_BYTES).read_to_string(&mut text).ok()?;
    text.parse::<u32>().ok().map(|pid| pid.to_string())
}
