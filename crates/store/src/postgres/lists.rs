//! Lists of orders, newest first: see `docs/adr/0014-lists-without-a-mutable-index.md`.
//!
//! No index over heads has the status. `status_blocks` says how many orders of each block of keys have one: blocks without
//! a wanted one are passed over, and those within the offset as well. The counts are of the same instant as the heads, so
//! they are exact.

use std::collections::BTreeSet;

use model::StateId;
use model::ids::{LifecycleId, OrderKey, PartyId};
use model::public_id::PublicId;
use model::time::Timestamp;
use tokio_postgres::Row;

use super::convert::{get, integer, lifecycle_id, owner, state, version};
use super::counts::{self, StatusColumns};
use super::session::Session;
use crate::error::Error;
use crate::limits::BLOCK_ORDERS;
use crate::records::{ListedOrder, OrderFilter, OrderList};

pub(super) type Statuses = BTreeSet<(LifecycleId, StateId)>;

/// Orders as they are listed.
const LISTED: &str = "SELECT o.order_key, o.public_id, o.tenant_id, o.client_id, o.customer_id, h.lifecycle_id, h.status, h.version, \
                      o.created_at, h.recorded_at FROM order_identities o JOIN order_heads h USING (order_key) \
                      WHERE o.order_key = ANY($1::bigint[]) ORDER BY o.order_key DESC";
/// The page of all orders: `OFFSET 0` has each block read by key, whatever is thought of how many rows there are.
const OF_ALL: &str = "SELECT h.order_key FROM UNNEST($1::bigint[], $2::bigint[]) AS b (first_key, last_key) \
                      CROSS JOIN LATERAL (SELECT order_key, lifecycle_id, status FROM order_heads \
                      WHERE order_key BETWEEN b.first_key AND b.last_key OFFSET 0) h \
                      WHERE (h.lifecycle_id, h.status) IN (SELECT * FROM UNNEST($3::int[], $4::smallint[])) \
                      ORDER BY h.order_key DESC OFFSET $5 LIMIT $6";
/// The page of a client, of whom every order is wanted.
const ALL_OF_CLIENT: &str =
    "SELECT order_key FROM order_identities WHERE client_id = $1 ORDER BY order_key DESC OFFSET $2 LIMIT $3";
/// The page of a client: the index of its orders is walked, and each head is looked up.
const SOME_OF_CLIENT: &str = "SELECT o.order_key FROM order_identities o \
                              CROSS JOIN LATERAL (SELECT lifecycle_id, status FROM order_heads \
                              WHERE order_key = o.order_key OFFSET 0) h \
                              WHERE o.client_id = $1 AND o.order_key >> 12 = ANY($2::bigint[]) \
                              AND (h.lifecycle_id, h.status) IN (SELECT * FROM UNNEST($3::int[], $4::smallint[])) \
                              ORDER BY o.order_key DESC OFFSET $5 LIMIT $6";

pub(super) fn list(
    session: &mut Session,
    filter: &OrderFilter,
    offset: u64,
    limit: u32,
) -> Result<OrderList, Error> {
    let statuses: Statuses = filter.statuses.iter().copied().collect();
    let (total, rows) = match filter.client {
        None => of_all(session, &statuses, offset, limit)?,
        Some(client) => of_client(session, &statuses, client, offset, limit)?,
    };
    let keys: Result<Vec<i64>, Error> = rows.iter().map(|row| get(row, 0)).collect();
    let keys = keys?;
    let orders: Result<Vec<ListedOrder>, Error> = if keys.is_empty() {
        Ok(Vec::new())
    } else {
        let rows = session.query(LISTED, &[&keys])?;
        rows.iter().map(listed_from_row).collect()
    };
    let orders = orders?;
    if orders.len() != keys.len() {
        return Err(Error::damaged("an order of a list has no head"));
    }
    Ok(OrderList { total, orders })
}

/// The keys of the page of all orders that have one of the statuses. Blocks that lie within the offset, or behind the page,
/// are not looked into.
fn of_all(
    session: &mut Session,
    statuses: &Statuses,
    offset: u64,
    limit: u32,
) -> Result<(u64, Vec<Row>), Error> {
    let columns = StatusColumns::of(statuses.iter())?;
    let blocks = counts::blocks_of(session, &columns)?;
    let total = blocks.values().sum();
    let Some(wanted) = wanted(total, offset, limit) else {
        return Ok((total, Vec::new()));
    };
    let (mut passed, mut within) = (0u64, 0u64);
    let (mut first_keys, mut last_keys) = (Vec::new(), Vec::new());
    for (block, orders) in blocks.into_iter().rev() {
        if first_keys.is_empty() && passed + orders <= offset {
            passed += orders;
            continue;
        }
        if within >= offset - passed + wanted {
            break;
        }
        within += orders;
        let first = block.saturating_mul(BLOCK_ORDERS);
        first_keys.push(first);
        last_keys.push(first.saturating_add(BLOCK_ORDERS - 1));
    }
    let (offset, limit) = (signed(offset - passed), signed(wanted));
    let rows = session.query(
        OF_ALL,
        &[
            &first_keys,
            &last_keys,
            &columns.lifecycle,
            &columns.status,
            &offset,
            &limit,
        ],
    )?;
    Ok((total, rows))
}

/// The keys of the page of a client's orders that have one of the statuses. The heads of orders in blocks in which nobody
/// has such an order are not looked at; where every order of the client is wanted, none is.
fn of_client(
    session: &mut Session,
    statuses: &Statuses,
    client: PartyId,
    offset: u64,
    limit: u32,
) -> Result<(u64, Vec<Row>), Error> {
    let (mut total, mut others) = (0, 0);
    for count in counts::of_client(session, client)? {
        if statuses.contains(&(count.lifecycle, count.status)) {
            total += count.orders;
        } else {
            others += count.orders;
        }
    }
    let Some(wanted) = wanted(total, offset, limit) else {
        return Ok((total, Vec::new()));
    };
    let client = integer(client.get(), "client")?;
    let (offset, limit) = (signed(offset), signed(wanted));
    if others == 0 {
        return Ok((total, session.query(ALL_OF_CLIENT, &[&client, &offset, &limit])?));
    }
    let columns = StatusColumns::of(statuses.iter())?;
    let blocks: Vec<i64> = counts::blocks_of(session, &columns)?.into_keys().collect();
    let rows = session.query(
        SOME_OF_CLIENT,
        &[
            &client,
            &blocks,
            &columns.lifecycle,
            &columns.status,
            &offset,
            &limit,
        ],
    )?;
    Ok((total, rows))
}

/// How many orders the page has: a search for more would go on to the end.
fn wanted(total: u64, offset: u64, limit: u32) -> Option<u64> {
    let wanted = total.saturating_sub(offset).min(u64::from(limit));
    (wanted > 0).then_some(wanted)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn listed_from_row(row: &Row) -> Result<ListedOrder, Error> {
    Ok(ListedOrder {
        order: OrderKey::new(get(row, 0)?),
        public_id: PublicId::new(get(row, 1)?).map_err(|error| Error::damaged(error.to_string()))?,
        owner: owner(row, 2)?,
        lifecycle: lifecycle_id(row, 5)?,
        status: state(row, 6)?,
        version: version(row, 7)?,
        created_at: Timestamp::from_nanos(get(row, 8)?),
        updated_at: Timestamp::from_nanos(get(row, 9)?),
    })
}
