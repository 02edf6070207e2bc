//! History is kept as it is by the schema itself, whoever writes SQL.

use super::meals;
use crate::backend::{Backend, PostgresDatabase, SqliteFolder};
use crate::orders::{Clerk, reported_with_notes};

const CHANGES: [&str; 7] = [
    "UPDATE entries SET occurred_at = occurred_at + 1",
    "UPDATE entries SET status = 3 WHERE version = 2",
    "UPDATE entries SET private = body",
    "UPDATE entries SET private = NULL, version = version + 100",
    "DELETE FROM entries WHERE version = 2",
    "DELETE FROM entries",
    "UPDATE entries SET body = private WHERE private IS NULL",
];
const THROUGH_VIEWS: [&str; 4] = [
    "UPDATE order_events SET event = 'DELIVERED'",
    "DELETE FROM order_events",
    "UPDATE orders SET status = 'DELIVERED'",
    "DELETE FROM orders",
];
const ERASE: &str = "UPDATE entries SET private = NULL WHERE version = 3 AND private IS NOT NULL";
const ENTRIES: &str = "SELECT count(*) FROM entries WHERE private IS NULL";

#[test]
fn sqlite_refuses_to_change_history() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    meals(&*store);
    Clerk::of(&*store).write(&[reported_with_notes("A-1", "in_transit", "at the back door")]);
    let raw = folder.raw();
    for change in CHANGES {
        let refused = raw.execute(change, []).unwrap_err().to_string();
        assert!(
            refused.contains("history is never changed"),
            "{change}: {refused}"
        );
    }
    for change in THROUGH_VIEWS {
        assert!(raw.execute(change, []).is_err(), "{change}");
    }
    let without = || raw.query_row(ENTRIES, [], |row| row.get::<_, i64>(0)).unwrap();
    let before = without();
    assert_eq!(
        raw.execute(ERASE, []).unwrap(),
        2,
        "what is personal can be erased"
    );
    assert_eq!(without(), before + 2);
    let report = store::verify::verify(&*store, &mut |_| {});
    assert_eq!(report.findings, []);
}

#[test]
fn postgres_refuses_to_change_history_also_in_partitions() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    meals(&*store);
    Clerk::of(&*store).write(&[reported_with_notes("A-1", "in_transit", "at the back door")]);
    let mut raw = database.raw();
    raw.batch_execute("SELECT make_log_partitions(67108864)").unwrap();
    let of_partitions = [
        "UPDATE entries_0 SET occurred_at = occurred_at + 1",
        "DELETE FROM entries_0",
        "TRUNCATE entries_0",
        "TRUNCATE entries_2",
        "TRUNCATE entries",
        "TRUNCATE entries CASCADE",
    ];
    for change in CHANGES.into_iter().chain(of_partitions) {
        let refused = raw.batch_execute(change).unwrap_err();
        let message = refused
            .as_db_error()
            .map_or_else(String::new, |said| said.message().to_owned());
        assert!(
            message.contains("history is never changed"),
            "{change}: {refused}"
        );
    }
    for change in THROUGH_VIEWS {
        assert!(raw.batch_execute(change).is_err(), "{change}");
    }
    let mut without = || raw.query_one(ENTRIES, &[]).unwrap().get::<_, i64>(0);
    let before = without();
    let erased = database.raw().execute(ERASE, &[]).unwrap();
    assert_eq!(erased, 2, "what is personal can be erased");
    assert_eq!(without(), before + 2);
    let report = store::verify::verify(&*store, &mut |_| {});
    assert_eq!(report.findings, []);
}
