//! Where a database is, and how its name is told to people: without the password.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::driver::Driver;
use super::dsn::{self, Dsn};
use super::news::Bell;
use super::refusals::{after_opening, not_connected, not_opened};
use super::session::Session;
use super::{PostgresOptions, tls};
use crate::error::{Error, OpenError};
use crate::limits::{
    ANSWER_GRACE, CONNECT_WAIT, IDLE_IN_GROUP, KEEPALIVE, LOCK_PATIENCE, MIGRATION_WAIT, NEWS_STATEMENT,
    WHOLE_TABLE,
};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Writes groups.
    Write,
    /// Reads for others, one short transaction each.
    Read,
    /// Checks the schema and brings it up to date.
    Prepare,
    /// Tells others that something was written.
    Announce,
    /// Hears of it.
    Listen,
}

/// Every statement is made for an index. What the planner thinks of how many rows there are, before it has seen any or with
/// the number of a page still open, must not make it read a table from end to end.
const READ_BY_INDEX: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_mergejoin = off; SET enable_sort = off; \
                             SET max_parallel_workers_per_gather = 0; SET jit = off";
const WRITE_BY_INDEX: &str = "SET enable_seqscan = off; SET enable_mergejoin = off; SET max_parallel_workers_per_gather = 0; SET jit = off";
const NO_COMPILING: &str = "SET jit = off";
/// For statements that are to read whole tables, in a transaction of their own.
pub(super) const READ_WHOLE_TABLES: &str = "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; \
                                            SET LOCAL enable_bitmapscan = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_sort = on";

#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    node: String,
    driver: Arc<Driver>,
    read_statement: Duration,
    write_statement: Duration,
}

/// How long a session may take for what, and by what name the server knows it.
struct Terms {
    name: &'static str,
    settings: &'static str,
    /// A statement, as the server bounds it.
    statement: Duration,
    /// Standing idle within a transaction, as the server bounds it.
    idle: Duration,
    /// An answer, as we wait for it.
    answer: Duration,
}

impl Address {
    pub(super) fn parse(options: &PostgresOptions) -> Result<Self, OpenError> {
        let driver = Driver::start().map_err(|error| OpenError::Unsuitable {
            server: "PostgreSQL".to_owned(),
            reason: format!("no thread can be started for its connections ({error})"),
        })?;
        let mut dsn = dsn::parse(&options.dsn, options.tls_root_certificates.as_deref())?;
        dsn.mean_the_primary();
        Self::of(dsn, options, driver)
    }

    /// The address of another server of the same options.
    pub(super) fn of_replica(&self, dsn: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let dsn = dsn::parse(dsn, options.tls_root_certificates.as_deref()).map_err(|error| match error {
            OpenError::BadAddress(why) => OpenError::BadReplicaAddress(why),
            error => error,
        })?;
        Self::of(dsn, options, self.driver.clone())
    }

