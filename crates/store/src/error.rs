//! What can go wrong, by what the caller has to do about it.

use std::path::PathBuf;

/// An operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The storage does not take or give data now. Nothing was stored; the same call may work later.
    #[error("{trouble}: {detail}")]
    Unavailable {
        /// What kind of trouble.
        trouble: Trouble,
        /// The database's words.
        detail: String,
    },
    /// A commit failed in a way that leaves open whether it is durable. [`Writer::is_committed`](crate::Writer::is_committed)
    /// tells.
    #[error("a commit's outcome is unknown: {trouble}: {detail}")]
    OutcomeUnknown {
        /// What kind of trouble.
        trouble: Trouble,
        /// The database's words.
        detail: String,
    },
    /// Another writer was in the way: it holds what this group needs, or was quicker; or the connection was lost before the end of the
    /// group was sent. Nothing was stored; the same group, begun again after a moment, finds what the other one left.
    #[error("another writer was in the way: {0}")]
    Contended(String),
    /// The database refused one statement's data: a constraint, an encoding, a range. The rest of the group is not to blame.
    #[error("the database refuses a value: {0}")]
    Statement(String),
    /// What is stored cannot be right.
    #[error("damaged store: {0}")]
    Damaged(String),
    /// A read took longer than it may: [`MAX_READ`](crate::limits::MAX_READ), unless the store was opened with another bound.
    #[error("a read took too long and was ended")]
    ReadTooLong,
    /// What was asked for was archived: the partitions of the log that held it are detached, see `waybill archive`.
    #[error("its history is archived")]
    Archived,
}

/// Why storage is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No room.
    #[error("the disk is full")]
    DiskFull,
    /// The file or its file system is read-only.
    #[error("the store cannot be written")]
    NotWritable,
    /// Reading or writing failed.
    #[error("input/output error")]
    Io,
    /// Somebody else holds it for longer than a moment.
    #[error("the store is busy")]
    Busy,
    /// The database says no more than that it failed.
    #[error("the database failed")]
    Failed,
}

