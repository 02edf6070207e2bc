//! What was answered: under idempotency keys, and to batches. Kept for a time.

use model::ids::PartyId;
use model::time::Timestamp;
use rusqlite::{Connection, params};

use super::convert::number;
use super::statements::first;
use crate::error::Error;
use crate::records::{BatchReceipt, StoredAnswer};

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
    Ok(())
}

/// Deletes receipts of batches decided before, the oldest first.
pub(super) fn expire_batches(connection: &Connection, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM batches WHERE batch_id IN \
         (SELECT batch_id FROM batches WHERE decided_at < ?1 ORDER BY decided_at LIMIT ?2)",
    )?;
    Ok(delete.execute((before.as_nanos(), limit))?)
}
