//! Opening the file: what it must look like, its schema, and the settings of each connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{deferred, mapping};
use crate::error::{Error, OpenError, Trouble};
use crate::limits::{
    BUSY_WAIT, KEPT_WAL_BYTES, PAGE_BYTES, READER_CACHE_KIB, READER_MAP_BYTES, WRITER_CACHE_KIB,
};
use crate::records::{Birth, Identity, Migrated};

/// Where the epoch stands in `store_meta`, once there has been more than one.
const EPOCH: &str = "epoch";
/// `WBIL`, in the file's header: tells our file from any other database.
const APPLICATION_ID: i64 = 0x5742_494C;
/// Bytes of the header that say what is looked at before SQLite is.
const HEADER_BYTES: usize = 100;
/// Where in it, as `SQLite`'s file format has it, `user_version` stands, and `application_id`.
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;
/// One script a version, never changed once released: `user_version` says how many were run.
pub(super) const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/sqlite/0001_log.sql"),
    include_str!("../../migrations/sqlite/0002_accounts.sql"),
    include_str!("../../migrations/sqlite/0003_deferred_heads.sql"),
    include_str!("../../migrations/sqlite/0004_sessions_and_quotas.sql"),
    include_str!("../../migrations/sqlite/0005_pages_and_mapping.sql"),
];

/// The migration from which on heads that other tools read are not deferred: it begins with none that is.
const MAPPING: i64 = 5;

/// A database file, and how to connect to it.
#[derive(Clone)]
pub(super) struct Database {
    path: Arc<Path>,
}

impl Database {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path: path.into() }
    }

    /// Makes the file or checks it, and runs what migrations it lacks, each in a transaction of its own.
    pub(super) fn prepare(&self, birth: &Birth) -> Result<Identity, OpenError> {
        self.bring_up_to_date(birth).map(|(identity, _)| identity)
    }

    /// See [`Database::prepare`].
    pub(super) fn bring_up_to_date(&self, birth: &Birth) -> Result<(Identity, Migrated), OpenError> {
        self.check_file()?;
        let mut connection = self.create().map_err(|error| self.open_error(error))?;
        // Before any setting, as the journal's mode is kept in the file: it may be somebody else's.
        let version = self.check_version(&connection)?;
        set_up_writer(&connection).map_err(|error| self.open_error(error))?;
        self.migrate(&mut connection, version, Some(birth))
            .map_err(|error| self.open_error(error))?;
        let identity = read_identity(&connection).map_err(|error| self.open_error(error))?;
        let migrated = Migrated {
            from: version,
            to: known_version(),
        };
        Ok((identity, migrated))
    }

    /// Checks a file that is only to be read.
    pub(super) fn look(&self, folder: &Path) -> Result<Identity, OpenError> {
        self.look_by(folder).map(|(_, identity)| identity)
    }

    /// See [`Database::look`]. With the connection it was done by.
    pub(super) fn look_by(&self, folder: &Path) -> Result<(Connection, Identity), OpenError> {
        if folder.exists() && !folder.is_dir() {
            return Err(OpenError::NotAFolder(folder.to_owned()));
        }
        if !self.path.is_file() {
            return Err(OpenError::NoStore(folder.to_owned()));
        }
        self.check_file()?;
        let connection = self.connect_reader().map_err(|error| self.open_error(error))?;
        let (found, known) = (self.check_version(&connection)?, known_version());
        if found == 0 {
            return Err(OpenError::NoStore(folder.to_owned()));
        }
        if found < known {
            return Err(OpenError::Older {
                path: self.path.to_path_buf(),
                found,
                known,
            });
        }
        let identity = read_identity(&connection).map_err(|error| self.open_error(error))?;
        Ok((connection, identity))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks by the marks in its header that a file is a store of a version this one knows. Nothing is opened by SQLite.
    pub(super) fn check_marks(&self) -> Result<(), OpenError> {
        self.check_file()?;
        let header = read_header(&self.path).map_err(|error| OpenError::NotWritable {
            path: self.path.to_path_buf(),
            reason: error.kind().to_string(),
        })?;
        let not_a_store = || OpenError::NotAStore(self.path.to_path_buf());
        let header = header.ok_or_else(not_a_store)?;
        let number = |at: usize| i64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[at + byte])));
        let (found, known) = (number(USER_VERSION_AT), known_version());
        if number(APPLICATION_ID_AT) != APPLICATION_ID || found == 0 {
            return Err(not_a_store());
        }
        if found > known {
            return Err(OpenError::Newer {
                path: self.path.to_path_buf(),
                found,
                known,
            });
        }
        Ok(())
    }

    /// Runs what migrations a copy of a store lacks, and begins an epoch: what is there may have gone on differently elsewhere.
    pub(super) fn bring_copy_up_to_date(&self, epoch: &[u8; 16]) -> Result<(), OpenError> {
        self.check_marks()?;
        let mut connection = self.create().map_err(|error| self.open_error(error))?;
        let version = self.check_version(&connection)?;
        self.migrate(&mut connection, version, None)
            .and_then(|()| begin_epoch(&connection, epoch))
            .map_err(|error| self.open_error(error))
    }

    pub(super) fn connect_writer(&self) -> Result<Connection, Error> {
        let connection = self.create()?;
        set_up_writer(&connection)?;
        Ok(connection)
    }

    fn create(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        Ok(connection)
    }

    pub(super) fn connect_reader(&self) -> Result<Connection, Error> {
        // Not opened read-only: a reader of a log that a crash left has to recover it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        connection.pragma_update(None, "mmap_size", READER_MAP_BYTES)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    pub(super) fn open_error(&self, error: Error) -> OpenError {
        match error {
            Error::Unavailable {
                trouble: Trouble::NotWritable,
                detail,
            } => OpenError::NotWritable {
                path: self.path.to_path_buf(),
                reason: detail,
            },
            error => OpenError::Store {
                path: self.path.to_path_buf(),
                error,
            },
        }
    }

    /// What SQLite would notice late or not at all: a file cut short, a log without its database.
    pub(super) fn check_file(&self) -> Result<(), OpenError> {
        let half = |reason: String| {
            Err(OpenError::HalfWritten {
                path: self.path.to_path_buf(),
                reason,
            })
        };
        let log = PathBuf::from(format!("{}-wal", self.path.display()));
        let log_bytes = fs::metadata(&log).map_or(0, |found| found.len());
        let bytes = fs::metadata(&self.path).map_or(0, |found| found.len());
        if bytes == 0 {
            return if log_bytes == 0 {
                Ok(())
            } else {
                half("its log is there, the database is not".to_owned())
            };
        }
        let header = read_header(&self.path).map_err(|error| OpenError::NotWritable {
            path: self.path.to_path_buf(),
            reason: error.kind().to_string(),
        })?;
        let Some(header) = header else {
            return half(format!("{bytes} bytes are no database header"));
        };
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(OpenError::NotAStore(self.path.to_path_buf()));
        }
        let page_bytes = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65_536,
            bytes => bytes,
        };
        let pages = u64::from(u32::from_be_bytes([
            header[28], header[29], header[30], header[31],
        ]));
        // With a log beside it, the header may be behind or ahead of the file: the log has the missing pages.
        if log_bytes == 0 && bytes < pages * page_bytes {
            return half(format!(
                "{bytes} bytes where its header says {}",
                pages * page_bytes
            ));
        }
        Ok(())
    }

    fn check_version(&self, connection: &Connection) -> Result<i64, OpenError> {
        let pragma = |name| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(|error| self.open_error(error.into()))
        };
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        let known = known_version();
        match (application, version) {
            (APPLICATION_ID, version) if version > known => Err(OpenError::Newer {
                path: self.path.to_path_buf(),
                found: version,
                known,
            }),
            (APPLICATION_ID, version) => Ok(version),
            (0, 0) if self.is_empty(connection)? => Ok(0),
            (_, _) => Err(OpenError::NotAStore(self.path.to_path_buf())),
        }
    }

    fn is_empty(&self, connection: &Connection) -> Result<bool, OpenError> {
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        });
        tables
            .map(|tables| tables == 0)
            .map_err(|error| self.open_error(error.into()))
    }

    fn migrate(&self, connection: &mut Connection, version: i64, birth: Option<&Birth>) -> Result<(), Error> {
        for (number, script) in (1i64..).zip(MIGRATIONS).filter(|(number, _)| *number > version) {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            if number == MAPPING {
                deferred::settle(&transaction)?;
            }
            transaction.execute_batch(script)?;
            if let Some(birth) = birth.filter(|_| number == 1) {
                write_birth(&transaction, birth)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()?;
        }
        mapping::name_states_of_old(connection)
    }
}

