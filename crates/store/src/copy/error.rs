//! Why a store was not copied. Each message names the cure.

use crate::error::{Error, OpenError};

/// A store was not copied, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The folder that is to be copied.
    #[error("nothing was copied: {0}")]
    Source(OpenError),
    /// The database that it is to be copied to, before anything was written.
    #[error("nothing was copied: {0}")]
    Target(OpenError),
    /// The database has a store.
    #[error(
        "nothing was copied: {0} holds a Waybill store already: name an empty database, or, if an earlier run copied this store there, \
         use it"
    )]
    TargetHasStore(String),
    /// The database has a part of another store, or another version began.
    #[error(
        "nothing was copied: {server} holds a part of {what}: drop the database, make it anew and begin again"
    )]
    OtherPart {
        /// The server, without password.
        server: String,
        /// Of what.
        what: &'static str,
    },
    /// Another process is at it.
    #[error("nothing was copied: another process is copying to {0}: wait for its end, or stop it")]
    UnderWay(String),
    /// A value has no place in the other schema.
    #[error(
        "{column} of {table} {problem} (row {row}): correct it in the old store, drop the database, make it anew and begin again"
    )]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which of the rows, from 1.
        row: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Reading failed on the way.
    #[error("the copy is not whole: reading {table}: {error}: run the same command again, and it goes on")]
    Reading {
        /// What was read.
        table: &'static str,
        /// What happened.
        error: Error,
    },
    /// Everything was copied and proved; the connection was lost with the last step.
    #[error(
        "{server} was lost at the last step ({error}): run the same command again: it goes on, or says that the store is there, whole"
    )]
    Unsettled {
        /// The server, without password.
        server: String,
        /// Why it cannot be asked.
        error: Error,
    },
    /// Writing failed on the way.
    #[error("the copy is not whole: writing {table}: {error}: run the same command again, and it goes on")]
    Writing {
        /// What was written.
        table: &'static str,
        /// What happened.
        error: Error,
    },
}
