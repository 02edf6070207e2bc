//! How many orders have a status, by client and by block of keys. Kept with each group, while it holds the end of the log:
//! groups change the same few rows, and so they do it one after the other.

use std::collections::BTreeMap;

use model::ids::{LifecycleId, PartyId};
use model::lifecycle::StateId;
use tokio_postgres::Row;

use super::convert::{get, integer, lifecycle_id, number, party, state};
use super::session::{Session, Step};
use crate::deltas::Deltas;
use crate::error::Error;
use crate::records::{BlockCount, StatusCount};

/// What a group adds to counts.
#[derive(Default)]
pub(super) struct CountColumns {
    client: Vec<i32>,
    client_lifecycle: Vec<i32>,
    client_status: Vec<i16>,
    client_delta: Vec<i64>,
    block_lifecycle: Vec<i32>,
    block_status: Vec<i16>,
    block: Vec<i64>,
    block_delta: Vec<i64>,
}

impl CountColumns {
    pub(super) fn of(deltas: &Deltas) -> Result<Self, Error> {
        let mut columns = Self::default();
        for ((client, lifecycle, status), delta) in deltas.clients.iter().filter(|(_, delta)| **delta != 0) {
            columns.client.push(integer(*client, "client")?);
            columns.client_lifecycle.push(integer(*lifecycle, "lifecycle")?);
            columns.client_status.push(i16::from(*status));
            columns.client_delta.push(*delta);
        }
        for ((lifecycle, status, block), delta) in deltas.blocks.iter().filter(|(_, delta)| **delta != 0) {
            columns.block_lifecycle.push(integer(*lifecycle, "lifecycle")?);
            columns.block_status.push(i16::from(*status));
            columns.block.push(*block);
            columns.block_delta.push(*delta);
        }
        Ok(columns)
    }

    /// Rows that are there are added to, those that are not are made. An upsert would check the row it would insert, a
    /// negative count, before it finds the one to update.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let clients = "WITH delta AS (SELECT * FROM UNNEST($1::int[], $2::int[], $3::smallint[], $4::bigint[]) \
                       AS d (client_id, lifecycle_id, status, orders)), \
                       changed AS (UPDATE status_counts c SET orders = c.orders + d.orders FROM delta d \
                       WHERE (c.client_id, c.lifecycle_id, c.status) = (d.client_id, d.lifecycle_id, d.status) \
                       RETURNING c.client_id, c.lifecycle_id, c.status) \
                       INSERT INTO status_counts (client_id, lifecycle_id, status, orders) SELECT * FROM delta d \
                       WHERE NOT EXISTS (SELECT 1 FROM changed c \
                       WHERE (c.client_id, c.lifecycle_id, c.status) = (d.client_id, d.lifecycle_id, d.status))";
        let blocks = "WITH delta AS (SELECT * FROM UNNEST($1::int[], $2::smallint[], $3::bigint[], $4::bigint[]) \
                      AS d (lifecycle_id, status, block, orders)), \
                      changed AS (UPDATE status_blocks c SET orders = c.orders + d.orders FROM delta d \
                      WHERE (c.lifecycle_id, c.status, c.block) = (d.lifecycle_id, d.status, d.block) \
                      RETURNING c.lifecycle_id, c.status, c.block) \
                      INSERT INTO status_blocks (lifecycle_id, status, block, orders) SELECT * FROM delta d \
                      WHERE NOT EXISTS (SELECT 1 FROM changed c \
                      WHERE (c.lifecycle_id, c.status, c.block) = (d.lifecycle_id, d.status, d.block))";
        let of_clients = (!self.client.is_empty()).then(|| {
            Step::new(
                clients,
                &[
                    &self.client,
                    &self.client_lifecycle,
                    &self.client_status,
                    &self.client_delta,
                ],
            )
        });
        let of_blocks = (!self.block.is_empty()).then(|| {
            Step::new(
                blocks,
                &[
                    &self.block_lifecycle,
                    &self.block_status,
                    &self.block,
                    &self.block_delta,
                ],
            )
        });
        of_clients.into_iter().chain(of_blocks)
    }
}

/// All counts by client, sorted.
pub(super) fn statuses(session: &mut Session) -> Result<Vec<StatusCount>, Error> {
    let sql = "SELECT client_id, lifecycle_id, status, orders FROM status_counts WHERE orders > 0 \
               ORDER BY client_id, lifecycle_id, status";
    session.query(sql, &[])?.iter().map(status_from_row).collect()
}

/// The counts of one client.
pub(super) fn of_client(session: &mut Session, client: PartyId) -> Result<Vec<StatusCount>, Error> {
    let sql = "SELECT client_id, lifecycle_id, status, orders FROM status_counts WHERE client_id = $1";
    let rows = session.query(sql, &[&integer(client.get(), "client")?])?;
    rows.iter().map(status_from_row).collect()
}

/// The counts by block after one, sorted.
pub(super) fn blocks(
    session: &mut Session,
    after: Option<&BlockCount>,
    limit: i64,
) -> Result<Vec<BlockCount>, Error> {
    let sql = "SELECT lifecycle_id, status, block, orders FROM status_blocks \
               WHERE (lifecycle_id, status, block) > ($1, $2, $3) AND orders > 0 \
               ORDER BY lifecycle_id, status, block LIMIT $4";
    let (lifecycle, status, block) = match after {
        None => (i32::MIN, 0, 0),
        Some(after) => {
            let lifecycle = integer(after.lifecycle.get(), "lifecycle")?;
            (lifecycle, i16::from(after.status.number()), after.block)
        }
    };
    let rows = session.query(sql, &[&lifecycle, &status, &block, &limit])?;
    rows.iter()
        .map(|row| {
            Ok(BlockCount {
                lifecycle: lifecycle_id(row, 0)?,
                status: state(row, 1)?,
                block: get(row, 2)?,
                orders: number(get(row, 3)?, "count")?,
            })
        })
        .collect()
}

/// Blocks that hold an order of one of the statuses, with how many.
pub(super) fn blocks_of(
    session: &mut Session,
    statuses: &StatusColumns,
) -> Result<BTreeMap<i64, u64>, Error> {
    let sql = "SELECT block, sum(b.orders)::bigint FROM UNNEST($1::int[], $2::smallint[]) AS s (lifecycle_id, status) \
               JOIN status_blocks b USING (lifecycle_id, status) WHERE b.orders > 0 GROUP BY block";
    let rows = session.query(sql, &[&statuses.lifecycle, &statuses.status])?;
    rows.iter()
        .map(|row| Ok((get(row, 0)?, number(get(row, 1)?, "count")?)))
        .collect()
}

/// Statuses, each of one definition.
pub(super) struct StatusColumns {
    pub(super) lifecycle: Vec<i32>,
    pub(super) status: Vec<i16>,
}

impl StatusColumns {
    pub(super) fn of<'a>(statuses: impl Iterator<Item = &'a (LifecycleId, StateId)>) -> Result<Self, Error> {
        let (mut lifecycles, mut states) = (Vec::new(), Vec::new());
        for (lifecycle, status) in statuses {
            lifecycles.push(integer(lifecycle.get(), "lifecycle")?);
            states.push(i16::from(status.number()));
        }
        Ok(Self {
            lifecycle: lifecycles,
            status: states,
        })
    }
}

fn status_from_row(row: &Row) -> Result<StatusCount, Error> {
    Ok(StatusCount {
        client: party(row, 0)?,
        lifecycle: lifecycle_id(row, 1)?,
        status: state(row, 2)?,
        orders: number(get(row, 3)?, "count")?,
    })
}
