//! The store over PostgreSQL: many nodes, each with several writers, over one database.
//!
//! What is acknowledged is synced by the server; one that does not sync is refused. Writers of all nodes are kept apart by
//! the database's own locks. Groups are prepared side by side and end one after the other, which gives positions without
//! gaps: see `docs/adr/0019-postgres-positions.md`. How nodes hear of each other, standbys and TLS: `docs/adr/0021-postgres-connections.md`.
//!
//! It blocks, like every store: a thread of its own drives the sockets, and whoever asks waits.

mod accounts;
mod address;
mod api_keys;
pub mod archive;
mod audit;
mod claim;
mod clock;
mod connect;
mod convert;
mod counts;
mod dead_letters;
mod driver;
mod dsn;
mod due;
mod expiry;
mod group;
pub(crate) mod import;
mod integrity;
mod lifecycles;
mod lists;
mod loads;
mod log;
mod news;
mod numbers;
mod pages;
mod parties;
mod reader;
mod readers;
mod receipts;
mod refusals;
mod replica;
mod rows;
mod schema;
mod session;
mod statements;
mod tls;
mod users;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Lifecycle;
use model::time::Timestamp;

use crate::api::{Listener, Reader, Store, Writer};
use crate::error::{Error, OpenError};
use crate::limits::{MAX_READ, READERS, WRITE_STATEMENT};
use crate::records::{Birth, Identity, Migrated, StoredLifecycle};

use address::{Address, Purpose};
use news::{Announcer, PostgresListener};
use readers::Readers;
use replica::ReplicaReaders;
use writer::PostgresWriter;

/// How to open a store over PostgreSQL.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or PostgreSQL's `host=… dbname=…`.
    ///
    /// `sslmode` is one of
    /// - `disable`: never encrypted;
    /// - `prefer`, and where it is not given: encrypted if the server offers it; nobody checks its certificate;
    /// - `require`, and by the same meaning `verify-ca` and `verify-full`: encrypted, and the server's certificate must be for the host's name
    ///   and issued by somebody whom the system trusts, or who is named in `sslrootcert` (a file in PEM format).
    ///
    /// Of several hosts the first is taken that takes writes, so that a standby that was promoted is found; `target_session_attrs` says otherwise.
    pub dsn: String,
    /// The name of this node in its commits and its sessions.
    pub node: String,
    /// Reading connections, at most.
    pub readers: usize,
    /// Longest that a read may take: see [`MAX_READ`].
    pub read_statement: Duration,
    /// Longest that one statement of a writer may take: see [`WRITE_STATEMENT`].
    pub write_statement: Duration,
    /// A file in PEM format of those who are trusted, besides whom the system trusts, to issue a server's certificate; where an
    /// address says `sslrootcert`, that file instead. Every address must say `sslmode=require` then.
    pub tls_root_certificates: Option<PathBuf>,
    /// Where lists and reports may be read: see [`Store::read_behind`].
    pub replica: Option<Replica>,
}

/// A standby of the database, that PostgreSQL itself keeps (streaming replication).
#[derive(Clone)]
pub struct Replica {
    /// As [`PostgresOptions::dsn`]; of the same database.
    pub dsn: String,
    /// What is read there is at most so old; where the standby is further behind, or lost, the primary is read. The primary is
    /// asked twice in this time how far it is: some seconds are a good bound, and 0 leaves the standby unused.
    pub max_staleness: Duration,
}

impl PostgresOptions {
    /// With a name for this node, and everything else as usual.
    #[must_use]
    pub fn new(dsn: &str) -> Self {
        Self {
            dsn: dsn.to_owned(),
            node: "local".to_owned(),
            readers: READERS,
            read_statement: MAX_READ,
            write_statement: WRITE_STATEMENT,
            tls_root_certificates: None,
            replica: None,
        }
    }

    /// Whether the address can be read. Nothing is connected.
    ///
    /// # Errors
    /// [`OpenError::BadAddress`].
    pub fn check(&self) -> Result<(), OpenError> {
        dsn::parse(&self.dsn, None).map(drop)
    }
}

/// The store over PostgreSQL.
pub struct PostgresStore {
    identity: Identity,
    address: Address,
    node: String,
    readers: Readers,
    replica: Option<ReplicaReaders>,
    announcer: Arc<Announcer>,
    /// Where it is told what was written.
    channel: String,
}

