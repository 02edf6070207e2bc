//! Where a server of the tests keeps its data: a folder, and a database of PostgreSQL where the tests are to run on one.
//!
//! `WAYBILL_TEST_STORE=postgres` makes every [`Home::new`] one with a database of its own, on the server that `WAYBILL_TEST_PG_DSN`
//! names. What is about the files of a data folder says so by [`Home::folder`]; what needs several nodes by [`Home::database`].

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use postgres::Config;
use server::place::StorePlace;
use server::settings::Secret;
use store::folder::DATABASE_FILE;
use tempfile::TempDir;

use super::database::{Database, Held, SERVER, server};
use super::process::{waybill, waybill_on};

/// On which store the tests run: `sqlite`, or not said, and `postgres`.
const STORE: &str = "WAYBILL_TEST_STORE";

/// A folder, and the database if there is one. Both go at the end.
pub(crate) struct Home {
    dir: TempDir,
    database: Option<Database>,
}

impl Home {
    /// On the store that the tests run on.
    pub(crate) fn new() -> Self {
        let database = match std::env::var(STORE).as_deref() {
            Err(_) | Ok("" | "sqlite") => None,
            Ok("postgres") => Some(Database::make(&server().unwrap_or_else(|| {
                panic!("{STORE}=postgres needs {SERVER}: eval \"$(dev/services start)\"")
            }))),
            Ok(other) => panic!("{STORE}={other}: use sqlite or postgres"),
        };
        Self {
            dir: TempDir::new().unwrap(),
            database,
        }
    }

    /// Always a data folder: for what is about its files.
    pub(crate) fn folder() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            database: None,
        }
    }

    /// Always a database. `None`, and the test is left out, where there is no server.
    pub(crate) fn database() -> Option<Self> {
        Some(Self {
            dir: TempDir::new().unwrap(),
            database: Some(Database::new()?),
        })
    }

    /// A database of its own on this server.
    pub(crate) fn on(server: &Config) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            database: Some(Database::make(server)),
        }
    }

    /// The folder: of the data where they are in one, empty otherwise.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The address of the database.
    pub(crate) fn dsn(&self) -> Option<String> {
        self.database.as_ref().map(Database::dsn)
    }

    /// The settings that name it.
    pub(crate) fn settings(&self) -> Vec<(OsString, OsString)> {
        let folder = ("WAYBILL_DATA_DIR".into(), self.path().into());
        let database = self.dsn().map(|dsn| ("PG_DSN".into(), dsn.into()));
        std::iter::once(folder).chain(database).collect()
    }

    /// The store of it.
    pub(crate) fn place(&self) -> StorePlace {
        match self.dsn() {
            None => self.path().into(),
            Some(dsn) => StorePlace::of_dsn(&Secret::new(&dsn)),
        }
    }

    /// `waybill SUBCOMMAND` on it: a folder is named by a flag, a database by the environment.
    pub(crate) fn waybill(&self, subcommand: &str) -> Command {
        match self.dsn() {
            None => waybill_on(subcommand, self.path()),
            Some(dsn) => {
                let mut command = waybill();
                command.arg(subcommand).env("PG_DSN", dsn);
                command
            }
        }
    }

    /// Does something in the database of a [`Home::database`], on a connection that stays open until what is given back is dropped.
    pub(crate) fn hold(&self, sql: &str) -> Held {
        self.database.as_ref().expect("it is a folder").hold(sql)
    }

    /// Has the database do something, on a connection that no store knows of.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), String> {
        match &self.database {
            None => {
                let database = rusqlite::Connection::open(self.path().join(DATABASE_FILE)).unwrap();
                database.execute_batch(sql).map_err(|error| error.to_string())
            }
            Some(database) => database.execute(sql),
        }
    }

    /// What a query says, its columns all texts, on a connection that no store knows of.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match &self.database {
            None => {
                let database = rusqlite::Connection::open(self.path().join(DATABASE_FILE)).unwrap();
                let mut select = database.prepare(sql).unwrap();
                let columns = select.column_count();
                let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
                rows.unwrap().collect::<Result<_, _>>().unwrap()
            }
            Some(database) => database.rows(sql),
        }
    }

    /// Whether it is a database of PostgreSQL.
    pub(crate) const fn is_postgres(&self) -> bool {
        self.database.is_some()
    }
}
