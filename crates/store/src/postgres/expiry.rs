//! What has been kept long enough goes, on whichever node looks first: rows that another one is about to delete are left to it.
//!
//! The counts that groups keep are changed last, in the order in which groups lock them, and the end of the transaction is sent right
//! behind: a group that waits for a count holds the end of the log, and must not wait for this process.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::convert::get;
use super::session::{Session, Step};
use super::{api_keys, dead_letters, receipts};
use crate::error::Error;
use crate::records::Expiry;

/// Rows that went, and as how many they were counted, by the rising number of their principal.
pub(super) struct Gone {
    rows: usize,
    actor: Vec<i32>,
    counted: Vec<i64>,
}

impl Gone {
    /// Of rows with a principal and as how many each was counted.
    pub(super) fn of(rows: &[Row]) -> Result<Self, Error> {
        let mut counts: BTreeMap<i32, i64> = BTreeMap::new();
        for row in rows {
            *counts.entry(get(row, 0)?).or_default() += get::<i64>(row, 1)?;
        }
        let (actor, counted) = counts.into_iter().unzip();
        Ok(Self {
            rows: rows.len(),
            actor,
            counted,
        })
    }

    fn step(&self, sql: &'static str) -> Option<Step<'_>> {
        (!self.actor.is_empty()).then(|| Step::new(sql, &[&self.actor, &self.counted]))
    }
}

/// Takes what went off a table of counts. A count that is not there is made below zero, which no such table takes.
macro_rules! take_off {
    ($table:literal, $count:literal) => {
        concat!(
            "WITH gone AS (SELECT * FROM UNNEST($1::int[], $2::bigint[]) AS u (actor_id, counted)), \
             held AS (SELECT actor_id FROM ",
            $table,
            " WHERE actor_id = ANY($1::int[]) ORDER BY actor_id FOR UPDATE), taken AS (UPDATE ",
            $table,
            " c SET ",
            $count,
            " = c.",
            $count,
            " - gone.counted FROM gone JOIN held USING (actor_id) WHERE c.actor_id = gone.actor_id RETURNING c.actor_id) \
             INSERT INTO ",
            $table,
            " (actor_id, ",
            $count,
            ") SELECT actor_id, -counted FROM gone WHERE NOT EXISTS (SELECT 1 FROM taken WHERE taken.actor_id = gone.actor_id)"
        )
    };
}

/// Deletes what has expired, in the transaction that has begun, and ends it. How many rows went.
pub(super) fn expire(session: &mut Session, expiry: &Expiry, limit: i64) -> Result<u64, Error> {
    let letters = dead_letters::expire(session, expiry.dead_letters_before, limit)?;
    let batches = receipts::expire_batches(session, expiry.batches_before, limit)?;
    let uncounted = receipts::expire_answers(session, expiry.answers_before, limit)?
        + api_keys::expire_tokens(session, expiry.now, limit)?;
    let mut steps = Vec::new();
    steps.extend(letters.step(take_off!("dead_letter_counts", "letters")));
    steps.extend(batches.step(take_off!("batch_counts", "receipts")));
    steps.push(Step::new("COMMIT", &[]));
    session.pipeline(&steps)?;
    let counted = u64::try_from(letters.rows + batches.rows).unwrap_or(u64::MAX);
    Ok(uncounted.saturating_add(counted))
}