impl PostgresStore {
    /// Opens a store that is there, and of this version's format. Nothing is made or brought up to date.
    ///
    /// # Errors
    /// As [`PostgresStore::open`], and [`OpenError::NoStore`] and [`OpenError::Older`].
    pub fn open_to_read(options: &PostgresOptions) -> Result<Self, OpenError> {
        Self::opened(options, connect::find)
    }

    /// Opens the store of a database, makes it if the database is empty, and brings its schema up to date.
    ///
    /// # Errors
    /// Every one of [`OpenError`] that speaks of a server; [`OpenError::is_worth_waiting`] tells which may pass.
    pub fn open(options: &PostgresOptions, birth: &Birth) -> Result<Self, OpenError> {
        Self::opened(options, |address| Ok(connect::prepare(address, birth)?.0))
    }

    /// Brings the schema of a database up to date, and makes the store if the database is empty.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn migrate(options: &PostgresOptions, birth: &Birth) -> Result<Migrated, OpenError> {
        let (_, migrated) = connect::prepare(&Address::parse(options)?, birth)?;
        Ok(migrated)
    }

    fn opened(
        options: &PostgresOptions,
        identify: impl FnOnce(&Address) -> Result<Identity, OpenError>,
    ) -> Result<Self, OpenError> {
        let address = Address::parse(options)?;
        let replica = options.replica.as_ref();
        let replica = replica
            .map(|replica| {
                let address = address.of_replica(&replica.dsn, options)?;
                Ok((address, replica.max_staleness))
            })
            .transpose()?;
        let identity = identify(&address)?;
        let replica = replica.map(|(address, max_staleness)| {
            ReplicaReaders::new(address, identity.store_id, max_staleness, options.readers)
        });
        Self::of(address, identity, options, replica)
    }

    /// A store whose database is as it has to be.
    fn of(
        address: Address,
        identity: Identity,
        options: &PostgresOptions,
        replica: Option<ReplicaReaders>,
    ) -> Result<Self, OpenError> {
        let channel = news::channel(&identity.store_id);
        let announcer =
            Announcer::start(address.clone(), &channel).map_err(|error| address.open_error(error))?;
        Ok(Self {
            identity,
            replica,
            readers: Readers::new(address.clone(), options.readers),
            address,
            node: options.node.clone(),
            announcer: Arc::new(announcer),
            channel,
        })
    }

    /// Why lists and reports are read on the primary although there is a replica, as of the last one; for people to see.
    #[must_use]
    pub fn replica_trouble(&self) -> Option<String> {
        self.replica.as_ref().and_then(ReplicaReaders::trouble)
    }

    /// What the server's clock says, at some moment while this is asked: a node can tell how far its own is off.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn server_time(&self) -> Result<Timestamp, Error> {
        self.readers.ask(clock::now)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.readers.close();
        if let Some(replica) = &self.replica {
            replica.close();
        }
    }
}

impl Store for PostgresStore {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        let writer = PostgresWriter::new(
            self.address.clone(),
            self.node.clone(),
            &self.identity,
            self.announcer.clone(),
        )?;
        Ok(Box::new(writer))
    }

    fn read_behind(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        match &self.replica {
            Some(replica) => replica.read(&self.readers, job),
            None => self.readers.read(job),
        }
    }

    fn listener(&self) -> Result<Option<Box<dyn Listener>>, Error> {
        let listener = PostgresListener::new(self.address.clone(), &self.channel)?;
        Ok(Some(Box::new(listener)))
    }

    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        self.readers.read(job)
    }

    fn trouble(&self) -> Option<String> {
        let why = self.replica_trouble()?;
        Some(format!(
            "lists are read from the database itself and not from its replica: {why}"
        ))
    }

    fn pin_lifecycles(
        &self,
        lifecycles: &[Lifecycle],
        at: Timestamp,
    ) -> Result<Vec<StoredLifecycle>, OpenError> {
        lifecycles::pin(&self.address, lifecycles, at)
    }

    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error> {
        lifecycles::all(&mut self.address.reconnect(Purpose::Read)?)
    }
}
