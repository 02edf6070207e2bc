//! What a database edited by hand looks like to `verify`, and what its schema refuses.

use store::verify::verify;
use store::{Error, Store};

use crate::backend::{Backend, PostgresDatabase};
use crate::conformance::trail;
use crate::orders::{Clerk, created, named, reported};

/// A store with two orders, five entries and three commits.
fn filled(database: &PostgresDatabase) -> Box<dyn Store> {
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2")]);
    clerk.write(&[reported("A-1", "picked_up"), reported("A-2", "picked_up")]);
    clerk.write(&[reported("A-1", "in_transit")]);
    store
}

/// A change, where it is found, and as what.
const DAMAGES: [(&str, &str, &str); 11] = [
    (
        "UPDATE entries SET status = 4 WHERE place = 5",
        "commit 3",
        "its digest is not that of the log up to it",
    ),
    ("DELETE FROM entries WHERE place = 4", "position 4", "is missing"),
    (
        "DELETE FROM entries WHERE place = 4",
        "order A-2",
        "damaged store: order 2 has no version 2",
    ),
    (
        "UPDATE order_heads SET status = 0 WHERE order_key = 1",
        "order A-1",
        "its head (version 3) is not what its entries say",
    ),
    (
        "UPDATE order_heads SET last_place = 4 WHERE order_key = 1",
        "order A-1",
        "damaged store: order 1 has no version 3",
    ),
    (
        "DELETE FROM order_heads WHERE order_key = 2",
        "order 2",
        "the order and its head do not belong together: one is missing, or lifecycle or owner differ",
    ),
    (
        "DELETE FROM commits WHERE commit_id = 3",
        "database",
        "the log is said to end at position 5 with commit 3, its last commit is 2 and ends at 4",
    ),
    (
        "DELETE FROM commits WHERE commit_id = 2",
        "commit 3",
        "stands where 2 belongs",
    ),
    (
        "DELETE FROM commits WHERE commit_id = 2",
        "database",
        "version 2 of order 1, at place 3, belongs to no commit",
    ),
    (
        "UPDATE commits SET number = 9 WHERE commit_id = 3",
        "commit 3",
        "is number 9 of writer 1, where 3 belongs",
    ),
    (
        "UPDATE status_blocks SET orders = 7 WHERE status = 1",
        "count of block 0, lifecycle 6, status 1",
        "says 7, there are 1",
    ),
];

#[test]
fn what_was_changed_by_hand_is_found() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = filled(&database);
    let mut raw = database.raw_without_triggers();
    for (change, place, problem) in DAMAGES {
        // Looked at by another store, so the change has to be there; it is taken back by its opposite.
        let mut copy = raw.transaction().unwrap();
        copy.batch_execute("CREATE TEMPORARY TABLE kept_entries AS TABLE entries; \
             CREATE TEMPORARY TABLE kept_heads AS TABLE order_heads; CREATE TEMPORARY TABLE kept_commits AS TABLE commits; \
             CREATE TEMPORARY TABLE kept_blocks AS TABLE status_blocks").unwrap();
        copy.batch_execute(change).unwrap();
        copy.commit().unwrap();
        let findings = verify(&*store, &mut |_| {}).findings;
        let is_found = findings
            .iter()
            .any(|finding| finding.place == place && finding.problem == problem);
        assert!(is_found, "{change}: {findings:#?}");
        raw.batch_execute(
            "BEGIN; DELETE FROM entries; INSERT INTO entries TABLE kept_entries; \
             DELETE FROM order_heads; INSERT INTO order_heads TABLE kept_heads; \
             DELETE FROM commits; INSERT INTO commits TABLE kept_commits; \
             DELETE FROM status_blocks; INSERT INTO status_blocks TABLE kept_blocks; \
             DROP TABLE kept_entries, kept_heads, kept_commits, kept_blocks; COMMIT",
        )
        .unwrap();
        assert_eq!(verify(&*store, &mut |_| {}).findings, []);
    }
}

#[test]
fn nothing_is_built_on_a_log_whose_end_is_damaged() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    drop(filled(&database));
    database
        .raw_without_triggers()
        .batch_execute("DELETE FROM commits WHERE commit_id = 3")
        .unwrap();
    let refused = database.open().writer().err().unwrap();
    let expected = "damaged store: the log ends at position 5 with commit 3, its last commit 2 at 4: run `waybill verify`";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn a_history_with_a_hole_is_damage_not_an_answer() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = filled(&database);
    database
        .raw_without_triggers()
        .batch_execute("DELETE FROM entries WHERE place = 3")
        .unwrap();
    let expected = Error::Damaged("order 1 has version 3 where 2 belongs".to_owned());
    let read = store.reading(|reader| {
        let order = reader.order(&named("A-1"))?.unwrap();
        reader.history(&order)
    });
    assert_eq!(read, Err(expected.clone()));
    let mut writer = store.writer().unwrap();
    let mut group = writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(group.history(&loaded), Err(expected));
}

