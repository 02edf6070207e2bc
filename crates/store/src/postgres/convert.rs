//! Numbers and errors between PostgreSQL and the model.

use std::error::Error as _;

use model::ids::{LifecycleId, Owner, PartyId, TenantId, Version};
use model::lifecycle::StateId;
use model::role::Role;
use tokio_postgres::Row;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::FromSql;

use crate::error::{Error, Trouble};

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => said_by_server(said),
            None => Self::Unavailable {
                trouble: Trouble::Io,
                detail: error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string),
            },
        }
    }
}

/// What the server said, by SQLSTATE: <https://www.postgresql.org/docs/15/errcodes-appendix.html>. Its details are left
/// out, as they quote values.
fn said_by_server(said: &DbError) -> Error {
    let code = said.code();
    let detail = said.message().to_owned();
    let unavailable = |trouble| Error::Unavailable {
        trouble,
        detail: detail.clone(),
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Error::Contended(detail),
        // The only thing that the store itself ends.
        SqlState::QUERY_CANCELED => Error::ReadTooLong,
        SqlState::DISK_FULL => unavailable(Trouble::DiskFull),
        // With the second the connection is lost: it stood still within a transaction.
        SqlState::IO_ERROR | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => unavailable(Trouble::Io),
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::INSUFFICIENT_PRIVILEGE => {
            unavailable(Trouble::NotWritable)
        }
        SqlState::LOCK_NOT_AVAILABLE | SqlState::TOO_MANY_CONNECTIONS => unavailable(Trouble::Busy),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::Damaged(detail),
        // No partition for it. The next group makes one.
        SqlState::CHECK_VIOLATION if said.table() == Some("entries") => unavailable(Trouble::Failed),
        // A count that would fall below zero was wrong before: no command is to blame for it.
        SqlState::CHECK_VIOLATION
            if said
                .table()
                .is_some_and(|table| table.contains("_count") || table == "status_blocks") =>
        {
            Error::Damaged(format!("a count is too low: {detail}"))
        }
        _ => match code.code().get(..2) {
            // A value: of the wrong form, against a constraint, too large.
            Some("22" | "23" | "54") => Error::Statement(detail),
            // The connection is lost, or the server stops.
            Some("08" | "57") => unavailable(Trouble::Io),
            // Tables or functions are not what they were when the schema was made.
            Some("42") => Error::Damaged(detail),
            _ => unavailable(Trouble::Failed),
        },
    }
}

/// Whether the connection is gone with the error, or is of no more use: a statement that was prepared before the schema
/// changed may never work again.
pub(super) fn is_fatal(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(said) => {
            matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                || matches!(
                    *said.code(),
                    SqlState::FEATURE_NOT_SUPPORTED | SqlState::INVALID_SQL_STATEMENT_NAME
                )
        }
        None => true,
    }
}

/// A column of a row; of another type or range than was written, it is damage.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(|error| {
        let name = row.columns().get(column).map_or("?", |column| column.name());
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        Error::damaged(format!("column {name}: {why}"))
    })
}

/// A stored number in the range that it has in the model; anything else is damage.
pub(super) fn number<T: TryFrom<i64>>(stored: i64, what: &str) -> Result<T, Error> {
    T::try_from(stored).map_err(|_| Error::damaged(format!("{what} {stored} is out of range")))
}

/// An `INTEGER` as the model's unsigned number.
pub(super) fn unsigned(row: &Row, column: usize, what: &str) -> Result<u32, Error> {
    number(i64::from(get::<i32>(row, column)?), what)
}

/// A number of the model as an `INTEGER`: two thousand million are enough of each kind, and half as wide.
pub(super) fn integer(value: u32, what: &str) -> Result<i32, Error> {
    i32::try_from(value).map_err(|_| Error::Statement(format!("{what} {value} is out of range")))
}

pub(super) fn version(row: &Row, column: usize) -> Result<Version, Error> {
    unsigned(row, column, "version").map(Version::new)
}

pub(super) fn party(row: &Row, column: usize) -> Result<PartyId, Error> {
    unsigned(row, column, "party").map(PartyId::new)
}

pub(super) fn lifecycle_id(row: &Row, column: usize) -> Result<LifecycleId, Error> {
    unsigned(row, column, "lifecycle").map(LifecycleId::new)
}

/// A `SMALLINT` that is a byte in the model.
pub(super) fn byte(row: &Row, column: usize, what: &str) -> Result<u8, Error> {
    number(i64::from(get::<i16>(row, column)?), what)
}

pub(super) fn state(row: &Row, column: usize) -> Result<StateId, Error> {
    byte(row, column, "status").map(StateId::new)
}

pub(super) fn role(row: &Row, column: usize) -> Result<Role, Error> {
    let role = byte(row, column, "role")?;
    Role::from_number(role).ok_or_else(|| Error::damaged(format!("unknown role {role}")))
}

/// Tenant, client and customer, in three columns from this one on.
pub(super) fn owner(row: &Row, column: usize) -> Result<Owner, Error> {
    Ok(Owner {
        tenant: TenantId::new(unsigned(row, column, "tenant")?),
        client: party(row, column + 1)?,
        customer: party(row, column + 2)?,
    })
}

/// So many bytes and no others.
pub(super) fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], Error> {
    let stored: &[u8] = get(row, column)?;
    stored
        .try_into()
        .map_err(|_| Error::damaged(format!("{} bytes where {N} belong", stored.len())))
}

/// UTF-8 that is kept as bytes.
pub(super) fn text_of_bytes(row: &Row, column: usize) -> Result<Box<str>, Error> {
    optional_text_of_bytes(row, column)?.ok_or_else(|| Error::damaged("a text is missing"))
}

/// See [`text_of_bytes`].
pub(super) fn optional_text_of_bytes(row: &Row, column: usize) -> Result<Option<Box<str>>, Error> {
    let Some(stored) = get::<Option<Vec<u8>>>(row, column)? else {
        return Ok(None);
    };
    let text = String::from_utf8(stored).map_err(|_| Error::damaged("a text that is not UTF-8"))?;
    Ok(Some(text.into_boxed_str()))
}

/// Whether a `TEXT` can hold it: what has U+0000 stands in none, and asking for it would be an error.
pub(super) fn can_be_text(text: &str) -> bool {
    !text.contains('\0')
}
