//! What a commit writes of the log: orders, entries, heads and its own row.

use model::Entry;
use model::fingerprint::{Fingerprint, FingerprintHash};
use model::ids::{OrderKey, Position, Version};
use model::sealed::Sealed;
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::statements::waiting_to_bytes;
use crate::error::Error;
use crate::pages::ContactHasher;
use crate::records::{CommitId, HeadChange, NewOrder, Placement};

pub(super) fn insert_orders(
    connection: &Connection,
    orders: &[NewOrder],
    contacts: &ContactHasher,
) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO order_identities (order_key, public_id, lifecycle_id, tenant_id, client_id, customer_id, reference, \
         created_at, details, contact_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for order in orders {
        insert.execute(params![
            order.order.get(),
            order.public_id.as_str(),
            order.lifecycle.get(),
            order.owner.tenant.get(),
            order.owner.client.get(),
            order.owner.customer.get(),
            order.reference,
            order.created_at.as_nanos(),
            order.details.as_bytes(),
            order.contact.as_deref().map(|contact| contacts.hash(contact)),
        ])?;
    }
    Ok(())
}

pub(super) struct EntryInsert<'a>(CachedStatement<'a>);

impl<'a> EntryInsert<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self, Error> {
        Ok(Self(connection.prepare_cached(
            "INSERT INTO entries (position, order_key, version, previous_position, kind, format, lifecycle_id, \
             tenant_id, client_id, customer_id, status, occurred_at, recorded_at, body, private) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?))
    }

    pub(super) fn run(&mut self, position: Position, previous: Position, entry: &Entry) -> Result<(), Error> {
        self.0.execute(params![
            position.get(),
            entry.order.get(),
            entry.version.get(),
            previous.get(),
            entry.kind.number(),
            entry.format,
            entry.lifecycle.get(),
            entry.owner.tenant.get(),
            entry.owner.client.get(),
            entry.owner.customer.get(),
            entry.status.number(),
            entry.occurred_at.as_nanos(),
            entry.recorded_at.as_nanos(),
            entry.body,
            entry.private.as_ref().map(Sealed::as_bytes),
        ])?;
        Ok(())
    }
}

/// Writes heads, given by rising key: neighbours share pages, and a page is touched once.
pub(super) fn write_heads(
    connection: &Connection,
    sorted: &[(&HeadChange, &Placement)],
) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO order_heads (order_key, lifecycle_id, tenant_id, client_id, customer_id, status, version, \
         first_position, last_position, recorded_at, due_at, recent, waiting) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let mut update = connection.prepare_cached(
        "UPDATE order_heads SET status = ?2, version = ?3, last_position = ?4, recorded_at = ?5, due_at = ?6, \
         recent = ?7, waiting = ?8 WHERE order_key = ?1",
    )?;
    for (change, placement) in sorted {
        let head = &change.head;
        let due_at = head.due_at().map(Timestamp::as_nanos);
        let changed = if change.before.is_some() {
            update.execute(params![
                head.order.get(),
                head.status.number(),
                head.version.get(),
                placement.last.get(),
                head.recorded_at.as_nanos(),
                due_at,
                head.recent.to_bytes(),
                waiting_to_bytes(head),
            ])?
        } else {
            insert.execute(params![
                head.order.get(),
                head.lifecycle.get(),
                head.owner.tenant.get(),
                head.owner.client.get(),
                head.owner.customer.get(),
                head.status.number(),
                head.version.get(),
                placement.first.get(),
                placement.last.get(),
                head.recorded_at.as_nanos(),
                due_at,
                head.recent.to_bytes(),
                waiting_to_bytes(head),
            ])?
        };
        if changed != 1 {
            return Err(Error::damaged(format!("order {} has no head", head.order)));
        }
        insert_spilled(connection, head.order, &change.spilled)?;
    }
    Ok(())
}

pub(super) fn insert_spilled(
    connection: &Connection,
    order: OrderKey,
    spilled: &[Fingerprint],
) -> Result<(), Error> {
    if spilled.is_empty() {
        return Ok(());
    }
    let mut insert = connection
        .prepare_cached("INSERT INTO older_fingerprints (order_key, fingerprint) VALUES (?1, ?2)")?;
    for fingerprint in spilled {
        insert.execute((order.get(), fingerprint.get().cast_signed()))?;
    }
    Ok(())
}

pub(super) fn older_versions(
    connection: &Connection,
    order: OrderKey,
    hash: FingerprintHash,
) -> Result<Vec<Version>, Error> {
    // A hash and all versions it could stand with are neighbours: see `Fingerprint`.
    let first = Fingerprint::new(hash, Version::new(0)).get().cast_signed();
    let last = first | Fingerprint::VERSION_MASK.cast_signed();
    let mut find = connection.prepare_cached(
        "SELECT fingerprint FROM older_fingerprints WHERE order_key = ?1 AND fingerprint BETWEEN ?2 AND ?3 \
         ORDER BY fingerprint DESC",
    )?;
    let found = find.query_map((order.get(), first, last), |row| row.get::<_, i64>(0))?;
    found
        .map(|number| Ok(Fingerprint::from_number(number?.cast_unsigned()).version()))
        .collect()
}

pub(super) fn insert_commit(
    connection: &Connection,
    commit: CommitId,
    node: &str,
    at: Timestamp,
    first_position: Position,
    entries: u32,
    digest: &[u8; 32],
) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO commits (commit_id, node, committed_at, first_position, entries, digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![
        commit.0,
        node,
        at.as_nanos(),
        first_position.get(),
        entries,
        digest
    ])?;
    Ok(())
}
