//! The one writer.

use std::sync::Arc;

use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::accounts::SqliteAccounts;
use super::cache::HeadCache;
use super::checkpoint::Checkpointer;
use super::connect::Database;
use super::convert::number;
use super::deferred::{Bounds, Deferred, Published};
use super::group::SqliteGroup;
use super::{SqliteOptions, WriterPlace};
use super::{api_keys, dead_letters, receipts};
use crate::accounts::Accounts;
use crate::api::{Group, Writer};
use crate::digest::{ONE_WRITER, genesis};
use crate::error::Error;
use crate::limits::DEFERRED_AT_ONCE;
use crate::records::{CommitId, Expiry, PartyKind};

/// The ends of what is stored: what the next group goes on from.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) position: Position,
    pub(super) commit: CommitId,
    pub(super) digest: [u8; 32],
    pub(super) order: OrderKey,
    pub(super) dead_letter: DeadLetterId,
}

pub(super) struct SqliteWriter {
    // Before the place, so that it is closed when another writer can be had.
    pub(super) connection: Connection,
    pub(super) ends: Ends,
    store_id: [u8; 16],
    pub(super) cache: HeadCache,
    pub(super) deferred: Deferred,
    pub(super) node: String,
    /// Something failed since the ends and the cache were last known to be right.
    pub(super) stale: bool,
    checkpointer: Arc<Checkpointer>,
    _place: WriterPlace,
}

impl SqliteWriter {
    pub(super) fn new(
        database: &Database,
        options: &SqliteOptions,
        checkpointer: Arc<Checkpointer>,
        published: Arc<Published>,
        place: WriterPlace,
    ) -> Result<Self, Error> {
        let connection = database.connect_writer()?;
        let store_id = super::connect::read_identity(&connection)?.store_id;
        let ends = read_ends(&connection, &store_id)?;
        let bounds = Bounds {
            heads: options.deferred_heads,
            round: options.deferred_round,
        };
        let deferred = Deferred::load(&connection, ends.commit, bounds, published)?;
        Ok(Self {
            connection,
            ends,
            store_id,
            cache: HeadCache::default(),
            deferred,
            node: options.node.clone(),
            stale: false,
            checkpointer,
            _place: place,
        })
    }

    /// A group that was dropped leaves nothing to settle, unless it could not be rolled back.
    fn settle(&mut self) -> Result<(), Error> {
        if self.stale || !self.connection.is_autocommit() {
            self.recover()?;
        }
        Ok(())
    }

    /// After a failure: leaves the transaction and believes only what is stored.
    fn recover(&mut self) -> Result<(), Error> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.cache.clear();
        self.ends = read_ends(&self.connection, &self.store_id)?;
        self.deferred.reload(&self.connection, self.ends.commit)?;
        self.stale = false;
        Ok(())
    }
}

impl Writer for SqliteWriter {
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error> {
        self.settle()?;
        self.checkpointer.give_way(&self.connection);
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Box::new(SqliteGroup::new(self)))
    }

    fn next_commit(&mut self) -> Result<CommitId, Error> {
        self.settle()?;
        Ok(CommitId(self.ends.commit.0 + 1))
    }

    fn is_committed(&mut self, commit: CommitId) -> Result<bool, Error> {
        self.recover()?;
        let mut find = self
            .connection
            .prepare_cached("SELECT 1 FROM commits WHERE commit_id = ?1")?;
        Ok(find.exists([commit.0])?)
    }

    fn parties(&mut self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error> {
        self.settle()?;
        let transaction = self.connection.transaction()?;
        let numbers = {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO parties (kind, name) VALUES (?1, ?2) ON CONFLICT (tenant_id, kind, name) DO NOTHING",
            )?;
            let mut find = transaction.prepare_cached(
                "SELECT party_id FROM parties WHERE tenant_id = 0 AND kind = ?1 AND name = ?2",
            )?;
            let mut numbers = Vec::with_capacity(names.len());
            for name in names {
                insert.execute((kind.number(), name))?;
                let id = find.query_row((kind.number(), name), |row| row.get(0))?;
                numbers.push(number(id, "party").map(PartyId::new)?);
            }
            numbers
        };
        transaction.commit()?;
        Ok(numbers)
    }

    fn accounts(&mut self) -> Result<Box<dyn Accounts + '_>, Error> {
        self.settle()?;
        self.checkpointer.give_way(&self.connection);
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Box::new(SqliteAccounts::new(self)))
    }

    fn expire(&mut self, expiry: &Expiry, limit: u32) -> Result<u64, Error> {
        self.settle()?;
        self.checkpointer.give_way(&self.connection);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows = receipts::expire_answers(&transaction, expiry.answers_before, limit)?
            + receipts::expire_batches(&transaction, expiry.batches_before, limit)?
            + dead_letters::expire(&transaction, expiry.dead_letters_before, limit)?
            + api_keys::expire_tokens(&transaction, expiry.now, limit)?;
        transaction.commit()?;
        self.wrote();
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }
}

impl Drop for SqliteWriter {
    /// Leaves a store whose tables say by themselves what is true. What fails is still deferred, and found again.
    fn drop(&mut self) {
        if self.settle().is_ok() {
            while self.write_deferred().is_ok_and(|left| left > 0) {}
        }
    }
}

impl SqliteWriter {
    /// Writes some of the deferred heads. How many are left.
    fn write_deferred(&mut self) -> Result<usize, Error> {
        self.checkpointer.give_way(&self.connection);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let left = self.deferred.write_some(&transaction, DEFERRED_AT_ONCE)?;
        transaction.commit()?;
        self.wrote();
        Ok(left)
    }

    /// Tells the checkpointer that there is more to copy.
    pub(super) fn wrote(&self) {
        self.checkpointer.wrote();
    }
}

/// The ends of what is stored. They must fit each other: nothing is built on a log whose end is damaged.
fn read_ends(connection: &Connection, store_id: &[u8; 16]) -> Result<Ends, Error> {
    let max = |sql: &str| -> Result<i64, Error> {
        Ok(connection
            .query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(0))
    };
    let last = connection
        .query_row(
            "SELECT commit_id, digest, first_position, entries FROM commits ORDER BY commit_id DESC LIMIT 1",
            [],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            },
        )
        .optional()?;
    let position = max("SELECT max(position) FROM entries")?;
    let order = max("SELECT max(order_key) FROM orders")?;
    let (commit, digest, end) = match last {
        Some((commit, digest, first, entries)) => (commit, digest, first.saturating_add(entries)),
        None => (0, genesis(store_id, ONE_WRITER), 1),
    };
    if end != position.saturating_add(1) || commit < 0 || [position, order, commit].contains(&i64::MAX) {
        return Err(Error::damaged(format!(
            "the log ends at position {position}, its last commit before {end}: run `waybill verify`"
        )));
    }
    Ok(Ends {
        position: Position::new(position),
        commit: CommitId(commit),
        digest,
        order: OrderKey::new(order),
        // Not the highest there is: a number once given is never given again.
        dead_letter: DeadLetterId::new(max(
            "SELECT max(seq) FROM sqlite_sequence WHERE name = 'dead_letters'",
        )?),
    })
}
