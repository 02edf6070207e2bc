//! The server's clock: the one that all nodes share, however wrong theirs are.

use model::time::Timestamp;

use super::connect::one;
use super::convert::get;
use super::session::Session;
use crate::error::Error;

/// When the transaction began: before whatever it sees was taken down, however late in it this is asked.
pub(super) fn beginning(session: &mut Session) -> Result<Timestamp, Error> {
    read(
        session,
        "SELECT (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint",
    )
}

/// Now, and not when the transaction began.
pub(super) fn now(session: &mut Session) -> Result<Timestamp, Error> {
    read(
        session,
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    )
}

fn read(session: &mut Session, sql: &'static str) -> Result<Timestamp, Error> {
    let micros: i64 = get(&one(session, sql)?, 0)?;
    Ok(Timestamp::from_nanos(micros.saturating_mul(1_000)))
}
