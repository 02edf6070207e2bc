//! The log: where entries lie, and which positions they have.
//!
//! An entry lies at a *place*, a number taken before the group's commit, which may never be used if the group fails. Its
//! *position* has no gaps: it follows from the group's row in `commits`, which says where the group's places begin and
//! where its positions do. That row is written last, under the lock of `log_end`: see
//! `docs/adr/0019-postgres-positions.md`.

use foldhash::HashSet;
use model::ids::{OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::time::Timestamp;
use tokio_postgres::Row;

use super::convert::{bytes, get, integer, number, optional_text_of_bytes, unsigned};
use super::session::{Session, Step};
use super::statements::{ENTRY_COLUMNS, entry_columns, entry_from_row, live_from};
use crate::error::Error;
use crate::follow::{Interest, LogPage, OrderLabel};
use crate::records::{ArchiveRecord, CommitId, CommitRecord, LogEntry, Totals};

/// A group's row.
pub(super) struct CommitRow<'a> {
    pub(super) writer: i32,
    pub(super) number: i64,
    pub(super) claim: i64,
    pub(super) node: &'a str,
    pub(super) at: i64,
    /// `None` if the group has no entries.
    pub(super) first_place: Option<i64>,
    pub(super) entries: i32,
    pub(super) digest: &'a [u8],
}

impl CommitRow<'_> {
    /// Takes the end of the log until the transaction ends, moves it on, and writes the row. Gives the new last position.
    pub(super) fn step(&self) -> Step<'_> {
        let sql = "WITH log AS (UPDATE log_end SET last_position = last_position + $7::int, last_commit = last_commit + 1 \
                   RETURNING last_position, last_commit) \
                   INSERT INTO commits (commit_id, writer, number, claim, node, committed_at, first_place, entries, digest, \
                   first_position) \
                   SELECT last_commit, $1, $2, $3, $4, $5, $6, $7::int, $8, last_position - $7::int + 1 FROM log \
                   RETURNING first_position + entries - 1";
        Step::new(
            sql,
            &[
                &self.writer,
                &self.number,
                &self.claim,
                &self.node,
                &self.at,
                &self.first_place,
                &self.entries,
                &self.digest,
            ],
        )
    }
}

/// Where a place's position is: in the group that has it. Gives what is to be added to the place.
macro_rules! shift_of {
    ($place:literal) => {
        concat!(
            "(SELECT c.first_position - c.first_place FROM commits c WHERE c.first_place <= ",
            $place,
            " ORDER BY c.first_place DESC LIMIT 1)"
        )
    };
}

pub(super) use shift_of;

/// The groups that have the next `$2` entries after position `$1`, and which of their places those are.
macro_rules! groups {
    () => {
        "WITH groups AS MATERIALIZED (SELECT first_position - first_place AS shift, \
         greatest($1::bigint + 1 - first_position, 0) + first_place AS first_place, \
         least($1::bigint + $2::bigint - first_position, entries - 1) + first_place AS last_place \
         FROM commits WHERE entries > 0 AND first_position <= $1::bigint + $2::bigint AND first_position >= \
         coalesce((SELECT max(first_position) FROM commits WHERE entries > 0 AND first_position <= $1::bigint + 1), 0) \
         AND first_position + entries > $1::bigint + 1)"
    };
}

/// Entries after a position. The groups that have them are found by position, and their entries by place. Where entries between the
/// first and the last of them are archived, that is said: nobody takes what is left for all.
pub(super) fn after(session: &mut Session, after: Position, limit: i64) -> Result<Vec<LogEntry>, Error> {
    let sql = concat!(
        groups!(),
        " SELECT ",
        entry_columns!(),
        ", e.place + g.shift FROM groups g JOIN LATERAL (SELECT * FROM entries \
         WHERE place BETWEEN g.first_place AND g.last_place) e ON TRUE ORDER BY e.place + g.shift"
    );
    // No log is so long that the sum of the two would be too large a number.
    let after = after.get().min(i64::MAX / 2);
    let steps = [
        Step::new(IS_ARCHIVED, &[&after, &limit]),
        Step::new(sql, &[&after, &limit]),
    ];
    let mut answers = session.pipeline(&steps)?;
    let rows = answers.pop().unwrap_or_default();
    must_be_kept(&answers)?;
    rows.iter().map(log_entry).collect()
}

