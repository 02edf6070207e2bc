//! The store over PostgreSQL: many nodes, each with several writers, over one database.
//!
//! What is acknowledged is synced by the server; one that does not sync is refused. Writers of all nodes are kept apart by
//! the database's own locks. Groups are prepared side by side and end one after the other, which gives positions without
//! gaps: see `docs/adr/0019-postgres-positions.md`.
//!
//! It blocks, like every store: a thread of its own drives the sockets, and whoever asks waits.

mod accounts;
mod address;
mod api_keys;
mod audit;
mod claim;
mod clock;
mod connect;
mod convert;
mod counts;
mod dead_letters;
mod driver;
mod group;
mod integrity;
mod lifecycles;
mod lists;
mod loads;
mod log;
mod numbers;
mod parties;
mod reader;
mod readers;
mod receipts;
mod rows;
mod schema;
mod session;
mod statements;
mod users;
mod writer;

use model::Lifecycle;
use model::time::Timestamp;

use crate::api::{Reader, Store, Writer};
use crate::error::{Error, OpenError};
use crate::limits::READERS;
use crate::records::{Birth, Identity, StoredLifecycle};

use address::{Address, Purpose};
use readers::Readers;
use writer::PostgresWriter;

/// How to open a store over PostgreSQL.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or PostgreSQL's `host=… dbname=…`.
    pub dsn: String,
    /// The name of this node in its commits and its sessions.
    pub node: String,
    /// Reading connections, at most.
    pub readers: usize,
}

impl PostgresOptions {
    /// With a name for this node and as many readers as usual.
    #[must_use]
    pub fn new(dsn: &str) -> Self {
        Self {
            dsn: dsn.to_owned(),
            node: "local".to_owned(),
            readers: READERS,
        }
    }

    /// Whether the address can be read. Nothing is connected.
    ///
    /// # Errors
    /// [`OpenError::BadAddress`].
    pub fn check(&self) -> Result<(), OpenError> {
        address::config_of(&self.dsn).map(drop)
    }
}

/// The store over PostgreSQL.
pub struct PostgresStore {
    identity: Identity,
    address: Address,
    node: String,
    readers: Readers,
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
    /// [`OpenError::BadAddress`], [`OpenError::Unreachable`], [`OpenError::LoginRefused`], [`OpenError::Unsuitable`],
    /// [`OpenError::Unsafe`], [`OpenError::Newer`], [`OpenError::NotWritable`] and [`OpenError::Store`].
    pub fn open(options: &PostgresOptions, birth: &Birth) -> Result<Self, OpenError> {
        Self::opened(options, |address| connect::prepare(address, birth))
    }

    fn opened(
        options: &PostgresOptions,
        identify: impl FnOnce(&Address) -> Result<Identity, OpenError>,
    ) -> Result<Self, OpenError> {
        let address = Address::parse(&options.dsn, &options.node)?;
        Ok(Self {
            identity: identify(&address)?,
            readers: Readers::new(address.clone(), options.readers),
            address,
            node: options.node.clone(),
        })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl Store for PostgresStore {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        let writer = PostgresWriter::new(self.address.clone(), self.node.clone(), self.identity.store_id)?;
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
        lifecycles::pin(&self.address, lifecycles, at)
    }

    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error> {
        lifecycles::all(&mut self.address.reconnect(Purpose::Read)?)
    }
}
