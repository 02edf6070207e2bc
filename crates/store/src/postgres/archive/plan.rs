//! Which partitions can go.

use model::StateId;
use model::public_id::PublicId;

use super::super::connect::one;
use super::super::convert::{get, number};
use super::super::readers::{BEGIN, HOLD_LOG};
use super::super::session::Session;
use super::partitions::{Attached, attached};
use super::{Archiver, BY_INDEX, Partition, Stays};
use crate::error::Error;
use crate::limits::{ARCHIVE_IDLE, ARCHIVE_NAMED};

/// Whether a head is one of an order that has come to its end, by final statuses as `$1` and `$2`.
macro_rules! is_final {
    () => {
        "(h.due_at IS NULL AND h.waiting IS NULL AND \
         (h.lifecycle_id, h.status) IN (SELECT * FROM UNNEST($1::int[], $2::smallint[])))"
    };
}

/// How many orders begin in one partition and end in another, by their numbers among the attached ones.
struct Way {
    first: usize,
    last: usize,
    is_final: bool,
    orders: u64,
}

impl Archiver {
    /// The attached partitions, the oldest first, as of now: what is read of them afterwards is of the same instant. Changes nothing.
    ///
    /// # Errors
    /// Whatever reading gives; [`Error::Damaged`] where a partition was detached by hand.
    pub fn plan(&mut self) -> Result<Vec<Partition>, Error> {
        let session = &mut self.session;
        let idle = ARCHIVE_IDLE.as_millis();
        session.batch(&format!(
            "ROLLBACK; {BEGIN}; {HOLD_LOG}; SET LOCAL idle_in_transaction_session_timeout = {idle}"
        ))?;
        let row = one(
            session,
            "SELECT last_commit, (SELECT last_value FROM places) FROM log_end",
        )?;
        let (seen, last_place): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        self.seen = seen;
        let problems = super::partitions::problems(session)?;
        if let Some(problem) = problems.into_iter().next() {
            return Err(Error::damaged(format!("{problem}: run `waybill verify`")));
        }
        let attached = attached(session)?;
        let (lifecycles, statuses): (Vec<i32>, Vec<i16>) = self
            .finals
            .iter()
            .map(|(lifecycle, status): &(i32, StateId)| (*lifecycle, i16::from(status.number())))
            .unzip();
        let ways = ways(session, &attached, &lifecycles, &statuses)?;
        let can_go = attached.iter().enumerate().rposition(|(place, partition)| {
            partition.places_end <= last_place && holding(&ways, place) == (0, 0)
        });
        let mut partitions = Vec::with_capacity(attached.len());
        for (place, partition) in attached.into_iter().enumerate() {
            let stays = if can_go.is_some_and(|last| place <= last) {
                None
            } else if partition.places_end > last_place {
                Some(Stays::InUse)
            } else {
                let (unfinished, going_on) = holding(&ways, place);
                Some(Stays::Orders {
                    unfinished,
                    going_on,
                    some: some(session, partition.places_end, &lifecycles, &statuses)?,
                })
            };
            partitions.push(counted(session, partition, stays)?);
        }
        check_whole(session, &partitions)?;
        session.batch(BY_INDEX)?;
        Ok(partitions)
    }
}

/// What can go has as many entries as its orders have versions, and as its commits say: nothing that is damaged leaves.
fn check_whole(session: &mut Session, partitions: &[Partition]) -> Result<(), Error> {
    let mut going = partitions.iter().filter(|partition| partition.stays.is_none());
    let entries: u64 = going.clone().map(|partition| partition.entries).sum();
    let (Some(first), Some(last)) = (going.clone().next(), going.next_back()) else {
        return Ok(());
    };
    let sql = "SELECT (SELECT coalesce(sum(version), 0)::bigint FROM order_heads WHERE first_place >= $1 AND first_place < $2), \
               (SELECT coalesce(sum(least(entries, $2 - first_place) - greatest(0, $1 - first_place)), 0)::bigint \
               FROM commits WHERE first_place < $2 AND first_place + entries > $1)";
    let row = session.first(sql, &[&first.first_place, &last.places_end])?;
    let row = row.ok_or_else(|| Error::damaged("sums gave nothing"))?;
    let (versions, committed): (u64, u64) = (number(get(&row, 0)?, "sum")?, number(get(&row, 1)?, "sum")?);
    if (versions, committed) == (entries, entries) {
        return Ok(());
    }
    Err(Error::damaged(format!(
        "up to {} there are {entries} entries, their orders have {versions} versions, their commits {committed} entries: \
         run `waybill verify`",
        last.name
    )))
}

