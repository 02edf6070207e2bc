//! The one writer.

use std::sync::Arc;

use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use rusqlite::{Connection, OptionalExtension};

use super::WriterPlace;
use super::cache::HeadCache;
use super::checkpoint::Checkpointer;
use super::connect::Database;
use super::convert::number;
use super::group::SqliteGroup;
use crate::api::{Group, Writer};
use crate::digest::GENESIS;
use crate::error::Error;
use crate::records::{CommitId, PartyKind};

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
    pub(super) cache: HeadCache,
    pub(super) node: String,
    /// Something failed since the ends and the cache were last known to be right.
    pub(super) stale: bool,
    checkpointer: Arc<Checkpointer>,
    _place: WriterPlace,
}

impl SqliteWriter {
    pub(super) fn new(
        database: &Database,
        node: String,
        checkpointer: Arc<Checkpointer>,
        place: WriterPlace,
    ) -> Result<Self, Error> {
        let connection = database.connect_writer()?;
        let ends = read_ends(&connection)?;
        Ok(Self {
            connection,
            ends,
            cache: HeadCache::default(),
            node,
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
        self.ends = read_ends(&self.connection)?;
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
                "INSERT INTO parties (kind, name) VALUES (?1, ?2) ON CONFLICT (kind, name) DO NOTHING",
            )?;
            let mut find =
                transaction.prepare_cached("SELECT party_id FROM parties WHERE kind = ?1 AND name = ?2")?;
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
}

impl SqliteWriter {
    /// Tells the checkpointer that there is more to copy.
    pub(super) fn wrote(&self) {
        self.checkpointer.wrote();
    }
}

fn read_ends(connection: &Connection) -> Result<Ends, Error> {
    let max = |sql: &str| -> Result<i64, Error> {
        Ok(connection
            .query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(0))
    };
    let commit = connection
        .query_row(
            "SELECT commit_id, digest FROM commits ORDER BY commit_id DESC LIMIT 1",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)),
        )
        .optional()?;
    let (commit, digest) = commit.unwrap_or((0, GENESIS));
    Ok(Ends {
        position: Position::new(max("SELECT max(position) FROM entries")?),
        commit: CommitId(commit),
        digest,
        order: OrderKey::new(max("SELECT max(order_key) FROM orders")?),
        dead_letter: DeadLetterId::new(max("SELECT max(dead_letter_id) FROM dead_letters")?),
    })
}
