//! The log, of which only a part is wanted.

use model::ids::{OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::time::Timestamp;
use rusqlite::Connection;

use super::convert::number;
use super::statements::{all, entry_columns, entry_from_row, first};
use crate::error::Error;
use crate::follow::{Interest, LogPage, OrderLabel, Wanted};
use crate::records::LogEntry;

/// The entries among the next `limit` that are wanted, at most `most` of them.
pub(super) fn of_interest(
    connection: &Connection,
    after: Position,
    limit: u32,
    interest: &Interest,
    most: u32,
) -> Result<LogPage, Error> {
    match interest {
        Interest::All => all_after(connection, after, limit.min(most)),
        Interest::Some(wanted) => wanted_after(connection, after, limit, wanted, most),
    }
}

fn all_after(connection: &Connection, after: Position, limit: u32) -> Result<LogPage, Error> {
    let sql = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM entries WHERE position > ?1 ORDER BY position LIMIT ?2"
    );
    let entries = all(connection, sql, (after.get(), limit), |row| {
        entry_from_row(row).map(|(entry, _)| entry)
    })?;
    let through = entries.last().map_or(after, |last| last.position);
    Ok(LogPage { entries, through })
}

/// Looks at whose entries they are first: what a statement names is read of every row, and bodies are most of it.
fn wanted_after(
    connection: &Connection,
    after: Position,
    limit: u32,
    wanted: &Wanted,
    most: u32,
) -> Result<LogPage, Error> {
    let sql = "SELECT position, order_key, client_id, customer_id FROM entries WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut found = Vec::new();
    let mut through = after;
    let mut scan = connection.prepare_cached(sql)?;
    let mut rows = scan.query((after.get(), limit))?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        through = Position::new(row.get(0)?);
        let order = OrderKey::new(row.get(1)?);
        let client = PartyId::new(number(row.get(2)?, "party")?);
        let customer = PartyId::new(number(row.get(3)?, "party")?);
        if wanted.covers(order, client, customer) {
            found.push(through);
        }
    }
    drop(rows);
    let entries: Result<Vec<LogEntry>, Error> = found.into_iter().map(|at| one_at(connection, at)).collect();
    Ok(LogPage {
        entries: entries?,
        through,
    })
}

fn one_at(connection: &Connection, position: Position) -> Result<LogEntry, Error> {
    let sql = concat!("SELECT ", entry_columns!(), " FROM entries WHERE position = ?1");
    let found = first(connection, sql, [position.get()], |row| {
        entry_from_row(row).map(|(entry, _)| entry)
    })?;
    found.ok_or_else(|| Error::damaged(format!("position {position} is gone within a read")))
}

pub(super) fn labels(connection: &Connection, orders: &[OrderKey]) -> Result<Vec<OrderLabel>, Error> {
    let sql =
        "SELECT public_id, reference, created_at, contact_hash FROM order_identities WHERE order_key = ?1";
    let label = |order: &OrderKey| {
        first(connection, sql, [order.get()], |row| {
            let public_id: String = row.get(0)?;
            Ok(OrderLabel {
                order: *order,
                public_id: PublicId::new(&public_id).map_err(|error| Error::damaged(error.to_string()))?,
                reference: row.get(1)?,
                created_at: Timestamp::from_nanos(row.get(2)?),
                contact_hash: row.get(3)?,
            })
        })
        .transpose()
    };
    orders.iter().filter_map(label).collect()
}
