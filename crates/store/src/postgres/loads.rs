//! What a group reads of orders: their heads, which it locks, and their entries.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::Entry;
use model::command::OrderRef;
use model::ids::{OrderKey, Version};
use tokio_postgres::Row;

use super::convert::get;
use super::session::Session;
use super::statements::{
    HEAD_COLUMNS, PLACEMENT_COLUMNS, entry_columns, entry_from_row, head_columns, head_from_row, live_from,
    placement_from_row,
};
use crate::error::{Error, Trouble};
use crate::records::Loaded;

/// The heads of orders by public ids and by keys, locked by rising key.
macro_rules! load {
    ($wait:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", h.first_place, h.last_place, h.first_place < ",
            live_from!(),
            ", o.public_id FROM \
             (SELECT order_key, public_id FROM order_identities WHERE public_id = ANY($1::text[]) UNION \
             SELECT order_key, public_id FROM order_identities WHERE order_key = ANY($2::bigint[])) o \
             JOIN order_heads h ON h.order_key = o.order_key ORDER BY h.order_key FOR UPDATE OF h",
            $wait
        )
    };
}

/// Loads orders and locks them by rising key. Whoever waits while it holds orders already could be waited for by their next
/// holder: so a group that does is begun again.
pub(super) fn lock(
    session: &mut Session,
    orders: &[&OrderRef],
    holds_others: bool,
) -> Result<Vec<Option<Loaded>>, Error> {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for order in orders {
        match order {
            OrderRef::Public(id) => ids.push(id.as_str()),
            OrderRef::Key(key) => keys.push(key.get()),
        }
    }
    let rows = if holds_others {
        session
            .query(load!(" NOWAIT"), &[&ids, &keys])
            .map_err(not_waited_for)?
    } else {
        session.query(load!(""), &[&ids, &keys])?
    };
    let mut by_key: HashMap<i64, Loaded, RandomState> = HashMap::default();
    let mut by_id: HashMap<&str, i64, RandomState> = HashMap::default();
    for row in &rows {
        let loaded = loaded_from_row(row)?;
        by_id.insert(
            get(row, HEAD_COLUMNS + PLACEMENT_COLUMNS)?,
            loaded.head.order.get(),
        );
        by_key.insert(loaded.head.order.get(), loaded);
    }
    let found = orders.iter().map(|order| {
        let key = match order {
            OrderRef::Public(id) => by_id.get(id.as_str()).copied(),
            OrderRef::Key(key) => Some(key.get()),
        };
        key.and_then(|key| by_key.get(&key)).cloned()
    });
    Ok(found.collect())
}

/// All stored entries of a loaded order, oldest first.
pub(super) fn history(session: &mut Session, loaded: &Loaded) -> Result<Vec<Entry>, Error> {
    check_kept(loaded)?;
    let last = loaded.placement.last_version;
    let entries = entries(session, loaded, (Version::FIRST, last))?;
    let versions = entries.iter().map(|entry| entry.version);
    check_whole(loaded.head.order, last, versions)?;
    Ok(entries)
}

/// One stored entry of a loaded order.
pub(super) fn entry(
    session: &mut Session,
    loaded: &Loaded,
    version: Version,
) -> Result<Option<Entry>, Error> {
    if version < Version::FIRST || version > loaded.placement.last_version {
        return Ok(None);
    }
    check_kept(loaded)?;
    let found = entries(session, loaded, (version, version))?.pop();
    let order = loaded.head.order;
    found
        .map(Some)
        .ok_or_else(|| Error::damaged(format!("order {order} has no version {version}")))
}

/// Its head is locked: what is kept of it now is kept until the group ends.
const fn check_kept(loaded: &Loaded) -> Result<(), Error> {
    if loaded.placement.is_archived {
        Err(Error::Archived)
    } else {
        Ok(())
    }
}

fn entries(
    session: &mut Session,
    loaded: &Loaded,
    (from, to): (Version, Version),
) -> Result<Vec<Entry>, Error> {
    let sql = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM entries e WHERE e.order_key = $1 AND e.place BETWEEN $2 AND $3 \
         AND e.version BETWEEN $4::bigint AND $5::bigint ORDER BY e.version"
    );
    let placement = loaded.placement;
    let rows = session.query(
        sql,
        &[
            &loaded.head.order.get(),
            &placement.first.get(),
            &placement.last.get(),
            &i64::from(from.get()),
            &i64::from(to.get()),
        ],
    )?;
    rows.iter().map(entry_from_row).collect()
}

/// A history has every version up to the last, once.
pub(super) fn check_whole(
    order: OrderKey,
    last: Version,
    versions: impl Iterator<Item = Version>,
) -> Result<(), Error> {
    let mut expected = Version::FIRST;
    for version in versions {
        if version != expected {
            return Err(Error::damaged(format!(
                "order {order} has version {version} where {expected} belongs"
            )));
        }
        expected = expected.next();
    }
    if expected != last.next() {
        return Err(Error::damaged(format!("order {order} has no version {expected}")));
    }
    Ok(())
}

/// A row that is held is no trouble of the storage.
fn not_waited_for(error: Error) -> Error {
    match error {
        Error::Unavailable {
            trouble: Trouble::Busy,
            detail,
        } => Error::Contended(detail),
        error => error,
    }
}

fn loaded_from_row(row: &Row) -> Result<Loaded, Error> {
    let head = head_from_row(row)?;
    let placement = placement_from_row(row, HEAD_COLUMNS, &head)?;
    Ok(Loaded { head, placement })
}
