//! Refusals that are kept, and how many there are of each principal.

use std::collections::BTreeMap;

use model::ids::{DeadLetterId, OrderKey, PartyId};
use model::time::Timestamp;
use tokio_postgres::Row;

use super::convert::{get, integer, number, owner, party, text_of_bytes, version};
use super::expiry::Gone;
use super::session::{Session, Step};
use crate::error::Error;
use crate::records::{DeadLetter, KeptDeadLetter, Miscount, NewDeadLetter, Record, Redriven};

/// Columns in the order in which [`from_row`] reads them.
macro_rules! letter_select {
    ($tail:literal) => {
        concat!(
            "SELECT dead_letter_id, received_at, decided_at, order_key, public_id, actor_id, code, detail, content, tenant_id, \
             client_id, customer_id, redriven_order_key, redriven_version, redriven_at FROM dead_letters WHERE ",
            $tail
        )
    };
}

/// New letters.
#[derive(Default)]
pub(super) struct LetterColumns<'a> {
    id: Vec<i64>,
    received_at: Vec<i64>,
    decided_at: Vec<i64>,
    order: Vec<Option<i64>>,
    fingerprint: Vec<i64>,
    tenant: Vec<i32>,
    client: Vec<i32>,
    customer: Vec<i32>,
    actor: Vec<i32>,
    code: Vec<&'a str>,
    public_id: Vec<&'a [u8]>,
    detail: Vec<&'a [u8]>,
    content: Vec<&'a [u8]>,
}

impl<'a> LetterColumns<'a> {
    pub(super) fn of(letters: &'a [NewDeadLetter]) -> Result<Self, Error> {
        let mut columns = Self::default();
        for NewDeadLetter { id, letter } in letters {
            columns.id.push(id.get());
            columns.received_at.push(letter.received_at.as_nanos());
            columns.decided_at.push(letter.decided_at.as_nanos());
            columns.order.push(letter.order.map(OrderKey::get));
            columns.fingerprint.push(letter.fingerprint());
            columns.tenant.push(integer(letter.owner.tenant.get(), "tenant")?);
            columns.client.push(integer(letter.owner.client.get(), "client")?);
            columns
                .customer
                .push(integer(letter.owner.customer.get(), "customer")?);
            columns.actor.push(integer(letter.actor.get(), "actor")?);
            columns.code.push(&letter.code);
            columns.public_id.push(letter.public_id.as_bytes());
            columns.detail.push(letter.detail.as_bytes());
            columns.content.push(&letter.content);
        }
        Ok(columns)
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO dead_letters (dead_letter_id, received_at, decided_at, order_key, fingerprint, tenant_id, client_id, \
                   customer_id, actor_id, code, public_id, detail, content) \
                   SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], \
                   $8::int[], $9::int[], $10::text[], $11::bytea[], $12::bytea[], $13::bytea[])";
        (!self.id.is_empty()).then(|| {
            Step::new(
                sql,
                &[
                    &self.id,
                    &self.received_at,
                    &self.decided_at,
                    &self.order,
                    &self.fingerprint,
                    &self.tenant,
                    &self.client,
                    &self.customer,
                    &self.actor,
                    &self.code,
                    &self.public_id,
                    &self.detail,
                    &self.content,
                ],
            )
        })
    }

    /// How many more there are of each principal.
    pub(super) fn counts(&self) -> LetterCounts {
        let mut counts: BTreeMap<i32, i64> = BTreeMap::new();
        for actor in &self.actor {
            *counts.entry(*actor).or_default() += 1;
        }
        LetterCounts::of(counts)
    }
}

/// Letters by principal, by its rising number.
pub(super) struct LetterCounts {
    actor: Vec<i32>,
    letters: Vec<i64>,
}

impl LetterCounts {
    fn of(counts: BTreeMap<i32, i64>) -> Self {
        let (actor, letters) = counts.into_iter().unzip();
        Self { actor, letters }
    }

    pub(super) fn add(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO dead_letter_counts AS c (actor_id, letters) SELECT * FROM UNNEST($1::int[], $2::bigint[]) \
                   ON CONFLICT (actor_id) DO UPDATE SET letters = c.letters + excluded.letters";
        (!self.actor.is_empty()).then(|| Step::new(sql, &[&self.actor, &self.letters]))
    }
}

pub(super) fn same(session: &mut Session, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
    let sql = "SELECT dead_letter_id FROM dead_letters WHERE fingerprint = $1 AND public_id = $2 AND actor_id = $3 AND \
               code = $4 AND detail = $5 AND content = $6 AND redriven_at IS NULL LIMIT 1";
    let actor = integer(letter.actor.get(), "actor")?;
    let found = session.first(
        sql,
        &[
            &letter.fingerprint(),
            &letter.public_id.as_bytes(),
            &actor,
            &&*letter.code,
            &letter.detail.as_bytes(),
            &&*letter.content,
        ],
    )?;
    found.map(|row| get(&row, 0).map(DeadLetterId::new)).transpose()
}

/// How many letters of a principal are stored.
pub(super) fn count_of(session: &mut Session, actor: PartyId) -> Result<u64, Error> {
    let sql = "SELECT letters FROM dead_letter_counts WHERE actor_id = $1";
    let found = session.first(sql, &[&integer(actor.get(), "actor")?])?;
    found.map_or(Ok(0), |row| number(get(&row, 0)?, "count"))
}