fn set_up_writer(connection: &Connection) -> Result<(), Error> {
    // A file without the right to write is opened all the same, to be read: nobody should find that out at the first order.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Error::Unavailable {
            trouble: Trouble::NotWritable,
            detail: "the file is read-only".to_owned(),
        });
    }
    // Without effect on a file that has pages already.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // Told, not refused, by SQLite: a file system without shared memory, for one.
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::Unavailable {
            trouble: Trouble::NotWritable,
            detail: format!("no write-ahead log here, only journal mode {mode}"),
        });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update_and_check(None, "journal_size_limit", KEPT_WAL_BYTES.cast_signed(), |_| {
        Ok(())
    })?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn read_header(path: &Path) -> std::io::Result<Option<[u8; HEADER_BYTES]>> {
    use std::io::Read;
    let mut header = [0; HEADER_BYTES];
    match fs::File::open(path)?.read_exact(&mut header) {
        Ok(()) => Ok(Some(header)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_birth(connection: &Connection, birth: &Birth) -> Result<(), Error> {
    let mut insert = connection.prepare("INSERT INTO store_meta (name, value) VALUES (?1, ?2)")?;
    insert.execute(params!["store_id", birth.store_id])?;
    insert.execute(params!["event_id_key", birth.event_id_key])?;
    insert.execute(params!["born_at", birth.at.as_nanos().to_be_bytes()])?;
    Ok(())
}

pub(super) fn read_identity(connection: &Connection) -> Result<Identity, Error> {
    let value = |name: &str| {
        let found: Option<Vec<u8>> = connection
            .query_row("SELECT value FROM store_meta WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()?;
        let bytes = found.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.ok_or_else(|| Error::damaged(format!("store_meta has no {name}")))
    };
    let store_id = value("store_id")?;
    let written = connection
        .prepare("SELECT 1 FROM store_meta WHERE name = ?1")?
        .exists([EPOCH])?;
    Ok(Identity {
        store_id,
        event_id_key: value("event_id_key")?,
        // The first one is not written.
        epoch: if written { value(EPOCH)? } else { store_id },
    })
}

/// Begins an epoch.
pub(super) fn begin_epoch(connection: &Connection, epoch: &[u8; 16]) -> Result<(), Error> {
    let sql = "INSERT INTO store_meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql, params![EPOCH, epoch])?;
    Ok(())
}
