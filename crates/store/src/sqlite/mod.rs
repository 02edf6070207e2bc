//! The embedded store: one SQLite file in a locked folder, one writer, readers in parallel.
//!
//! The write-ahead log is synced with every commit (`synchronous=FULL`), so that what was answered survives a power cut. A
//! thread of its own copies it back into the database; when it falls behind, the writer waits for it. A failed sync
//! fails the group. The next attempt writes the same pages of the log again before it syncs, so nothing depends on what
//! the system kept of a failed one.

mod accounts;
mod api_keys;
mod audit;
pub mod backup;
mod behind;
mod cache;
mod checkpoint;
mod connect;
mod convert;
mod core;
mod counts;
mod dead_letters;
mod deferred;
mod due;
pub(crate) mod export;
mod group;
mod held;
mod lifecycles;
mod lists;
mod loader;
mod log;
mod mapping;
mod pages;
mod reader;
mod readers;
mod receipt_counts;
mod receipts;
mod rows;
mod statements;
mod users;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::Lifecycle;
use model::time::Timestamp;

use crate::api::{Reader, Store, Writer};
use crate::error::{Error, OpenError, Trouble};
use crate::folder::DataFolder;
use crate::limits::{CHECKPOINT_BYTES, DEFERRED_HEADS, DEFERRED_ROUND, MAX_WAL_BYTES};
use crate::records::{Birth, Identity, Migrated, StoredLifecycle};

use checkpoint::Checkpointer;
use connect::Database;
use deferred::Published;
use readers::Readers;
use writer::SqliteWriter;

/// How to open an embedded store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The name of this node in its commits.
    pub node: String,
    /// See [`CHECKPOINT_BYTES`].
    pub checkpoint_bytes: u64,
    /// See [`MAX_WAL_BYTES`].
    pub max_wal_bytes: u64,
    /// See [`DEFERRED_HEADS`].
    pub deferred_heads: usize,
    /// See [`DEFERRED_ROUND`]. At least 1.
    pub deferred_round: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            checkpoint_bytes: CHECKPOINT_BYTES,
            max_wal_bytes: MAX_WAL_BYTES,
            deferred_heads: DEFERRED_HEADS,
            deferred_round: DEFERRED_ROUND,
        }
    }
}

/// The embedded store.
pub struct SqliteStore {
    identity: Identity,
    database: Database,
    readers: Readers,
    deferred: Arc<Published>,
    options: SqliteOptions,
    checkpointer: Arc<Checkpointer>,
    /// One writer at a time; it gives the place back when it is dropped.
    writer_taken: Arc<AtomicBool>,
    /// `None` where another process may be writing. Last, so that the lock outlives every connection.
    folder: Option<Arc<DataFolder>>,
}

impl SqliteStore {
    /// Opens the store of a locked folder, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Every [`OpenError`] but those of the folder itself.
    pub fn open(folder: DataFolder, birth: &Birth, options: SqliteOptions) -> Result<Self, OpenError> {
        let database = Database::new(folder.database());
        let identity = database.prepare(birth)?;
        let deferred = deferred_of(&database)?;
        let checkpointer = Checkpointer::start(&database, &options)?;
        Ok(Self {
            identity,
            readers: Readers::new(database.clone(), deferred.clone(), false),
            deferred,
            database,
            options,
            checkpointer,
            writer_taken: Arc::default(),
            folder: Some(Arc::new(folder)),
        })
    }

    /// Brings the schema of a locked folder's store up to date, and makes the store if there is none.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn migrate(folder: &DataFolder, birth: &Birth) -> Result<Migrated, OpenError> {
        let (_, migrated) = Database::new(folder.database()).bring_up_to_date(birth)?;
        Ok(migrated)
    }

    /// Opens the store of a folder for reading only, without its lock: another process may be writing.
    ///
    /// # Errors
    /// [`OpenError::NoStore`] and every other [`OpenError`] but those of writing.
    pub fn open_to_read(folder: &std::path::Path) -> Result<Self, OpenError> {
        let database = Database::new(folder.join(crate::folder::DATABASE_FILE));
        Self::open_database_to_read(database, folder)
    }

    /// Opens a copy that nobody writes.
    fn open_copy(path: &std::path::Path, folder: &std::path::Path) -> Result<Self, OpenError> {
        let mut store = Self::open_database_to_read(Database::new(path.to_owned()), folder)?;
        store.readers.be_patient();
        Ok(store)
    }

    fn open_database_to_read(database: Database, folder: &std::path::Path) -> Result<Self, OpenError> {
        let identity = database.look(folder)?;
        let options = SqliteOptions::default();
        let deferred: Arc<Published> = Arc::default();
        Ok(Self {
            identity,
            readers: Readers::new(database.clone(), deferred.clone(), true),
            deferred,
            checkpointer: Checkpointer::idle(&options),
            database,
            options,
            writer_taken: Arc::default(),
            folder: None,
        })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Readers first: a checkpoint that finds none can empty the log, and the next start finds nothing to recover.
        self.readers.close();
        self.checkpointer.stop();
    }
}

impl Store for SqliteStore {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        let folder = self.folder.clone().ok_or_else(only_read)?;
        if self.writer_taken.swap(true, Ordering::AcqRel) {
            return Err(Error::Unavailable {
                trouble: Trouble::Busy,
                detail: "the embedded store has one writer, and it is taken".to_owned(),
            });
        }
        let taken = WriterPlace {
            taken: self.writer_taken.clone(),
            _folder: folder,
        };
        let writer = SqliteWriter::new(
            &self.database,
            &self.options,
            self.checkpointer.clone(),
            self.deferred.clone(),
            taken,
        )?;
        Ok(Box::new(writer))
    }

    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        self.readers.read(job)
    }

    fn pin_lifecycles(
        &self,
        lifecycles: &[Lifecycle],
        at: Timestamp,
    ) -> Result<Vec<StoredLifecycle>, OpenError> {
        if self.folder.is_none() {
            return Err(self.database.open_error(only_read()));
        }
        lifecycles::pin(&self.database, lifecycles, at)
    }

    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error> {
        lifecycles::all(&self.database.connect_reader()?)
    }
}

/// What was deferred when the store was last written.
fn deferred_of(database: &Database) -> Result<Arc<Published>, OpenError> {
    let edition = database
        .connect_reader()
        .and_then(|connection| deferred::left(&connection))
        .map_err(|error| database.open_error(error))?;
    Ok(Arc::new(Published::new(edition)))
}

fn only_read() -> Error {
    Error::Unavailable {
        trouble: Trouble::NotWritable,
        detail: "it was opened for reading only".to_owned(),
    }
}

/// The one writer's place, given back when it is dropped. A writer that outlives its store keeps the folder locked.
struct WriterPlace {
    taken: Arc<AtomicBool>,
    _folder: Arc<DataFolder>,
}

impl Drop for WriterPlace {
    fn drop(&mut self) {
        self.taken.store(false, Ordering::Release);
    }
}
