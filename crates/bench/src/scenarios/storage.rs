//! `storage`: ways to lay the log out, side by side, in plain SQL. The figures behind docs/adr/0002 to 0006.
//!
//! Every layout takes the same work: 100,000 orders whose heads exist, 400,000 events in groups, each order one step after the other in an
//! order of its own. What differs is named; the first layout is the one that was chosen.

use std::time::Instant;

use model::ids::{LifecycleId, OrderKey, Owner, Version};
use model::time::Timestamp;
use model::{Entry, EntryKind, StateId};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::Problem;
use crate::figure::{Figure, Figures};
use crate::system::as_figure;

/// Events of one transaction.
const GROUP: usize = 4_096;
/// As large as an entry's body is on the whole.
const BODY: [u8; 48] = [7; 48];
/// As large as what is told of an order.
const DETAILS: [u8; 300] = [9; 300];

/// What a layout does otherwise than the chosen one.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    /// Statements that change the tables before the load.
    schema: &'static str,
    page_bytes: u32,
    /// Heads are written only every so many groups, each once.
    lazy_groups: usize,
    /// Heads are read before they are written, and what was read goes into the entry: the predecessor's position.
    chained: bool,
    /// Positions come from the database, one `RETURNING` an entry.
    returning: bool,
    /// Heads are written as they come, not by rising key.
    unsorted: bool,
}

const CHOSEN: Layout = Layout {
    name: "split heads, chained entries, position given by the writer, 4 KiB pages",
    schema: "",
    page_bytes: 4096,
    lazy_groups: 1,
    chained: true,
    returning: false,
    unsorted: false,
};

const LAYOUTS: [Layout; 12] = [
    CHOSEN,
    Layout {
        name: "heads not sorted by key",
        unsorted: true,
        ..CHOSEN
    },
    Layout {
        name: "one wide row an order",
        schema: "ALTER TABLE heads ADD COLUMN details BLOB; UPDATE heads SET details = zeroblob(300)",
        ..CHOSEN
    },
    Layout {
        name: "index on (order, version)",
        schema: "CREATE UNIQUE INDEX by_order ON entries (order_key, version)",
        chained: false,
        ..CHOSEN
    },
    Layout {
        name: "global index of duplicates as well",
        schema: "CREATE UNIQUE INDEX by_order ON entries (order_key, version); CREATE UNIQUE INDEX duplicates ON entries (fingerprint)",
        chained: false,
        ..CHOSEN
    },
    Layout {
        name: "index on a random event id",
        schema: "CREATE UNIQUE INDEX event_ids ON entries (event_id)",
        ..CHOSEN
    },
    Layout {
        name: "entries clustered by (order, version)",
        schema: CLUSTERED,
        chained: false,
        ..CHOSEN
    },
    Layout {
        name: "heads lazily, every 16 groups",
        lazy_groups: 16,
        ..CHOSEN
    },
    Layout {
        name: "heads lazily, every 64 groups",
        lazy_groups: 64,
        ..CHOSEN
    },
    Layout {
        name: "position by RETURNING",
        returning: true,
        ..CHOSEN
    },
    Layout {
        name: "8 KiB pages",
        page_bytes: 8192,
        ..CHOSEN
    },
    Layout {
        name: "16 KiB pages",
        page_bytes: 16_384,
        ..CHOSEN
    },
];

const CLUSTERED: &str = "DROP TABLE entries; CREATE TABLE entries (position INTEGER NOT NULL, order_key INTEGER NOT NULL, \
    version INTEGER NOT NULL, previous INTEGER NOT NULL, status INTEGER NOT NULL, client INTEGER NOT NULL, customer INTEGER NOT NULL, \
    tenant INTEGER NOT NULL, occurred_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, fingerprint INTEGER NOT NULL, event_id INTEGER, body BLOB, \
    PRIMARY KEY (order_key, version)) STRICT, WITHOUT ROWID";

const SCHEMA: &str = "CREATE TABLE entries (position INTEGER PRIMARY KEY, order_key INTEGER NOT NULL, version INTEGER NOT NULL, \
    previous INTEGER NOT NULL, status INTEGER NOT NULL, client INTEGER NOT NULL, customer INTEGER NOT NULL, tenant INTEGER NOT NULL, \
    occurred_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, fingerprint INTEGER NOT NULL, event_id INTEGER, body BLOB) STRICT; \
    CREATE TABLE heads (order_key INTEGER PRIMARY KEY, status INTEGER NOT NULL, version INTEGER NOT NULL, last INTEGER NOT NULL, \
    client INTEGER NOT NULL, customer INTEGER NOT NULL, tenant INTEGER NOT NULL, recorded_at INTEGER NOT NULL, recent BLOB NOT NULL) STRICT";

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (orders, rounds) = if quick { (2_000, 1) } else { (100_000, 3) };
    let mut rates = vec![Vec::new(); LAYOUTS.len()];
    for round in 0..rounds {
        for (layout, rates) in LAYOUTS.iter().zip(&mut rates) {
            rates.push(measure(layout, orders, round)?);
        }
    }
    let chosen = rates.first().cloned().unwrap_or_default();
    figures.add(Figure {
        scenario: "storage",
        figure: "entries digested, without storing".to_owned(),
        unit: "/s",
        values: vec![digested()?],
        baselines: Vec::new(),
        must: None,
    });
    for (layout, rates) in LAYOUTS.iter().zip(rates) {
        figures.add(Figure {
            scenario: "storage",
            figure: layout.name.to_owned(),
            unit: "/s",
            values: rates,
            baselines: chosen.clone(),
            must: None,
        });
    }
    Ok(())
}

