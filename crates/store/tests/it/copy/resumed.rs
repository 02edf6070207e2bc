//! A copy that was ended goes on, and ends the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use store::OpenError;
use store::copy::{CopyError, CopyOptions, Progress, Step, copy};

use super::whole::{expected_of, said_by};
use super::{assert_same, copied, copied_telling, folder_and_database};
use crate::backend::{Backend, PostgresDatabase};
use crate::orders::{Clerk, reported};
use crate::postgres::proxy::{Cut, Proxy};

/// Copies until so many chunks are there, and then is no more.
fn killed_after(chunks: usize, folder: &std::path::Path, database: &PostgresDatabase) -> bool {
    let mut done = 0;
    let mut progress = |_: &Progress| {
        done += 1;
        assert!(done < chunks, "killed on purpose");
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        copied_telling(folder, database, &mut progress)
    }));
    ended.is_err()
}

/// Rows of the note of how far it has come.
fn noted(database: &PostgresDatabase) -> (String, i64) {
    let row = database
        .raw()
        .query_one("SELECT copying, done FROM store_copy", &[])
        .unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_copy_that_was_killed_again_and_again_goes_on_and_ends_the_same() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let mut seen = Vec::new();
    for chunks in [1, 1, 2, 10, 30, 40] {
        assert!(killed_after(chunks, folder.path(), &database));
        seen.push(noted(&database));
        assert!(matches!(database.try_open(), Err(OpenError::HalfCopied { .. })));
    }
    let tables: std::collections::BTreeSet<&str> = seen.iter().map(|(table, _)| &**table).collect();
    assert!(tables.len() > 3, "{seen:?}");
    let copied = copied(folder.path(), &database).unwrap();
    assert!(copied.rows_before > 200 && copied.rows > 0, "{copied:?}");
    assert_eq!(copied.verified.findings, []);
    assert_same(&said_by(&database), &expected_of(&folder));
}

#[test]
fn a_connection_that_is_lost_in_the_middle_of_a_chunk_costs_that_chunk() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut chunks = 0;
    let mut before = None;
    let lost = copied_telling(folder.path(), &database, &mut |progress| {
        chunks += 1;
        if chunks == 25 {
            before = Some(progress.done);
            database.raw().execute(end_all, &[]).unwrap();
        }
    });
    let Err(error @ CopyError::Writing { .. }) = lost else {
        panic!("{lost:?}");
    };
    let told = error.to_string();
    assert!(
        told.ends_with("run the same command again, and it goes on"),
        "{told}"
    );
    let copied = copied(folder.path(), &database).unwrap();
    assert_eq!(Some(copied.rows_before), before);
    assert_same(&said_by(&database), &expected_of(&folder));
}

#[test]
fn a_copy_that_ended_while_verifying_only_verifies_again() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        copied_telling(folder.path(), &database, &mut |progress| {
            assert!(progress.step != Step::Verifying, "killed on purpose");
        })
    }));
    assert!(ended.is_err());
    let copied = copied(folder.path(), &database).unwrap();
    assert_eq!((copied.rows, copied.verified.findings.len()), (0, 0));
    assert_same(&said_by(&database), &expected_of(&folder));
}

#[test]
fn a_copy_whose_last_answer_was_lost_finds_out_that_it_came_to_its_end() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let proxy = Proxy::to(&database.host(), database.port());
    proxy.arm(Cut::EndOfCopy);
    let far = database.dsn_through(proxy.port);
    let copied = copy(&CopyOptions::new(folder.path(), &far), &mut |_| {}).unwrap();
    assert_eq!(copied.verified.findings, []);
    assert!(!proxy.is_armed(), "the connection was cut");
    assert_same(&said_by(&database), &expected_of(&folder));
}

#[test]
fn one_that_was_killed_before_the_tables_were_made_goes_on() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    assert!(killed_after(1, folder.path(), &database));
    // As far as the note and nothing else.
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
                  AND NOT relispartition AND relname <> 'store_copy'";
    let mut raw = database.raw();
    raw.batch_execute("DROP VIEW orders, order_events").unwrap();
    for row in raw.query(tables, &[]).unwrap() {
        raw.batch_execute(&format!("DROP TABLE {}", row.get::<_, String>(0)))
            .unwrap();
    }
    raw.batch_execute(
        "DROP SEQUENCE order_keys, dead_letter_ids, places, writer_claims; \
         DROP FUNCTION make_log_partitions, take_numbers, give_back_numbers, refuse_change_of_audit_log, refuse_change_of_history, \
         told_of_order; \
         UPDATE store_copy SET copying = 'store_meta', done = 0",
    )
    .unwrap();
    drop(raw);
    assert!(matches!(database.try_open(), Err(OpenError::HalfCopied { .. })));
    assert_eq!(copied(folder.path(), &database).unwrap().verified.findings, []);
    assert_same(&said_by(&database), &expected_of(&folder));
}

#[test]
fn a_source_that_changed_since_and_another_one_are_refused() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    assert!(killed_after(20, folder.path(), &database));
    let before = noted(&database);
    let other = super::filled();
    let renamed = "UPDATE store_meta SET value = x'09090909090909090909090909090909' WHERE name = 'store_id'";
    assert_eq!(other.raw().execute(renamed, []).unwrap(), 1);
    let refused = copied(other.path(), &database).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("holds a part of another store: drop the database"),
        "{refused}"
    );
    let store = folder.open();
    Clerk::of(&*store).write(&[reported("A-6", "in_transit")]);
    drop(store);
    let refused = copied(folder.path(), &database).unwrap_err();
    assert!(refused.to_string().contains("it has changed since"), "{refused}");
    assert_eq!(noted(&database), before, "nothing was written");
}

#[test]
fn every_kind_of_change_is_a_change() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    assert!(killed_after(3, folder.path(), &database));
    for change in [
        "DELETE FROM revoked_tokens WHERE token_id = 'T-1'",
        "UPDATE users SET version = version + 1, updated_at = updated_at + 9 WHERE user_id = 'U-1'",
        "UPDATE answers SET stored_at = stored_at + 9 WHERE stored_at = 101",
        "INSERT INTO parties (kind, name) VALUES (1, 'late')",
        "UPDATE api_keys SET revoked_at = 9 WHERE key_id = 'K-1'",
        "DELETE FROM batches WHERE batch_id = 'B-1'",
    ] {
        let changed = crate::backend::SqliteFolder::with_copy_of(folder.path());
        assert_eq!(changed.raw().execute(change, []).unwrap(), 1, "{change}");
        let refused = copied(changed.path(), &database);
        assert!(
            matches!(refused, Err(CopyError::OtherPart { .. })),
            "{change}: {refused:?}"
        );
    }
    assert_eq!(copied(folder.path(), &database).unwrap().verified.findings, []);
}
