//! Heads that go into their table later than their group: see `docs/adr/0018-deferred-heads.md`.
//!
//! The events of a group are of orders from anywhere, and each would dirty a page of `order_heads`. So a group stores what it
//! made of heads in one row of `deferred_heads`, all together, and takes some heads of earlier groups along into the table:
//! neighbours, round and round by rising key, so that a page is written once for many of them. When a round ends, the
//! rows from before it are of no use and go.
//!
//! What is not in the table yet is in memory as well: the writer's, to know what to write, and the readers', who read
//! through it. Heads that wait for a time are never deferred, nor is an order's first; orders, counts and fingerprints that no longer
//! fit a head are written at once.

mod runs;
mod update;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use model::ids::OrderKey;
use rusqlite::Connection;

use super::mapping::Mapping;
use super::rows;
use super::statements::first;
use crate::error::Error;
use crate::limits::DEFERRED_AT_ONCE;
use crate::records::{CommitId, HeadChange, Placement};

use runs::{Run, Runs};
use update::can_be_deferred;

pub(super) use runs::{AsOf, Edition, LastCommit, Published};
pub(super) use update::{HeadUpdate, is_timed};

const WRITE: &str = "UPDATE order_heads SET status = ?2, version = ?3, last_position = ?4, recorded_at = ?5, recent = ?6 \
                     WHERE order_key = ?1 AND version < ?3";

type Unwritten = BTreeMap<OrderKey, Arc<HeadUpdate>>;

/// How much is deferred.
pub(super) struct Bounds {
    /// Heads, at most by two groups'.
    pub(super) heads: usize,
    /// Changes of heads within which every deferred head is written.
    pub(super) round: usize,
}

/// The writer's side.
pub(super) struct Deferred {
    bounds: Bounds,
    /// The newest head of each order whose table is behind it.
    unwritten: Unwritten,
    /// Where the round goes on.
    next: OrderKey,
    /// The last commit before the round: what was deferred since is of the next one.
    round_began: CommitId,
    /// How many heads were deferred then.
    round_heads: usize,
    /// The last commit that this is true of.
    last: Option<LastCommit>,
    published: Arc<Published>,
}

/// What a group does about heads: stored with it, and taken into memory once it is committed.
pub(super) struct Step {
    last: LastCommit,
    deferred: Arc<Run>,
    /// Heads that went into their table with their own group.
    written_at_once: Vec<OrderKey>,
    /// Heads of earlier groups that went there.
    written: Run,
    /// Where the round goes on; `None`: it is at its end.
    next: Option<OrderKey>,
}

impl Step {
    /// The group's.
    pub(super) const fn digest(&self) -> [u8; 32] {
        self.last.digest
    }
}

impl Deferred {
    /// What is stored.
    pub(super) fn load(
        connection: &Connection,
        bounds: Bounds,
        published: Arc<Published>,
    ) -> Result<Self, Error> {
        let mut deferred = Self {
            bounds,
            unwritten: Unwritten::new(),
            next: OrderKey::new(i64::MIN),
            round_began: CommitId(0),
            round_heads: 0,
            last: None,
            published,
        };
        deferred.reload(connection)?;
        Ok(deferred)
    }

    /// After a failure: believes only what is stored.
    pub(super) fn recover(&mut self, connection: &Connection) -> Result<(), Error> {
        // What failed has changed nothing here; only what became durable unseen has to be read.
        if last_commit(connection)? == self.last {
            return Ok(());
        }
        self.reload(connection)
    }

    fn reload(&mut self, connection: &Connection) -> Result<(), Error> {
        self.unwritten = stored(connection)?;
        self.last = last_commit(connection)?;
        self.begin_round();
        let runs = Runs::of(run_of(&self.unwritten));
        self.published.replace(Edition::of(self.last, runs));
        Ok(())
    }

    fn begin_round(&mut self) {
        self.next = OrderKey::new(i64::MIN);
        self.round_began = self.last.map_or(CommitId(0), |last| last.commit);
        self.round_heads = self.unwritten.len();
    }

    /// The deferred head of an order.
    pub(super) fn find(&self, order: OrderKey) -> Option<&HeadUpdate> {
        self.unwritten.get(&order).map(|update| &**update)
    }

    /// Stores the heads of a group: what can be deferred in one row, the others in their table, and some that earlier
    /// groups deferred.
    pub(super) fn write(
        &self,
        connection: &Connection,
        last: LastCommit,
        heads: &[HeadChange],
        placements: &[Placement],
        mapping: &Mapping,
    ) -> Result<Step, Error> {
        let mut sorted: Vec<(&HeadChange, &Placement)> = heads.iter().zip(placements).collect();
        sorted.sort_unstable_by_key(|(change, _)| change.head.order);
        let (later, at_once): (Vec<_>, Vec<_>) = sorted
            .into_iter()
            .partition(|(change, _)| can_be_deferred(change, mapping));
        rows::write_heads(connection, &at_once)?;
        for (change, _) in &later {
            rows::insert_spilled(connection, change.head.order, &change.spilled)?;
        }
        let deferred: Run = later
            .into_iter()
            .map(|(change, placement)| {
                let update = HeadUpdate::of(&change.head, placement, last.commit);
                (change.head.order, Arc::new(update))
            })
            .collect();
        append(connection, last.commit, &deferred)?;
        let (written, next) = self.chosen(&deferred);
        write(connection, &written)?;
        if next.is_none() {
            forget(connection, self.round_began)?;
        }
        Ok(Step {
            last,
            deferred: Arc::new(deferred),
            written_at_once: at_once.iter().map(|(change, _)| change.head.order).collect(),
            written,
            next,
        })
    }

