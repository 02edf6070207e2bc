//! Running a statement to its end; the columns that several statements share, and the rows they come as.

use model::fingerprint::RecentFingerprints;
use model::head::Head;
use model::ids::{OrderKey, Position};
use model::sealed::Sealed;
use model::time::Timestamp;
use model::{Entry, EntryKind};
use rusqlite::{Connection, Params, Row};

use super::convert::{lifecycle_id, number, owner, state, version};
use super::deferred::is_timed;
use crate::error::Error;
use crate::records::{LogEntry, Placement};
use crate::waiting::waiting_from_bytes;
pub(super) use crate::waiting::waiting_to_bytes;

/// Columns of `order_heads` in the order in which [`head_from_row`] reads them, from column 0.
macro_rules! head_columns {
    () => {
        "h.order_key, h.lifecycle_id, h.tenant_id, h.client_id, h.customer_id, h.status, h.version, h.first_position, \
         h.last_position, h.recorded_at, h.due_at, h.recent, h.waiting"
    };
}

/// Columns of `entries` in the order in which [`entry_from_row`] reads them.
macro_rules! entry_columns {
    () => {
        "position, order_key, version, previous_position, kind, format, lifecycle_id, tenant_id, client_id, customer_id, \
         status, occurred_at, recorded_at, body, private"
    };
}

pub(super) use {entry_columns, head_columns};

/// All rows of a statement.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a statement, if it has one.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// How many columns [`head_columns`] are.
pub(super) const HEAD_COLUMNS: usize = 13;

pub(super) fn head_from_row(row: &Row<'_>) -> Result<(Head, Placement), Error> {
    let due_at: Option<i64> = row.get(10)?;
    let recent = RecentFingerprints::from_bytes(row.get_ref(11)?.as_blob().map_err(rusqlite::Error::from)?)
        .ok_or_else(|| Error::damaged("fingerprints of a head"))?;
    let waiting: Option<Vec<u8>> = row.get(12)?;
    let (step_due, parked) = match waiting {
        Some(bytes) => {
            waiting_from_bytes(&bytes).ok_or_else(|| Error::damaged("parked reports of a head"))?
        }
        None => (due_at.map(Timestamp::from_nanos), Vec::new()),
    };
    let head = Head {
        order: OrderKey::new(row.get(0)?),
        lifecycle: lifecycle_id(row.get(1)?)?,
        owner: owner(row.get(2)?, row.get(3)?, row.get(4)?)?,
        status: state(row.get(5)?)?,
        version: version(row.get(6)?)?,
        recorded_at: Timestamp::from_nanos(row.get(9)?),
        step_due,
        parked,
        recent,
    };
    let placement = Placement {
        first: Position::new(row.get(7)?),
        last: Position::new(row.get(8)?),
        last_version: head.version,
        timed: is_timed(&head),
        is_archived: false,
    };
    Ok((head, placement))
}

/// An entry and the position of the one before it in its order.
pub(super) fn entry_from_row(row: &Row<'_>) -> Result<(LogEntry, Position), Error> {
    let private: Option<Vec<u8>> = row.get(14)?;
    let private = private
        .map(|bytes| {
            Sealed::from_bytes(bytes).ok_or_else(|| Error::damaged("a sealed part without its salt"))
        })
        .transpose()?;
    let kind: u8 = number(row.get(4)?, "kind")?;
    let entry = Entry {
        order: OrderKey::new(row.get(1)?),
        version: version(row.get(2)?)?,
        kind: EntryKind::from_number(kind)
            .ok_or_else(|| Error::damaged(format!("unknown kind of entry {kind}")))?,
        format: number(row.get(5)?, "format")?,
        lifecycle: lifecycle_id(row.get(6)?)?,
        owner: owner(row.get(7)?, row.get(8)?, row.get(9)?)?,
        status: state(row.get(10)?)?,
        occurred_at: Timestamp::from_nanos(row.get(11)?),
        recorded_at: Timestamp::from_nanos(row.get(12)?),
        body: row.get(13)?,
        private,
    };
    Ok((
        LogEntry {
            position: Position::new(row.get(0)?),
            entry,
        },
        Position::new(row.get(3)?),
    ))
}
