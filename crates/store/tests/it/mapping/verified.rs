//! What SQL is shown is proved, and made of what was there before.

use model::Lifecycle;
use rusqlite::Connection;
use store::verify::{Finding, verify};

use super::meals;
use crate::backend::{Backend, PostgresDatabase, SqliteFolder};
use crate::migration::BACK_TO_THE_FOURTH;
use crate::orders::{Clerk, created, meal, reported};

fn found(findings: &[Finding], problem: &str) -> bool {
    findings
        .iter()
        .any(|finding| finding.to_string().contains(problem))
}

#[test]
fn entries_that_are_not_shown_and_names_that_are_wrong_are_found() {
    let not_the_log = "is not shown as its entries say: mapped_entries is not the log";
    for (damage, problem) in [
        ("DELETE FROM mapped_entries WHERE version = 3", not_the_log),
        (
            "UPDATE mapped_entries SET position = 1 WHERE version = 3",
            not_the_log,
        ),
        ("INSERT INTO mapped_entries VALUES (1, 1, 1)", not_the_log),
        (
            "UPDATE lifecycle_states SET name = 'BAKING' WHERE name = 'COOKING'",
            "is called 'BAKING' (active), in its definition 'COOKING' (active)",
        ),
        (
            "INSERT INTO lifecycle_states VALUES (99, 0, 'LOST', 'done')",
            "status 0 of lifecycle 99: is called 'LOST' and in no definition",
        ),
    ] {
        let folder = SqliteFolder::new();
        let store = folder.open();
        meals(&*store);
        assert_eq!(verify(&*store, &mut |_| {}).findings, []);
        folder.raw().execute_batch(damage).unwrap();
        let findings = verify(&*store, &mut |_| {}).findings;
        assert!(found(&findings, problem), "{damage}: {findings:?}");
    }
}

#[test]
fn a_trigger_or_a_view_that_is_gone_is_found() {
    for (damage, problem) in [
        (
            "DROP TRIGGER entries_are_not_changed ON entries",
            "trigger entries_are_not_changed of entries",
        ),
        ("DROP VIEW order_events", "column meta of order_events, jsonb"),
    ] {
        let Some(database) = PostgresDatabase::new() else {
            return;
        };
        let store = database.open();
        meals(&*store);
        assert_eq!(verify(&*store, &mut |_| {}).findings, []);
        database.raw().batch_execute(damage).unwrap();
        let findings = verify(&*store, &mut |_| {}).findings;
        assert!(found(&findings, problem), "{damage}: {findings:?}");
    }
}

fn shown(raw: &Connection) -> (Vec<String>, Vec<String>) {
    let texts = |sql: &str| -> Vec<String> {
        let mut select = raw.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    (
        texts("SELECT order_id || ' ' || status || ' ' || updated_at FROM orders ORDER BY order_id"),
        texts("SELECT id || ' ' || event || ' ' || meta FROM order_events ORDER BY id"),
    )
}

fn deferred(raw: &Connection) -> i64 {
    let rows = raw.query_row("SELECT count(*) FROM deferred_heads", [], |row| row.get(0));
    rows.unwrap()
}

#[test]
fn a_meal_that_waits_for_nothing_is_shown_as_it_is_at_once() {
    let food = model::lifecycle::SHIPPED
        .iter()
        .find(|shipped| shipped.file == "food.toml");
    let lines = food
        .unwrap()
        .text
        .lines()
        .filter(|line| !line.starts_with("after"));
    let text = lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("version = 1", "version = 2");
    let by_hand = Lifecycle::from_toml("food.toml", &text).unwrap();
    let folder = SqliteFolder::new();
    let store = folder.open();
    // The writer is there before the definition is.
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    clerk.rules.add(&*store, by_hand);
    clerk.write(&[meal("ORD-A", "{}")]);
    clerk.write(&[reported("ORD-A", "PREPARING")]);
    let raw = folder.raw();
    assert_eq!(deferred(&raw), 0);
    let (orders, events) = shown(&raw);
    assert!(orders[0].starts_with("ORD-A PREPARING "), "{orders:?}");
    assert_eq!(events.len(), 3);
    clerk.write(&[reported("A-1", "picked_up")]);
    assert_eq!(deferred(&raw), 1, "others are");
}

/// As a crash leaves it: some heads are deferred.
#[test]
fn a_store_of_the_fourth_version_shows_what_it_holds() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    meals(&*store);
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[reported("A-1", "in_transit"), reported("A-2", "picked_up")]);
    let crashed = SqliteFolder::with_copy_of(folder.path());
    let expected = shown(&crashed.raw());
    assert_eq!((expected.0.len(), expected.1.len()), (4, 13));
    let raw = crashed.raw();
    assert!(deferred(&raw) > 0);
    raw.execute_batch(BACK_TO_THE_FOURTH).unwrap();
    drop(raw);
    drop(crashed.open());
    assert_eq!(shown(&crashed.raw()), expected);
    assert_eq!(verify(&*crashed.open(), &mut |_| {}).findings, []);
}
