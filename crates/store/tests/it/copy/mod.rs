//! A store that is copied from SQLite to PostgreSQL is the same store there.

mod filled;
mod refused;
mod resumed;
mod tables;
mod whole;

use std::path::Path;

use model::ids::{OrderKey, PartyId, Position};
use store::copy::{Copied, CopyError, CopyOptions, Progress, copy};
use store::{CommitId, Store, Writer};

use crate::backend::{PostgresDatabase, SqliteFolder};

use filled::filled;

/// So few that every table is copied in several chunks.
const FEW_ROWS: usize = 7;

fn copied(from: &Path, to: &PostgresDatabase) -> Result<Copied, CopyError> {
    copied_telling(from, to, &mut |_| {})
}

fn copied_telling(
    from: &Path,
    to: &PostgresDatabase,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Copied, CopyError> {
    let dsn = to.dsn();
    let options = CopyOptions {
        chunk_rows: FEW_ROWS,
        ..CopyOptions::new(from, &dsn)
    };
    copy(&options, progress)
}

/// A folder with everything in it, and a database for it.
fn folder_and_database() -> Option<(SqliteFolder, PostgresDatabase)> {
    let database = PostgresDatabase::new()?;
    Some((filled(), database))
}

/// Everything that a reader and a writer can say, a line for each thing.
fn everything(store: &dyn Store, writer: &mut dyn Writer) -> Vec<String> {
    let mut lines = orders(store);
    let read = store.reading(|reader| {
        let mut lines = Vec::new();
        lines.extend(reader.log(Position::new(0), 10_000)?.iter().map(debug));
        lines.extend(reader.commits(CommitId(0), 10_000)?.iter().map(debug));
        lines.extend(reader.dead_letters(None, 10_000)?.iter().map(debug));
        lines.extend(reader.users("", 100)?.iter().map(debug));
        lines.extend(reader.api_keys(None, 100)?.iter().map(debug));
        lines.extend(reader.audit(None, 100)?.iter().map(debug));
        lines.extend(reader.due(model::time::Timestamp::MAX, 1_000)?.iter().map(debug));
        lines.extend(reader.status_counts()?.iter().map(debug));
        lines.extend(reader.block_counts(None, 1_000)?.iter().map(debug));
        for batch in ["B-1", "B-2", "B-3", "B-4"] {
            lines.push(debug(&reader.batch(batch)?));
        }
        for party in 0..30 {
            let party = PartyId::new(party);
            lines.push(debug(&(
                reader.party_name(party)?,
                reader.batch_receipts_of(party)?,
            )));
        }
        for token in ["T-1", "T-2", "T-3"] {
            lines.push(debug(&reader.is_token_revoked(token)?));
        }
        lines.push(debug(&reader.totals()?));
        Ok(lines)
    });
    lines.extend(read.unwrap());
    let mut group = writer.begin().unwrap();
    for key in 0..5 {
        lines.push(debug(&group.answer(&[key; 32]).unwrap()));
    }
    for actor in 0..8 {
        lines.push(debug(&group.dead_letters_of(PartyId::new(actor)).unwrap()));
    }
    let identity = store.identity();
    lines.push(debug(&(identity.store_id, identity.event_id_key)));
    let lifecycles = store.lifecycles().unwrap();
    lines.extend(
        lifecycles
            .iter()
            .map(|stored| debug(&(stored.id, &stored.lifecycle))),
    );
    lines
}

/// Orders, found by their keys and by their public ids, their histories and their fingerprints; where their entries are is each
/// database's own.
fn orders(store: &dyn Store) -> Vec<String> {
    let all = store.reading(|reader| reader.orders(OrderKey::new(0), 10_000));
    let mut lines = Vec::new();
    for order in all.unwrap() {
        let read = store.reading(|reader| {
            let by_id = model::command::OrderRef::Public(order.public_id.clone());
            let found = reader.order(&by_id)?.unwrap();
            let mut older = reader.older_fingerprints(found.head.order)?;
            older.sort_unstable_by_key(|fingerprint| fingerprint.get());
            let history = reader.history(&found)?;
            Ok(format!(
                "{:?} {:?} {:?} {:?} {:?} {history:?} {older:?}",
                found.public_id, found.reference, found.created_at, found.details, found.head
            ))
        });
        lines.push(read.unwrap());
    }
    lines
}

fn debug(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?}")
}

/// Says in which line they differ, rather than showing all.
fn assert_same(found: &[String], expected: &[String]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}