/// How many entries of the usual size a second go into a commit's digest.
fn digested() -> Result<f64, Problem> {
    const ENTRIES: u32 = 1_000_000;
    let mut entry = Entry {
        order: OrderKey::new(1),
        version: Version::FIRST,
        kind: EntryKind::StatusApplied,
        format: 1,
        lifecycle: LifecycleId::new(1),
        owner: Owner::default(),
        status: StateId::new(1),
        occurred_at: Timestamp::from_nanos(1_700_000_000_000_000_000),
        recorded_at: Timestamp::from_nanos(1_700_000_000_000_000_000),
        body: BODY.to_vec(),
        private: None,
    };
    let began = Instant::now();
    let mut digest = Sha256::new();
    for number in 0..ENTRIES {
        entry.order = OrderKey::new(i64::from(number));
        entry.digest_into(&mut digest);
    }
    std::hint::black_box(digest.finalize());
    Ok(f64::from(ENTRIES) / began.elapsed().as_secs_f64())
}

/// What is known of an order without asking the database: the writer's cache.
#[derive(Clone, Copy, Default)]
struct Known {
    version: i64,
    last: i64,
    changed: bool,
}

fn measure(layout: &Layout, orders: i64, seed: u64) -> Result<f64, Problem> {
    let folder = tempfile::tempdir()?;
    let connection = Connection::open(folder.path().join("layout.db"))?;
    connection.pragma_update(None, "page_size", layout.page_bytes)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -store::limits::WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", (32 << 20) / layout.page_bytes)?;
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch("BEGIN")?;
    for key in 1..=orders {
        connection
            .prepare_cached("INSERT INTO heads VALUES (?1, 0, 1, 0, ?2, 0, 0, ?3, x'')")?
            .execute((key, key % 100, key))?;
    }
    connection.execute_batch("COMMIT")?;
    if !layout.schema.is_empty() {
        connection.execute_batch(layout.schema)?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let mut load = Load {
        connection: &connection,
        layout,
        known: vec![Known::default(); usize::try_from(orders)? + 1],
        position: 0,
        random: StdRng::seed_from_u64(seed),
    };
    let events = load.events(orders);
    let began = Instant::now();
    for (number, group) in events.chunks(GROUP).enumerate() {
        load.group(group, (number + 1).is_multiple_of(layout.lazy_groups))?;
    }
    load.group(&[], true)?;
    Ok(as_figure(u64::try_from(events.len())?) / began.elapsed().as_secs_f64())
}

struct Load<'a> {
    connection: &'a Connection,
    layout: &'a Layout,
    known: Vec<Known>,
    position: i64,
    random: StdRng,
}

impl Load<'_> {
    /// Four rounds over all orders, each in an order of its own.
    fn events(&mut self, orders: i64) -> Vec<i64> {
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut round: Vec<i64> = (1..=orders).collect();
            round.shuffle(&mut self.random);
            all.extend(round);
        }
        all
    }

    fn group(&mut self, orders: &[i64], heads: bool) -> Result<(), Problem> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        for order in orders {
            self.entry(*order)?;
        }
        if heads {
            let mut changed: Vec<i64> = if self.layout.lazy_groups > 1 {
                (0i64..)
                    .zip(&self.known)
                    .filter(|(_, known)| known.changed)
                    .map(|(order, _)| order)
                    .collect()
            } else {
                orders.to_vec()
            };
            if !self.layout.unsorted {
                changed.sort_unstable();
                changed.dedup();
            }
            self.heads(&changed)?;
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    fn entry(&mut self, order: i64) -> Result<(), Problem> {
        let known = &mut self.known[usize::try_from(order)?];
        known.version += 1;
        known.changed = true;
        let previous = if self.layout.chained { known.last } else { 0 };
        let fingerprint: i64 = self.random.random();
        let event_id: Option<i64> = self
            .layout
            .schema
            .contains("event_ids")
            .then(|| self.random.random());
        let columns = "(position, order_key, version, previous, status, client, customer, tenant, occurred_at, recorded_at, fingerprint, event_id, body)";
        if self.layout.returning {
            let sql = format!(
                "INSERT INTO entries {columns} VALUES (NULL,?1,?2,?3,?4,?5,0,0,?6,?6,?7,?8,?9) RETURNING position"
            );
            let mut insert = self.connection.prepare_cached(&sql)?;
            let values = params![
                order,
                known.version,
                previous,
                known.version % 5,
                order % 100,
                1_700_000_000_000_000_000i64 + order,
                fingerprint,
                event_id,
                BODY
            ];
            self.position = insert.query_row(values, |row| row.get(0))?;
        } else {
            self.position += 1;
            let sql = format!("INSERT INTO entries {columns} VALUES (?10,?1,?2,?3,?4,?5,0,0,?6,?6,?7,?8,?9)");
            let mut insert = self.connection.prepare_cached(&sql)?;
            insert.execute(params![
                order,
                known.version,
                previous,
                known.version % 5,
                order % 100,
                1_700_000_000_000_000_000i64 + order,
                fingerprint,
                event_id,
                BODY,
                self.position
            ])?;
        }
        known.last = self.position;
        Ok(())
    }

    fn heads(&mut self, orders: &[i64]) -> Result<(), Problem> {
        let mut update = self
            .connection
            .prepare_cached("UPDATE heads SET status = ?2, version = ?3, last = ?4, recorded_at = ?5, recent = ?6 WHERE order_key = ?1")?;
        for order in orders {
            let known = &mut self.known[usize::try_from(*order)?];
            known.changed = false;
            let recent = DETAILS
                .get(..usize::try_from(known.version)? * 8)
                .unwrap_or(&DETAILS);
            update.execute(params![
                order,
                known.version % 5,
                known.version,
                known.last,
                1_700_000_000_000_000_000i64 + order,
                recent
            ])?;
        }
        Ok(())
    }
}
