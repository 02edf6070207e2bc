//! Pages of orders by key: see [`crate::pages`].
//!
//! The range of an index that is walked is said as a comparison of rows, and the order as the index has it: no other index can
//! serve for them, whatever is thought of how many rows there are.

use std::collections::BTreeMap;

use model::time::Timestamp;

use super::connect::read_identity;
use super::convert::{get, integer, number};
use super::counts::StatusColumns;
use super::lists::Statuses;
use super::session::{Param, Session};
use crate::error::Error;
use crate::pages::{ContactHasher, Keys, Walk, Walked, Wanted};

const LAST_KEY: &str = "SELECT order_key FROM order_identities ORDER BY order_key DESC LIMIT 1";
const CREATED_AT: &str = "SELECT (SELECT created_at FROM order_identities WHERE order_key >= p.key ORDER BY order_key LIMIT 1) \
                          FROM UNNEST($1::bigint[]) WITH ORDINALITY AS p (key, number) ORDER BY p.number";
const BLOCKS: &str = "SELECT block, sum(b.orders)::bigint FROM UNNEST($1::int[], $2::smallint[]) AS s (lifecycle_id, status) \
                      JOIN status_blocks b USING (lifecycle_id, status) \
                      WHERE b.block BETWEEN $3 AND $4 AND b.orders > 0 GROUP BY block";

/// Orders from key $1 to $2, falling, at most $3; of those that have a value in a column.
macro_rules! walk {
    () => {
        "SELECT order_key, client_id, customer_id, created_at FROM order_identities WHERE order_key BETWEEN $1 AND $2 \
         ORDER BY order_key DESC LIMIT $3"
    };
    ($column:literal, $known:literal, $value:literal) => {
        concat!(
            "SELECT order_key, client_id, customer_id, created_at FROM order_identities WHERE ",
            $known,
            " AND (",
            $column,
            ", order_key) >= (",
            $value,
            ", $1) AND (",
            $column,
            ", order_key) <= (",
            $value,
            ", $2) ORDER BY ",
            $column,
            " DESC, order_key DESC LIMIT $3"
        )
    };
}

macro_rules! of_client {
    ($value:literal) => {
        walk!("client_id", "TRUE", $value)
    };
}

macro_rules! of_customer {
    ($value:literal) => {
        walk!("customer_id", "customer_id <> 0", $value)
    };
}

/// Those of a reference and those of a contact. An order that is both is one.
macro_rules! of_reference {
    ($reference:literal, $contact:literal) => {
        concat!(
            "(",
            walk!("reference", "reference IS NOT NULL", $reference),
            ") UNION (",
            walk!("contact_hash", "contact_hash IS NOT NULL", $contact),
            ") ORDER BY order_key DESC LIMIT $3"
        )
    };
}

/// The wanted ones of a walk, which goes on only until there are enough. What is NULL asks for nothing. `OFFSET 0` has each head looked
/// up by itself.
macro_rules! wanted {
    ($walk:expr, $order:literal) => {
        concat!(
            "SELECT w.order_key FROM (",
            $walk,
            ") w CROSS JOIN LATERAL (SELECT lifecycle_id, status FROM order_heads WHERE order_key = w.order_key OFFSET 0) h \
             WHERE ($4::int IS NULL OR w.client_id = $4) AND ($5::int IS NULL OR w.customer_id = $5) \
             AND w.created_at >= $6 AND ($7::bigint IS NULL OR w.created_at < $7) \
             AND ($8 OR (h.lifecycle_id, h.status) IN (SELECT * FROM UNNEST($9::int[], $10::smallint[]))) ORDER BY ",
            $order,
            " LIMIT $11"
        )
    };
}

/// How many orders a walk comes by, and the last one.
macro_rules! end_of {
    ($walk:expr) => {
        concat!("SELECT count(*), min(order_key) FROM (", $walk, ") w")
    };
}

/// A walk: the statement of what is wanted, and that of where it ends.
struct Statements(&'static str, &'static str);

const OF_ALL: Statements = Statements(wanted!(walk!(), "w.order_key DESC"), end_of!(walk!()));
const OF_CLIENT: Statements = Statements(
    wanted!(of_client!("$12"), "w.client_id DESC, w.order_key DESC"),
    end_of!(of_client!("$4")),
);
const OF_CUSTOMER: Statements = Statements(
    wanted!(of_customer!("$12"), "w.customer_id DESC, w.order_key DESC"),
    end_of!(of_customer!("$4")),
);
const OF_REFERENCE: Statements = Statements(
    wanted!(of_reference!("$12", "$13"), "w.order_key DESC"),
    end_of!(of_reference!("$4", "$5")),
);

