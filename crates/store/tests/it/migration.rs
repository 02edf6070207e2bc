//! A store that an older version left is brought up to date when it is opened.

use model::ids::{DeadLetterId, PartyId};
use model::time::Timestamp;
use rusqlite::Connection;
use store::sqlite::SqliteStore;
use store::verify::verify;
use store::{BatchReceipt, DeadLetter, KeptDeadLetter, OpenError, OrderFilter, Record, Store};

use crate::backend::{Backend, SqliteFolder};
use crate::conformance::dead_letters::{keep, letter};
use crate::orders::{Clerk, created, created_for, reported};

/// Takes back the fifth migration.
pub(crate) const BACK_TO_THE_FOURTH: &str = "DROP VIEW orders; DROP VIEW order_events; DROP TRIGGER entries_are_not_changed; \
    DROP TRIGGER entries_are_not_deleted; DROP TABLE mapped_entries; DROP TABLE lifecycle_states; DROP INDEX orders_by_contact; \
    ALTER TABLE order_identities DROP COLUMN contact_hash; ALTER TABLE order_identities RENAME TO orders; PRAGMA user_version = 4";
const FIRST: &str = include_str!("../../migrations/sqlite/0001_log.sql");

/// A store that holds what `today` does, as far as the first version knew it.
fn as_of_the_first_version(today: &SqliteFolder) -> SqliteFolder {
    let old = SqliteFolder::new();
    let raw = old.raw();
    raw.pragma_update(None, "page_size", 8_192).unwrap();
    raw.pragma_update(None, "journal_mode", "WAL").unwrap();
    raw.execute_batch(FIRST).unwrap();
    raw.execute("ATTACH ?1 AS today", [today.database().to_str().unwrap()])
        .unwrap();
    for table in names(&raw, "SELECT name FROM main.sqlite_schema WHERE type = 'table'") {
        let columns = names(
            &raw,
            &format!("SELECT name FROM pragma_table_info('{table}', 'main')"),
        )
        .join(", ");
        // The numbers given out so far among them: they are a table as well.
        let from = if table == "orders" {
            "order_identities"
        } else {
            &table
        };
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{from}");
        raw.execute_batch(&copy).unwrap();
    }
    let marks = "DETACH today; PRAGMA application_id = 0x5742494C; PRAGMA user_version = 1";
    raw.execute_batch(marks).unwrap();
    old
}

fn names(raw: &Connection, sql: &str) -> Vec<String> {
    let mut select = raw.prepare(sql).unwrap();
    let names = select.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// A store of the first version: orders, and dead letters of two principals.
pub(crate) fn old_store() -> SqliteFolder {
    let today = SqliteFolder::new();
    let store = today.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2"), created_for("B-1", "food", 2)]);
    clerk.write(&[reported("A-1", "picked_up"), created("A-3")]);
    for actor in [4, 5, 4] {
        let letter = DeadLetter {
            actor: PartyId::new(actor),
            ..letter()
        };
        keep(&mut clerk, &letter);
    }
    drop((clerk, store));
    as_of_the_first_version(&today)
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date() {
    let folder = old_store();
    let store = folder.open();
    let store: &dyn Store = &*store;
    let mut clerk = Clerk::of(store);
    let parcel = clerk.rules.lifecycle("parcel").clone();
    let listed = || {
        let created = parcel.lifecycle.state_named("created").unwrap();
        let filter = OrderFilter {
            statuses: vec![(parcel.id, created)],
            client: None,
        };
        let list = store
            .reading(|reader| reader.list_orders(&filter, 0, 10))
            .unwrap();
        let names = list
            .orders
            .iter()
            .map(|listed| listed.public_id.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(), ["A-3", "A-2"]);
    let mut group = clerk.writer.begin().unwrap();
    let counted = [4, 5, 6].map(|actor| group.dead_letters_of(PartyId::new(actor)).unwrap());
    assert_eq!(counted, [2, 1, 0]);
    drop(group);
    let kept = store.reading(|reader| reader.dead_letter(DeadLetterId::new(1)));
    let expected = KeptDeadLetter {
        id: DeadLetterId::new(1),
        letter: letter(),
        redriven: None,
    };
    assert_eq!(kept.unwrap(), Some(expected));
    clerk.write(&[reported("A-2", "picked_up"), created("A-4")]);
    assert_eq!(listed(), ["A-4", "A-3"]);
    assert_eq!(keep(&mut clerk, &letter()), DeadLetterId::new(4));
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}

#[test]
fn a_store_of_the_first_version_is_read_once_it_is_up_to_date() {
    let folder = old_store();
    let Err(refused) = SqliteStore::open_to_read(folder.path()) else {
        panic!("it was read");
    };
    assert!(matches!(refused, OpenError::Older { .. }), "{refused:?}");
    let expected = format!(
        "{} was written by an older version (store format 1, this version reads 5): run `waybill migrate`, or start the server \
         on it once: both bring it up to date",
        folder.database().display()
    );
    assert_eq!(refused.to_string(), expected);
    drop(folder.open());
    SqliteStore::open_to_read(folder.path()).unwrap();
}

#[test]
fn a_migration_that_fails_leaves_the_store_as_it_was() {
    let folder = old_store();
    let in_the_way = "CREATE TABLE status_blocks (taken INTEGER)";
    folder.raw().execute_batch(in_the_way).unwrap();
    assert!(folder.try_open().is_err());
    let raw = folder.raw();
    let version: i64 = raw
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
    let new = names(&raw, "SELECT name FROM sqlite_schema WHERE name = 'users'");
    assert_eq!(new, [""; 0]);
    raw.execute_batch("DROP TABLE status_blocks").unwrap();
    drop(raw);
    assert_eq!(verify(&*folder.open(), &mut |_| {}).findings, []);
}

#[test]
fn receipts_that_were_kept_before_are_counted_when_a_store_is_brought_up_to_date() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let receipt = |id: &str, actor, bytes: usize| {
        Record::Batch(BatchReceipt {
            batch_id: id.into(),
            actor: PartyId::new(actor),
            decided_at: Timestamp::from_nanos(1),
            content: vec![7; bytes].into(),
        })
    };
    let records = vec![
        receipt("B-1", 4, 10),
        receipt("B-2", 5, 2_047),
        receipt("B-3", 4, 5_000),
    ];
    Clerk::of(&*store).record(records);
    drop(store);
    let back_to_the_third = &format!(
        "{BACK_TO_THE_FOURTH}; {}",
        "DROP TABLE batch_counts; ALTER TABLE users DROP COLUMN kept_token; PRAGMA user_version = 3"
    );
    folder.raw().execute_batch(back_to_the_third).unwrap();
    let store = folder.open();
    let counted = |actor| {
        store
            .reading(|reader| reader.batch_receipts_of(PartyId::new(actor)))
            .unwrap()
    };
    assert_eq!([4, 5, 6].map(counted), [6, 2, 0]);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}
