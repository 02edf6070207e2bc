//! What a store is told about how long anything may take, and what the server's clock says.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::ids::Position;
use store::postgres::{PostgresOptions, PostgresStore};
use store::{Error, Store, Trouble};

use crate::backend::{PostgresDatabase, birth};
use crate::orders::{Clerk, created, reported};

/// A store whose reads and statements are bounded otherwise than usual.
fn bounded(database: &PostgresDatabase, read: Duration, write: Duration) -> PostgresStore {
    let options = PostgresOptions {
        read_statement: read,
        write_statement: write,
        ..PostgresOptions::new(&database.dsn())
    };
    PostgresStore::open(&options, &birth()).unwrap()
}

#[test]
fn a_read_is_ended_at_the_bound_that_the_store_was_opened_with() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = bounded(&database, Duration::from_millis(150), Duration::from_secs(9));
    let store: &dyn Store = &store;
    let began = Instant::now();
    let ended = store.reading(|reader| {
        while began.elapsed() < Duration::from_secs(5) {
            reader.log(Position::new(0), 1)?;
        }
        Ok(())
    });
    assert_eq!(ended, Err(Error::ReadTooLong));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    store.reading(|reader| reader.totals()).unwrap();
}

#[test]
fn a_writers_statement_is_ended_at_the_bound_that_the_store_was_opened_with() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = bounded(&database, Duration::from_secs(1), Duration::from_millis(300));
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    let mut other = database.raw();
    let mut held = other.transaction().unwrap();
    held.execute("UPDATE log_end SET last_position = last_position", &[])
        .unwrap();
    let began = Instant::now();
    let busy = clerk.try_write(&[reported("A-1", "picked_up")]).unwrap_err();
    assert!(
        matches!(
            busy,
            Error::Unavailable {
                trouble: Trouble::Busy,
                ..
            }
        ),
        "{busy:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    held.rollback().unwrap();
    clerk.write(&[reported("A-1", "picked_up")]);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of this machine is what is compared with"
)]
fn the_servers_clock_is_told_and_is_near_ours_on_one_machine() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    if !matches!(&*database.host(), "127.0.0.1" | "localhost") {
        return;
    }
    let store = database.try_open().unwrap();
    let ours = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let before = ours();
    let said = store.server_time().unwrap().as_nanos() / 1_000;
    assert!((before..=ours()).contains(&said), "{before} {said}");
}

#[test]
fn the_time_of_a_read_is_not_later_than_what_it_sees() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = PostgresStore::open(&PostgresOptions::new(&database.dsn()), &birth()).unwrap();
    let mut raw = database.raw();
    let store: &dyn Store = &store;
    let read = store.reading(|reader| {
        reader.totals()?;
        // Whatever is written from here on is not seen any more.
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let unseen_from: i64 = raw.query_one(now, &[]).unwrap().get(0);
        Ok((reader.shared_time()?.unwrap().as_nanos() / 1_000, unseen_from))
    });
    let (time, unseen_from) = read.unwrap();
    assert!(time < unseen_from, "{time} of {unseen_from}");
}