    /// Which heads go into the table with a group, and where the round goes on after them. As many as keep to both bounds, but
    /// a few times the group's own at most: after a crash there may be more than the bounds say.
    fn chosen(&self, deferred: &Run) -> (Run, Option<OrderKey>) {
        let (waiting, more) = (self.unwritten.len(), deferred.len());
        let over = (waiting + more).saturating_sub(self.bounds.heads);
        let in_time = (self.round_heads * more).div_ceil(self.bounds.round);
        let wanted = over.max(in_time).min((4 * more).max(DEFERRED_AT_ONCE));
        let mut chosen = Run::with_capacity(wanted);
        for (order, update) in self.unwritten.range(self.next..) {
            // Of the next round. Orders that are younger than all others would keep this one from its end.
            if update.commit() > self.round_began {
                continue;
            }
            if chosen.len() == wanted {
                return (chosen, Some(*order));
            }
            // What the group itself moved on is deferred anew.
            if deferred.binary_search_by_key(order, |(key, _)| *key).is_err() {
                chosen.push((*order, update.clone()));
            }
        }
        (chosen, None)
    }

    /// The group is about to be committed.
    pub(super) fn announce(&self, step: &Step) {
        self.published.announce(step.last, step.deferred.clone());
    }

    /// The group that was announced is committed.
    pub(super) fn take_in(&mut self, step: &Step) {
        for (order, written) in &step.written {
            written.set_past();
            self.unwritten.remove(order);
        }
        for order in &step.written_at_once {
            if let Some(older) = self.unwritten.remove(order) {
                older.set_past();
            }
        }
        for (order, update) in &*step.deferred {
            match self.unwritten.entry(*order) {
                Entry::Occupied(mut entry) => entry.insert(update.clone()).set_past(),
                Entry::Vacant(entry) => {
                    entry.insert(update.clone());
                }
            }
        }
        self.last = Some(step.last);
        match step.next {
            Some(next) => self.next = next,
            None => self.begin_round(),
        }
        self.published.confirm();
    }

    /// Writes some of what is left, in a transaction of the caller's: for a store that is closed. How many are left after them.
    pub(super) fn write_some(&mut self, connection: &Connection, limit: usize) -> Result<usize, Error> {
        let some: Run = self
            .unwritten
            .iter()
            .take(limit)
            .map(|(order, update)| (*order, update.clone()))
            .collect();
        write(connection, &some)?;
        for (order, _) in &some {
            self.unwritten.remove(order);
        }
        if self.unwritten.is_empty() {
            connection.execute("DELETE FROM deferred_heads", [])?;
        }
        Ok(self.unwritten.len())
    }
}

/// Writes all that is left, in a transaction of the caller's: for a migration.
pub(super) fn settle(connection: &Connection) -> Result<(), Error> {
    write(connection, &run_of(&stored(connection)?))?;
    connection.execute("DELETE FROM deferred_heads", [])?;
    Ok(())
}

/// What is deferred in a store that nobody writes.
pub(super) fn left(connection: &Connection) -> Result<Edition, Error> {
    let runs = Runs::of(run_of(&stored(connection)?));
    Ok(Edition::of(last_commit(connection)?, runs))
}

/// The last commit of a connection's transaction; `None` in a store without one.
pub(super) fn last_commit(connection: &Connection) -> Result<Option<LastCommit>, Error> {
    let last = "SELECT commit_id, digest FROM commits ORDER BY commit_id DESC LIMIT 1";
    first(connection, last, [], |row| {
        Ok(LastCommit {
            commit: CommitId(row.get(0)?),
            digest: row.get(1)?,
        })
    })
}

fn run_of(unwritten: &Unwritten) -> Run {
    let cloned = |(order, update): (&OrderKey, &Arc<HeadUpdate>)| (*order, update.clone());
    unwritten.iter().map(cloned).collect()
}

/// Everything stored, each order's newest. Its table may be as new.
fn stored(connection: &Connection) -> Result<Unwritten, Error> {
    let mut select =
        connection.prepare_cached("SELECT commit_id, heads FROM deferred_heads ORDER BY commit_id")?;
    let mut rows = select.query([])?;
    let mut unwritten = Unwritten::new();
    while let Some(row) = rows.next()? {
        let commit = CommitId(row.get(0)?);
        let mut bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        while !bytes.is_empty() {
            let Some((order, update)) = HeadUpdate::take_from(&mut bytes, commit) else {
                return Err(Error::damaged(format!(
                    "the deferred heads of commit {}",
                    commit.0
                )));
            };
            unwritten.insert(order, Arc::new(update));
        }
    }
    Ok(unwritten)
}

fn append(connection: &Connection, commit: CommitId, heads: &Run) -> Result<(), Error> {
    if heads.is_empty() {
        return Ok(());
    }
    let bytes = heads.iter().map(|(_, update)| update.stored_bytes()).sum();
    let mut stored = Vec::with_capacity(bytes);
    for (order, update) in heads {
        update.append_to(*order, &mut stored)?;
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO deferred_heads (commit_id, heads) VALUES (?1, ?2)")?;
    insert.execute((commit.0, stored))?;
    Ok(())
}

fn write(connection: &Connection, heads: &Run) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(WRITE)?;
    heads
        .iter()
        .try_for_each(|(order, update)| update.write(*order, &mut statement))
}

fn forget(connection: &Connection, up_to: CommitId) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM deferred_heads WHERE commit_id <= ?1")?
        .execute([up_to.0])?;
    Ok(())
}
