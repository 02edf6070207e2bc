//! What is due, through the index of the few heads that wait for a time.

use model::ids::OrderKey;
use model::time::Timestamp;

use super::convert::get;
use super::session::Session;
use crate::error::Error;
use crate::limits::MAX_PAGE;

macro_rules! due {
    ($lock:literal) => {
        concat!(
            "SELECT order_key, due_at FROM order_heads WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
            $lock
        )
    };
}

/// Orders with something due by an instant, the longest due first.
pub(super) fn by(
    session: &mut Session,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
    ask(session, due!(""), by, limit)
}

/// The same, locked. What another transaction holds is passed over: this never waits, so it stands outside the order of locks.
pub(super) fn lock(
    session: &mut Session,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
    ask(session, due!(" FOR UPDATE SKIP LOCKED"), by, limit)
}

fn ask(
    session: &mut Session,
    sql: &'static str,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
    let rows = session.query(sql, &[&by.as_nanos(), &i64::from(limit.min(MAX_PAGE))])?;
    rows.iter()
        .map(|row| Ok((OrderKey::new(get(row, 0)?), Timestamp::from_nanos(get(row, 1)?))))
        .collect()
}
