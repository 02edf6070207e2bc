//! One group: its loads, and its one commit.

use std::collections::HashMap;

use model::Entry;
use model::command::OrderRef;
use model::fingerprint::FingerprintHash;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position, Version};
use model::public_id::PublicId;
use model::time::Timestamp;
use rusqlite::{Connection, Statement};

use super::statements::{entry_columns, entry_from_row, head_columns, head_from_row};
use super::writer::{Ends, SqliteWriter};
use super::{audit, counts, dead_letters, receipts, rows};
use crate::api::Group;
use crate::digest::CommitDigest;
use crate::error::Error;
use crate::records::{
    CommitId, Committed, DeadLetter, GroupWrites, Loaded, LogEntry, Placement, Record, StoredAnswer,
};

pub(super) struct SqliteGroup<'a> {
    writer: &'a mut SqliteWriter,
    ends: Ends,
    /// Where entries of an order stand that were looked for in this group: the last one, the one before it, and so on.
    trails: HashMap<OrderKey, Vec<Position>>,
}

impl<'a> SqliteGroup<'a> {
    pub(super) fn new(writer: &'a mut SqliteWriter) -> Self {
        let ends = writer.ends;
        Self {
            writer,
            ends,
            trails: HashMap::new(),
        }
    }

    fn load_one(&mut self, order: &OrderRef) -> Result<Option<Loaded>, Error> {
        let known = match order {
            OrderRef::Public(id) => self.writer.cache.key(id),
            OrderRef::Key(key) => Some(*key),
        };
        if let Some(cached) = known.and_then(|key| self.writer.cache.head(key)) {
            return Ok(Some(cached));
        }
        let connection = &self.writer.connection;
        let loaded = match order {
            OrderRef::Public(id) => head_by_public_id(connection, id)?,
            OrderRef::Key(key) => head_by_key(connection, *key)?,
        };
        if let Some(loaded) = &loaded {
            if let OrderRef::Public(id) = order {
                self.writer.cache.put_key(id.clone(), loaded.head.order);
            }
            self.writer.cache.put_head(loaded.clone());
        }
        Ok(loaded)
    }

    fn write(
        &mut self,
        commit: CommitId,
        at: Timestamp,
        writes: &GroupWrites,
    ) -> Result<Vec<Placement>, Error> {
        let next = CommitId(self.ends.commit.0 + 1);
        if commit != next {
            let (commit, next) = (commit.0, next.0);
            return Err(Error::Statement(format!(
                "commit {commit} is not the next, which is {next}"
            )));
        }
        let connection = &self.writer.connection;
        let entries = u32::try_from(writes.entries.len())
            .map_err(|_| Error::Statement("too many entries".to_owned()))?;
        rows::insert_orders(connection, &writes.orders)?;
        let mut digest = CommitDigest::new(&self.ends.digest, commit, at, entries);
        let first_position = self.ends.position.next();
        let mut placements: Vec<Option<Placement>> = writes
            .heads
            .iter()
            .map(|change| change.before.map(|(_, placement)| placement))
            .collect();
        {
            let mut insert = rows::EntryInsert::new(connection)?;
            for (slot, entry) in &writes.entries {
                self.ends.position = self.ends.position.next();
                let placement = placements
                    .get_mut(*slot)
                    .ok_or_else(|| Error::damaged("an entry names no head of its group"))?;
                let previous = placement.map_or(Position::new(0), |placement| placement.last);
                insert.run(self.ends.position, previous, entry)?;
                digest.add(entry);
                let first = placement.map_or(self.ends.position, |placement| placement.first);
                *placement = Some(Placement {
                    first,
                    last: self.ends.position,
                    last_version: entry.version,
                });
            }
        }
        let placements: Option<Vec<Placement>> = placements.into_iter().collect();
        let placements = placements.ok_or_else(|| Error::damaged("a head without entries"))?;
        rows::write_heads(connection, &writes.heads, &placements)?;
        counts::write(connection, &writes.heads)?;
        dead_letters::insert(connection, &writes.dead_letters)?;
        for record in &writes.records {
            write_record(connection, record)?;
        }
        self.ends.digest = digest.finish();
        self.ends.commit = commit;
        rows::insert_commit(
            connection,
            commit,
            &self.writer.node,
            at,
            first_position,
            entries,
            &self.ends.digest,
        )?;
        Ok(placements)
    }
}

impl Drop for SqliteGroup<'_> {
    fn drop(&mut self) {
        if !self.writer.connection.is_autocommit() {
            // Should this fail, the writer rolls back before it does anything else.
            drop(self.writer.connection.execute_batch("ROLLBACK"));
        }
    }
}

