//! `waybill migrate` as somebody types it.

use rusqlite::Connection;
use store::folder::{DATABASE_FILE, DataFolder};
use tempfile::TempDir;

use crate::harness::database::Database;
use crate::harness::process::{run, waybill, waybill_on};

#[test]
fn a_data_folder_is_brought_up_to_date_and_it_is_said_from_where() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path().join("data");
    let migrate = || {
        let ended = run(&mut waybill_on("migrate", &dir));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        ended.stdout
    };
    let folder = dir.display();
    let made = migrate();
    assert!(
        made.starts_with(&format!("{folder}: a new store was made, version ")),
        "{made}"
    );
    let version = made.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(
        migrate(),
        format!("{folder}: already up to date, version {version}\n")
    );
    let back_to_the_third = "DROP VIEW orders; DROP VIEW order_events; DROP TRIGGER entries_are_not_changed; DROP TRIGGER entries_are_not_deleted; \
         DROP TABLE mapped_entries; DROP TABLE lifecycle_states; DROP INDEX orders_by_contact; \
         ALTER TABLE order_identities DROP COLUMN contact_hash; ALTER TABLE order_identities RENAME TO orders; \
         DROP TABLE batch_counts; ALTER TABLE users DROP COLUMN kept_token; PRAGMA user_version = 3";
    let raw = Connection::open(dir.join(DATABASE_FILE)).unwrap();
    raw.execute_batch(back_to_the_third).unwrap();
    drop(raw);
    let told = format!("{folder}: brought up to date, from version 3 to version {version}\n");
    assert_eq!(migrate(), told);
    let verified = run(&mut waybill_on("verify", &dir));
    assert_eq!(verified.code(), Some(0), "{verified:?}");
}

#[test]
fn a_data_folder_with_a_server_on_it_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let server = DataFolder::lock(dir.path()).unwrap();
    let ended = run(&mut waybill_on("migrate", dir.path()));
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("is in use by another process"),
        "{}",
        ended.stderr
    );
    drop(server);
    assert!(!dir.path().join(DATABASE_FILE).exists());
}

#[test]
fn a_database_is_named_by_a_flag_or_by_the_environment() {
    let Some(database) = Database::new() else {
        return;
    };
    let dsn = database.dsn_with(Some("s3cret"));
    let mut by_flag = waybill();
    by_flag
        .args(["migrate", "--pg-dsn", &dsn])
        .env("PG_DSN", "host=elsewhere");
    let made = run(&mut by_flag);
    assert_eq!(made.code(), Some(0), "{made:?}");
    assert!(
        made.stdout
            .starts_with("the database: a new store was made, version "),
        "{made:?}"
    );
    let version = made.stdout.trim_end().rsplit(' ').next().unwrap();
    let expected = format!("the database: already up to date, version {version}\n");
    for (name, other) in [("PG_DSN", "DATABASE_URL"), ("DATABASE_URL", "PG_DSN")] {
        let ended = run(waybill().arg("migrate").env(name, &dsn).env(other, ""));
        assert_eq!(
            (ended.code(), ended.stdout),
            (Some(0), expected.clone()),
            "{}",
            ended.stderr
        );
    }
    let dir = TempDir::new().unwrap();
    let ended = run(waybill_on("migrate", dir.path()).env("PG_DSN", &dsn));
    assert!(
        ended.stdout.contains("a new store was made"),
        "the folder that a flag names: {ended:?}"
    );
    let both = run(waybill_on("migrate", dir.path()).args(["--pg-dsn", &dsn]));
    assert_eq!(both.code(), Some(2));
    assert!(!both.stderr.contains("s3cret"), "{}", both.stderr);
    database
        .raw()
        .batch_execute("INSERT INTO store_migrations (number, name) VALUES (99, 'later')")
        .unwrap();
    let newer = run(waybill().arg("migrate").env("PG_DSN", &dsn));
    assert_eq!(newer.code(), Some(2));
    assert!(
        newer.stderr.contains("was written by a newer version"),
        "{}",
        newer.stderr
    );
}
