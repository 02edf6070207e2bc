//! Pages of orders by key: see [`crate::pages`].

use std::collections::BTreeMap;

use model::ids::{OrderKey, PartyId};
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, Params, Row, Rows};

use super::connect::read_identity;
use super::convert::{lifecycle_id, number, state, version};
use super::deferred::AsOf;
use super::lists::Statuses;
use super::statements::{all, first};
use crate::error::Error;
use crate::pages::{ContactHasher, Keys, Walk, Walked, Wanted};

const LAST_KEY: &str = "SELECT order_key FROM order_identities ORDER BY order_key DESC LIMIT 1";
const CREATED_AT: &str =
    "SELECT created_at FROM order_identities WHERE order_key >= ?1 ORDER BY order_key LIMIT 1";
const BLOCKS: &str = "SELECT block, orders FROM status_blocks \
                      WHERE lifecycle_id = ?1 AND status = ?2 AND block BETWEEN ?3 AND ?4 AND orders > 0";

/// Orders between two keys, falling, with what is asked of them: those that an index has under a value.
macro_rules! walk {
    ($index:literal, $value:literal) => {
        concat!(
            "SELECT o.order_key, o.client_id, o.customer_id, o.created_at, h.lifecycle_id, h.status, h.version FROM order_identities o ",
            $index,
            " CROSS JOIN order_heads h ON h.order_key = o.order_key WHERE o.order_key BETWEEN ?1 AND ?2 ",
            $value,
            " ORDER BY o.order_key DESC"
        )
    };
}

const OF_ALL: &str = walk!("", "");
const OF_CLIENT: &str = walk!("INDEXED BY orders_by_client", "AND o.client_id = ?3");
const OF_CUSTOMER: &str = walk!(
    "INDEXED BY orders_by_customer",
    "AND o.customer_id = ?3 AND o.customer_id <> 0"
);
const OF_REFERENCE: &str = walk!("INDEXED BY orders_by_reference", "AND o.reference = ?3");
const OF_CONTACT: &str = walk!("INDEXED BY orders_by_contact", "AND o.contact_hash = ?3");

pub(super) fn last_key(connection: &Connection) -> Result<i64, Error> {
    let last = first(connection, LAST_KEY, [], |row| Ok(row.get(0)?))?;
    Ok(last.unwrap_or(0))
}

pub(super) fn created_at(connection: &Connection, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error> {
    let created_at = |key: &i64| {
        first(connection, CREATED_AT, [key], |row| {
            Ok(Timestamp::from_nanos(row.get(0)?))
        })
    };
    keys.iter().map(created_at).collect()
}

pub(super) fn blocks(
    connection: &Connection,
    statuses: &Statuses,
    blocks: Keys,
) -> Result<BTreeMap<i64, u64>, Error> {
    let mut found = BTreeMap::new();
    for (lifecycle, status) in statuses {
        let params = (lifecycle.get(), status.number(), blocks.first, blocks.last);
        let counts = all(connection, BLOCKS, params, |row| {
            Ok((row.get::<_, i64>(0)?, number::<u64>(row.get(1)?, "count")?))
        })?;
        for (block, orders) in counts {
            *found.entry(block).or_default() += orders;
        }
    }
    Ok(found)
}

/// Walks one index, or two side by side.
pub(super) fn walk(
    connection: &Connection,
    deferred: &AsOf,
    wanted: &Wanted<'_>,
    keys: Keys,
    (most, scan): (usize, u32),
) -> Result<Walked, Error> {
    let walker = |first, second| Walker {
        wanted,
        deferred,
        most,
        scan,
        first,
        second,
    };
    let (first, last) = (keys.first, keys.last);
    match wanted.walk {
        Walk::All => {
            let mut select = connection.prepare_cached(OF_ALL)?;
            walker(Falling::of(&mut select, (first, last))?, None).walk()
        }
        Walk::Client(client) => {
            let mut select = connection.prepare_cached(OF_CLIENT)?;
            walker(Falling::of(&mut select, (first, last, client.get()))?, None).walk()
        }
        Walk::Customer(customer) => {
            let mut select = connection.prepare_cached(OF_CUSTOMER)?;
            walker(Falling::of(&mut select, (first, last, customer.get()))?, None).walk()
        }
        Walk::Reference(reference) => {
            let contacts = ContactHasher::new(&read_identity(connection)?.event_id_key);
            let mut by_reference = connection.prepare_cached(OF_REFERENCE)?;
            let mut by_contact = connection.prepare_cached(OF_CONTACT)?;
            let by_reference = Falling::of(&mut by_reference, (first, last, reference))?;
            let by_contact = Falling::of(&mut by_contact, (first, last, contacts.hash(reference)))?;
            walker(by_reference, Some(by_contact)).walk()
        }
    }
}

/// An order that a walk comes by.
struct Candidate {
    order: i64,
    is_wanted: bool,
}

/// The rows of a walk, one ahead.
struct Falling<'s> {
    rows: Rows<'s>,
}

