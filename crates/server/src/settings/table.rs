//! The table of settings: the one place where a setting is added. The typed [`Settings`], their names, flags and help follow
//! from it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use model::head::DelayScale;
use tracing::Level;

use super::kinds::{self, Form};
use super::problem::not_allowed;
use super::{CorsOrigins, Given, IpBlock, Secret, Seed};
use crate::logging::LogFormat;

/// A setting, without its type.
pub(super) struct Setting {
    /// Environment names; the first is the setting's name.
    pub(super) environment: &'static [&'static str],
    /// Keys in the file.
    pub(super) keys: &'static [&'static str],
    /// Flags, without their hyphens; the first is shown, and is the id.
    pub(super) flags: &'static [&'static str],
    /// What it is where nobody says; empty for a setting that may be unset.
    pub(super) default: &'static str,
    /// Never shown.
    pub(super) secret: bool,
    /// One line of help.
    pub(super) help: &'static str,
    pub(super) placeholder: &'static str,
    pub(super) form: Form,
    pub(super) allowed: fn() -> String,
}

impl Setting {
    pub(super) const fn name(&self) -> &'static str {
        self.environment[0]
    }

    pub(super) const fn flag(&self) -> &'static str {
        self.flags[0]
    }
}

macro_rules! settings {
    ($(
        #[doc = $help:literal]
        $field:ident: $type:ty = $kind:path {
            environment: $environment:expr, keys: $keys:expr, flags: $flags:expr,
            default: $default:literal, secret: $secret:literal
        }
    )+) => {
        /// What a process was told: plain data, read once at its start. An `Option` that is `None` was not set.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $help] pub $field: $type,)+
        }

        /// All settings, in the order in which they are shown.
        pub(super) static TABLE: &[Setting] = &[$(Setting {
            environment: &$environment,
            keys: &$keys,
            flags: &$flags,
            default: $default,
            secret: $secret,
            help: $help,
            placeholder: $kind.placeholder,
            form: $kind.form,
            allowed: $kind.allowed,
        }),+];

        impl Settings {
            /// What the texts mean, one for each setting of the table and in its order. `None` if one is not allowed, which is
            /// then among the problems.
            pub(super) fn from_texts(given: &[Given], problems: &mut Vec<String>) -> Option<Self> {
                let mut given = given.iter();
                $(
                    let text = given.next()?;
                    let $field = ($kind.parse)(&text.text);
                    if $field.is_none() {
                        problems.push(not_allowed(text.setting, &text.source, &text.text));
                    }
                )+
                Some(Self { $($field: $field?,)+ })
            }
        }
    };
}

