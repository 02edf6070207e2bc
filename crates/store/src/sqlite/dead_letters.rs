//! Refusals that are kept, and how many there are of each principal.

use std::collections::BTreeMap;

use model::ids::{DeadLetterId, OrderKey, PartyId};
use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::convert::{number, owner, version};
use super::receipts::miscount;
use super::statements::{all, first};
use crate::error::Error;
use crate::records::{DeadLetter, KeptDeadLetter, Miscount, NewDeadLetter, Redriven};

/// Columns in the order in which [`from_row`] reads them.
macro_rules! letter_columns {
    () => {
        "dead_letter_id, received_at, decided_at, order_key, public_id, actor_id, code, detail, content, tenant_id, \
         client_id, customer_id, redriven_order_key, redriven_version, redriven_at"
    };
}

/// Stores letters and counts them.
pub(super) fn insert(connection: &Connection, letters: &[NewDeadLetter]) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO dead_letters (dead_letter_id, received_at, decided_at, order_key, public_id, actor_id, code, detail, \
         content, fingerprint, tenant_id, client_id, customer_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let mut counts: BTreeMap<u32, i64> = BTreeMap::new();
    for NewDeadLetter { id, letter } in letters {
        *counts.entry(letter.actor.get()).or_default() += 1;
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
            letter.fingerprint(),
            letter.owner.tenant.get(),
            letter.owner.client.get(),
            letter.owner.customer.get(),
        ])?;
    }
    let mut count = connection.prepare_cached(
        "INSERT INTO dead_letter_counts (actor_id, letters) VALUES (?1, ?2) \
         ON CONFLICT (actor_id) DO UPDATE SET letters = letters + excluded.letters",
    )?;
    for of_actor in counts {
        count.execute(of_actor)?;
    }
    Ok(())
}

pub(super) fn same(connection: &Connection, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
    let mut find = connection.prepare_cached(
        "SELECT dead_letter_id FROM dead_letters WHERE fingerprint = ?1 AND public_id = ?2 AND actor_id = ?3 AND \
         code = ?4 AND detail = ?5 AND content = ?6 AND redriven_at IS NULL LIMIT 1",
    )?;
    let mut rows = find.query(params![
        letter.fingerprint(),
        letter.public_id,
        letter.actor.get(),
        letter.code,
        letter.detail,
        letter.content,
    ])?;
    let found = rows.next()?.map(|row| row.get(0)).transpose()?;
    Ok(found.map(DeadLetterId::new))
}

/// How many letters of a principal are stored.
pub(super) fn count_of(connection: &Connection, actor: PartyId) -> Result<u64, Error> {
    let mut find = connection.prepare_cached("SELECT letters FROM dead_letter_counts WHERE actor_id = ?1")?;
    let found = find.query_row([actor.get()], |row| row.get(0)).optional()?;
    found.map_or(Ok(0), |letters| number(letters, "count"))
}

pub(super) fn find(connection: &Connection, id: DeadLetterId) -> Result<Option<KeptDeadLetter>, Error> {
    let sql = concat!(
        "SELECT ",
        letter_columns!(),
        " FROM dead_letters WHERE dead_letter_id = ?1"
    );
    first(connection, sql, [id.get()], from_row)
}

pub(super) fn before(
    connection: &Connection,
    before: Option<DeadLetterId>,
    limit: u32,
) -> Result<Vec<KeptDeadLetter>, Error> {
    let sql = concat!(
        "SELECT ",
        letter_columns!(),
        " FROM dead_letters WHERE dead_letter_id < ?1 ORDER BY dead_letter_id DESC LIMIT ?2"
    );
    let before = before.map_or(i64::MAX, DeadLetterId::get);
    all(connection, sql, (before, limit), from_row)
}

/// Says of a letter as what it was accepted. One that has expired meanwhile is not missed: the order has the entry.
pub(super) fn redrive(connection: &Connection, id: DeadLetterId, redriven: &Redriven) -> Result<(), Error> {
    let mut update = connection.prepare_cached(
        "UPDATE dead_letters SET redriven_order_key = ?2, redriven_version = ?3, redriven_at = ?4 \
         WHERE dead_letter_id = ?1",
    )?;
    update.execute((
        id.get(),
        redriven.order.get(),
        redriven.version.get(),
        redriven.at.as_nanos(),
    ))?;
    Ok(())
}

/// Deletes letters decided before, the oldest first, and takes them off their counts.
pub(super) fn expire(connection: &Connection, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let deleted: Vec<i64> = all(
        connection,
        "DELETE FROM dead_letters WHERE dead_letter_id IN \
         (SELECT dead_letter_id FROM dead_letters WHERE decided_at < ?1 ORDER BY decided_at LIMIT ?2) \
         RETURNING actor_id",
        (before.as_nanos(), limit),
        |row| Ok(row.get(0)?),
    )?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for actor in &deleted {
        *counts.entry(*actor).or_default() += 1;
    }
    let mut count = connection.prepare_cached(
        "UPDATE dead_letter_counts SET letters = letters - ?2 WHERE actor_id = ?1 AND letters >= ?2",
    )?;
    for (actor, letters) in counts {
        if count.execute((actor, letters))? != 1 {
            return Err(Error::damaged(format!(
                "the count of dead letters of {actor} is too low"
            )));
        }
    }
    Ok(deleted.len())
}

pub(super) fn miscounted(connection: &Connection, limit: u32) -> Result<Vec<Miscount>, Error> {
    let sql = "WITH stored AS (SELECT actor_id, count(*) AS letters FROM dead_letters GROUP BY actor_id) \
               SELECT actor_id, coalesce(kept.letters, 0) AS says, coalesce(stored.letters, 0) AS are \
               FROM dead_letter_counts kept FULL JOIN stored USING (actor_id) WHERE says <> are LIMIT ?1";
    all(connection, sql, [limit], miscount)
}

fn from_row(row: &Row<'_>) -> Result<KeptDeadLetter, Error> {
    let redriven: (Option<i64>, Option<i64>, Option<i64>) = (row.get(12)?, row.get(13)?, row.get(14)?);
    let redriven = match redriven {
        (Some(order), Some(entry), Some(at)) => Some(Redriven {
            order: OrderKey::new(order),
            version: version(entry)?,
            at: Timestamp::from_nanos(at),
        }),
        (None, None, None) => None,
        (_, _, _) => return Err(Error::damaged("a dead letter is redriven by half")),
    };
    Ok(KeptDeadLetter {
        id: DeadLetterId::new(row.get(0)?),
        letter: DeadLetter {
            received_at: Timestamp::from_nanos(row.get(1)?),
            decided_at: Timestamp::from_nanos(row.get(2)?),
            order: row.get::<_, Option<i64>>(3)?.map(OrderKey::new),
            public_id: row.get(4)?,
            actor: PartyId::new(number(row.get(5)?, "actor")?),
            code: row.get(6)?,
            detail: row.get(7)?,
            content: row.get(8)?,
            owner: owner(row.get(9)?, row.get(10)?, row.get(11)?)?,
        },
        redriven,
    })
}
