//! The columns that several statements share, and the rows they come as.

use model::fingerprint::RecentFingerprints;
use model::head::Head;
use model::ids::{OrderKey, Position};
use model::sealed::Sealed;
use model::time::Timestamp;
use model::{Entry, EntryKind};
use tokio_postgres::Row;

use super::convert::{byte, get, lifecycle_id, owner, state, version};
use crate::error::Error;
use crate::records::Placement;
use crate::waiting::waiting_from_bytes;

/// Columns of `order_heads` in the order in which [`head_from_row`] reads them, from column 0.
macro_rules! head_columns {
    () => {
        "h.order_key, h.lifecycle_id, h.tenant_id, h.client_id, h.customer_id, h.status, h.version, h.recorded_at, h.due_at, \
         h.recent, h.waiting"
    };
}

/// Columns of `entries` in the order in which [`entry_from_row`] reads them, from column 0.
macro_rules! entry_columns {
    () => {
        "e.order_key, e.version, e.kind, e.format, e.lifecycle_id, e.tenant_id, e.client_id, e.customer_id, e.status, \
         e.occurred_at, e.recorded_at, e.body, e.private"
    };
}

/// Where the places begin that are not archived.
macro_rules! live_from {
    () => {
        "(SELECT coalesce(max(places_end), 0) FROM log_archives)"
    };
}

pub(super) use {entry_columns, head_columns, live_from};

/// How many columns [`head_columns`] are.
pub(super) const HEAD_COLUMNS: usize = 11;
/// How many columns [`entry_columns`] are.
pub(super) const ENTRY_COLUMNS: usize = 13;

pub(super) fn head_from_row(row: &Row) -> Result<Head, Error> {
    let due_at: Option<i64> = get(row, 8)?;
    let recent = RecentFingerprints::from_bytes(get(row, 9)?)
        .ok_or_else(|| Error::damaged("fingerprints of a head"))?;
    let waiting: Option<&[u8]> = get(row, 10)?;
    let (step_due, parked) = match waiting {
        Some(bytes) => waiting_from_bytes(bytes).ok_or_else(|| Error::damaged("parked reports of a head"))?,
        None => (due_at.map(Timestamp::from_nanos), Vec::new()),
    };
    Ok(Head {
        order: OrderKey::new(get(row, 0)?),
        lifecycle: lifecycle_id(row, 1)?,
        owner: owner(row, 2)?,
        status: state(row, 5)?,
        version: version(row, 6)?,
        recorded_at: Timestamp::from_nanos(get(row, 7)?),
        step_due,
        parked,
        recent,
    })
}

/// How many columns [`placement_from_row`] reads.
pub(super) const PLACEMENT_COLUMNS: usize = 3;

/// Where the entries of a head are, in two columns from this one on, and whether they are archived, in a third.
pub(super) fn placement_from_row(row: &Row, column: usize, head: &Head) -> Result<Placement, Error> {
    Ok(Placement {
        first: Position::new(get(row, column)?),
        last: Position::new(get(row, column + 1)?),
        last_version: head.version,
        // Nothing is deferred here.
        timed: false,
        is_archived: get(row, column + 2)?,
    })
}

pub(super) fn entry_from_row(row: &Row) -> Result<Entry, Error> {
    let kind = byte(row, 2, "kind")?;
    Ok(Entry {
        order: OrderKey::new(get(row, 0)?),
        version: version(row, 1)?,
        kind: EntryKind::from_number(kind)
            .ok_or_else(|| Error::damaged(format!("unknown kind of entry {kind}")))?,
        format: byte(row, 3, "format")?,
        lifecycle: lifecycle_id(row, 4)?,
        owner: owner(row, 5)?,
        status: state(row, 8)?,
        occurred_at: Timestamp::from_nanos(get(row, 9)?),
        recorded_at: Timestamp::from_nanos(get(row, 10)?),
        body: get(row, 11)?,
        private: sealed(row, 12)?,
    })
}

/// A sealed part, if there is one.
pub(super) fn sealed(row: &Row, column: usize) -> Result<Option<Sealed>, Error> {
    let stored: Option<Vec<u8>> = get(row, column)?;
    stored
        .map(|bytes| {
            Sealed::from_bytes(bytes).ok_or_else(|| Error::damaged("a sealed part without its salt"))
        })
        .transpose()
}