    fn of(dsn: Dsn, options: &PostgresOptions, driver: Arc<Driver>) -> Result<Self, OpenError> {
        let tls = tls::connector(&dsn)?;
        // One that is silent leaves time for the others.
        let servers = u32::try_from(dsn.servers()).unwrap_or(u32::MAX).max(1);
        let mut config = dsn.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WAIT / servers);
        }
        config.keepalives_idle(KEEPALIVE);
        config.keepalives_interval(KEEPALIVE);
        config.tcp_user_timeout(2 * KEEPALIVE);
        Ok(Self {
            config,
            tls,
            node: options.node.clone(),
            driver,
            read_statement: bounded(options.read_statement),
            write_statement: bounded(options.write_statement),
        })
    }

    /// A session whose every wait is bounded, on both sides.
    pub(super) fn connect(&self, purpose: Purpose) -> Result<Session, OpenError> {
        self.connect_within(purpose, CONNECT_WAIT, None)
    }

    /// As [`Address::connect`]; `patience` is how long logging in may take, and then making the session what it is to be.
    fn connect_within(
        &self,
        purpose: Purpose,
        patience: Duration,
        bell: Option<Arc<Bell>>,
    ) -> Result<Session, OpenError> {
        let began = Instant::now();
        let terms = self.terms(purpose);
        let mut config = self.config.clone();
        config.application_name(format!("waybill {} {}", terms.name, self.node));
        let mut session = Session::open(&self.driver, (config, self.tls.clone()), patience, bell)
            .map_err(|error| not_connected(self.to_string(), &error))?;
        session.set_patience(patience.saturating_sub(began.elapsed()));
        if purpose == Purpose::Read {
            session.set_reading();
        }
        // So that a node that is cut off does not hold a connection for hours.
        let keepalive = KEEPALIVE.as_secs();
        session
            .batch(&format!(
                "{}; SET statement_timeout = {}; SET lock_timeout = {}; \
                 SET idle_in_transaction_session_timeout = {}; SET client_encoding = 'UTF8'; \
                 SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC'; \
                 SET tcp_keepalives_idle = {keepalive}; SET tcp_keepalives_interval = {keepalive}; \
                 SET tcp_keepalives_count = 2",
                terms.settings,
                terms.statement.as_millis(),
                LOCK_PATIENCE.as_millis(),
                terms.idle.as_millis()
            ))
            .map_err(|error| self.open_error(error))?;
        session.set_patience(terms.answer);
        Ok(session)
    }

    fn terms(&self, purpose: Purpose) -> Terms {
        match purpose {
            Purpose::Write => Terms {
                name: "writer",
                settings: WRITE_BY_INDEX,
                statement: self.write_statement,
                idle: IDLE_IN_GROUP,
                answer: self.write_statement + ANSWER_GRACE,
            },
            Purpose::Read => Terms {
                name: "reader",
                settings: READ_BY_INDEX,
                statement: self.read_statement,
                idle: 2 * self.read_statement,
                answer: self.read_statement + ANSWER_GRACE,
            },
            // How long a migration takes is bounded by whoever runs it.
            Purpose::Prepare => Terms {
                name: "start",
                settings: NO_COMPILING,
                statement: Duration::ZERO,
                idle: IDLE_IN_GROUP,
                answer: MIGRATION_WAIT + ANSWER_GRACE,
            },
            Purpose::Announce => Terms {
                name: "announcer",
                // A notification is a commit, of nothing that has to be durable.
                settings: "SET synchronous_commit = off",
                statement: NEWS_STATEMENT,
                idle: IDLE_IN_GROUP,
                answer: NEWS_STATEMENT + ANSWER_GRACE,
            },
            Purpose::Listen => Terms {
                name: "listener",
                settings: NO_COMPILING,
                statement: NEWS_STATEMENT,
                idle: IDLE_IN_GROUP,
                answer: NEWS_STATEMENT + ANSWER_GRACE,
            },
        }
    }

    /// The name of this node.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Longest that a read may take.
    pub(super) const fn read_statement(&self) -> Duration {
        self.read_statement
    }

    /// As [`Address::connect`], for a store that is open: whoever asks may come again.
    pub(super) fn reconnect(&self, purpose: Purpose) -> Result<Session, Error> {
        self.reconnect_within(purpose, CONNECT_WAIT)
    }

    /// As [`Address::reconnect`], for who has not that much time.
    pub(super) fn reconnect_within(&self, purpose: Purpose, patience: Duration) -> Result<Session, Error> {
        self.connect_within(purpose, patience, None)
            .map_err(after_opening)
    }

    /// A session for a listener, and what rings.
    pub(super) fn listen(&self) -> Result<(Session, Arc<Bell>), Error> {
        let bell = Arc::new(Bell::default());
        let session = self.connect_within(Purpose::Listen, CONNECT_WAIT, Some(bell.clone()));
        Ok((session.map_err(after_opening)?, bell))
    }

    /// The address as errors of opening name it.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    pub(super) fn open_error(&self, error: Error) -> OpenError {
        not_opened(self.to_string(), error)
    }
}

/// A bound as the server knows them: in milliseconds, where 0 would be none.
fn bounded(statement: Duration) -> Duration {
    statement.clamp(Duration::from_millis(1), WHOLE_TABLE)
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&described(&self.config))
    }
}

/// Without the password.
fn described(config: &Config) -> String {
    let user = config.get_user().map(|user| format!("{user}@"));
    let ports = config.get_ports();
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    });
    let mut hosts: Vec<String> = hosts.collect();
    if hosts.is_empty() {
        hosts = addresses.collect();
    }
    for (place, host) in hosts.iter_mut().enumerate() {
        let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
        *host = format!("{host}:{port}");
    }
    let database = config.get_dbname().unwrap_or_default();
    format!(
        "postgres://{}{}/{database}",
        user.unwrap_or_default(),
        hosts.join(",")
    )
}
