//! Where commands look for the store: by flag, environment, `.env`, settings file or default, as the server does.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::home::Home;
use crate::harness::process::{Ended, Running, run, waybill};

/// What must be told to nobody.
const PASSWORD: &str = "not-for-any-log";

/// `waybill SUBCOMMAND` in this working directory.
fn waybill_in(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = waybill();
    command.args(arguments).current_dir(dir);
    command
}

#[track_caller]
fn well(command: &mut Command) -> String {
    let ended = run(command);
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    ended.stdout
}

#[track_caller]
fn is_refused(command: &mut Command, words: &[&str]) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
    ended
}

/// The address of a server that is not there.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    format!("host=127.0.0.1 port={port} user=me password={PASSWORD} dbname=orders")
}

#[test]
fn a_database_that_a_file_names_is_the_store_and_a_folder_that_a_flag_names_is_before_it() {
    for (file, text) in [
        (".env", "PG_DSN=postgres://me:not-for-any-log@db/w\n"),
        (
            "waybill.toml",
            "pg_dsn = \"postgres://me:not-for-any-log@db/w\"\n",
        ),
    ] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(file), text).unwrap();
        for subcommand in ["backup", "restore"] {
            is_refused(
                &mut waybill_in(dir.path(), &[subcommand, "backup.db"]),
                &["The data are in PostgreSQL", "Nothing was done"],
            );
        }
        well(&mut waybill_in(dir.path(), &["migrate", "--data-dir", "named"]));
        let verified = well(&mut waybill_in(dir.path(), &["verify", "--data-dir", "named"]));
        assert!(verified.starts_with("all is well: 0 orders"), "{verified}");
        assert!(!dir.path().join("waybill-data").exists());
    }
}

#[test]
fn commands_take_a_database_from_where_the_server_takes_it() {
    let Some(home) = Home::database() else { return };
    let dsn = home.dsn().unwrap();
    let in_it = |arguments: &[&str]| waybill_in(home.path(), arguments);
    fs::write(home.path().join(".env"), format!("PG_DSN=\"{dsn}\"\n")).unwrap();
    let made = well(&mut in_it(&["migrate"]));
    assert!(made.starts_with("the database: a new store was made"), "{made}");
    let verified = well(&mut in_it(&["verify"]));
    assert!(verified.starts_with("all is well: 0 orders"), "{verified}");
    // The environment is before it, and a flag is before that.
    fs::write(home.path().join(".env"), format!("PG_DSN=\"{}\"\n", nowhere())).unwrap();
    well(in_it(&["verify"]).env("PG_DSN", &dsn));
    well(in_it(&["verify", "--pg-dsn", &dsn]).env("PG_DSN", nowhere()));
    assert!(!home.path().join("waybill-data").exists());
}

#[test]
fn a_folder_that_dot_env_names_is_the_store() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".env"), "WAYBILL_DATA_DIR=kept-here\n").unwrap();
    let made = well(&mut waybill_in(dir.path(), &["migrate"]));
    assert!(made.starts_with("kept-here: a new store was made"), "{made}");
}

#[test]
fn a_wrong_setting_is_named_and_stops_only_who_needs_the_settings() {
    let dir = TempDir::new().unwrap();
    well(&mut waybill_in(dir.path(), &["migrate"]));
    fs::write(dir.path().join(".env"), "APP_PORT=many\n").unwrap();
    let ended = is_refused(&mut waybill_in(dir.path(), &["verify"]), &["APP_PORT", ".env"]);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    well(&mut waybill_in(
        dir.path(),
        &["verify", "--data-dir", "waybill-data"],
    ));
}

#[test]
fn commands_wait_for_a_database_as_long_as_they_are_told_to() {
    let dir = TempDir::new().unwrap();
    well(&mut waybill_in(dir.path(), &["migrate", "--data-dir", "old"]));
    for arguments in [&["migrate"][..], &["verify"], &["copy", "--from", "sqlite://old"]] {
        let mut command = waybill_in(dir.path(), arguments);
        command.env("PG_DSN", nowhere());
        let waits = "waiting for the database";
        is_refused(
            command.env("PG_CONNECT_WAIT_S", "1"),
            &[waits, "PG_CONNECT_WAIT_S", "cannot be reached"],
        );
        let ended = is_refused(command.env("PG_CONNECT_WAIT_S", "0"), &["cannot be reached"]);
        assert!(!ended.stderr.contains(waits), "{}", ended.stderr);
    }
}

#[test]
fn certificates_that_a_setting_names_are_those_that_count() {
    let dir = TempDir::new().unwrap();
    well(&mut waybill_in(dir.path(), &["migrate", "--data-dir", "old"]));
    for arguments in [
        &["migrate"][..],
        &["verify"],
        &["copy", "--from", "sqlite://old"],
        &["serve"],
    ] {
        let mut command = waybill_in(dir.path(), arguments);
        command.env("PG_DSN", format!("{} sslmode=verify-full", nowhere()));
        command.env("JWT_SECRET", "0123456789abcdef".repeat(4));
        let ended = is_refused(
            command
                .env("PG_CONNECT_WAIT_S", "0")
                .env("PG_ROOT_CERTIFICATES", "no-such.pem"),
            &["no-such.pem"],
        );
        if arguments == ["serve"] {
            let named = "waybill: PG_ROOT_CERTIFICATES: no-such.pem: ";
            assert!(ended.stderr.contains(named), "{}", ended.stderr);
        }
    }
}

#[test]
fn settings_of_postgres_without_a_database_are_said_not_to_be_used() {
    let home = Home::folder();
    let mut command = home.waybill("serve");
    command.current_dir(home.path()).env("APP_PORT", "0");
    command.env("PG_REPLICA_DSN", "postgres://me:not-for-any-log@replica/w");
    let running = Running::start(command.env("PG_ROOT_CERTIFICATES", "no-such.pem"));
    running.first_line();
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    for name in ["PG_REPLICA_DSN", "PG_ROOT_CERTIFICATES"] {
        let told = format!("{name} is set and PG_DSN is not");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
}
