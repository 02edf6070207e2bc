//! Where a measured server keeps its data: in a folder of its own, or in a database of its own on the server of PostgreSQL that
//! `WAYBILL_TEST_PG_DSN` names (see `dev/services`).

use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

use crate::Problem;
use crate::served::Served;
use crate::system::folder_bytes;

/// Names a server of PostgreSQL that databases may be made on.
pub(crate) const SERVER_VARIABLE: &str = "WAYBILL_TEST_PG_DSN";

/// Behind which store a scenario is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Embedded,
    Postgres,
}

impl Ground {
    /// The scenario's name on this ground.
    pub(crate) const fn named(self, embedded: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Embedded => embedded,
            Self::Postgres => postgres,
        }
    }
}

/// A place for one store. It goes with this.
pub(crate) struct Home {
    folder: TempDir,
    database: Option<Database>,
}

impl Home {
    pub(crate) fn on(ground: Ground) -> Result<Self, Problem> {
        let database = match ground {
            Ground::Embedded => None,
            Ground::Postgres => Some(Database::make()?),
        };
        Ok(Self {
            folder: tempfile::tempdir()?,
            database,
        })
    }

    /// Starts a server on it.
    pub(crate) fn serve(&self) -> Result<Served, Problem> {
        match &self.database {
            None => Served::measured(self.folder.path()),
            Some(database) => Served::over(database, WRITERS, self.folder.path()),
        }
    }

    /// Bytes on disk, once no server runs on it.
    pub(crate) fn bytes(&self) -> Result<u64, Problem> {
        match &self.database {
            None => folder_bytes(self.folder.path()),
            Some(database) => database.bytes(),
        }
    }
}

/// Writers of a node, as by default.
pub(crate) const WRITERS: usize = 2;

/// A database that goes with this.
pub(crate) struct Database {
    server: Config,
    name: String,
}

impl Database {
    pub(crate) fn make() -> Result<Self, Problem> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dsn = std::env::var(SERVER_VARIABLE)
            .map_err(|_| format!("{SERVER_VARIABLE} names no server: eval \"$(dev/services start)\""))?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let made = Self {
            server: dsn.parse()?,
            name: format!("waybill_bench_{}_{number}", std::process::id()),
        };
        let name = &made.name;
        apart(&made.server, |client| {
            Ok(client.batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            ))?)
        })?;
        Ok(made)
    }

    /// Its address.
    pub(crate) fn dsn(&self) -> Result<String, Problem> {
        let config = &self.server;
        let host = match config.get_hosts() {
            [postgres::config::Host::Tcp(host), ..] => host.clone(),
            [postgres::config::Host::Unix(folder), ..] => folder.display().to_string(),
            [] => return Err(format!("{SERVER_VARIABLE} names no host").into()),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().unwrap_or("postgres");
        let password = config.get_password().map(String::from_utf8_lossy);
        let password = password.map_or_else(String::new, |password| format!(" password='{password}'"));
        Ok(format!(
            "host={host} port={port} user={user} dbname={}{password}",
            self.name
        ))
    }

    /// What the database takes on disk, its log left out.
    pub(crate) fn bytes(&self) -> Result<u64, Problem> {
        let name = &self.name;
        apart(&self.server, |client| {
            let bytes: i64 = client
                .query_one("SELECT pg_database_size($1::text::name)", &[name])?
                .get(0);
            Ok(u64::try_from(bytes)?)
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let gone = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        apart(&self.server, |client| Ok(client.batch_execute(&gone)?)).ok();
    }
}

/// Asks the server on a thread of its own: this client blocks, which an asynchronous task must not.
fn apart<T: Send>(
    server: &Config,
    job: impl FnOnce(&mut Client) -> Result<T, Problem> + Send,
) -> Result<T, Problem> {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| job(&mut server.connect(NoTls)?));
        asked.join().map_err(|_| "the database could not be asked")?
    })
}

/// Whether there is a server of PostgreSQL.
pub(crate) fn has_postgres() -> bool {
    std::env::var_os(SERVER_VARIABLE).is_some()
}
