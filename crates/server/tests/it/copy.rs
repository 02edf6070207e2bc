//! `waybill copy` as somebody types it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use model::command::OrderRef;
use model::ids::OrderKey;
use model::public_id::PublicId;
use server::place::StorePlace;
use store::folder::DataFolder;
use store::postgres::{PostgresOptions, PostgresStore};
use store::{Birth, OpenError, Store};
use tempfile::TempDir;

use crate::cli::replayed;
use crate::harness::database::Database;
use crate::harness::process::{Ended, Running, run, waybill, waybill_on};

const PASSWORD: &str = "s3cret-Pa55";
const JWT_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn copy(from: &Path, to: &Database) -> Command {
    let mut command = waybill();
    command
        .args(["copy", "--from"])
        .arg(format!("sqlite://{}", from.display()))
        .env("PG_DSN", to.dsn_with(Some(PASSWORD)));
    command
}

fn open(database: &Database) -> Result<PostgresStore, OpenError> {
    // It is there already: nothing of this becomes it.
    let birth = Birth {
        store_id: [0; 16],
        event_id_key: [0; 16],
        at: model::time::Timestamp::from_nanos(0),
    };
    PostgresStore::open(&PostgresOptions::new(&database.dsn_with(Some(PASSWORD))), &birth)
}

fn assert_no_secret(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(PASSWORD) && !text.contains(JWT_SECRET), "{text}");
    }
}

#[test]
fn a_store_is_moved_and_it_is_said_what_comes_next() {
    let Some(database) = Database::new() else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let number = replayed(dir.path());
    std::fs::write(dir.path().join("jwt-secret"), JWT_SECRET).unwrap();
    let ended = run(&mut copy(dir.path(), &database));
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert_no_secret(&ended);
    for told in [
        " rows in ",
        " a second\nverified 1 orders, ",
        ": all is well\nnext:\n  set PG_DSN to the new database",
        &format!(
            "set JWT_SECRET to what is in {}/jwt-secret, so that tokens stay valid",
            dir.path().display()
        ),
        &format!("keep {} until you are satisfied", dir.path().display()),
    ] {
        assert!(ended.stdout.contains(told), "no {told:?} in\n{}", ended.stdout);
    }
    let (old, new) = (
        StorePlace::from(dir.path()).look_into().unwrap(),
        open(&database).unwrap(),
    );
    assert_eq!(old.identity().store_id, new.identity().store_id);
    let history = |store: &dyn Store| {
        store.reading(|reader| {
            let named = OrderRef::Public(PublicId::new(&number).unwrap());
            let order = reader.order(&named)?.unwrap();
            reader.history(&order)
        })
    };
    assert_eq!(history(&new).unwrap(), history(&*old).unwrap());
    drop((old, new));
    let again = run(&mut copy(dir.path(), &database));
    assert_eq!(again.code(), Some(2), "{again:?}");
    assert!(
        again.stderr.contains("holds a Waybill store already"),
        "{}",
        again.stderr
    );
    assert_no_secret(&again);
}

#[test]
fn one_that_is_killed_again_and_again_goes_on_to_the_end() {
    let Some(database) = Database::new() else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let simulated = run(waybill_on("simulate", dir.path()).args(["--seconds", "4"]));
    assert_eq!(simulated.code(), Some(0), "{simulated:?}");
    for table in ["parties", "entries", "order_heads"] {
        let running = Running::start(&mut copy(dir.path(), &database));
        wait_until_it_comes_to(&database, table);
        running.kill();
        assert!(matches!(open(&database), Err(OpenError::HalfCopied { .. })));
    }
    let ended = run(&mut copy(dir.path(), &database));
    assert!(
        ended.code() == Some(0) || ended.stderr.contains("already"),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains(" were there from before)"),
        "{}",
        ended.stdout
    );
    let (old, new) = (
        StorePlace::from(dir.path()).look_into().unwrap(),
        open(&database).unwrap(),
    );
    let of = |store: &dyn Store| {
        store.reading(|reader| {
            let page = reader.orders(OrderKey::new(0), 100)?;
            let heads: Vec<_> = page
                .into_iter()
                .map(|order| (order.public_id, order.head))
                .collect();
            Ok((reader.totals()?, reader.status_counts()?, heads))
        })
    };
    assert_eq!(of(&*old).unwrap(), of(&new).unwrap());
}