/// A data folder or store that cannot be opened. Each message names the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The path is not a folder.
    #[error("{0} is not a folder: name a folder for the data, or remove the file")]
    NotAFolder(PathBuf),
    /// It cannot be made or written.
    #[error("{path} cannot be written ({reason}): give this user the right to, or name another folder")]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// There is none, and none is to be made.
    #[error("{0} holds no Waybill store: check the path")]
    NoStore(PathBuf),
    /// Another process has it.
    #[error("{path} is in use by another process{}: stop that one first, or name another folder", .by.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process's id, if it left it.
        by: Option<String>,
    },
    /// A newer version wrote it.
    #[error(
        "{path} was written by a newer version (store format {found}, this version knows up to {known}): use that version"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest this version knows.
        known: i64,
    },
    /// An older version wrote it, and it is only to be read.
    #[error(
        "{path} was written by an older version (store format {found}, this version reads {known}): run `waybill migrate`, or start the server \
         on it once: both bring it up to date"
    )]
    Older {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The one this version reads.
        known: i64,
    },
    /// The file is no store at all.
    #[error("{0} is not a Waybill database: name another folder, or remove the file")]
    NotAStore(PathBuf),
    /// The file is shorter than it says, or its write-ahead log stands alone.
    #[error("{path} is half-written ({reason}): restore it from a backup")]
    HalfWritten {
        /// The database file.
        path: PathBuf,
        /// What shows it.
        reason: String,
    },
    /// Anything that also happens after opening.
    #[error("{path}: {error}")]
    Store {
        /// The database file.
        path: PathBuf,
        /// What happened.
        error: Error,
    },
    /// The address of a database server cannot be read. What was given is not repeated: there may be a password in it.
    #[error("the database's address {0}: give postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    BadAddress(&'static str),
    /// The same of a replica.
    #[error("the replica's address {0}: give postgres://USER:PASSWORD@HOST:PORT/DATABASE, or no replica")]
    BadReplicaAddress(&'static str),
    /// A database server cannot be reached.
    #[error("{server} cannot be reached ({reason}): check host and port, and that PostgreSQL runs there")]
    Unreachable {
        /// The server, without password.
        server: String,
        /// The system's words.
        reason: String,
    },
    /// A file of certificates is of no use.
    #[error(
        "{path}: {reason}: name a file in PEM format with the certificates of those who issue the database server's"
    )]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A database server does not show that it is the one it should be.
    #[error(
        "{server} is not trusted ({reason}): name it as its certificate does, and give its issuer's certificate as \
         sslrootcert=FILE"
    )]
    Untrusted {
        /// The server, without password.
        server: String,
        /// What is wrong with its certificate.
        reason: String,
    },
    /// A database server does not let us in.
    #[error("{server} refuses the login ({reason}): check user, password and database")]
    LoginRefused {
        /// The server, without password.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// A database server or a database that starts or stops, or is closed for now.
    #[error("{server} is not ready ({reason}): wait until it is")]
    NotReady {
        /// The server, without password.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// A database server has as many connections as it takes.
    #[error(
        "{server} takes no more connections ({reason}): raise max_connections or this user's limit there, or run fewer \
         writers and readers"
    )]
    TooManyConnections {
        /// The server, without password.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// A database server that only repeats what another one writes.
    #[error("{server} is a standby, which takes no writes: name the primary, or promote it")]
    Standby {
        /// The server, without password.
        server: String,
    },
    /// A database lets us in, and does not let us write.
    #[error(
        "{server} cannot be written ({reason}): let this user own the database or its schema and tables, and let it write \
         there"
    )]
    NoRights {
        /// The server, without password.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// A database server that may lose what it has acknowledged.
    #[error("{server} may lose what it has acknowledged, as {setting} is off there: switch it on")]
    Unsafe {
        /// The server, without password.
        server: String,
        /// The setting.
        setting: &'static str,
    },
    /// A database server or a database that cannot hold a store.
    #[error("{server} cannot hold a store: {reason}")]
    Unsuitable {
        /// The server, without password.
        server: String,
        /// Why not, and what would do.
        reason: String,
    },
    /// A database server with a part of a store, whose copy has not come to its end.
    #[error(
        "{server} holds a store that is only half copied: finish it with the same `waybill copy`, or drop the database"
    )]
    HalfCopied {
        /// The server, without password.
        server: String,
    },
    /// A lifecycle's stored definition differs from the one to be pinned under its name and version.
    #[error(
        "lifecycle {name} version {version} differs from the one this store knows: give the changed definition a new version"
    )]
    LifecycleChanged {
        /// Its name.
        name: String,
        /// Its version.
        version: u32,
    },
}

impl OpenError {
    /// Whether the same may succeed in a moment without anybody's doing: the server is starting or out of reach for now, or has
    /// no connection to spare. Everything else somebody has to mend first.
    #[must_use]
    pub const fn is_worth_waiting(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NotReady { .. }
            | Self::TooManyConnections { .. }
            | Self::Standby { .. } => true,
            Self::Store { error, .. } => error.may_pass(),
            Self::NotAFolder(_)
            | Self::NotWritable { .. }
            | Self::NoStore(_)
            | Self::InUse { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::NotAStore(_)
            | Self::HalfWritten { .. }
            | Self::HalfCopied { .. }
            | Self::BadAddress(_)
            | Self::BadReplicaAddress(_)
            | Self::BadCertificates { .. }
            | Self::Untrusted { .. }
            | Self::LoginRefused { .. }
            | Self::NoRights { .. }
            | Self::Unsafe { .. }
            | Self::Unsuitable { .. }
            | Self::LifecycleChanged { .. } => false,
        }
    }
}

impl Error {
    /// Whether the same may succeed in a moment without anybody's doing.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable { trouble, .. } | Self::OutcomeUnknown { trouble, .. } => {
                matches!(trouble, Trouble::Io | Trouble::Busy)
            }
            Self::Contended(_) => true,
            Self::Statement(_) | Self::Damaged(_) | Self::ReadTooLong | Self::Archived => false,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}