pub(super) fn find(session: &mut Session, id: DeadLetterId) -> Result<Option<KeptDeadLetter>, Error> {
    let found = session.first(letter_select!("dead_letter_id = $1"), &[&id.get()])?;
    found.map(|row| from_row(&row)).transpose()
}

pub(super) fn before(
    session: &mut Session,
    before: Option<DeadLetterId>,
    limit: i64,
) -> Result<Vec<KeptDeadLetter>, Error> {
    let before = before.map_or(i64::MAX, DeadLetterId::get);
    let sql = letter_select!("dead_letter_id < $1 ORDER BY dead_letter_id DESC LIMIT $2");
    let rows = session.query(sql, &[&before, &limit])?;
    rows.iter().map(from_row).collect()
}

/// As what letters were accepted, by rising number of the letter; of several of one letter the last.
#[derive(Default)]
pub(super) struct RedrivenColumns {
    id: Vec<i64>,
    order: Vec<i64>,
    version: Vec<i32>,
    at: Vec<i64>,
}

impl RedrivenColumns {
    pub(super) fn of(records: &[Record]) -> Result<Self, Error> {
        let mut last: BTreeMap<i64, &Redriven> = BTreeMap::new();
        for record in records {
            match record {
                Record::Redriven(id, redriven) => {
                    last.insert(id.get(), redriven);
                }
                Record::Answer(_) | Record::Batch(_) | Record::Audit(_) => {}
            }
        }
        let mut columns = Self::default();
        for (id, redriven) in last {
            columns.id.push(id);
            columns.order.push(redriven.order.get());
            columns.version.push(integer(redriven.version.get(), "version")?);
            columns.at.push(redriven.at.as_nanos());
        }
        Ok(columns)
    }

    /// A letter that has expired meanwhile is not missed: the order has the entry. Rows are locked by rising number.
    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "WITH held AS (SELECT dead_letter_id FROM dead_letters WHERE dead_letter_id = ANY($1::bigint[]) \
                   ORDER BY dead_letter_id FOR UPDATE) \
                   UPDATE dead_letters l SET redriven_order_key = u.order_key, redriven_version = u.version, redriven_at = u.at \
                   FROM UNNEST($1::bigint[], $2::bigint[], $3::int[], $4::bigint[]) AS u (id, order_key, version, at) \
                   JOIN held ON held.dead_letter_id = u.id WHERE l.dead_letter_id = u.id";
        (!self.id.is_empty()).then(|| Step::new(sql, &[&self.id, &self.order, &self.version, &self.at]))
    }
}

/// Deletes letters decided before, the oldest first. They are still counted.
pub(super) fn expire(session: &mut Session, before: Timestamp, limit: i64) -> Result<Gone, Error> {
    let sql = "DELETE FROM dead_letters WHERE dead_letter_id IN \
               (SELECT dead_letter_id FROM dead_letters WHERE decided_at < $1 ORDER BY decided_at LIMIT $2 \
               FOR UPDATE SKIP LOCKED) RETURNING actor_id, 1::bigint";
    Gone::of(&session.query(sql, &[&before.as_nanos(), &limit])?)
}

pub(super) fn miscounted(session: &mut Session, limit: i64) -> Result<Vec<Miscount>, Error> {
    let sql = "WITH stored AS (SELECT actor_id, count(*) AS letters FROM dead_letters GROUP BY actor_id) \
               SELECT actor_id, coalesce(kept.letters, 0), coalesce(stored.letters, 0) \
               FROM dead_letter_counts kept FULL JOIN stored USING (actor_id) \
               WHERE coalesce(kept.letters, 0) <> coalesce(stored.letters, 0) ORDER BY actor_id LIMIT $1";
    let rows = session.query(sql, &[&limit])?;
    rows.iter().map(miscount).collect()
}

/// A row of a principal, what its count says and what there is.
pub(super) fn miscount(row: &Row) -> Result<Miscount, Error> {
    Ok(Miscount {
        actor: party(row, 0)?,
        kept: number(get(row, 1)?, "count")?,
        counted: number(get(row, 2)?, "count")?,
    })
}

fn from_row(row: &Row) -> Result<KeptDeadLetter, Error> {
    let redriven: (Option<i64>, Option<i32>, Option<i64>) = (get(row, 12)?, get(row, 13)?, get(row, 14)?);
    let redriven = match redriven {
        (Some(order), Some(_), Some(at)) => Some(Redriven {
            order: OrderKey::new(order),
            version: version(row, 13)?,
            at: Timestamp::from_nanos(at),
        }),
        (None, None, None) => None,
        (_, _, _) => return Err(Error::damaged("a dead letter is redriven by half")),
    };
    Ok(KeptDeadLetter {
        id: DeadLetterId::new(get(row, 0)?),
        letter: DeadLetter {
            received_at: Timestamp::from_nanos(get(row, 1)?),
            decided_at: Timestamp::from_nanos(get(row, 2)?),
            order: get::<Option<i64>>(row, 3)?.map(OrderKey::new),
            public_id: text_of_bytes(row, 4)?,
            actor: party(row, 5)?,
            code: get(row, 6)?,
            detail: text_of_bytes(row, 7)?,
            content: get::<Vec<u8>>(row, 8)?.into(),
            owner: owner(row, 9)?,
        },
        redriven,
    })
}
