//! Heads looked up for a group: by the connection that writes, or beside it while that is away.

use std::sync::Arc;
use std::time::Instant;

use model::command::OrderRef;
use model::ids::OrderKey;
use model::public_id::PublicId;
use rusqlite::Connection;

use super::core::Core;
use super::deferred::{HeadUpdate, Published};
use super::readers;
use super::statements::{first, head_columns, head_from_row};
use crate::error::Error;
use crate::limits::MAX_READ;
use crate::records::Loaded;

impl Core {
    /// As the last commit left them.
    pub(super) fn look_up(&self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        look_up(&self.connection, orders, |order| self.deferred.find(order))
    }
}

/// Looks up while the core is away.
pub(super) struct Loader {
    connection: Connection,
    published: Arc<Published>,
}

impl Loader {
    pub(super) const fn new(connection: Connection, published: Arc<Published>) -> Self {
        Self {
            connection,
            published,
        }
    }

    /// As the last commit left them, or the one that is on its way: nobody knows. Whoever asks knows what that one has changed.
    pub(super) fn look_up(&self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        let deferred = readers::begin(&self.connection, &self.published, Instant::now() + MAX_READ)?;
        let found = look_up(&self.connection, orders, |order| deferred.find(order));
        // Nothing was written: whatever way it ends, it must end.
        self.connection.execute_batch("ROLLBACK")?;
        found
    }
}

/// Heads as their table has them, brought up to date.
fn look_up<'d>(
    connection: &Connection,
    orders: &[&OrderRef],
    deferred: impl Fn(OrderKey) -> Option<&'d HeadUpdate>,
) -> Result<Vec<Option<Loaded>>, Error> {
    let find = |order: &&OrderRef| {
        let mut loaded = find_head(connection, order)?;
        if let Some(Loaded { head, placement }) = &mut loaded
            && let Some(update) = deferred(head.order)
        {
            update.bring_up(head, placement)?;
        }
        Ok(loaded)
    };
    orders.iter().map(find).collect()
}

fn find_head(connection: &Connection, order: &OrderRef) -> Result<Option<Loaded>, Error> {
    match order {
        OrderRef::Public(id) => by_public_id(connection, id),
        OrderRef::Key(key) => by_key(connection, *key),
    }
}

fn by_public_id(connection: &Connection, id: &PublicId) -> Result<Option<Loaded>, Error> {
    let sql = concat!(
        "SELECT ",
        head_columns!(),
        " FROM order_identities o JOIN order_heads h ON h.order_key = o.order_key WHERE o.public_id = ?1"
    );
    first(connection, sql, [id.as_str()], loaded)
}

fn by_key(connection: &Connection, key: OrderKey) -> Result<Option<Loaded>, Error> {
    let sql = concat!(
        "SELECT ",
        head_columns!(),
        " FROM order_heads h WHERE h.order_key = ?1"
    );
    first(connection, sql, [key.get()], loaded)
}

fn loaded(row: &rusqlite::Row<'_>) -> Result<Loaded, Error> {
    let (head, placement) = head_from_row(row)?;
    Ok(Loaded { head, placement })
}
