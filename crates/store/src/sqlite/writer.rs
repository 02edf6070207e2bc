//! The one writer.

use std::sync::Arc;
use std::time::Instant;

use model::command::OrderRef;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::accounts::SqliteAccounts;
use super::behind::{Behind, Done};
use super::cache::HeadCache;
use super::checkpoint::Checkpointer;
use super::connect::Database;
use super::convert::number;
use super::core::{Core, Placed};
use super::deferred::{Bounds, Deferred, Published};
use super::group::SqliteGroup;
use super::loader::Loader;
use super::mapping::Mapping;
use super::receipt_counts::ReceiptCounts;
use super::{SqliteOptions, WriterPlace, api_keys, dead_letters, receipts};
use crate::accounts::Accounts;
use crate::api::{Group, Writer};
use crate::digest::{ONE_WRITER, genesis};
use crate::error::{Error, Trouble};
use crate::limits::HEADS_ON_THEIR_WAY;
use crate::pages::ContactHasher;
use crate::records::{CommitId, Committed, Expiry, GroupWrites, Landed, Loaded, PartyKind};

/// The ends of what is stored: what the next group goes on from.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) position: Position,
    pub(super) commit: CommitId,
    pub(super) order: OrderKey,
    pub(super) dead_letter: DeadLetterId,
}

pub(super) struct SqliteWriter {
    // Before the place, so that all is closed when another writer can be had.
    /// `None` while a group is written behind.
    core: Option<Box<Core>>,
    behind: Behind,
    /// What came of such a group, until it is asked for.
    outcome: Option<Landed>,
    loader: Loader,
    store_id: [u8; 16],
    /// Of what is stored and of what is on its way.
    pub(super) ends: Ends,
    /// Of the same.
    pub(super) cache: HeadCache,
    /// Of the same.
    pub(super) receipt_counts: ReceiptCounts,
    /// Something failed since the ends and the cache were last known to be right.
    stale: bool,
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
        let identity = super::connect::read_identity(&connection)?;
        let store_id = identity.store_id;
        let (ends, digest) = read_ends(&connection, &store_id)?;
        let bounds = Bounds {
            heads: options.deferred_heads,
            round: options.deferred_round,
        };
        let deferred = Deferred::load(&connection, bounds, published.clone())?;
        Ok(Self {
            core: Some(Box::new(Core {
                connection,
                deferred,
                digest,
                node: options.node.clone(),
                contacts: ContactHasher::new(&identity.event_id_key),
                mapping: Mapping::default(),
                checkpointer,
            })),
            behind: Behind::start()?,
            outcome: None,
            loader: Loader::new(database.connect_reader()?, published),
            store_id,
            ends,
            cache: HeadCache::default(),
            receipt_counts: ReceiptCounts::default(),
            stale: false,
            _place: place,
        })
    }

    /// The core, as it was left: waits for it if it is away.
    fn core(&mut self) -> Result<&mut Core, Error> {
        if self.core.is_none() {
            let Done { core, result, took } = self.behind.wait()?;
            self.stale |= result.is_err();
            let (commit, last_position) = (self.ends.commit, self.ends.position);
            let result = result.map(|()| Committed {
                commit,
                last_position,
            });
            self.outcome = Some(Landed { result, took });
            self.core = Some(core);
        }
        self.core.as_deref_mut().ok_or_else(no_core)
    }

    /// The core, with everything in memory as it is stored. A group that was dropped leaves nothing to settle, unless it could
    /// not be rolled back.
    fn settled(&mut self) -> Result<&mut Core, Error> {
        let is_autocommit = self.core()?.connection.is_autocommit();
        if self.stale || !is_autocommit {
            self.recover()?;
        }
        self.core()
    }

    /// After a failure: leaves the transaction and believes only what is stored.
    fn recover(&mut self) -> Result<(), Error> {
        self.stale = true;
        let store_id = self.store_id;
        let core = self.core()?;
        if !core.connection.is_autocommit() {
            core.connection.execute_batch("ROLLBACK")?;
        }
        let (ends, digest) = read_ends(&core.connection, &store_id)?;
        core.deferred.recover(&core.connection)?;
        core.digest = digest;
        self.ends = ends;
        self.cache.clear();
        self.receipt_counts.clear();
        self.stale = false;
        Ok(())
    }

    /// The connection to read by what is not of heads: everything decided before is stored, or has failed.
    pub(super) fn stored(&mut self) -> Result<&Connection, Error> {
        self.core()?;
        match &self.outcome {
            // Whatever is decided on top of it is void.
            Some(Landed {
                result: Err(error), ..
            }) => Err(error.clone()),
            Some(_) | None => Ok(&self.core()?.connection),
        }
    }

    /// Looks orders up that are not in memory under these names.
    pub(super) fn look_up(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        // So many that memory would lose what is on its way.
        if orders.len() > HEADS_ON_THEIR_WAY {
            self.stored()?;
        }
        match &self.core {
            Some(core) => core.look_up(orders),
            None => self.loader.look_up(orders),
        }
    }

    /// Gives a group its place in the log: the next.
    fn place(&self, commit: CommitId, at: Timestamp, writes: GroupWrites) -> Result<Placed, Error> {
        let next = CommitId(self.ends.commit.0 + 1);
        if commit != next {
            let (commit, next) = (commit.0, next.0);
            return Err(Error::Statement(format!(
                "commit {commit} is not the next, which is {next}"
            )));
        }
        Placed::after(self.ends.position, commit, at, writes)
    }

    /// Stores a group in the transaction that its own began.
    pub(super) fn commit(
        &mut self,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error> {
        let placed = self.place(commit, at, writes)?;
        let last_position = placed.last_position();
        // Until the commit has succeeded: whatever way it ends, what is in memory is read again.
        self.stale = true;
        self.core()?.commit(&placed)?;
        self.ends.position = last_position;
        self.ends.commit = commit;
        self.remember(&placed);
        self.stale = false;
        Ok(Committed {
            commit,
            last_position,
        })
    }

    /// Ends what a group began and did not commit.
    pub(super) fn leave(&self) {
        if let Some(core) = &self.core {
            core.roll_back();
        }
    }

    fn remember(&mut self, placed: &Placed) {
        self.receipt_counts.add(&placed.writes.records);
        for order in &placed.writes.orders {
            self.cache.put_key(order.public_id.clone(), order.order);
        }
        for (change, placement) in placed.writes.heads.iter().zip(&placed.placements) {
            self.cache.put_head(Loaded {
                head: change.head.clone(),
                placement: *placement,
            });
        }
    }
}

