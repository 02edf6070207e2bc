//! What writes: a connection, and what must go along with it. It is with one thread at a time.

use std::sync::Arc;

use model::ids::Position;
use model::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::checkpoint::Checkpointer;
use super::deferred::{Deferred, LastCommit, Step, is_timed};
use super::mapping::{MappedInsert, Mapping};
use super::{audit, counts, dead_letters, receipts, rows};
use crate::digest::CommitDigest;
use crate::error::Error;
use crate::limits::DEFERRED_AT_ONCE;
use crate::pages::ContactHasher;
use crate::records::{CommitId, GroupWrites, Placement, Record};

pub(super) struct Core {
    pub(super) connection: Connection,
    pub(super) deferred: Deferred,
    /// Of the last commit.
    pub(super) digest: [u8; 32],
    pub(super) node: String,
    pub(super) contacts: ContactHasher,
    pub(super) mapping: Mapping,
    pub(super) checkpointer: Arc<Checkpointer>,
}

/// A group that is decided, with everything known of where it will stand.
pub(super) struct Placed {
    pub(super) commit: CommitId,
    pub(super) at: Timestamp,
    /// Of its first entry.
    first_position: Position,
    /// For each entry, where the one before it in its order stands.
    previous: Vec<Position>,
    /// For each head, where its entries are then.
    pub(super) placements: Vec<Placement>,
    pub(super) writes: GroupWrites,
}

impl Placed {
    /// Places a group behind an end of the log.
    pub(super) fn after(
        end: Position,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Self, Error> {
        let mut placements: Vec<Option<Placement>> = writes
            .heads
            .iter()
            .map(|change| change.before.map(|(_, placement)| placement))
            .collect();
        let mut previous = Vec::with_capacity(writes.entries.len());
        let mut position = end;
        for (slot, entry) in &writes.entries {
            position = position.next();
            let (placement, change) = placements
                .get_mut(*slot)
                .zip(writes.heads.get(*slot))
                .ok_or_else(|| Error::damaged("an entry names no head of its group"))?;
            previous.push(placement.map_or(Position::new(0), |placement| placement.last));
            *placement = Some(Placement {
                first: placement.map_or(position, |placement| placement.first),
                last: position,
                last_version: entry.version,
                timed: is_timed(&change.head),
                is_archived: false,
            });
        }
        let placements: Option<Vec<Placement>> = placements.into_iter().collect();
        Ok(Self {
            commit,
            at,
            first_position: end.next(),
            previous,
            placements: placements.ok_or_else(|| Error::damaged("a head without entries"))?,
            writes,
        })
    }

    /// Where the log ends after it.
    pub(super) fn last_position(&self) -> Position {
        let entries = i64::try_from(self.previous.len()).unwrap_or(i64::MAX);
        Position::new(self.first_position.get() - 1 + entries)
    }
}

impl Core {
    /// Stores a group, in the transaction that is open or in one of its own.
    pub(super) fn commit(&mut self, group: &Placed) -> Result<(), Error> {
        if self.connection.is_autocommit() {
            self.begin()?;
        }
        let committed = self.write_and_commit(group);
        if committed.is_err() {
            self.roll_back();
        }
        committed
    }

    /// Ends the transaction, if there is one, without effect.
    pub(super) fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Should this fail, the writer rolls back before it does anything else.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
    }

    /// Begins a transaction that writes.
    pub(super) fn begin(&self) -> Result<(), Error> {
        self.checkpointer.give_way(&self.connection);
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn write_and_commit(&mut self, group: &Placed) -> Result<(), Error> {
        self.mapping.learn(&self.connection, &group.writes.entries)?;
        let step = self.write(group)?;
        self.deferred.announce(&step);
        self.connection
            .execute_batch("COMMIT")
            .map_err(|error| match Error::from(error) {
                Error::Unavailable { trouble, detail } => Error::OutcomeUnknown { trouble, detail },
                refused @ (Error::Statement(_)
                | Error::Damaged(_)
                | Error::ReadTooLong
                | Error::Archived
                | Error::Contended(_)
                | Error::OutcomeUnknown { .. }) => refused,
            })?;
        self.deferred.take_in(&step);
        self.digest = step.digest();
        self.checkpointer.wrote();
        Ok(())
    }

    fn write(&self, group: &Placed) -> Result<Step, Error> {
        let (connection, writes) = (&self.connection, &group.writes);
        let entries = u32::try_from(writes.entries.len())
            .map_err(|_| Error::Statement("too many entries".to_owned()))?;
        rows::insert_orders(connection, &writes.orders, &self.contacts)?;
        let mut digest = CommitDigest::new(&self.digest, group.commit, group.at, entries);
        {
            let mut insert = rows::EntryInsert::new(connection)?;
            let mut insert_mapped = MappedInsert::new(connection, &self.mapping)?;
            let mut position = group.first_position;
            for ((_, entry), previous) in writes.entries.iter().zip(&group.previous) {
                insert.run(position, *previous, entry)?;
                insert_mapped.run(position, entry)?;
                digest.add(entry);
                position = position.next();
            }
        }
        let last = LastCommit {
            commit: group.commit,
            digest: digest.finish(),
        };
        let step = self
            .deferred
            .write(connection, last, &writes.heads, &group.placements, &self.mapping)?;
        counts::write(connection, &writes.heads)?;
        dead_letters::insert(connection, &writes.dead_letters)?;
        for record in &writes.records {
            write_record(connection, record)?;
        }
        rows::insert_commit(
            connection,
            group.commit,
            &self.node,
            group.at,
            group.first_position,
            entries,
            &last.digest,
        )?;
        Ok(step)
    }

    /// Writes what is deferred, a little at a time: for a store that is closed.
    pub(super) fn write_deferred(&mut self) -> Result<(), Error> {
        loop {
            self.checkpointer.give_way(&self.connection);
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let left = self.deferred.write_some(&transaction, DEFERRED_AT_ONCE)?;
            transaction.commit()?;
            self.checkpointer.wrote();
            if left == 0 {
                return Ok(());
            }
        }
    }
}

fn write_record(connection: &Connection, record: &Record) -> Result<(), Error> {
    match record {
        Record::Answer(answer) => receipts::store_answer(connection, answer),
        Record::Batch(batch) => receipts::insert_batch(connection, batch),
        Record::Redriven(id, redriven) => dead_letters::redrive(connection, *id, redriven),
        Record::Audit(record) => audit::append(connection, record),
    }
}