impl Group for SqliteGroup<'_> {
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        orders.iter().map(|order| self.load_one(order)).collect()
    }

    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error> {
        let mut entries = walk(&self.writer.connection, loaded.head.order, loaded.placement)?;
        entries.reverse();
        Ok(entries.into_iter().map(|found| found.entry).collect())
    }

    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error> {
        let order = loaded.head.order;
        let Some(back) = loaded.placement.last_version.get().checked_sub(version.get()) else {
            return Ok(None);
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        let trail = self
            .trails
            .entry(order)
            .or_insert_with(|| vec![loaded.placement.last]);
        extend_trail(
            &self.writer.connection,
            order,
            loaded.placement.last_version,
            trail,
            back,
        )?;
        let Some(position) = trail.get(back) else {
            return Ok(None);
        };
        let mut find = self.writer.connection.prepare_cached(ENTRY_AT)?;
        let (found, _) = entry_at(&mut find, order, version, *position)?;
        Ok(Some(found.entry))
    }

    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error> {
        rows::older_versions(&self.writer.connection, order, hash)
    }

    fn next_order_key(&mut self) -> OrderKey {
        self.ends.order = self.ends.order.next();
        self.ends.order
    }

    fn next_dead_letter_id(&mut self) -> DeadLetterId {
        self.ends.dead_letter = self.ends.dead_letter.next();
        self.ends.dead_letter
    }

    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
        dead_letters::same(&self.writer.connection, letter)
    }

    fn dead_letters_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        dead_letters::count_of(&self.writer.connection, actor)
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error> {
        receipts::answer(&self.writer.connection, key)
    }

    fn commit(
        mut self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error> {
        // Until the commit has succeeded: whatever way it ends, what is in memory is read again.
        self.writer.stale = true;
        let placements = self.write(commit, at, &writes)?;
        self.writer
            .connection
            .execute_batch("COMMIT")
            .map_err(|error| match Error::from(error) {
                Error::Unavailable { trouble, detail } => Error::OutcomeUnknown { trouble, detail },
                refused @ (Error::Statement(_)
                | Error::Damaged(_)
                | Error::ReadTooLong
                | Error::Contended(_)
                | Error::OutcomeUnknown { .. }) => refused,
            })?;
        let committed = Committed {
            commit,
            last_position: self.ends.position,
        };
        for order in writes.orders {
            self.writer.cache.put_key(order.public_id, order.order);
        }
        for (change, placement) in writes.heads.into_iter().zip(placements) {
            self.writer.cache.put_head(Loaded {
                head: change.head,
                placement,
            });
        }
        self.writer.ends = self.ends;
        self.writer.stale = false;
        self.writer.wrote();
        Ok(committed)
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

const ENTRY_AT: &str = concat!("SELECT ", entry_columns!(), " FROM entries WHERE position = ?1");

/// Walks an order's history backwards, from where its head says it ends to its first entry.
pub(super) fn walk(
    connection: &Connection,
    order: OrderKey,
    placement: Placement,
) -> Result<Vec<LogEntry>, Error> {
    let mut find = connection.prepare_cached(ENTRY_AT)?;
    let mut walked: Vec<LogEntry> = Vec::new();
    let mut position = placement.last;
    for version in (Version::FIRST.get()..=placement.last_version.get()).rev() {
        let (found, previous) = entry_at(&mut find, order, Version::new(version), position)?;
        walked.push(found);
        position = previous;
    }
    Ok(walked)
}

/// The entry that a chain says is there. A chain that leads elsewhere would show one order's entries to another's owner.
fn entry_at(
    find: &mut Statement<'_>,
    order: OrderKey,
    version: Version,
    position: Position,
) -> Result<(LogEntry, Position), Error> {
    let mut rows = find.query([position.get()])?;
    let row = rows
        .next()?
        .ok_or_else(|| Error::damaged(format!("the log has no position {position}")))?;
    let (found, previous) = entry_from_row(row)?;
    if (found.entry.order, found.entry.version) != (order, version) {
        return Err(Error::damaged(format!(
            "position {position} is not version {version} of order {order}"
        )));
    }
    if version == Version::FIRST && previous.get() != 0 {
        return Err(Error::damaged(format!(
            "version 1 of order {order} has one before it"
        )));
    }
    Ok((found, previous))
}

/// Follows an order's chain until so many steps back are known. Only positions are read, and each once in a group: ten thousand
/// repetitions of an old report are one walk.
fn extend_trail(
    connection: &Connection,
    order: OrderKey,
    last_version: Version,
    trail: &mut Vec<Position>,
    back: usize,
) -> Result<(), Error> {
    let mut find = connection
        .prepare_cached("SELECT previous_position FROM entries WHERE position = ?1 AND order_key = ?2")?;
    while trail.len() <= back && trail.len() < usize::try_from(last_version.get()).unwrap_or(usize::MAX) {
        let Some(position) = trail.last() else { break };
        let mut rows = find.query((position.get(), order.get()))?;
        let row = rows
            .next()?
            .ok_or_else(|| Error::damaged(format!("order {order} has no position {position}")))?;
        trail.push(Position::new(row.get(0)?));
    }
    Ok(())
}

fn head_by_public_id(connection: &Connection, id: &PublicId) -> Result<Option<Loaded>, Error> {
    let mut find = connection.prepare_cached(concat!(
        "SELECT ",
        head_columns!(),
        " FROM orders o JOIN order_heads h ON h.order_key = o.order_key WHERE o.public_id = ?1"
    ))?;
    let mut rows = find.query([id.as_str()])?;
    rows.next()?.map(loaded).transpose()
}

fn head_by_key(connection: &Connection, key: OrderKey) -> Result<Option<Loaded>, Error> {
    let mut find = connection.prepare_cached(concat!(
        "SELECT ",
        head_columns!(),
        " FROM order_heads h WHERE h.order_key = ?1"
    ))?;
    let mut rows = find.query([key.get()])?;
    rows.next()?.map(loaded).transpose()
}

fn loaded(row: &rusqlite::Row<'_>) -> Result<Loaded, Error> {
    let (head, placement) = head_from_row(row)?;
    Ok(Loaded { head, placement })
}
