//! Lists of orders, newest first: see `docs/adr/0014-lists-without-a-mutable-index.md`.
//!
//! No index over heads has the status, as each event would move a row in it. `status_blocks` says how many orders of each block of
//! keys have a status; blocks without a wanted one are passed over, and those within the offset as well.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use model::StateId;
use model::ids::{LifecycleId, OrderKey, PartyId};
use model::public_id::PublicId;
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, Row};

use super::convert::{lifecycle_id, number, owner, state, version};
use super::counts;
use super::deferred::AsOf;
use super::statements::{all, first};
use crate::error::Error;
use crate::limits::BLOCK_ORDERS;
use crate::records::{ListedOrder, OrderFilter, OrderList};

/// Where orders of a status are.
const BLOCKS_OF_STATUS: &str =
    "SELECT block, orders FROM status_blocks WHERE lifecycle_id = ?1 AND status = ?2 AND orders > 0";
/// The statuses of all orders between two keys.
const STATUSES: &str = "SELECT h.order_key, h.lifecycle_id, h.status, h.version FROM order_heads h \
                        WHERE h.order_key BETWEEN ?1 AND ?2 ORDER BY h.order_key DESC";
/// The statuses of the orders of a client between two keys.
const STATUSES_OF_CLIENT: &str = "SELECT o.order_key, h.lifecycle_id, h.status, h.version \
                                  FROM order_identities o INDEXED BY orders_by_client \
                                  CROSS JOIN order_heads h ON h.order_key = o.order_key \
                                  WHERE o.client_id = ?3 AND o.order_key BETWEEN ?1 AND ?2 ORDER BY o.order_key DESC";
/// A page of all orders of a client.
const ALL_OF_CLIENT: &str = "SELECT order_key FROM order_identities INDEXED BY orders_by_client WHERE client_id = ?1 \
                             ORDER BY order_key DESC LIMIT ?2 OFFSET ?3";
/// One order as it is listed.
const LISTED: &str = "SELECT o.order_key, o.public_id, o.tenant_id, o.client_id, o.customer_id, h.lifecycle_id, h.status, h.version, \
                      o.created_at, h.recorded_at \
                      FROM order_identities o JOIN order_heads h ON h.order_key = o.order_key WHERE o.order_key = ?1";

pub(super) type Statuses = BTreeSet<(LifecycleId, StateId)>;

/// What is looked for, and what the rows do not say yet.
struct Wanted<'a> {
    statuses: Statuses,
    deferred: &'a AsOf,
}

impl Wanted<'_> {
    /// Whether an order is wanted: its key, lifecycle, status and version, as [`STATUSES`] has them.
    fn has(&self, row: &Row<'_>) -> Result<Option<i64>, Error> {
        let (order, lifecycle): (i64, _) = (row.get(0)?, lifecycle_id(row.get(1)?)?);
        let (stored, version) = (state(row.get(2)?)?, version(row.get(3)?)?);
        let update = self.deferred.find(OrderKey::new(order));
        let status = update
            .and_then(|update| update.status_after(version))
            .unwrap_or(stored);
        Ok(self.statuses.contains(&(lifecycle, status)).then_some(order))
    }
}

pub(super) fn list(
    connection: &Connection,
    deferred: &AsOf,
    filter: &OrderFilter,
    offset: u64,
    limit: u32,
) -> Result<OrderList, Error> {
    let wanted = Wanted {
        statuses: filter.statuses.iter().copied().collect(),
        deferred,
    };
    let (total, keys) = match filter.client {
        None => of_all(connection, &wanted, offset, limit)?,
        Some(client) => of_client(connection, &wanted, client, offset, limit)?,
    };
    let mut orders = Vec::with_capacity(keys.len());
    for key in keys {
        let listed = first(connection, LISTED, [key], |row| listed_from_row(row, deferred))?;
        orders.push(listed.ok_or_else(|| Error::damaged(format!("order {key} has no head")))?);
    }
    Ok(OrderList { total, orders })
}

/// The page of all orders that have one of the statuses. Whole blocks within the offset are not looked into.
fn of_all(
    connection: &Connection,
    wanted: &Wanted<'_>,
    offset: u64,
    limit: u32,
) -> Result<(u64, Vec<i64>), Error> {
    let blocks = blocks(connection, &wanted.statuses)?;
    let total = blocks.values().sum();
    let mut page = Page::new(wanted, offset, limit);
    let mut select = connection.prepare_cached(STATUSES)?;
    for (block, orders) in blocks.into_iter().rev() {
        if page.is_full() {
            break;
        }
        if !page.pass(orders) {
            let (from, to) = keys(&(block..=block));
            page.take(&mut select, (from, to), orders)?;
        }
    }
    Ok((total, page.keys))
}

/// The page of a client's orders that have one of the statuses. Blocks in which nobody has such an order are not looked into.
fn of_client(
    connection: &Connection,
    wanted: &Wanted<'_>,
    client: PartyId,
    offset: u64,
    limit: u32,
) -> Result<(u64, Vec<i64>), Error> {
    let (mut total, mut others) = (0, 0);
    for count in counts::of_client(connection, client)? {
        if wanted.statuses.contains(&(count.lifecycle, count.status)) {
            total += count.orders;
        } else {
            others += count.orders;
        }
    }
    if offset >= total || limit == 0 {
        return Ok((total, Vec::new()));
    }
    if others == 0 {
        // Every order of the client is wanted: its index has all that is asked of it.
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let page = (client.get(), limit, offset);
        let keys = all(connection, ALL_OF_CLIENT, page, |row| Ok(row.get(0)?))?;
        return Ok((total, keys));
    }
    let mut page = Page::new(wanted, offset, limit);
    let mut left = total;
    let mut select = connection.prepare_cached(STATUSES_OF_CLIENT)?;
    for run in runs(blocks(connection, &wanted.statuses)?.into_keys())
        .iter()
        .rev()
    {
        if page.is_full() || left == 0 {
            break;
        }
        let (from, to) = keys(run);
        left -= page.take(&mut select, (from, to, client.get()), left)?;
    }
    Ok((total, page.keys))
}

