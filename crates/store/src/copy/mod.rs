//! Moving a whole store from the embedded database to PostgreSQL.
//!
//! Everything keeps its number: positions, versions, order keys, parties, dead letters, event ids. Positions become places; the
//! embedded store's one chain of digests stays as it is, and new writers begin chains of their own.
//!
//! Rows go over in chunks, each a transaction together with the note of how far the copy has come, so that one that was
//! ended goes on behind the last chunk. While the note is there, nobody can open the database as a store. It goes with the last
//! step, which is taken only when the copy was verified. The source is locked meanwhile, and nothing in it is changed.

mod error;
mod tables;
mod value;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::OpenError;
use crate::api::{Reader, Store};
use crate::error::Error;
use crate::folder::{DATABASE_FILE, DataFolder};
use crate::limits::{COPIED_BYTES, COPIED_ROWS};
use crate::postgres::import::Import;
use crate::records::{StatusCount, Totals};
use crate::sqlite::export::Export;
use crate::verify::{Finding, Report, verify};

pub use self::error::CopyError;
pub use self::tables::{Column, Kind, LEFT_OUT, TABLES, Table};

pub(crate) use self::tables::HEADS;
pub(crate) use self::value::Value;

/// What is copied, to where and how.
#[derive(Clone)]
pub struct CopyOptions<'a> {
    /// The data folder with the embedded store.
    pub from: &'a Path,
    /// The database: see [`PostgresOptions::dsn`](crate::postgres::PostgresOptions::dsn).
    pub to: &'a str,
    /// See [`PostgresOptions::tls_root_certificates`](crate::postgres::PostgresOptions::tls_root_certificates).
    pub tls_root_certificates: Option<&'a Path>,
    /// Rows that go over in one transaction, at most. At least 1.
    pub chunk_rows: usize,
}

impl<'a> CopyOptions<'a> {
    /// With chunks as usual.
    #[must_use]
    pub const fn new(from: &'a Path, to: &'a str) -> Self {
        Self {
            from,
            to,
            tls_root_certificates: None,
            chunk_rows: COPIED_ROWS,
        }
    }
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// How much of it is done: rows, or while verifying entries and orders.
    pub done: u64,
    /// Of how much.
    pub of: u64,
}

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows of this table go over.
    Copying(&'static str),
    /// What is there by now is proved, and compared with where it came from.
    Verifying,
}

/// A copy that came to its end.
#[derive(Debug)]
pub struct Copied {
    /// Rows that an earlier run had copied.
    pub rows_before: u64,
    /// Rows that this run copied.
    pub rows: u64,
    /// How long that took.
    pub copying_took: Duration,
    /// What verifying found. Only if it found nothing, the database is a store that can be opened.
    pub verified: Report,
    /// How long that took.
    pub verifying_took: Duration,
}

/// Copies a store, or the rest of one.
///
/// # Errors
/// [`CopyError`]. What was copied before stays, and the next run goes on behind it.
pub fn copy(options: &CopyOptions<'_>, progress: &mut dyn FnMut(&Progress)) -> Result<Copied, CopyError> {
    let from = options.from;
    if !from.is_file() && !from.join(DATABASE_FILE).exists() {
        return Err(CopyError::Source(OpenError::NoStore(from.to_owned())));
    }
    // Held to the end: nobody writes to it meanwhile.
    let _folder = DataFolder::lock(from).map_err(CopyError::Source)?;
    let source = Export::open(from).map_err(CopyError::Source)?;
    let mark = source.mark().map_err(|error| reading("the store", error))?;
    let mut target = Import::begin(options, &source.birth, &mark.digest)?;
    let began = Instant::now();
    let copied = copy_tables(&source, &mut target, options, mark.rows, progress)?;
    target
        .set_ends(mark.last_dead_letter)
        .map_err(|error| writing("the ends", error))?;
    let copying_took = began.elapsed();
    let began = Instant::now();
    let verified = prove(&source, &mut target, progress)?;
    if verified.findings.is_empty() {
        target.finish()?;
    }
    Ok(Copied {
        rows_before: copied.before,
        rows: copied.now,
        copying_took,
        verified,
        verifying_took: began.elapsed(),
    })
}