settings! {
    /// TCP port that the server listens on; 0 takes a free one
    app_port: u16 = kinds::PORT {
        environment: ["APP_PORT", "PORT"], keys: ["app_port", "port"], flags: ["app-port", "port"],
        default: "8080", secret: false
    }
    /// IP address that the server listens on; 0.0.0.0 is every one of IPv4, :: every one at all
    app_host: IpAddr = kinds::HOST {
        environment: ["APP_HOST"], keys: ["app_host"], flags: ["app-host"],
        default: "127.0.0.1", secret: false
    }
    /// Name of the environment that it runs in, for the log
    env: String = kinds::ENV {
        environment: ["ENV"], keys: ["env"], flags: ["env"],
        default: "development", secret: false
    }
    /// The data folder
    data_dir: PathBuf = kinds::FOLDER {
        environment: ["WAYBILL_DATA_DIR"], keys: ["data_dir", "waybill_data_dir"], flags: ["data-dir"],
        default: "waybill-data", secret: false
    }
    /// Database of PostgreSQL, as postgres://USER:PASSWORD@HOST:PORT/DATABASE; empty: SQLite, in the data folder
    pg_dsn: Option<Secret> = kinds::DSN {
        environment: ["PG_DSN", "DATABASE_URL"], keys: ["pg_dsn", "database_url"], flags: ["pg-dsn", "database-url"],
        default: "", secret: true
    }
    /// Connections that write, of this node: each gathers groups of its own
    pg_writers: NonZeroUsize = kinds::CONNECTIONS {
        environment: ["PG_WRITERS"], keys: ["pg_writers"], flags: ["pg-writers"],
        default: "2", secret: false
    }
    /// Connections that read, of this node, at most
    pg_readers: NonZeroUsize = kinds::CONNECTIONS {
        environment: ["PG_READERS"], keys: ["pg_readers"], flags: ["pg-readers"],
        default: "4", secret: false
    }
    /// Seconds that a statement which writes may take
    pg_write_timeout: Duration = kinds::WRITE_TIMEOUT {
        environment: ["PG_WRITE_TIMEOUT_S"], keys: ["pg_write_timeout_s"], flags: ["pg-write-timeout-s"],
        default: "30", secret: false
    }
    /// Milliseconds that a read may take
    pg_read_timeout: Duration = kinds::READ_TIMEOUT {
        environment: ["PG_READ_TIMEOUT_MS"], keys: ["pg_read_timeout_ms"], flags: ["pg-read-timeout-ms"],
        default: "1000", secret: false
    }
    /// Seconds that a start waits for a database that cannot be reached; 0: not at all
    pg_connect_wait: Duration = kinds::CONNECT_WAIT {
        environment: ["PG_CONNECT_WAIT_S"], keys: ["pg_connect_wait_s"], flags: ["pg-connect-wait-s"],
        default: "60", secret: false
    }
    /// Read replica that lists are read from, as `PG_DSN`; empty: none
    pg_replica_dsn: Option<Secret> = kinds::DSN {
        environment: ["PG_REPLICA_DSN"], keys: ["pg_replica_dsn"], flags: ["pg-replica-dsn"],
        default: "", secret: true
    }
    /// Seconds that the replica may be behind: where it is more, the database itself is read
    pg_replica_max_staleness: Duration = kinds::STALENESS {
        environment: ["PG_REPLICA_MAX_STALENESS_S"], keys: ["pg_replica_max_staleness_s"],
        flags: ["pg-replica-max-staleness-s"],
        default: "5", secret: false
    }
    /// File (PEM) of certificates that the database's must come from, beside the system's own; empty: none
    pg_root_certificates: Option<PathBuf> = kinds::OPTIONAL_FILE {
        environment: ["PG_ROOT_CERTIFICATES"], keys: ["pg_root_certificates"], flags: ["pg-root-certificates"],
        default: "", secret: false
    }
    /// Name of this node in what it commits and in its connections; empty: the machine's
    node_name: Option<String> = kinds::NODE_NAME {
        environment: ["NODE_NAME"], keys: ["node_name"], flags: ["node-name"],
        default: "", secret: false
    }
    /// Secrets of the tokens (HS256), 32 bytes each at least: the first signs, all verify
    jwt_secret: Option<Vec<Secret>> = kinds::JWT_SECRETS {
        environment: ["JWT_SECRET"], keys: ["jwt_secret"], flags: ["jwt-secret"],
        default: "", secret: true
    }
    /// Refuse tokens whose user is unknown here, also if they are well signed
    jwt_known_users_only: bool = kinds::SWITCH {
        environment: ["JWT_KNOWN_USERS_ONLY"], keys: ["jwt_known_users_only"], flags: ["jwt-known-users-only"],
        default: "false", secret: false
    }
    /// Username of the admin that the first start makes
    admin_username: Option<String> = kinds::USERNAME {
        environment: ["ADMIN_USERNAME"], keys: ["admin_username"], flags: ["admin-username"],
        default: "", secret: false
    }
    /// Password of the admin that the first start makes, 8 to 128 characters
    admin_password: Option<Secret> = kinds::PASSWORD {
        environment: ["ADMIN_PASSWORD"], keys: ["admin_password"], flags: ["admin-password"],
        default: "", secret: true
    }
    /// What new tracking numbers begin with
    tracking_prefix: String = kinds::TRACKING_PREFIX {
        environment: ["TRACKING_PREFIX"], keys: ["tracking_prefix"], flags: ["tracking-prefix"],
        default: "99M-", secret: false
    }
    /// Food orders under /orders take no token: whoever reaches the server may make, see and cancel them
    open_orders: bool = kinds::SWITCH {
        environment: ["OPEN_ORDERS"], keys: ["open_orders"], flags: ["open-orders"],
        default: "false", secret: false
    }
    /// `demo` makes the users of the demo, whose passwords everybody knows
    seed: Option<Seed> = kinds::SEED {
        environment: ["SEED"], keys: ["seed"], flags: ["seed"],
        default: "", secret: false
    }
    /// Events of this level and graver are logged: error, warn, info, debug or trace
    log_level: Level = kinds::LOG_LEVEL {
        environment: ["LOG_LEVEL"], keys: ["log_level"], flags: ["log-level"],
        default: "info", secret: false
    }
    /// How the log is written: json, one object a line, or text
    log_format: LogFormat = kinds::LOG_FORMAT {
        environment: ["LOG_FORMAT"], keys: ["log_format"], flags: ["log-format"],
        default: "text", secret: false
    }
    /// Multiplies automatic delays, to a millionth; 0.01 for tests
    delay_scale: DelayScale = kinds::DELAY_SCALE {
        environment: ["DELAY_SCALE"], keys: ["delay_scale"], flags: ["delay-scale"],
        default: "1", secret: false
    }
    /// Requests a minute of one principal, or of one address where there is none; 0: no limit
    rate_limit_per_minute: u32 = kinds::PER_MINUTE {
        environment: ["RATE_LIMIT_PER_MINUTE"], keys: ["rate_limit_per_minute"], flags: ["rate-limit-per-minute"],
        default: "6000", secret: false
    }
    /// Seconds in which a stop must have finished what was accepted
    shutdown_grace: Duration = kinds::GRACE {
        environment: ["SHUTDOWN_GRACE_S"], keys: ["shutdown_grace_s"], flags: ["shutdown-grace-s"],
        default: "25", secret: false
    }
    /// Web origins that may call from a browser: a comma list, or * for all; empty: none
    cors_origins: CorsOrigins = kinds::CORS_ORIGINS {
        environment: ["CORS_ORIGINS"], keys: ["cors_origins"], flags: ["cors-origins"],
        default: "", secret: false
    }
    /// Proxies whose word on the caller's address is taken: IP addresses and blocks, with commas; empty: none
    trusted_proxies: Vec<IpBlock> = kinds::IP_BLOCKS {
        environment: ["TRUSTED_PROXIES"], keys: ["trusted_proxies"], flags: ["trusted-proxies"],
        default: "", secret: false
    }
    /// Address that /metrics moves to; empty: it is served with the rest
    metrics_addr: Option<SocketAddr> = kinds::SOCKET {
        environment: ["METRICS_ADDR"], keys: ["metrics_addr"], flags: ["metrics-addr"],
        default: "", secret: false
    }
    /// Days that dead letters are kept
    dead_letter_keep_days: u32 = kinds::KEEP_DAYS {
        environment: ["DEAD_LETTER_KEEP_DAYS"], keys: ["dead_letter_keep_days"], flags: ["dead-letter-keep-days"],
        default: "90", secret: false
    }
}
