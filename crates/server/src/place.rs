//! Where a store is: in a data folder, or over PostgreSQL.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;
use store::folder::DataFolder;
use store::limits::READERS;
use store::postgres::{PostgresOptions, PostgresStore, Replica};
use store::sqlite::{SqliteOptions, SqliteStore};
use store::{Birth, Migrated, OpenError, Store};

use crate::app::StartError;
use crate::clock::{Clock, SystemClock};
use crate::patience::patiently;
use crate::settings::{Secret, Settings};

/// Clocks that differ by no more are as one: opening a store takes a part of it.
const MAX_SKEW: Duration = Duration::from_secs(5);

/// Where a store is.
#[derive(Clone)]
pub enum StorePlace {
    /// The embedded one, in a data folder.
    Folder(PathBuf),
    /// Over PostgreSQL.
    Postgres(Postgres),
}

/// A store over PostgreSQL, as this node uses it.
#[derive(Clone)]
pub struct Postgres {
    /// The database and its connections.
    pub options: PostgresOptions,
    /// Writers of this node.
    pub writers: NonZeroUsize,
    /// How long a start waits for a server that cannot be reached.
    pub connect_wait: Duration,
}

impl From<&Path> for StorePlace {
    fn from(data_dir: &Path) -> Self {
        Self::Folder(data_dir.to_owned())
    }
}

impl StorePlace {
    /// As the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let Some(dsn) = &settings.pg_dsn else {
            return Self::Folder(settings.data_dir.clone());
        };
        Self::Postgres(Postgres {
            options: PostgresOptions {
                node: settings.node_name.clone().unwrap_or_else(node_name),
                readers: settings.pg_readers.get(),
                read_statement: settings.pg_read_timeout,
                write_statement: settings.pg_write_timeout,
                tls_root_certificates: settings.pg_root_certificates.clone(),
                replica: settings.pg_replica_dsn.as_ref().map(|dsn| Replica {
                    dsn: dsn.expose().to_owned(),
                    max_staleness: settings.pg_replica_max_staleness,
                }),
                ..PostgresOptions::new(dsn.expose())
            },
            writers: settings.pg_writers,
            connect_wait: settings.pg_connect_wait,
        })
    }

    /// A database by its address, for a command.
    #[must_use]
    pub fn of_dsn(dsn: &Secret) -> Self {
        Self::Postgres(Postgres {
            options: PostgresOptions {
                node: node_name(),
                ..PostgresOptions::new(dsn.expose())
            },
            writers: NonZeroUsize::MIN,
            connect_wait: Duration::ZERO,
        })
    }

    /// Opens the store, made if there is none.
    pub(crate) fn open(&self, birth: &Birth) -> Result<Arc<dyn Store>, OpenError> {
        Ok(match self {
            Self::Folder(folder) => Arc::new(SqliteStore::open(
                DataFolder::lock(folder)?,
                birth,
                SqliteOptions::default(),
            )?),
            Self::Postgres(place) => {
                let store = PostgresStore::open(&place.options, birth)?;
                warn_of_skew(&store, SystemClock.now());
                Arc::new(store)
            }
        })
    }

    /// Brings the store up to date, made if there is none, without using it.
    pub(crate) fn migrate(&self, birth: &Birth) -> Result<Migrated, OpenError> {
        match self {
            Self::Folder(folder) => SqliteStore::migrate(&DataFolder::lock(folder)?, birth),
            Self::Postgres(place) => place.patiently(|options| PostgresStore::migrate(options, birth)),
        }
    }

    /// Opens a store that is there, to look into it; a server may be running on it. Of a data folder, not for a process that has
    /// it open already: closing a file ends the locks that the process has on it.
    ///
    /// # Errors
    /// [`OpenError`]; each message names the cure.
    pub fn look_into(&self) -> Result<Box<dyn Store>, OpenError> {
        Ok(match self {
            Self::Folder(folder) => Box::new(SqliteStore::open_to_read(folder)?),
            Self::Postgres(place) => Box::new(place.patiently(PostgresStore::open_to_read)?),
        })
    }

    /// Starts something on the store; waits for a database server that is not there yet, or has no connection to spare: whoever supervises
    /// starts databases and nodes in any order.
    pub(crate) fn patiently<T>(&self, start: impl FnMut() -> Result<T, StartError>) -> Result<T, StartError> {
        let wait = match self {
            Self::Folder(_) => Duration::ZERO,
            Self::Postgres(place) => place.connect_wait,
        };
        patiently(wait, StartError::is_worth_waiting, start)
    }

    /// Writers of one node.
    pub(crate) const fn writers(&self) -> NonZeroUsize {
        match self {
            Self::Folder(_) => NonZeroUsize::MIN,
            Self::Postgres(place) => place.writers,
        }
    }

    /// Reads that go on side by side.
    #[must_use]
    pub const fn readers(&self) -> usize {
        match self {
            Self::Folder(_) => READERS,
            Self::Postgres(place) => place.options.readers,
        }
    }
}

impl Postgres {
    /// Does something with it; waits for a server that is not there yet.
    fn patiently<T>(
        &self,
        mut job: impl FnMut(&PostgresOptions) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        patiently(self.connect_wait, OpenError::is_worth_waiting, || {
            job(&self.options)
        })
    }
}

/// Says so where this machine and the database's do not agree on what time it is. Nothing depends on it: times of an order never go
/// back, whoever writes them. But people compare them.
fn warn_of_skew(store: &PostgresStore, now: Timestamp) {
    let Ok(theirs) = store.server_time() else { return };
    let ahead_s = (now.as_nanos() - theirs.as_nanos()) / 1_000_000_000;
    if ahead_s.unsigned_abs() > MAX_SKEW.as_secs() {
        tracing::warn!(
            clock.ahead_s = ahead_s,
            "this machine's clock and the database's differ: let both follow a time server"
        );
    }
}

/// The machine's name, by which an operator knows the node.
fn node_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}