#[test]
fn the_trail_can_be_appended_to_and_nothing_else() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut writer = store.writer().unwrap();
    let mut accounts = writer.accounts().unwrap();
    accounts.append_audit(&trail::record("user.create")).unwrap();
    accounts.commit().unwrap();
    for change in [
        "UPDATE audit_log SET actor = 'eve'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let refused = database.raw().batch_execute(change).unwrap_err();
        let said = refused.as_db_error().unwrap().message().to_owned();
        assert_eq!(said, "the audit log is append-only", "{change}");
    }
    let kept = store.reading(|reader| reader.audit(None, 9)).unwrap();
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_count_that_would_fall_below_zero_is_damage_not_a_commands_fault() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = filled(&database);
    database
        .raw()
        .batch_execute("UPDATE status_counts SET orders = 0")
        .unwrap();
    let refused = Clerk::of(&*store)
        .try_write(&[reported("A-1", "delivered")])
        .unwrap_err();
    assert!(matches!(refused, Error::Damaged(_)), "{refused:?}");
    assert!(
        refused
            .to_string()
            .starts_with("damaged store: a count is too low"),
        "{refused}"
    );
}

#[test]
fn a_schema_edited_by_hand_is_told_and_an_index_of_the_operators_own_is_not() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = filled(&database);
    let mut raw = database.raw();
    raw.batch_execute("CREATE INDEX of_my_own ON order_identities (created_at)")
        .unwrap();
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
    for (edit, missing) in [
        (
            "ALTER TABLE order_identities DROP CONSTRAINT orders_public_id_key",
            "constraint orders_public_id_key of order_identities, UNIQUE (public_id)",
        ),
        (
            "ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_not_changed",
            "trigger audit_log_is_not_changed of audit_log, calling refuse_change_of_audit_log, enabled O",
        ),
        (
            "ALTER TABLE users ALTER COLUMN email DROP NOT NULL",
            "column email of users, text, not null",
        ),
        (
            "DROP INDEX answers_by_time",
            "index answers_by_time of answers,  USING btree (stored_at)",
        ),
        ("DROP SEQUENCE writer_claims", "sequence writer_claims"),
        (
            "ALTER TABLE users ALTER COLUMN username TYPE TEXT COLLATE \"POSIX\"",
            "collation C of column username of users",
        ),
        (
            "ALTER TABLE api_keys ALTER COLUMN key_number DROP IDENTITY",
            "identity a of column key_number of api_keys",
        ),
        (
            "ALTER TABLE log_end ALTER COLUMN only_row DROP DEFAULT",
            "default true of column only_row of log_end",
        ),
        (
            "ALTER TABLE order_heads RESET (fillfactor)",
            "storage option fillfactor=70 of order_heads",
        ),
    ] {
        raw.batch_execute(edit).unwrap();
        let findings = verify(&*store, &mut |_| {}).findings;
        let expected = format!("the schema was changed: missing or different is {missing}");
        assert!(
            findings.iter().any(|finding| finding.problem == expected),
            "{edit}: {findings:#?}"
        );
    }
    let other_body = "CREATE OR REPLACE FUNCTION take_numbers(numbers REGCLASS, wanted BIGINT) RETURNS BIGINT \
                      LANGUAGE sql AS 'SELECT 1::bigint'";
    raw.batch_execute(other_body).unwrap();
    let findings = verify(&*store, &mut |_| {}).findings;
    assert!(
        findings
            .iter()
            .any(|finding| finding.problem.contains("function take_numbers")),
        "{findings:#?}"
    );
}

#[test]
fn what_the_schema_lacks_is_told_also_where_it_leaves_other_questions_without_an_answer() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = filled(&database);
    let mut raw = database.raw();
    raw.batch_execute("ALTER TABLE entries RENAME COLUMN place TO spot")
        .unwrap();
    let findings = verify(&*store, &mut |_| {}).findings;
    for expected in [
        "missing or different is column place of entries, bigint, not null",
        "column e.place does not exist",
    ] {
        assert!(
            findings.iter().any(|finding| finding.problem.contains(expected)),
            "{expected}: {findings:#?}"
        );
    }
}
