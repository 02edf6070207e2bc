//! One group: its loads, and its one commit.

use std::collections::HashMap;

use model::Entry;
use model::command::OrderRef;
use model::fingerprint::FingerprintHash;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position, Version};
use model::time::Timestamp;
use rusqlite::{Connection, Statement};

use super::statements::{entry_columns, entry_from_row};
use super::writer::SqliteWriter;
use super::{dead_letters, due, receipts, rows};
use crate::api::Group;
use crate::error::Error;
use crate::records::{CommitId, Committed, DeadLetter, GroupWrites, KeyState, Loaded, LogEntry, Placement};

pub(super) struct SqliteGroup<'a> {
    writer: &'a mut SqliteWriter,
    /// Where entries of an order stand that were looked for in this group: the last one, the one before it, and so on.
    trails: HashMap<OrderKey, Vec<Position>>,
}

impl<'a> SqliteGroup<'a> {
    pub(super) fn new(writer: &'a mut SqliteWriter) -> Self {
        Self {
            writer,
            trails: HashMap::new(),
        }
    }
}

impl Drop for SqliteGroup<'_> {
    fn drop(&mut self) {
        self.writer.leave();
    }
}

impl Group for SqliteGroup<'_> {
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        let mut loaded: Vec<Option<Loaded>> =
            orders.iter().map(|order| self.writer.cache.find(order)).collect();
        let missing: Vec<(usize, &OrderRef)> = orders
            .iter()
            .enumerate()
            .filter(|(place, _)| loaded.get(*place).is_some_and(Option::is_none))
            .map(|(place, order)| (place, *order))
            .collect();
        if missing.is_empty() {
            return Ok(loaded);
        }
        let names: Vec<&OrderRef> = missing.iter().map(|(_, order)| *order).collect();
        for ((place, order), found) in missing.into_iter().zip(self.writer.look_up(&names)?) {
            // It may be in memory under another name, and newer than what could be read.
            let found = found.map(|found| self.writer.cache.keep(order, found));
            if let Some(slot) = loaded.get_mut(place) {
                *slot = found;
            }
        }
        Ok(loaded)
    }

    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error> {
        let mut entries = walk(self.writer.stored()?, loaded.head.order, loaded.placement)?;
        entries.reverse();
        Ok(entries.into_iter().map(|found| found.entry).collect())
    }

    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error> {
        let order = loaded.head.order;
        let Some(back) = loaded.placement.last_version.get().checked_sub(version.get()) else {
            return Ok(None);
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        let connection = self.writer.stored()?;
        let trail = self
            .trails
            .entry(order)
            .or_insert_with(|| vec![loaded.placement.last]);
        extend_trail(connection, order, loaded.placement.last_version, trail, back)?;
        let Some(position) = trail.get(back) else {
            return Ok(None);
        };
        let mut find = connection.prepare_cached(ENTRY_AT)?;
        let (found, _) = entry_at(&mut find, order, version, *position)?;
        Ok(Some(found.entry))
    }

    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error> {
        rows::older_versions(self.writer.stored()?, order, hash)
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        // There is no other writer: nobody holds any of them.
        due::by(self.writer.stored()?, by, limit)
    }

    fn next_order_key(&mut self) -> OrderKey {
        self.writer.ends.order = self.writer.ends.order.next();
        self.writer.ends.order
    }

    fn next_dead_letter_id(&mut self) -> DeadLetterId {
        self.writer.ends.dead_letter = self.writer.ends.dead_letter.next();
        self.writer.ends.dead_letter
    }

    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
        dead_letters::same(self.writer.stored()?, letter)
    }

    fn dead_letters_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        dead_letters::count_of(self.writer.stored()?, actor)
    }

    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        if let Some(count) = self.writer.receipt_counts.of(actor) {
            return Ok(count);
        }
        let count = receipts::count_of(self.writer.stored()?, actor)?;
        self.writer.receipt_counts.put(actor, count);
        Ok(count)
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<KeyState, Error> {
        Ok(receipts::answer(self.writer.stored()?, key)?.into())
    }

    fn commit(
        self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error> {
        self.writer.commit(commit, at, writes)
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
