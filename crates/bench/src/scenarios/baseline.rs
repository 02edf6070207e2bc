//! The baseline of `engine`: the very rows that a run of the engine wrote, written again in the same transactions by plain SQL.
//!
//! Before the run the database is copied; after it, each of its commits is read back: its entries, the heads as the commit left
//! them, its own row. Playing the recording on the copy, with the same settings, is what storing alone costs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use store::folder::DATABASE_FILE;

use crate::Problem;
use crate::system::as_figure;

const ENTRY_COLUMNS: usize = 15;
/// Where `position`, `order_key`, `version` and so on stand in a row of `entries`.
const ORDER_KEY: usize = 1;
const LIFECYCLE: usize = 6;
const STATUS: usize = 10;
/// Pages after which SQLite checkpoints by itself: the 32 MiB of the store.
const CHECKPOINT_PAGES: i64 = 8_192;

/// A copy of a database from before a run.
pub(crate) struct Recording {
    copy: PathBuf,
    last_commit: i64,
}

struct Commit {
    row: (i64, String, i64, i64, i64, Vec<u8>),
    entries: Vec<[Value; ENTRY_COLUMNS]>,
    /// By order key: status, version, last position, recorded at, fingerprints.
    heads: BTreeMap<i64, (i64, i64, i64, i64, Vec<u8>)>,
    /// What is added to the counts of blocks, by lifecycle, status and block.
    blocks: BTreeMap<(i64, i64, i64), i64>,
}

impl Recording {
    /// Copies the database of a running store as it is now.
    pub(crate) fn begin(folder: &Path) -> Result<Self, Problem> {
        let copy = folder.join("baseline.db");
        let source = Connection::open(folder.join(DATABASE_FILE))?;
        source.execute(
            "VACUUM INTO ?1",
            [copy.to_str().ok_or("a path that is not text")?],
        )?;
        let last_commit = source.query_row("SELECT max(commit_id) FROM commits", [], |row| row.get(0))?;
        Ok(Self { copy, last_commit })
    }

    /// Writes what the run wrote; gives events per second.
    pub(crate) fn play(&self, folder: &Path) -> Result<f64, Problem> {
        let commits = self.read(folder)?;
        let mut connection = Connection::open(&self.copy)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "cache_size", -store::limits::WRITER_CACHE_KIB)?;
        let events: usize = commits.iter().map(|commit| commit.entries.len()).sum();
        let began = Instant::now();
        for commit in &commits {
            write(&mut connection, commit)?;
        }
        let took = began.elapsed();
        Ok(as_figure(u64::try_from(events)?) / took.as_secs_f64())
    }

    fn read(&self, folder: &Path) -> Result<Vec<Commit>, Problem> {
        let source = Connection::open(folder.join(DATABASE_FILE))?;
        let mut fingerprints: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let mut recent = source.prepare("SELECT recent FROM order_heads WHERE order_key = ?1")?;
        let mut commits = source.prepare(
            "SELECT commit_id, node, committed_at, first_position, entries, digest FROM commits WHERE commit_id > ?1",
        )?;
        let mut entries = source.prepare("SELECT * FROM entries WHERE position >= ?1 AND position < ?2")?;
        let mut statuses = self.statuses()?;
        let mut recorded = Vec::new();
        let mut rows = commits.query([self.last_commit])?;
        while let Some(row) = rows.next()? {
            let row = (
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            );
            let mut commit = Commit {
                row,
                entries: Vec::new(),
                heads: BTreeMap::new(),
                blocks: BTreeMap::new(),
            };
            let (_, _, _, first, count, _) = &commit.row;
            let mut found = entries.query([*first, first + count])?;
            while let Some(found) = found.next()? {
                let mut values: [Value; ENTRY_COLUMNS] = std::array::from_fn(|_| Value::Null);
                for (column, value) in values.iter_mut().enumerate() {
                    *value = found.get(column)?;
                }
                let order: i64 = found.get(ORDER_KEY)?;
                let (lifecycle, status) = (found.get(LIFECYCLE)?, found.get(STATUS)?);
                let block = order.div_euclid(store::limits::BLOCK_ORDERS);
                if let Some(before) = statuses.insert(order, status) {
                    *commit.blocks.entry((lifecycle, before, block)).or_default() -= 1;
                }
                *commit.blocks.entry((lifecycle, status, block)).or_default() += 1;
                let all = match fingerprints.get(&order) {
                    Some(known) => known.clone(),
                    None => recent.query_row([order], |row| row.get::<_, Vec<u8>>(0))?,
                };
                fingerprints.insert(order, all.clone());
                // One fingerprint of 8 bytes for each entry after the creation.
                let version: i64 = found.get(2)?;
                let so_far = usize::try_from(version - 1)? * 8;
                let so_far = all.get(..so_far).unwrap_or(&all).to_vec();
                commit
                    .heads
                    .insert(order, (status, version, found.get(0)?, found.get(12)?, so_far));
                commit.entries.push(values);
            }
            recorded.push(commit);
        }
        Ok(recorded)
    }

    /// The status of each order before the run.
    fn statuses(&self) -> Result<BTreeMap<i64, i64>, Problem> {
        let copy = Connection::open(&self.copy)?;
        let mut heads = copy.prepare("SELECT order_key, status FROM order_heads")?;
        let statuses = heads.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(statuses.collect::<Result<_, _>>()?)
    }
}

fn write(connection: &mut Connection, commit: &Commit) -> Result<(), Problem> {
    let transaction = connection.transaction()?;
    {
        let mut entry = transaction.prepare_cached(
            "INSERT INTO entries VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
        )?;
        for values in &commit.entries {
            entry.execute(rusqlite::params_from_iter(values))?;
        }
        let mut head = transaction.prepare_cached(
            "UPDATE order_heads SET status = ?2, version = ?3, last_position = ?4, recorded_at = ?5, recent = ?6 \
             WHERE order_key = ?1",
        )?;
        for (order, (status, version, last, recorded_at, recent)) in &commit.heads {
            head.execute(params![order, status, version, last, recorded_at, recent])?;
        }
        let mut update = transaction.prepare_cached(
            "UPDATE status_blocks SET orders = orders + ?4 WHERE lifecycle_id = ?1 AND status = ?2 AND block = ?3",
        )?;
        let mut insert = transaction.prepare_cached("INSERT INTO status_blocks VALUES (?1, ?2, ?3, ?4)")?;
        for ((lifecycle, status, block), added) in commit.blocks.iter().filter(|(_, added)| **added != 0) {
            let values = params![lifecycle, status, block, added];
            if update.execute(values)? == 0 {
                insert.execute(values)?;
            }
        }
        let (id, node, at, first, count, digest) = &commit.row;
        let mut row = transaction.prepare_cached("INSERT INTO commits VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        row.execute(params![id, node, at, first, count, digest])?;
    }
    transaction.commit()?;
    Ok(())
}