/// Whether [`IS_ARCHIVED`], asked first, denied it.
fn must_be_kept(answers: &[Vec<Row>]) -> Result<(), Error> {
    let is_archived = answers.first().and_then(|rows| rows.first());
    if is_archived.map_or(Ok(false), |row| get(row, 0))? {
        return Err(Error::Archived);
    }
    Ok(())
}

/// Of the next `limit` entries those that are wanted, at most `most`: as [`after`] otherwise. The lists are made tables, which the
/// server looks things up in; an array it would go through for each row.
pub(super) fn of_interest(
    session: &mut Session,
    after: Position,
    limit: i64,
    interest: &Interest,
    most: u32,
) -> Result<LogPage, Error> {
    let sql = concat!(
        groups!(),
        " SELECT ",
        entry_columns!(),
        ", e.place + g.shift FROM groups g JOIN LATERAL (SELECT * FROM entries \
         WHERE place BETWEEN g.first_place AND g.last_place AND ($3 \
         OR client_id IN (SELECT unnest($4::int[])) OR customer_id IN (SELECT unnest($5::int[])) \
         OR order_key IN (SELECT unnest($6::bigint[])))) e ON TRUE ORDER BY e.place + g.shift LIMIT $7"
    );
    let parties = |wanted: &HashSet<PartyId>| -> Result<Vec<i32>, Error> {
        wanted.iter().map(|party| integer(party.get(), "party")).collect()
    };
    let (is_all, clients, customers, orders) = match interest {
        Interest::All => (true, Vec::new(), Vec::new(), Vec::new()),
        Interest::Some(wanted) => (
            false,
            parties(&wanted.clients)?,
            parties(&wanted.customers)?,
            wanted
                .orders
                .iter()
                .map(|order| order.get())
                .collect::<Vec<i64>>(),
        ),
    };
    let from = after.get().min(i64::MAX / 2);
    let most = i64::from(most);
    let steps = [
        Step::new(IS_ARCHIVED, &[&from, &limit]),
        Step::new("SELECT last_position FROM log_end", &[]),
        Step::new(
            sql,
            &[&from, &limit, &is_all, &clients, &customers, &orders, &most],
        ),
    ];
    let mut answers = session.pipeline(&steps)?;
    let rows = answers.pop().unwrap_or_default();
    must_be_kept(&answers)?;
    let end = answers.pop().unwrap_or_default();
    let end = end.first().map_or(Ok(from), |row| get(row, 0))?;
    let entries: Vec<LogEntry> = rows.iter().map(log_entry).collect::<Result<_, Error>>()?;
    let through = match entries.last() {
        Some(last) if i64::try_from(entries.len()).is_ok_and(|found| found >= most) => last.position,
        Some(_) | None => Position::new(end.min(from.saturating_add(limit)).max(after.get())),
    };
    Ok(LogPage { entries, through })
}

/// What tells these orders to those outside.
pub(super) fn labels(session: &mut Session, orders: &[OrderKey]) -> Result<Vec<OrderLabel>, Error> {
    let sql = "SELECT order_key, public_id, created_at, reference, contact_hash FROM order_identities \
               WHERE order_key = ANY($1)";
    let keys: Vec<i64> = orders.iter().map(|order| order.get()).collect();
    let label = |row: &Row| {
        Ok(OrderLabel {
            order: OrderKey::new(get(row, 0)?),
            public_id: PublicId::new(get(row, 1)?).map_err(|error| Error::damaged(error.to_string()))?,
            created_at: Timestamp::from_nanos(get(row, 2)?),
            reference: optional_text_of_bytes(row, 3)?,
            contact_hash: get(row, 4)?,
        })
    };
    session.query(sql, &[&keys])?.iter().map(label).collect()
}

/// Whether entries among so many positions after one are archived. The places of a group rise with its positions, so those of its
/// entries that are archived are its first ones.
const IS_ARCHIVED: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM commits WHERE entries > 0 AND first_position <= $1::bigint + $2::bigint AND first_position >= \
     coalesce((SELECT max(first_position) FROM commits WHERE entries > 0 AND first_position <= $1::bigint + 1), 0) \
     AND first_place < ",
    live_from!(),
    " AND first_position + least(entries, ",
    live_from!(),
    " - first_place) > $1::bigint + 1)"
);

