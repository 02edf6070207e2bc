//! What was answered: under idempotency keys, and to batches, with how many there are of each principal. Kept for a time.

use std::collections::BTreeMap;

use model::ids::PartyId;
use model::time::Timestamp;

use super::convert::{bytes, can_be_text, get, integer, number, party};
use super::dead_letters::miscount;
use super::expiry::Gone;
use super::session::{Session, Step};
use crate::error::Error;
use crate::records::{BatchReceipt, KeyState, Miscount, Record, StoredAnswer};

const ANSWER: &str = "SELECT body_hash, stored_at, content FROM answers WHERE key = $1";

pub(super) fn answer(session: &mut Session, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error> {
    let found = session.first(ANSWER, &[&key.as_slice()])?;
    found.map(|row| answer_from_row(key, &row)).transpose()
}

/// As [`answer`], and holds the key until the transaction ends. A group that finds it held does not wait, as it holds orders
/// already.
pub(super) fn answer_held(session: &mut Session, key: &[u8; 32]) -> Result<KeyState, Error> {
    let number = key.first_chunk().map_or(0, |first| i64::from_be_bytes(*first));
    let key_bytes = key.as_slice();
    // The second statement sees what the key's last holder left, as it begins after the key is held.
    let answers = session.pipeline(&[
        Step::new("SELECT pg_try_advisory_xact_lock($1)", &[&number]),
        Step::new(ANSWER, &[&key_bytes]),
    ])?;
    let [held, found] = answers.as_slice() else {
        return Err(Error::damaged("two statements gave no two answers"));
    };
    let is_held: bool = held.first().map_or(Ok(false), |row| get(row, 0))?;
    if !is_held {
        return Ok(KeyState::UnderWay);
    }
    let answer = found.first().map(|row| answer_from_row(key, row)).transpose()?;
    Ok(answer.into())
}

fn answer_from_row(key: &[u8; 32], row: &tokio_postgres::Row) -> Result<StoredAnswer, Error> {
    Ok(StoredAnswer {
        key: *key,
        body_hash: bytes(row, 0)?,
        stored_at: Timestamp::from_nanos(get(row, 1)?),
        content: get::<Vec<u8>>(row, 2)?.into(),
    })
}

/// Answers as columns, by rising key; of several under one key the last.
#[derive(Default)]
pub(super) struct AnswerColumns<'a> {
    key: Vec<&'a [u8]>,
    body_hash: Vec<&'a [u8]>,
    stored_at: Vec<i64>,
    content: Vec<&'a [u8]>,
}

impl<'a> AnswerColumns<'a> {
    pub(super) fn of(answers: impl Iterator<Item = &'a StoredAnswer>) -> Self {
        let last: BTreeMap<&[u8; 32], &StoredAnswer> = answers.map(|answer| (&answer.key, answer)).collect();
        let mut columns = Self::default();
        for (key, answer) in last {
            columns.key.push(key);
            columns.body_hash.push(&answer.body_hash);
            columns.stored_at.push(answer.stored_at.as_nanos());
            columns.content.push(&answer.content);
        }
        columns
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO answers (key, body_hash, stored_at, content) \
                   SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[]) \
                   ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, stored_at = excluded.stored_at, \
                   content = excluded.content";
        (!self.key.is_empty())
            .then(|| Step::new(sql, &[&self.key, &self.body_hash, &self.stored_at, &self.content]))
    }
}

/// The answers among what a group keeps.
pub(super) fn answers_of(records: &[Record]) -> impl Iterator<Item = &StoredAnswer> {
    records.iter().filter_map(|record| match record {
        Record::Answer(answer) => Some(answer),
        Record::Batch(_) | Record::Redriven(..) | Record::Audit(_) => None,
    })
}

pub(super) fn store_answer(session: &mut Session, answer: &StoredAnswer) -> Result<(), Error> {
    let columns = AnswerColumns::of(std::iter::once(answer));
    let steps: Vec<Step<'_>> = columns.step().into_iter().collect();
    session.pipeline(&steps)?;
    Ok(())
}

