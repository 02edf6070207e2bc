//! What a commit writes, table by table.

use std::collections::BTreeMap;

use model::Entry;
use model::fingerprint::{Fingerprint, FingerprintHash};
use model::ids::{DeadLetterId, OrderKey, Position, Version};
use model::sealed::Sealed;
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, params};
use sha2::{Digest, Sha256};

use super::statements::waiting_to_bytes;
use crate::error::Error;
use crate::records::{CommitId, DeadLetter, HeadChange, NewDeadLetter, NewOrder, Placement};

pub(super) fn insert_orders(connection: &Connection, orders: &[NewOrder]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO orders (order_key, public_id, lifecycle_id, tenant_id, client_id, customer_id, reference, \
         created_at, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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

/// Writes heads by rising key: neighbours share pages, and a page is touched once.
pub(super) fn write_heads(
    connection: &Connection,
    heads: &[HeadChange],
    placements: &[Placement],
) -> Result<(), Error> {
    let mut sorted: Vec<(&HeadChange, &Placement)> = heads.iter().zip(placements).collect();
    sorted.sort_unstable_by_key(|(change, _)| change.head.order);
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

fn insert_spilled(connection: &Connection, order: OrderKey, spilled: &[Fingerprint]) -> Result<(), Error> {
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

/// Adds up what the group did to each count, and writes each once.
pub(super) fn write_counts(connection: &Connection, heads: &[HeadChange]) -> Result<(), Error> {
    let mut deltas: BTreeMap<(u32, u32, u8), i64> = BTreeMap::new();
    for change in heads {
        let head = &change.head;
        let mut count = |status: model::StateId, delta: i64| {
            *deltas
                .entry((head.owner.client.get(), head.lifecycle.get(), status.number()))
                .or_default() += delta;
        };
        match change.before {
            Some((before, _)) if before == head.status => {}
            Some((before, _)) => {
                count(before, -1);
                count(head.status, 1);
            }
            None => count(head.status, 1),
        }
    }
    // An upsert would check the row it would insert, a negative count, before it finds the one to update.
    let mut update = connection.prepare_cached(
        "UPDATE status_counts SET orders = orders + ?4 WHERE client_id = ?1 AND lifecycle_id = ?2 AND status = ?3",
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO status_counts (client_id, lifecycle_id, status, orders) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for ((client, lifecycle, status), delta) in deltas.into_iter().filter(|(_, delta)| *delta != 0) {
        let updated = update
            .execute((client, lifecycle, status, delta))
            .map_err(count_refused)?;
        if updated == 0 {
            insert
                .execute((client, lifecycle, status, delta))
                .map_err(count_refused)?;
        }
    }
    Ok(())
}

/// A count that would fall below zero was wrong before: no command is to blame for it.
fn count_refused(error: rusqlite::Error) -> Error {
    match Error::from(error) {
        Error::Statement(detail) => Error::damaged(format!("a status count is too low: {detail}")),
        other => other,
    }
}

pub(super) fn insert_dead_letters(connection: &Connection, letters: &[NewDeadLetter]) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO dead_letters (dead_letter_id, received_at, decided_at, order_key, public_id, actor_id, code, detail, \
         content, fingerprint, tenant_id, client_id, customer_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for NewDeadLetter { id, letter } in letters {
        insert.execute(params![
            id.get(),
            letter.received_at.as_nanos(),
            letter.decided_at.as_nanos(),
            letter.order.map(OrderKey::get),
            letter.public_id,
            letter.actor.get(),
            letter.code,
            letter.detail,
            letter.content,
            letter_fingerprint(letter),
            letter.owner.tenant.get(),
            letter.owner.client.get(),
            letter.owner.customer.get(),
        ])?;
    }
    Ok(())
}

pub(super) fn same_dead_letter(
    connection: &Connection,
    letter: &DeadLetter,
) -> Result<Option<DeadLetterId>, Error> {
    let mut find = connection.prepare_cached(
        "SELECT dead_letter_id FROM dead_letters WHERE fingerprint = ?1 AND public_id = ?2 AND actor_id = ?3 AND \
         code = ?4 AND detail = ?5 AND content = ?6 LIMIT 1",
    )?;
    let mut rows = find.query(params![
        letter_fingerprint(letter),
        letter.public_id,
        letter.actor.get(),
        letter.code,
        letter.detail,
        letter.content,
    ])?;
    Ok(rows
        .next()?
        .map(|row| row.get(0))
        .transpose()?
        .map(DeadLetterId::new))
}

/// By which the same refusal of the same content is found; equality is asked of the columns themselves.
fn letter_fingerprint(letter: &DeadLetter) -> i64 {
    let mut hasher = Sha256::new();
    for part in [
        letter.public_id.as_bytes(),
        letter.code.as_bytes(),
        letter.detail.as_bytes(),
        &letter.content,
    ] {
        hasher.update(part);
        hasher.update([0]);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
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
