//! How many orders have a status, by client and by block of keys. Kept with each group.

use model::ids::PartyId;
use rusqlite::{CachedStatement, Connection, Row};

use super::convert::{lifecycle_id, number, state};
use super::statements::all;
use crate::deltas::Deltas;
use crate::error::Error;
use crate::records::{BlockCount, HeadChange, StatusCount};

/// The counts of one client.
pub(super) const OF_CLIENT: &str =
    "SELECT client_id, lifecycle_id, status, orders FROM status_counts WHERE client_id = ?1";

/// Adds up what the group did to each count, and writes each once, by rising key.
pub(super) fn write(connection: &Connection, heads: &[HeadChange]) -> Result<(), Error> {
    let Deltas { clients, blocks } = Deltas::of(heads);
    // An upsert would check the row it would insert, a negative count, before it finds the one to update.
    let mut update = connection.prepare_cached(
        "UPDATE status_counts SET orders = orders + ?4 WHERE client_id = ?1 AND lifecycle_id = ?2 AND status = ?3",
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO status_counts (client_id, lifecycle_id, status, orders) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for ((client, lifecycle, status), delta) in clients {
        add(
            &mut update,
            &mut insert,
            (client, lifecycle, status, delta),
            delta,
        )?;
    }
    let mut update = connection.prepare_cached(
        "UPDATE status_blocks SET orders = orders + ?4 WHERE lifecycle_id = ?1 AND status = ?2 AND block = ?3",
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO status_blocks (lifecycle_id, status, block, orders) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for ((lifecycle, status, block), delta) in blocks {
        add(&mut update, &mut insert, (lifecycle, status, block, delta), delta)?;
    }
    Ok(())
}

/// Adds to the row of a count, which is made if there is none.
fn add(
    update: &mut CachedStatement<'_>,
    insert: &mut CachedStatement<'_>,
    row: impl rusqlite::Params + Copy,
    delta: i64,
) -> Result<(), Error> {
    if delta != 0 && update.execute(row).map_err(refused)? == 0 {
        insert.execute(row).map_err(refused)?;
    }
    Ok(())
}

/// A count that would fall below zero was wrong before: no command is to blame for it.
fn refused(error: rusqlite::Error) -> Error {
    match Error::from(error) {
        Error::Statement(detail) => Error::damaged(format!("a status count is too low: {detail}")),
        other => other,
    }
}

/// All counts by client, sorted.
pub(super) fn statuses(connection: &Connection) -> Result<Vec<StatusCount>, Error> {
    let sql = "SELECT client_id, lifecycle_id, status, orders FROM status_counts WHERE orders > 0 \
               ORDER BY client_id, lifecycle_id, status";
    all(connection, sql, [], status_from_row)
}

/// The counts of one client.
pub(super) fn of_client(connection: &Connection, client: PartyId) -> Result<Vec<StatusCount>, Error> {
    all(connection, OF_CLIENT, [client.get()], status_from_row)
}

/// The counts by block after one, sorted.
pub(super) fn blocks(
    connection: &Connection,
    after: Option<&BlockCount>,
    limit: u32,
) -> Result<Vec<BlockCount>, Error> {
    let sql = "SELECT lifecycle_id, status, block, orders FROM status_blocks \
               WHERE (lifecycle_id, status, block) > (?1, ?2, ?3) AND orders > 0 \
               ORDER BY lifecycle_id, status, block LIMIT ?4";
    let (lifecycle, status, block) = after.map_or((i64::MIN, 0, 0), |after| {
        let (lifecycle, status) = (after.lifecycle.get(), after.status.number());
        (i64::from(lifecycle), i64::from(status), after.block)
    });
    all(connection, sql, (lifecycle, status, block, limit), |row| {
        Ok(BlockCount {
            lifecycle: lifecycle_id(row.get(0)?)?,
            status: state(row.get(1)?)?,
            block: row.get(2)?,
            orders: number(row.get(3)?, "count")?,
        })
    })
}

fn status_from_row(row: &Row<'_>) -> Result<StatusCount, Error> {
    Ok(StatusCount {
        client: PartyId::new(number(row.get(0)?, "client")?),
        lifecycle: lifecycle_id(row.get(1)?)?,
        status: state(row.get(2)?)?,
        orders: number(row.get(3)?, "count")?,
    })
}
