//! What was answered: under idempotency keys, and to batches, with how many there are of each principal. Kept for a time.

use std::collections::BTreeMap;

use model::ids::PartyId;
use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::convert::number;
use super::statements::{all, first};
use crate::error::Error;
use crate::records::{BatchReceipt, Miscount, StoredAnswer};

pub(super) fn answer(connection: &Connection, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error> {
    let sql = "SELECT body_hash, stored_at, content FROM answers WHERE key = ?1";
    first(connection, sql, [key], |row| {
        Ok(StoredAnswer {
            key: *key,
            body_hash: row.get(0)?,
            stored_at: Timestamp::from_nanos(row.get(1)?),
            content: row.get(2)?,
        })
    })
}

pub(super) fn store_answer(connection: &Connection, answer: &StoredAnswer) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO answers (key, body_hash, stored_at, content) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![
        answer.key,
        answer.body_hash,
        answer.stored_at.as_nanos(),
        answer.content,
    ])?;
    Ok(())
}

/// Deletes answers given before, the oldest first.
pub(super) fn expire_answers(connection: &Connection, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM answers WHERE key IN \
         (SELECT key FROM answers WHERE stored_at < ?1 ORDER BY stored_at LIMIT ?2)",
    )?;
    Ok(delete.execute((before.as_nanos(), limit))?)
}

pub(super) fn batch(connection: &Connection, batch_id: &str) -> Result<Option<BatchReceipt>, Error> {
    let sql = "SELECT actor_id, decided_at, content FROM batches WHERE batch_id = ?1";
    first(connection, sql, [batch_id], |row| {
        Ok(BatchReceipt {
            batch_id: batch_id.into(),
            actor: PartyId::new(number(row.get(0)?, "actor")?),
            decided_at: Timestamp::from_nanos(row.get(1)?),
            content: row.get(2)?,
        })
    })
}

/// Stores a receipt and counts it.
pub(super) fn insert_batch(connection: &Connection, batch: &BatchReceipt) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO batches (batch_id, actor_id, decided_at, content) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![
        batch.batch_id,
        batch.actor.get(),
        batch.decided_at.as_nanos(),
        batch.content,
    ])?;
    let mut count = connection.prepare_cached(
        "INSERT INTO batch_counts (actor_id, receipts) VALUES (?1, ?2) \
         ON CONFLICT (actor_id) DO UPDATE SET receipts = receipts + excluded.receipts",
    )?;
    let weight = i64::try_from(batch.weight()).unwrap_or(i64::MAX);
    count.execute((batch.actor.get(), weight))?;
    Ok(())
}

/// As how many the receipts of a principal count.
pub(super) fn count_of(connection: &Connection, actor: PartyId) -> Result<u64, Error> {
    let mut find = connection.prepare_cached("SELECT receipts FROM batch_counts WHERE actor_id = ?1")?;
    let found = find.query_row([actor.get()], |row| row.get(0)).optional()?;
    found.map_or(Ok(0), |receipts| number(receipts, "count"))
}

/// Deletes receipts of batches decided before, the oldest first, and takes them off their counts.
pub(super) fn expire_batches(connection: &Connection, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let deleted: Vec<(i64, i64)> = all(
        connection,
        "DELETE FROM batches WHERE batch_id IN \
         (SELECT batch_id FROM batches WHERE decided_at < ?1 ORDER BY decided_at LIMIT ?2) \
         RETURNING actor_id, 1 + length(content) / 1024",
        (before.as_nanos(), limit),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for (actor, weight) in &deleted {
        *counts.entry(*actor).or_default() += weight;
    }
    let mut count = connection.prepare_cached(
        "UPDATE batch_counts SET receipts = receipts - ?2 WHERE actor_id = ?1 AND receipts >= ?2",
    )?;
    for (actor, receipts) in counts {
        if count.execute((actor, receipts))? != 1 {
            return Err(Error::damaged(format!(
                "the count of batch receipts of {actor} is too low"
            )));
        }
    }
    Ok(deleted.len())
}

pub(super) fn miscounted(connection: &Connection, limit: u32) -> Result<Vec<Miscount>, Error> {
    let sql = "WITH stored AS \
               (SELECT actor_id, sum(1 + length(content) / 1024) AS receipts FROM batches GROUP BY actor_id) \
               SELECT actor_id, coalesce(kept.receipts, 0) AS says, coalesce(stored.receipts, 0) AS are \
               FROM batch_counts kept FULL JOIN stored USING (actor_id) WHERE says <> are LIMIT ?1";
    all(connection, sql, [limit], miscount)
}

/// A row of a principal, what its count says and what there is.
pub(super) fn miscount(row: &Row<'_>) -> Result<Miscount, Error> {
    Ok(Miscount {
        actor: PartyId::new(number(row.get(0)?, "actor")?),
        kept: number(row.get(1)?, "count")?,
        counted: number(row.get(2)?, "count")?,
    })
}
