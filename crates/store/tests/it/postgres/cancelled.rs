//! Reads whose statements the server cancels, at any moment: nobody is given what belongs to two instants, and nobody pays for
//! another's reading.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::postgres::{PostgresOptions, PostgresStore};
use store::{Error, Store, Trouble};

use crate::backend::{Backend, PostgresDatabase, birth};
use crate::orders::{Clerk, created, named, reported};

/// Reads made while statements are cancelled.
const READS: usize = 600;

#[test]
fn a_cancelled_beginning_or_end_of_a_read_is_never_taken_for_one_that_went_well() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    drop(database.open());
    // One session, so that each read follows another on it.
    let options = PostgresOptions {
        readers: 1,
        ..PostgresOptions::new(&database.dsn())
    };
    let store = PostgresStore::open(&options, &birth()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        scope.spawn(|| cancel(&database, &done));
        scope.spawn(|| grow(&mut clerk, &done));
        let mut read = 0;
        for _ in 0..READS {
            match look(&store) {
                Ok(()) => read += 1,
                // Cancelled itself, and so was the second try.
                Err(
                    Error::ReadTooLong
                    | Error::Unavailable {
                        trouble: Trouble::Busy,
                        ..
                    },
                ) => {}
                Err(error) => {
                    done.store(true, Ordering::Relaxed);
                    panic!("{error}");
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        read
    });
    assert!(read > READS / 10, "{read} of {READS} reads went well");
    look(&store).unwrap();
}

/// A head and its history: of two instants, they would not fit each other.
fn look(store: &dyn Store) -> Result<(), Error> {
    store.reading(|reader| {
        let order = reader.order(&named("A-1"))?.unwrap();
        let history = reader.history(&order)?;
        assert_eq!(u32::try_from(history.len()), Ok(order.head.version.get()));
        Ok(())
    })
}

fn grow(clerk: &mut Clerk, done: &AtomicBool) {
    clerk.write(&[reported("A-1", "picked_up"), reported("A-1", "in_transit")]);
    // What comes late is recorded.
    for _ in 0..READS {
        if done.load(Ordering::Relaxed) {
            return;
        }
        clerk.write(&[reported("A-1", "picked_up")]);
    }
}

fn cancel(database: &PostgresDatabase, done: &AtomicBool) {
    let mut raw = database.raw();
    let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill reader%'";
    while !done.load(Ordering::Relaxed) {
        raw.query(sql, &[]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
}