pub(super) fn last_key(session: &mut Session) -> Result<i64, Error> {
    let last = session.first(LAST_KEY, &[])?;
    last.map_or(Ok(0), |row| get(&row, 0))
}

pub(super) fn created_at(session: &mut Session, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error> {
    let rows = session.query(CREATED_AT, &[&keys])?;
    let created_at = |row| Ok(get::<Option<i64>>(row, 0)?.map(Timestamp::from_nanos));
    rows.iter().map(created_at).collect()
}

pub(super) fn blocks(
    session: &mut Session,
    statuses: &Statuses,
    blocks: Keys,
) -> Result<BTreeMap<i64, u64>, Error> {
    let columns = StatusColumns::of(statuses.iter())?;
    let rows = session.query(
        BLOCKS,
        &[&columns.lifecycle, &columns.status, &blocks.first, &blocks.last],
    )?;
    rows.iter()
        .map(|row| Ok((get(row, 0)?, number(get(row, 1)?, "count")?)))
        .collect()
}

pub(super) fn walk(
    session: &mut Session,
    wanted: &Wanted<'_>,
    keys: Keys,
    (most, scan): (usize, u32),
) -> Result<Walked, Error> {
    match wanted.walk {
        Walk::All => walk_by(session, &OF_ALL, wanted, &[], keys, (most, scan)),
        Walk::Client(client) => {
            let client = integer(client.get(), "client")?;
            walk_by(session, &OF_CLIENT, wanted, &[&client], keys, (most, scan))
        }
        Walk::Customer(customer) => {
            let customer = integer(customer.get(), "customer")?;
            walk_by(session, &OF_CUSTOMER, wanted, &[&customer], keys, (most, scan))
        }
        Walk::Reference(reference) => {
            let contact = ContactHasher::new(&read_identity(session)?.event_id_key).hash(reference);
            let values: [Param<'_>; 2] = [&reference.as_bytes(), &contact];
            walk_by(session, &OF_REFERENCE, wanted, &values, keys, (most, scan))
        }
    }
}

fn walk_by(
    session: &mut Session,
    statements: &Statements,
    wanted: &Wanted<'_>,
    values: &[Param<'_>],
    keys: Keys,
    (most, scan): (usize, u32),
) -> Result<Walked, Error> {
    let scanned = i64::from(scan);
    let party = |party: Option<model::ids::PartyId>| {
        let party = party.map(|party| integer(party.get(), "party"));
        party.transpose()
    };
    let (client, customer) = (party(wanted.client)?, party(wanted.customer)?);
    let created_from = wanted.created_from.as_nanos();
    let created_to = wanted.created_to.map(Timestamp::as_nanos);
    let columns = StatusColumns::of(wanted.statuses.iter().flatten())?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut params: Vec<Param<'_>> = vec![
        &keys.first,
        &keys.last,
        &scanned,
        &client,
        &customer,
        &created_from,
        &created_to,
    ];
    let any_status = wanted.statuses.is_none();
    params.extend([
        &any_status as Param<'_>,
        &columns.lifecycle,
        &columns.status,
        &limit,
    ]);
    params.extend(values);
    let rows = session.query(statements.0, &params)?;
    let found: Result<Vec<i64>, Error> = rows.iter().map(|row| get(row, 0)).collect();
    let found = found?;
    let length = keys.last.saturating_sub(keys.first).saturating_add(1);
    let mut walked = Walked {
        scanned: u32::try_from(length).unwrap_or(u32::MAX).min(scan),
        keys: found,
        ended_at: None,
    };
    if walked.keys.len() < most && length > scanned {
        let mut params: Vec<Param<'_>> = vec![&keys.first, &keys.last, &scanned];
        params.extend(values);
        if let Some(end) = session.first(statements.1, &params)? {
            let (came_by, last): (i64, Option<i64>) = (get(&end, 0)?, get(&end, 1)?);
            walked.ended_at = last.filter(|_| came_by == scanned);
        }
    }
    Ok(walked)
}
