//! Where the stores under test live.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use model::time::Timestamp;
use store::folder::{DATABASE_FILE, DataFolder};
use store::postgres::{PostgresOptions, PostgresStore};
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

    /// One for which the schema does not keep history as it is: for damage.
    pub(crate) fn raw_without_triggers(&self) -> rusqlite::Connection {
        let raw = self.raw();
        let triggers = rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
        assert!(!raw.set_db_config(triggers, false).unwrap());
        raw
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

/// Where a PostgreSQL server is that tests may make databases on: see `dev/services`.
const SERVER: &str = "WAYBILL_TEST_PG_DSN";

/// Says that a test is left out. Where everything is required, that is a failure.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests must see what was left out"
)]
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("WAYBILL_REQUIRE_ALL").is_none(),
        "skipped although WAYBILL_REQUIRE_ALL is set: {why}"
    );
    println!("skipped: {why}");
}

/// A database of its own, removed at the end.
pub(crate) struct PostgresDatabase {
    server: postgres::Config,
    name: String,
}

impl PostgresDatabase {
    /// `None`, and the test is left out, where there is no server.
    pub(crate) fn new() -> Option<Self> {
        Self::with("ENCODING 'UTF8' LOCALE 'C'")
    }

    /// A database of another kind.
    pub(crate) fn with(options: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(dsn) = std::env::var(SERVER) else {
            skip("no PostgreSQL: dev/services start");
            return None;
        };
        let server: postgres::Config = dsn.parse().unwrap();
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = format!("waybill_test_{process}_{number}");
        let made = Self { server, name };
        let drop_old = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", made.name);
        let mut server = made.server();
        server.batch_execute(&drop_old).unwrap();
        server
            .batch_execute(&format!(
                "CREATE DATABASE {} TEMPLATE template0 {options}",
                made.name
            ))
            .unwrap();
        Some(made)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A connection to the server, not to this database.
    pub(crate) fn server(&self) -> postgres::Client {
        self.server.connect(postgres::NoTls).unwrap()
    }

    /// A connection that no store knows of.
    pub(crate) fn raw(&self) -> postgres::Client {
        let mut config = self.server.clone();
        config.dbname(&self.name).connect(postgres::NoTls).unwrap()
    }

    /// One for which the schema does not keep history as it is: for damage.
    pub(crate) fn raw_without_triggers(&self) -> postgres::Client {
        let mut raw = self.raw();
        raw.batch_execute("SET session_replication_role = replica")
            .unwrap();
        raw
    }

    pub(crate) fn dsn(&self) -> String {
        self.dsn_as(self.server.get_user().unwrap(), self.server.get_password())
    }

    /// The address of the database for another user.
    pub(crate) fn dsn_as(&self, user: &str, password: Option<&[u8]>) -> String {
        self.dsn_at(&self.host(), self.port(), user, password)
    }

    /// The address of the database by way of another port of this machine.
    pub(crate) fn dsn_through(&self, port: u16) -> String {
        let user = self.server.get_user().unwrap();
        self.dsn_at("127.0.0.1", port, user, self.server.get_password())
    }

    pub(crate) fn host(&self) -> String {
        match self.server.get_hosts() {
            [postgres::config::Host::Tcp(host), ..] => host.clone(),
            [postgres::config::Host::Unix(folder), ..] => folder.display().to_string(),
            [] => panic!("{SERVER} names no host"),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.get_ports().first().copied().unwrap_or(5432)
    }

    fn dsn_at(&self, host: &str, port: u16, user: &str, password: Option<&[u8]>) -> String {
        let password = password.map(|password| String::from_utf8_lossy(password).into_owned());
        let password = password.map_or_else(String::new, |password| format!(" password='{password}'"));
        let database = &self.name;
        format!("host={host} port={port} user={user} dbname={database}{password}")
    }

    pub(crate) fn try_open(&self) -> Result<PostgresStore, OpenError> {
        PostgresStore::open(&PostgresOptions::new(&self.dsn()), &birth())
    }
}

impl Backend for PostgresDatabase {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.try_open().unwrap())
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let gone = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        drop(self.server().batch_execute(&gone));
    }
}