impl<'s> Falling<'s> {
    fn of(select: &'s mut CachedStatement<'_>, params: impl Params) -> Result<Self, Error> {
        Ok(Self {
            rows: select.query(params)?,
        })
    }
}

struct Walker<'s, 'w> {
    wanted: &'w Wanted<'w>,
    deferred: &'w AsOf,
    most: usize,
    scan: u32,
    first: Falling<'s>,
    second: Option<Falling<'s>>,
}

impl Walker<'_, '_> {
    fn walk(mut self) -> Result<Walked, Error> {
        let mut walked = Walked {
            keys: Vec::new(),
            scanned: 0,
            ended_at: None,
        };
        let (wanted, deferred) = (self.wanted, self.deferred);
        let next = |rows: &mut Falling<'_>| -> Result<Option<Candidate>, Error> {
            rows.rows
                .next()?
                .map(|row| candidate(wanted, deferred, row))
                .transpose()
        };
        let mut first = next(&mut self.first)?;
        let mut second = self.second.as_mut().map(next).transpose()?.flatten();
        while walked.keys.len() < self.most {
            let key = |candidate: &Option<Candidate>| candidate.as_ref().map(|candidate| candidate.order);
            let (in_first, in_second) = (key(&first), key(&second));
            let Some(highest) = in_first.max(in_second) else {
                break;
            };
            if walked.scanned == self.scan {
                walked.ended_at = Some(highest.saturating_add(1));
                break;
            }
            walked.scanned += 1;
            let mut found = None;
            // An order that both have is one.
            if in_first == Some(highest) {
                found = std::mem::replace(&mut first, next(&mut self.first)?);
            }
            if let Some(rows) = self.second.as_mut().filter(|_| in_second == Some(highest)) {
                found = std::mem::replace(&mut second, next(rows)?);
            }
            walked
                .keys
                .extend(found.filter(|found| found.is_wanted).map(|found| found.order));
        }
        Ok(walked)
    }
}

fn candidate(wanted: &Wanted<'_>, deferred: &AsOf, row: &Row<'_>) -> Result<Candidate, Error> {
    let order = row.get(0)?;
    Ok(Candidate {
        order,
        is_wanted: is_wanted(wanted, deferred, order, row)?,
    })
}

fn is_wanted(wanted: &Wanted<'_>, deferred: &AsOf, order: i64, row: &Row<'_>) -> Result<bool, Error> {
    let party = |column| -> Result<PartyId, Error> { Ok(PartyId::new(number(row.get(column)?, "party")?)) };
    if wanted.client.is_some() && wanted.client != Some(party(1)?) {
        return Ok(false);
    }
    if wanted.customer.is_some() && wanted.customer != Some(party(2)?) {
        return Ok(false);
    }
    let created_at = Timestamp::from_nanos(row.get(3)?);
    if created_at < wanted.created_from || wanted.created_to.is_some_and(|to| created_at >= to) {
        return Ok(false);
    }
    let Some(statuses) = &wanted.statuses else {
        return Ok(true);
    };
    let (stored, version) = (state(row.get(5)?)?, version(row.get(6)?)?);
    let update = deferred.find(OrderKey::new(order));
    let status = update
        .and_then(|update| update.status_after(version))
        .unwrap_or(stored);
    Ok(statuses.contains(&(lifecycle_id(row.get(4)?)?, status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::lists::tests::{in_memory, plan};

    #[test]
    fn no_statement_of_a_page_scans_or_sorts_orders() {
        let connection = in_memory();
        let head = "SEARCH h USING INTEGER PRIMARY KEY (rowid=?)";
        let by = |index: &str, column: &str| {
            format!("SEARCH o USING INDEX {index} ({column}=? AND order_key>? AND order_key<?)")
        };
        let expected = [
            (LAST_KEY, vec!["SCAN order_identities".to_owned()]),
            (
                CREATED_AT,
                vec!["SEARCH order_identities USING INTEGER PRIMARY KEY (rowid>?)".to_owned()],
            ),
            (
                BLOCKS,
                vec![
                    "SEARCH status_blocks USING PRIMARY KEY (lifecycle_id=? AND status=? AND block>? AND block<?)"
                        .to_owned(),
                ],
            ),
            (
                OF_ALL,
                vec![
                    "SEARCH o USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)".to_owned(),
                    head.to_owned(),
                ],
            ),
            (OF_CLIENT, vec![by("orders_by_client", "client_id"), head.to_owned()]),
            (
                OF_CUSTOMER,
                vec![by("orders_by_customer", "customer_id"), head.to_owned()],
            ),
            (
                OF_REFERENCE,
                vec![by("orders_by_reference", "reference"), head.to_owned()],
            ),
            (
                OF_CONTACT,
                vec![by("orders_by_contact", "contact_hash"), head.to_owned()],
            ),
        ];
        for (statement, expected) in expected {
            assert_eq!(plan(&connection, statement), expected, "{statement}");
        }
    }
}