/// Orders that keep all partitions up to one from going: those that are not final, and those that go on behind it.
fn holding(ways: &[Way], place: usize) -> (u64, u64) {
    let sum = |counts: &dyn Fn(&Way) -> bool| -> u64 {
        let of_these = ways.iter().filter(|way| way.first <= place && counts(way));
        of_these.map(|way| way.orders).sum()
    };
    (
        sum(&|way| !way.is_final),
        sum(&|way| way.is_final && way.last > place),
    )
}

fn ways(
    session: &mut Session,
    attached: &[Attached],
    lifecycles: &[i32],
    statuses: &[i16],
) -> Result<Vec<Way>, Error> {
    let ends: Vec<i64> = attached.iter().map(|partition| partition.places_end).collect();
    let live_from = attached.first().map_or(0, |partition| partition.first_place);
    let sql = concat!(
        "SELECT width_bucket(h.first_place, $3::bigint[]), width_bucket(h.last_place, $3::bigint[]), ",
        is_final!(),
        ", count(*) FROM order_heads h WHERE h.first_place >= $4 GROUP BY 1, 2, 3"
    );
    let rows = session.query(sql, &[&lifecycles, &statuses, &ends, &live_from])?;
    rows.iter()
        .map(|row| {
            Ok(Way {
                first: number(i64::from(get::<i32>(row, 0)?), "partition")?,
                last: number(i64::from(get::<i32>(row, 1)?), "partition")?,
                is_final: get(row, 2)?,
                orders: number(get(row, 3)?, "count")?,
            })
        })
        .collect()
}

/// The first of the orders that keep the partitions before a place from going.
fn some(
    session: &mut Session,
    places_end: i64,
    lifecycles: &[i32],
    statuses: &[i16],
) -> Result<Vec<PublicId>, Error> {
    let sql = concat!(
        "SELECT o.public_id FROM order_heads h JOIN order_identities o ON o.order_key = h.order_key WHERE h.first_place < $3 AND h.first_place >= ",
        super::super::statements::live_from!(),
        " AND (h.last_place >= $3 OR NOT ",
        is_final!(),
        ") ORDER BY h.order_key LIMIT $4"
    );
    let rows = session.query(
        sql,
        &[&lifecycles, &statuses, &places_end, &i64::from(ARCHIVE_NAMED)],
    )?;
    rows.iter().map(|row| public_id(get(row, 0)?)).collect()
}

pub(super) fn public_id(stored: &str) -> Result<PublicId, Error> {
    PublicId::new(stored).map_err(|error| Error::damaged(error.to_string()))
}

fn counted(session: &mut Session, partition: Attached, stays: Option<Stays>) -> Result<Partition, Error> {
    let sql = "SELECT coalesce(sum(entries), 0)::bigint, count(*) FROM \
               (SELECT count(*) AS entries FROM entries WHERE place >= $1 AND place < $2 GROUP BY order_key) orders";
    let counts = session.first(sql, &[&partition.first_place, &partition.places_end])?;
    let (entries, orders) = match counts {
        Some(row) => (number(get(&row, 0)?, "count")?, number(get(&row, 1)?, "count")?),
        None => (0, 0),
    };
    Ok(Partition {
        name: partition.name,
        first_place: partition.first_place,
        places_end: partition.places_end,
        entries,
        orders,
        bytes: number(partition.bytes, "size")?,
        stays,
    })
}
