//! Where the stores under test live.

use std::path::{Path, PathBuf};

use model::time::Timestamp;
use store::folder::{DATABASE_FILE, DataFolder};
use store::sqlite::{SqliteOptions, SqliteStore};
use store::{Birth, OpenError, Store};
use tempfile::TempDir;

/// A place that holds one store.
pub(crate) trait Backend {
    /// Opens the store, made if there is none. The one opened before must be dropped first.
    fn open(&self) -> Box<dyn Store>;
}

pub(crate) fn birth() -> Birth {
    Birth {
        store_id: [1; 16],
        event_id_key: [2; 16],
        at: Timestamp::from_seconds(1_760_000_000).unwrap(),
    }
}

/// A data folder of its own, removed at the end.
pub(crate) struct SqliteFolder(TempDir);

impl SqliteFolder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A folder with a copy of a store's files, as a crash would leave them.
    pub(crate) fn with_copy_of(folder: &Path) -> Self {
        let copy = Self::new();
        for name in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal")] {
            let from = folder.join(&name);
            if from.exists() {
                std::fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join(DATABASE_FILE)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join(format!("{DATABASE_FILE}-wal"))
    }

    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.log()).map_or(0, |found| found.len())
    }

    /// A connection that no store knows of.
    pub(crate) fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<SqliteStore, OpenError> {
        self.open_with(SqliteOptions::default())
    }

    pub(crate) fn open_with(&self, options: SqliteOptions) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(DataFolder::lock(self.path())?, &birth(), options)
    }
}

impl Backend for SqliteFolder {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.try_open().unwrap())
    }
}
