//! An empty PostgreSQL database for one test, on the server of `dev/services`.

use std::sync::atomic::{AtomicU32, Ordering};

use super::skip;

const SERVER: &str = "WAYBILL_TEST_PG_DSN";

/// Removed at the end.
pub(crate) struct Database {
    server: postgres::Config,
    name: String,
}

impl Database {
    /// `None`, and the test is left out, where there is no server.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(dsn) = std::env::var(SERVER) else {
            skip("no PostgreSQL: dev/services start");
            return None;
        };
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Self {
            server: dsn.parse().unwrap(),
            name: format!("waybill_server_test_{process}_{number}"),
        };
        let mut server = made.server.connect(postgres::NoTls).unwrap();
        let drop_old = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", made.name);
        server.batch_execute(&drop_old).unwrap();
        let create = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", made.name);
        server.batch_execute(&create).unwrap();
        Some(made)
    }

    /// Its address, with a password that nobody asks for and nobody may see.
    pub(crate) fn dsn(&self, password: &str) -> String {
        let host = match self.server.get_hosts() {
            [postgres::config::Host::Tcp(host), ..] => host.clone(),
            [postgres::config::Host::Unix(folder), ..] => folder.display().to_string(),
            [] => panic!("{SERVER} names no host"),
        };
        let port = self.server.get_ports().first().copied().unwrap_or(5432);
        let (user, name) = (self.server.get_user().unwrap(), &self.name);
        format!("host={host} port={port} user={user} dbname={name} password='{password}'")
    }

    /// A connection that nobody else knows of.
    pub(crate) fn raw(&self) -> postgres::Client {
        let mut config = self.server.clone();
        config.dbname(&self.name).connect(postgres::NoTls).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let gone = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Ok(mut server) = self.server.connect(postgres::NoTls) {
            drop(server.batch_execute(&gone));
        }
    }
}