/// Blocks that hold an order of one of the statuses, with how many.
fn blocks(connection: &Connection, statuses: &Statuses) -> Result<BTreeMap<i64, u64>, Error> {
    let mut blocks = BTreeMap::new();
    let mut select = connection.prepare_cached(BLOCKS_OF_STATUS)?;
    for (lifecycle, status) in statuses {
        let mut rows = select.query((lifecycle.get(), status.number()))?;
        while let Some(row) = rows.next()? {
            *blocks.entry(row.get(0)?).or_default() += number::<u64>(row.get(1)?, "count")?;
        }
    }
    Ok(blocks)
}

/// Neighbours joined: the fewer ranges, the fewer searches for where one begins.
fn runs(blocks: impl Iterator<Item = i64>) -> Vec<RangeInclusive<i64>> {
    let mut runs: Vec<RangeInclusive<i64>> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(run) if run.end().saturating_add(1) == block => *run = *run.start()..=block,
            Some(_) | None => runs.push(block..=block),
        }
    }
    runs
}

/// The first and the last key of some blocks.
fn keys(blocks: &RangeInclusive<i64>) -> (i64, i64) {
    let first = blocks.start().saturating_mul(BLOCK_ORDERS);
    let last = blocks
        .end()
        .saturating_mul(BLOCK_ORDERS)
        .saturating_add(BLOCK_ORDERS - 1);
    (first, last)
}

/// A page as it fills.
struct Page<'a> {
    wanted: &'a Wanted<'a>,
    offset: u64,
    limit: usize,
    keys: Vec<i64>,
}

impl<'a> Page<'a> {
    fn new(wanted: &'a Wanted<'a>, offset: u64, limit: u32) -> Self {
        Self {
            wanted,
            offset,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            keys: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.keys.len() >= self.limit
    }

    /// Passes over orders if all of them are within the offset.
    const fn pass(&mut self, orders: u64) -> bool {
        match self.offset.checked_sub(orders) {
            Some(rest) => {
                self.offset = rest;
                true
            }
            None => false,
        }
    }

    /// Takes what is wanted of the rows, until the page is full or there can be no more. How many were wanted.
    fn take(
        &mut self,
        select: &mut CachedStatement<'_>,
        params: impl rusqlite::Params,
        most: u64,
    ) -> Result<u64, Error> {
        let mut found = 0;
        let mut rows = select.query(params)?;
        while found < most
            && !self.is_full()
            && let Some(row) = rows.next()?
        {
            if let Some(order) = self.wanted.has(row)? {
                found += 1;
                if !self.pass(1) {
                    self.keys.push(order);
                }
            }
        }
        Ok(found)
    }
}

fn listed_from_row(row: &Row<'_>, deferred: &AsOf) -> Result<ListedOrder, Error> {
    let public_id: String = row.get(1)?;
    let mut listed = ListedOrder {
        order: OrderKey::new(row.get(0)?),
        public_id: PublicId::new(&public_id).map_err(|error| Error::damaged(error.to_string()))?,
        owner: owner(row.get(2)?, row.get(3)?, row.get(4)?)?,
        lifecycle: lifecycle_id(row.get(5)?)?,
        status: state(row.get(6)?)?,
        version: version(row.get(7)?)?,
        created_at: Timestamp::from_nanos(row.get(8)?),
        updated_at: Timestamp::from_nanos(row.get(9)?),
    };
    if let Some(update) = deferred.find(listed.order)
        && let Some(status) = update.status_after(listed.version)
    {
        listed.status = status;
        listed.version = update.version();
        listed.updated_at = update.recorded_at();
    }
    Ok(listed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sqlite::connect::MIGRATIONS;

    /// How the database goes about a statement, from the outermost loop to the innermost.
    pub(in crate::sqlite) fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get("detail"));
        steps.collect::<Result<_, _>>().unwrap()
    }

    /// A database with the schema and nothing else.
    pub(in crate::sqlite) fn in_memory() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        connection
    }

    #[test]
    fn no_statement_of_a_list_scans_or_sorts_orders() {
        let connection = in_memory();
        let by_key = |table: &str| format!("SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)");
        let by_client = "USING COVERING INDEX orders_by_client (client_id=?";
        let expected = [
            (
                BLOCKS_OF_STATUS,
                vec!["SEARCH status_blocks USING PRIMARY KEY (lifecycle_id=? AND status=?)".to_owned()],
            ),
            (
                STATUSES,
                vec!["SEARCH h USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)".to_owned()],
            ),
            (
                STATUSES_OF_CLIENT,
                vec![
                    format!("SEARCH o {by_client} AND order_key>? AND order_key<?)"),
                    by_key("h"),
                ],
            ),
            (
                ALL_OF_CLIENT,
                vec![format!("SEARCH order_identities {by_client})")],
            ),
            (LISTED, vec![by_key("o"), by_key("h")]),
            (
                counts::OF_CLIENT,
                vec!["SEARCH status_counts USING PRIMARY KEY (client_id=?)".to_owned()],
            ),
        ];
        for (statement, expected) in expected {
            assert_eq!(plan(&connection, statement), expected, "{statement}");
        }
    }
}