/// All entries of an order, oldest first, with their positions.
pub(super) fn of_order(session: &mut Session, order: OrderKey) -> Result<Vec<LogEntry>, Error> {
    let sql = concat!(
        "SELECT ",
        entry_columns!(),
        ", e.place + ",
        shift_of!("e.place"),
        " FROM order_heads h JOIN entries e ON e.order_key = h.order_key AND e.place BETWEEN h.first_place AND h.last_place \
         WHERE h.order_key = $1 ORDER BY e.version"
    );
    let rows = session.query(sql, &[&order.get()])?;
    rows.iter().map(log_entry).collect()
}

/// The same of several orders, in no order.
pub(super) fn of_orders(session: &mut Session, orders: &[i64]) -> Result<Vec<LogEntry>, Error> {
    let sql = concat!(
        "SELECT ",
        entry_columns!(),
        ", e.place + ",
        shift_of!("e.place"),
        " FROM UNNEST($1::bigint[]) AS wanted (order_key) JOIN order_heads h ON h.order_key = wanted.order_key \
         JOIN entries e ON e.order_key = h.order_key AND e.place BETWEEN h.first_place AND h.last_place"
    );
    let rows = session.query(sql, &[&orders])?;
    rows.iter().map(log_entry).collect()
}

fn log_entry(row: &Row) -> Result<LogEntry, Error> {
    let entry = entry_from_row(row)?;
    let position: Option<i64> = get(row, ENTRY_COLUMNS)?;
    let position = position.ok_or_else(|| {
        let (order, version) = (entry.order, entry.version);
        Error::damaged(format!("version {version} of order {order} belongs to no commit"))
    })?;
    Ok(LogEntry {
        position: Position::new(position),
        entry,
    })
}

pub(super) fn commits(
    session: &mut Session,
    after: CommitId,
    limit: i64,
) -> Result<Vec<CommitRecord>, Error> {
    let sql = concat!(
        "SELECT commit_id, writer, number, committed_at, first_position, entries, \
         least(entries, greatest(0, coalesce(",
        live_from!(),
        " - first_place, 0)))::int, digest FROM commits WHERE commit_id > $1 ORDER BY commit_id LIMIT $2"
    );
    let rows = session.query(sql, &[&after.0, &limit])?;
    rows.iter()
        .map(|row| {
            Ok(CommitRecord {
                commit: CommitId(get(row, 0)?),
                writer: unsigned(row, 1, "writer")?,
                number: CommitId(get(row, 2)?),
                at: Timestamp::from_nanos(get(row, 3)?),
                first_position: Position::new(get(row, 4)?),
                entries: unsigned(row, 5, "entries of a commit")?,
                archived_entries: unsigned(row, 6, "archived entries of a commit")?,
                digest: bytes(row, 7)?,
            })
        })
        .collect()
}

/// The archives in which an order has entries.
pub(super) fn archives_of(session: &mut Session, order: OrderKey) -> Result<Vec<ArchiveRecord>, Error> {
    let sql = "SELECT a.partition, a.entries, a.orders, a.file, a.sha256, a.archived_at FROM order_heads h JOIN log_archives a \
               ON a.places_end > h.first_place AND a.first_place <= h.last_place WHERE h.order_key = $1 ORDER BY a.first_place";
    let rows = session.query(sql, &[&order.get()])?;
    rows.iter()
        .map(|row| {
            Ok(ArchiveRecord {
                partition: get::<&str>(row, 0)?.into(),
                entries: number(get(row, 1)?, "count")?,
                orders: number(get(row, 2)?, "count")?,
                file: get::<&str>(row, 3)?.into(),
                sha256: bytes(row, 4)?,
                archived_at: Timestamp::from_nanos(get(row, 5)?),
            })
        })
        .collect()
}

/// Where the log ends.
pub(super) fn last_position(session: &mut Session) -> Result<Position, Error> {
    let row = super::connect::one(session, "SELECT last_position FROM log_end")?;
    Ok(Position::new(get(&row, 0)?))
}

pub(super) fn totals(session: &mut Session) -> Result<Totals, Error> {
    let sql = "SELECT last_position, last_commit, (SELECT coalesce(max(order_key), 0) FROM order_identities), \
               (SELECT count(*) FROM dead_letters) FROM log_end";
    let row = super::connect::one(session, sql)?;
    Ok(Totals {
        last_position: Position::new(get(&row, 0)?),
        last_commit: CommitId(get(&row, 1)?),
        last_order: OrderKey::new(get(&row, 2)?),
        dead_letters: number(get(&row, 3)?, "count")?,
    })
}
