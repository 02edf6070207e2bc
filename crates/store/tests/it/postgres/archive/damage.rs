//! Partitions and archives that do not agree with each other, or with the rest of the store.

use store::postgres::archive::Going;

use super::{PARTITION, archiver, detach, filled, findings};
use crate::backend::PostgresDatabase;

#[test]
fn a_partition_that_left_by_hand_is_found_and_keeps_the_others() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    let by_hand = "ALTER TABLE entries DETACH PARTITION entries_0";
    database.raw().batch_execute(by_hand).unwrap();
    let expected = format!(
        "database: the log has no partition for places 0 to {}, and none that held them is noted as archived: \
         one was detached or dropped by hand",
        PARTITION - 1
    );
    let findings_now = findings(&*store);
    assert!(findings_now.contains(&expected), "{findings_now:#?}");
    let refused = archiver(&database).plan().unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("detached or dropped by hand: run `waybill verify`"),
        "{refused}"
    );
    let attach =
        format!("ALTER TABLE entries ATTACH PARTITION entries_0 FOR VALUES FROM (0) TO ({PARTITION})");
    database.raw().batch_execute(&attach).unwrap();
    assert_eq!(findings(&*store), [""; 0]);
}

/// A change, what is found of it, and its opposite.
const DISAGREEMENTS: [(&str, &str, &str); 9] = [
    (
        "ALTER TABLE entries ATTACH PARTITION entries_0 FOR VALUES FROM (0) TO (67108864)",
        "database: entries_0 is attached, and its places 0 to 67108863 are noted as archived",
        "ALTER TABLE entries DETACH PARTITION entries_0",
    ),
    (
        "UPDATE log_archives SET entries = 7",
        "database: the archives have 7 entries, the commits 8 in their places",
        "UPDATE log_archives SET entries = 8",
    ),
    (
        "UPDATE order_heads SET status = 1 WHERE order_key = 1",
        "order A-1: is archived and not final: its status is picked_up",
        "UPDATE order_heads SET status = 3 WHERE order_key = 1",
    ),
    (
        "UPDATE order_heads SET due_at = 1 WHERE order_key = 1",
        "order A-1: is archived, and something of it is due or parked",
        "UPDATE order_heads SET due_at = NULL WHERE order_key = 1",
    ),
    (
        "UPDATE order_heads SET version = 9 WHERE order_key = 1",
        "log: has 8 archived entries, the archived orders' versions say 13",
        "UPDATE order_heads SET version = 4 WHERE order_key = 1",
    ),
    (
        "UPDATE order_heads SET last_place = 67108875 WHERE order_key = 1",
        "database: order 1 is archived and has entries in the live log",
        "UPDATE order_heads SET last_place = 4 WHERE order_key = 1",
    ),
    (
        "UPDATE commits SET number = 9 WHERE commit_id = 2",
        "commit 2: is number 9 of writer 1, where 2 belongs",
        "UPDATE commits SET number = 2 WHERE commit_id = 2",
    ),
    (
        "UPDATE commits SET first_position = 6 WHERE commit_id = 2",
        "commit 2: begins at position 6, not 5",
        "UPDATE commits SET first_position = 5 WHERE commit_id = 2",
    ),
    (
        "UPDATE commits SET digest = sha256('') WHERE commit_id = 2",
        "commit 3: its digest is not that of the log up to it",
        "SELECT 1",
    ),
];

#[test]
fn archives_that_do_not_agree_with_heads_and_commits_are_found() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone));
    let mut raw = database.raw_without_triggers();
    for (change, expected, back) in DISAGREEMENTS {
        raw.batch_execute(change).unwrap();
        let findings = findings(&*store);
        assert!(
            findings.iter().any(|finding| finding == expected),
            "{change}: {findings:#?}"
        );
        raw.batch_execute(back).unwrap();
    }
}

#[test]
fn a_damaged_partition_does_not_leave() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (_store, _peer) = filled(&database);
    database
        .raw_without_triggers()
        .batch_execute("DELETE FROM entries WHERE place = 3")
        .unwrap();
    let refused = archiver(&database).plan().unwrap_err();
    let expected = "damaged store: up to entries_0 there are 7 entries, their orders have 8 versions, their commits 8 entries: \
                    run `waybill verify`";
    assert_eq!(refused.to_string(), expected);
}