/// Deletes answers given before, the oldest first.
pub(super) fn expire_answers(session: &mut Session, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM answers WHERE key IN \
               (SELECT key FROM answers WHERE stored_at < $1 ORDER BY stored_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    session.execute(sql, &[&before.as_nanos(), &limit])
}

pub(super) fn batch(session: &mut Session, batch_id: &str) -> Result<Option<BatchReceipt>, Error> {
    if !can_be_text(batch_id) {
        return Ok(None);
    }
    let sql = "SELECT actor_id, decided_at, content FROM batches WHERE batch_id = $1";
    let found = session.first(sql, &[&batch_id])?;
    found
        .map(|row| {
            Ok(BatchReceipt {
                batch_id: batch_id.into(),
                actor: party(&row, 0)?,
                decided_at: Timestamp::from_nanos(get(&row, 1)?),
                content: get::<Vec<u8>>(&row, 2)?.into(),
            })
        })
        .transpose()
}

/// Receipts of batches as columns, by rising id.
#[derive(Default)]
pub(super) struct BatchColumns<'a> {
    batch_id: Vec<&'a str>,
    actor: Vec<i32>,
    decided_at: Vec<i64>,
    content: Vec<&'a [u8]>,
    /// As how many the receipts of each principal count.
    weights: BTreeMap<i32, i64>,
}

impl<'a> BatchColumns<'a> {
    pub(super) fn of(records: &'a [Record]) -> Result<Self, Error> {
        let mut batches: Vec<&BatchReceipt> = records
            .iter()
            .filter_map(|record| match record {
                Record::Batch(batch) => Some(batch),
                Record::Answer(_) | Record::Redriven(..) | Record::Audit(_) => None,
            })
            .collect();
        batches.sort_unstable_by_key(|batch| &batch.batch_id);
        let mut columns = Self::default();
        for batch in batches {
            columns.batch_id.push(&batch.batch_id);
            let actor = integer(batch.actor.get(), "actor")?;
            columns.actor.push(actor);
            *columns.weights.entry(actor).or_default() += i64::try_from(batch.weight()).unwrap_or(i64::MAX);
            columns.decided_at.push(batch.decided_at.as_nanos());
            columns.content.push(&batch.content);
        }
        Ok(columns)
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO batches (batch_id, actor_id, decided_at, content) \
                   SELECT * FROM UNNEST($1::text[], $2::int[], $3::bigint[], $4::bytea[])";
        (!self.batch_id.is_empty()).then(|| {
            Step::new(
                sql,
                &[&self.batch_id, &self.actor, &self.decided_at, &self.content],
            )
        })
    }
}

/// As how many receipts count, by the rising number of their principal.
pub(super) struct ReceiptCounts {
    actor: Vec<i32>,
    receipts: Vec<i64>,
}

impl ReceiptCounts {
    pub(super) fn of(batches: &BatchColumns<'_>) -> Self {
        let (actor, receipts) = batches.weights.iter().unzip();
        Self { actor, receipts }
    }

    pub(super) fn add(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO batch_counts AS c (actor_id, receipts) SELECT * FROM UNNEST($1::int[], $2::bigint[]) \
                   ON CONFLICT (actor_id) DO UPDATE SET receipts = c.receipts + excluded.receipts";
        (!self.actor.is_empty()).then(|| Step::new(sql, &[&self.actor, &self.receipts]))
    }
}

/// As how many the receipts of a principal count.
pub(super) fn count_of(session: &mut Session, actor: PartyId) -> Result<u64, Error> {
    let sql = "SELECT receipts FROM batch_counts WHERE actor_id = $1";
    let found = session.first(sql, &[&integer(actor.get(), "actor")?])?;
    found.map_or(Ok(0), |row| number(get(&row, 0)?, "count"))
}

pub(super) fn miscounted(session: &mut Session, limit: i64) -> Result<Vec<Miscount>, Error> {
    let sql = "WITH stored AS (SELECT actor_id, sum(1 + length(content) / 1024)::bigint AS receipts FROM batches GROUP BY actor_id) \
               SELECT actor_id, coalesce(kept.receipts, 0), coalesce(stored.receipts, 0) \
               FROM batch_counts kept FULL JOIN stored USING (actor_id) \
               WHERE coalesce(kept.receipts, 0) <> coalesce(stored.receipts, 0) ORDER BY actor_id LIMIT $1";
    let rows = session.query(sql, &[&limit])?;
    rows.iter().map(miscount).collect()
}

/// Deletes receipts of batches decided before, the oldest first. They are still counted.
pub(super) fn expire_batches(session: &mut Session, before: Timestamp, limit: i64) -> Result<Gone, Error> {
    let sql = "DELETE FROM batches WHERE batch_id IN \
               (SELECT batch_id FROM batches WHERE decided_at < $1 ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
               RETURNING actor_id, (1 + length(content) / 1024)::bigint";
    Gone::of(&session.query(sql, &[&before.as_nanos(), &limit])?)
}
