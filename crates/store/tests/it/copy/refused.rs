//! What is not copied, and what is said then.

use std::net::TcpListener;

use store::copy::{CopyError, CopyOptions, copy};
use store::folder::DataFolder;
use store::postgres::{PostgresOptions, PostgresStore};
use store::{Migrated, OpenError};

use super::{copied, folder_and_database};
use crate::backend::{Backend, PostgresDatabase, SqliteFolder, birth};

fn refusal(from: &std::path::Path, to: &str) -> String {
    copy(&CopyOptions::new(from, to), &mut |_| {})
        .unwrap_err()
        .to_string()
}

fn tables_of(database: &PostgresDatabase) -> usize {
    let tables = "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    database.raw().query(tables, &[]).unwrap().len()
}

#[test]
fn a_folder_that_is_missing_empty_or_in_use_is_not_copied() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let missing = folder.path().join("nowhere");
    let refused = refusal(&missing, &database.dsn());
    assert!(
        refused.ends_with("nowhere holds no Waybill store: check the path"),
        "{refused}"
    );
    assert!(!missing.exists());
    let server = DataFolder::lock(folder.path()).unwrap();
    let refused = refusal(folder.path(), &database.dsn());
    let expected = format!("is in use by another process (process {})", std::process::id());
    assert!(refused.contains(&expected), "{refused}");
    drop(server);
    assert_eq!(tables_of(&database), 0);
}

#[test]
fn a_folder_of_another_version_is_not_copied() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    folder.raw().pragma_update(None, "user_version", 3).unwrap();
    let refused = refusal(folder.path(), &database.dsn());
    assert!(
        refused.contains("run `waybill migrate`, or start the server on it once"),
        "{refused}"
    );
    folder.raw().pragma_update(None, "user_version", 99).unwrap();
    let refused = refusal(folder.path(), &database.dsn());
    assert!(refused.ends_with("use that version"), "{refused}");
    assert_eq!(tables_of(&database), 0);
}

#[test]
fn a_database_that_has_something_is_left_alone() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    database
        .raw()
        .batch_execute("CREATE TABLE accounting (sum BIGINT)")
        .unwrap();
    let refused = refusal(folder.path(), &database.dsn());
    assert!(
        refused.ends_with("it holds tables that are not Waybill's: name an empty database or schema"),
        "{refused}"
    );
    assert_eq!(tables_of(&database), 1);
    database.raw().batch_execute("DROP TABLE accounting").unwrap();
    drop(database.open());
    let tables = tables_of(&database);
    let refused = copied(folder.path(), &database).unwrap_err();
    assert!(matches!(refused, CopyError::TargetHasStore(_)), "{refused:?}");
    assert!(
        refused
            .to_string()
            .ends_with("holds a Waybill store already: name an empty database, or, if an earlier run copied this store there, use it"),
        "{refused}"
    );
    assert_eq!(tables_of(&database), tables);
}

#[test]
fn a_store_that_was_copied_is_not_copied_over() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    copied(folder.path(), &database).unwrap();
    let refused = copied(folder.path(), &database).unwrap_err();
    assert!(matches!(refused, CopyError::TargetHasStore(_)), "{refused:?}");
}

#[test]
fn a_database_out_of_reach_or_without_rights_is_said_and_no_password() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let refused = refusal(
        folder.path(),
        &format!("postgres://ada:s3cret@127.0.0.1:{port}/orders"),
    );
    assert!(refused.contains("cannot be reached"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
    let made = "DO $$ BEGIN CREATE ROLE waybill_reader LOGIN; \
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    database.server().batch_execute(made).unwrap();
    let refused = refusal(folder.path(), &database.dsn_as("waybill_reader", None));
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(tables_of(&database), 0);
}

#[test]
fn a_text_that_has_no_place_is_named() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let within = "UPDATE users SET name = 'A' || char(0) || 'B' WHERE user_id = 'U-1'";
    assert_eq!(folder.raw().execute(within, []).unwrap(), 1);
    let refused = copied(folder.path(), &database).unwrap_err().to_string();
    assert!(
        refused
            .starts_with("name of users holds U+0000, which a TEXT of PostgreSQL cannot (row 1): correct it"),
        "{refused}"
    );
}

#[test]
fn of_two_copies_to_one_database_one_waits_and_gives_up() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let mut held = database.raw();
    held.execute("SELECT pg_advisory_lock(1463961932, 5)", &[])
        .unwrap();
    let refused = copied(folder.path(), &database).unwrap_err();
    assert!(matches!(refused, CopyError::UnderWay(_)), "{refused:?}");
    drop(held);
    assert_eq!(copied(folder.path(), &database).unwrap().verified.findings, []);
}

#[test]
fn bringing_a_schema_up_to_date_says_from_where_to_where() {
    let folder = SqliteFolder::new();
    let migrate = || {
        let locked = DataFolder::lock(folder.path()).unwrap();
        store::sqlite::SqliteStore::migrate(&locked, &birth()).unwrap()
    };
    let first = migrate();
    assert!(first.from == 0 && first.to > 3, "{first:?}");
    assert_eq!(
        migrate(),
        Migrated {
            from: first.to,
            to: first.to
        }
    );
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let migrate = || PostgresStore::migrate(&PostgresOptions::new(&database.dsn()), &birth());
    let first = migrate().unwrap();
    assert!(first.from == 0 && first.to > 1, "{first:?}");
    assert_eq!(
        migrate().unwrap(),
        Migrated {
            from: first.to,
            to: first.to
        }
    );
    let half = "CREATE TABLE store_copy (only_row BOOLEAN)";
    database.raw().batch_execute(half).unwrap();
    assert!(matches!(migrate(), Err(OpenError::HalfCopied { .. })));
}