/// Rows copied by earlier runs and by this one.
struct Rows {
    before: u64,
    now: u64,
}

fn copy_tables(
    source: &Export,
    target: &mut Import,
    options: &CopyOptions<'_>,
    of: u64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Rows, CopyError> {
    let last_position = source
        .totals()
        .map_err(|error| reading("the log", error))?
        .last_position;
    target
        .make_room(last_position)
        .map_err(|error| writing("the log", error))?;
    let mut rows = Rows { before: 0, now: 0 };
    for table in TABLES {
        let before = target.done_of(table);
        let Some(before) = before else {
            rows.before += source.count(table).map_err(|error| reading(table.name, error))?;
            continue;
        };
        rows.before += before;
        source.rows(table, before, (options.chunk_rows, COPIED_BYTES), &mut |chunk| {
            target
                .write(table, chunk)
                .map_err(|error| writing(table.name, error))?;
            rows.now += u64::try_from(chunk.len()).unwrap_or_default();
            progress(&Progress {
                step: Step::Copying(table.name),
                done: rows.before + rows.now,
                of,
            });
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Proves what is there, and that it is as much as there was.
fn prove(
    source: &Export,
    target: &mut Import,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Report, CopyError> {
    target
        .prepare_to_be_read()
        .map_err(|error| writing("what is known of the tables", error))?;
    let expected = Held::of(&mut source.reader()).map_err(|error| reading("the totals", error))?;
    let of = expected.entries.saturating_add(expected.orders);
    let store = target.store().map_err(CopyError::Target)?;
    let mut report = verify(&store, &mut |report| {
        progress(&Progress {
            step: Step::Verifying,
            done: report.entries + report.orders,
            of,
        });
    });
    let store: &dyn Store = &store;
    match store.reading(|reader| Held::of(reader)) {
        Ok(held) => report.findings.extend(expected.differences(&held)),
        Err(error) => report.findings.push(finding("totals", error.to_string())),
    }
    for (place, held, expected) in [
        ("orders", report.orders, expected.orders),
        ("entries", report.entries, expected.entries),
        ("commits", report.commits, expected.commits),
    ] {
        if held != expected {
            report.findings.push(differs(place, held, expected));
        }
    }
    for table in TABLES {
        let expected = source.count(table).map_err(|error| reading(table.name, error))?;
        let held = target.count(table).map_err(|error| writing(table.name, error))?;
        if held != expected {
            report.findings.push(differs(table.name, held, expected));
        }
    }
    Ok(report)
}

/// How much a store holds.
struct Held {
    totals: Totals,
    orders: u64,
    entries: u64,
    commits: u64,
    statuses: Vec<StatusCount>,
}

impl Held {
    fn of(reader: &mut dyn Reader) -> Result<Self, Error> {
        let totals = reader.totals()?;
        let statuses = reader.status_counts()?;
        Ok(Self {
            orders: statuses.iter().map(|count| count.orders).sum(),
            entries: u64::try_from(totals.last_position.get()).unwrap_or_default(),
            commits: u64::try_from(totals.last_commit.0).unwrap_or_default(),
            totals,
            statuses,
        })
    }

    fn differences(&self, held: &Self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if held.totals != self.totals {
            findings.push(differs(
                "totals",
                format!("{:?}", held.totals),
                format!("{:?}", self.totals),
            ));
        }
        if held.statuses != self.statuses {
            findings.push(finding(
                "counts by client and status",
                "are not those of the old store",
            ));
        }
        findings
    }
}

fn differs(place: &str, held: impl std::fmt::Display, expected: impl std::fmt::Display) -> Finding {
    finding(place, format!("{held}, in the old store {expected}"))
}

fn finding(place: &str, problem: impl Into<String>) -> Finding {
    Finding {
        place: place.to_owned(),
        problem: problem.into(),
    }
}

const fn reading(table: &'static str, error: Error) -> CopyError {
    CopyError::Reading { table, error }
}

const fn writing(table: &'static str, error: Error) -> CopyError {
    CopyError::Writing { table, error }
}