impl Drop for SqliteWriter {
    /// Leaves a store whose tables say by themselves what is true. What fails is still deferred, and found again.
    fn drop(&mut self) {
        if let Ok(core) = self.settled() {
            drop(core.write_deferred());
        }
    }
}

impl Writer for SqliteWriter {
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error> {
        // While the core is away, the group is decided on top of what it writes.
        if self.core.is_some() {
            self.settled()?.begin()?;
        }
        Ok(Box::new(SqliteGroup::new(self)))
    }

    fn next_commit(&mut self) -> Result<CommitId, Error> {
        if self.core.is_some() {
            self.settled()?;
        }
        Ok(CommitId(self.ends.commit.0 + 1))
    }

    fn writes_behind(&self) -> bool {
        true
    }

    fn commit_behind(&mut self, commit: CommitId, at: Timestamp, writes: GroupWrites) -> Result<(), Error> {
        self.settled()?;
        if writes.heads.len() > HEADS_ON_THEIR_WAY {
            let began = Instant::now();
            let result = self.commit(commit, at, writes);
            let took = began.elapsed();
            self.outcome = Some(Landed { result, took });
            return Ok(());
        }
        let placed = self.place(commit, at, writes)?;
        let core = self.core.take().ok_or_else(no_core)?;
        self.outcome = None;
        self.ends.position = placed.last_position();
        self.ends.commit = commit;
        self.remember(&placed);
        self.behind.commit(core, placed)
    }

    fn finish(&mut self) -> Result<Option<Landed>, Error> {
        self.core()?;
        Ok(self.outcome.take())
    }

    fn is_committed(&mut self, commit: CommitId) -> Result<bool, Error> {
        self.recover()?;
        let mut find = self
            .core()?
            .connection
            .prepare_cached("SELECT 1 FROM commits WHERE commit_id = ?1")?;
        Ok(find.exists([commit.0])?)
    }

    fn parties(&mut self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error> {
        let transaction = self.settled()?.connection.transaction()?;
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
        let core = self.settled()?;
        core.begin()?;
        Ok(Box::new(SqliteAccounts::new(core)))
    }

    fn expire(&mut self, expiry: &Expiry, limit: u32) -> Result<u64, Error> {
        self.receipt_counts.clear();
        let core = self.settled()?;
        core.checkpointer.give_way(&core.connection);
        let transaction = core
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows = receipts::expire_answers(&transaction, expiry.answers_before, limit)?
            + receipts::expire_batches(&transaction, expiry.batches_before, limit)?
            + dead_letters::expire(&transaction, expiry.dead_letters_before, limit)?
            + api_keys::expire_tokens(&transaction, expiry.now, limit)?;
        transaction.commit()?;
        core.checkpointer.wrote();
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }
}

fn no_core() -> Error {
    Error::Unavailable {
        trouble: Trouble::Failed,
        detail: "the writer is gone".to_owned(),
    }
}

/// The ends of what is stored. They must fit each other: nothing is built on a log whose end is damaged.
fn read_ends(connection: &Connection, store_id: &[u8; 16]) -> Result<(Ends, [u8; 32]), Error> {
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
    let order = max("SELECT max(order_key) FROM order_identities")?;
    let (commit, digest, end) = match last {
        Some((commit, digest, first, entries)) => (commit, digest, first.saturating_add(entries)),
        None => (0, genesis(store_id, ONE_WRITER), 1),
    };
    if end != position.saturating_add(1) || commit < 0 || [position, order, commit].contains(&i64::MAX) {
        return Err(Error::damaged(format!(
            "the log ends at position {position}, its last commit before {end}: run `waybill verify`"
        )));
    }
    let ends = Ends {
        position: Position::new(position),
        commit: CommitId(commit),
        order: OrderKey::new(order),
        // Not the highest there is: a number once given is never given again.
        dead_letter: DeadLetterId::new(max(
            "SELECT max(seq) FROM sqlite_sequence WHERE name = 'dead_letters'",
        )?),
    };
    Ok((ends, digest))
}