/// Waits until rows of a table, or of one behind it, are there.
fn wait_until_it_comes_to(database: &Database, table: &str) {
    let place = |name: &str| store::copy::TABLES.iter().position(|table| table.name == name);
    let mut raw = database.raw();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        // At first there is no such table.
        if let Ok(Some(row)) = raw.query_opt("SELECT copying FROM store_copy", &[])
            && place(row.get(0)) >= place(table)
        {
            return;
        }
    }
    panic!("the copy never came to {table}");
}

#[test]
fn a_store_that_a_server_runs_on_is_not_copied() {
    let Some(database) = Database::new() else {
        return;
    };
    let dir = TempDir::new().unwrap();
    replayed(dir.path());
    let server = DataFolder::lock(dir.path()).unwrap();
    let ended = run(&mut copy(dir.path(), &database));
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    let told = format!("is in use by another process (process {})", std::process::id());
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    drop(server);
}

#[test]
fn what_cannot_be_copied_is_said_without_a_password() {
    let dir = TempDir::new().unwrap();
    let from = format!("sqlite://{}", dir.path().display());
    let postgres = format!("postgres://ada:{PASSWORD}@db/orders");
    let sqlite_to = format!("sqlite://{PASSWORD}");
    let mysql = format!("mysql://ada:{PASSWORD}@db/orders");
    let bare = format!("host=db password={PASSWORD}");
    let to = postgres.as_str();
    for (from, to, told) in [
        (
            &*postgres,
            to,
            "--from postgres://… is not supported: a store is copied from sqlite://DIR to PostgreSQL",
        ),
        (
            &*bare,
            to,
            "--from has no scheme: a store is copied from sqlite://DIR to PostgreSQL",
        ),
        (
            "waybill-data",
            to,
            "--from has no scheme: a store is copied from sqlite://DIR",
        ),
        ("sqlite://", to, "--from names no folder: give sqlite://DIR"),
        (
            &*from,
            &*sqlite_to,
            "--to sqlite://… is not supported: a store is copied from sqlite://DIR to postgres://",
        ),
        (&*from, &*mysql, "--to mysql://… is not supported"),
        (&*from, to, "holds no Waybill store: check the path"),
    ] {
        let ended = run(waybill().args(["copy", "--from", from, "--to", to]));
        assert_eq!(ended.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(told), "no {told:?} in {}", ended.stderr);
        assert_no_secret(&ended);
    }
    let nowhere = run(waybill().args(["copy", "--from", &from]));
    assert_eq!(nowhere.code(), Some(2));
    assert!(
        nowhere.stderr.contains("give --to postgres://… or set PG_DSN"),
        "{}",
        nowhere.stderr
    );
    let missing = run(waybill().args(["copy", "--from", "sqlite://no-such-folder", "--to", to]));
    assert!(
        missing.stderr.contains("no-such-folder holds no Waybill store"),
        "{}",
        missing.stderr
    );
}

#[test]
fn help_shows_no_password() {
    for command in ["copy", "migrate"] {
        let dsn = format!("postgres://ada:{PASSWORD}@db/orders");
        let help = run(waybill()
            .args([command, "--help"])
            .env("PG_DSN", &dsn)
            .env("DATABASE_URL", &dsn));
        assert_eq!(help.code(), Some(0));
        assert!(
            help.stdout.contains("PG_DSN") && help.stdout.contains("Examples:"),
            "{}",
            help.stdout
        );
        assert_no_secret(&help);
    }
}
