//! The server's clock: the one that all nodes share, however wrong theirs are.

use model::time::Timestamp;

use super::connect::one;
use super::convert::get;
use super::session::Session;
use crate::error::Error;

/// Now, and not when the transaction began.
pub(super) fn now(session: &mut Session) -> Result<Timestamp, Error> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let micros: i64 = get(&one(session, sql)?, 0)?;
    Ok(Timestamp::from_nanos(micros.saturating_mul(1_000)))
}
