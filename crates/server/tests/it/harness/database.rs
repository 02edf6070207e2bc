//! Databases of PostgreSQL for tests, on the server of `dev/services`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use postgres::{Client, Config, NoTls};

use super::skip;

/// Where a PostgreSQL server is that tests may make databases on: see `dev/services`.
pub(super) const SERVER: &str = "WAYBILL_TEST_PG_DSN";

/// The server, if there is one.
pub(super) fn server() -> Option<Config> {
    let dsn = std::env::var(SERVER).ok().filter(|dsn| !dsn.is_empty())?;
    Some(dsn.parse().unwrap())
}

/// A database of its own, removed at the end.
pub(crate) struct Database {
    server: Config,
    name: String,
}

impl Database {
    /// `None`, and the test is left out, where there is no server.
    pub(crate) fn new() -> Option<Self> {
        let Some(server) = server() else {
            skip("no PostgreSQL: dev/services start");
            return None;
        };
        Some(Self::make(&server))
    }

    /// On this server.
    pub(super) fn make(server: &Config) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Self {
            server: server.clone(),
            name: format!("waybill_served_{process}_{number}"),
        };
        made.drop_it().unwrap();
        let make = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'",
            made.name
        );
        on_a_thread(&made.server, make).unwrap();
        made
    }

    /// Its address.
    pub(crate) fn dsn(&self) -> String {
        let password = self.server.get_password().map(String::from_utf8_lossy);
        self.dsn_with(password.as_deref())
    }

    /// Its address with another password, which the server may not ask for.
    pub(crate) fn dsn_with(&self, password: Option<&str>) -> String {
        let host = match self.server.get_hosts() {
            [postgres::config::Host::Tcp(host), ..] => host.clone(),
            [postgres::config::Host::Unix(folder), ..] => folder.display().to_string(),
            [] => panic!("{SERVER} names no host"),
        };
        let port = self.server.get_ports().first().copied().unwrap_or(5432);
        let user = self.server.get_user().unwrap();
        let password = password.map_or_else(String::new, |password| format!(" password='{password}'"));
        let database = &self.name;
        format!("host={host} port={port} user={user} dbname={database}{password}")
    }

    /// A connection that no store knows of. It blocks: not on a runtime's threads.
    pub(crate) fn raw(&self) -> Client {
        self.own().connect(NoTls).unwrap()
    }

    /// Has it do something, on a connection that no store knows of.
    pub(super) fn execute(&self, sql: &str) -> Result<(), String> {
        on_a_thread(&self.own(), sql.to_owned())
    }

    /// What a query says, its columns all texts.
    pub(super) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let (config, sql) = (self.own(), sql.to_owned());
        let work = std::thread::spawn(move || {
            let mut client: Client = config.connect(NoTls).unwrap();
            let rows = client.query(&sql, &[]).unwrap();
            rows.iter()
                .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
                .collect()
        });
        work.join().unwrap()
    }

    /// Does something on a connection that stays open until what is given back is dropped.
    pub(super) fn hold(&self, sql: &str) -> Held {
        let (config, sql) = (self.own(), sql.to_owned());
        let (say_held, held) = sync_channel::<()>(1);
        let (release, released) = sync_channel::<()>(1);
        let thread = std::thread::spawn(move || {
            let mut client = config.connect(NoTls).unwrap();
            client.batch_execute(&sql).unwrap();
            say_held.send(()).unwrap();
            released.recv().ok();
        });
        held.recv().unwrap();
        Held {
            release: Some(release),
            thread: Some(thread),
        }
    }

    fn own(&self) -> Config {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        config
    }

    fn drop_it(&self) -> Result<(), String> {
        let gone = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        on_a_thread(&self.server, gone)
    }
}

/// A connection that stays open, with the locks it has, until this is dropped.
pub(crate) struct Held {
    release: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may have been ended with all that it had.
        self.drop_it().ok();
    }
}

/// The client blocks, which the threads of a runtime must not.
fn on_a_thread(config: &Config, sql: String) -> Result<(), String> {
    let config = config.clone();
    let work = std::thread::spawn(move || -> Result<(), postgres::Error> {
        let mut client: Client = config.connect(NoTls)?;
        client.batch_execute(&sql)
    });
    work.join().unwrap().map_err(|error| error.to_string())
}
