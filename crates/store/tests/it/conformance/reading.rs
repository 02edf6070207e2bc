//! Reads: of one instant, bounded in time and number.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::ids::{OrderKey, Position};
use store::limits::{MAX_READ, READERS};
use store::{CommitId, Error, Reader};

use crate::backend::Backend;
use crate::orders::{Clerk, created, reported};

pub(super) fn an_empty_store_reads_as_empty(backend: &dyn Backend) {
    let store = backend.open();
    store
        .reading(|reader| {
            let totals = reader.totals()?;
            assert_eq!(totals.last_position, Position::new(0));
            assert_eq!(totals.last_commit, CommitId(0));
            assert_eq!(totals.last_order, OrderKey::new(0));
            assert_eq!(totals.dead_letters, 0);
            assert_eq!(reader.log(Position::new(0), 10)?, []);
            assert_eq!(reader.commits(CommitId(0), 10)?, []);
            assert!(reader.orders(OrderKey::new(0), 10)?.is_empty());
            assert_eq!(reader.status_counts()?, []);
            assert_eq!(reader.unpaired_orders(10)?, []);
            assert_eq!(reader.integrity_problems()?, Vec::<String>::new());
            Ok(())
        })
        .unwrap();
}

/// Whatever a reader sees, heads, entries, commits and counts are of the same groups.
fn is_whole(reader: &mut dyn Reader) -> Result<i64, Error> {
    let totals = reader.totals()?;
    let orders = reader.orders(OrderKey::new(0), 1_000)?;
    let commits = reader.commits(CommitId(0), 1_000)?;
    let entries: u32 = commits.iter().map(|commit| commit.entries).sum();
    assert_eq!(totals.last_position, Position::new(i64::from(entries)));
    assert_eq!(
        commits.last().map_or(CommitId(0), |commit| commit.commit),
        totals.last_commit
    );
    let mut of_heads = 0;
    for order in &orders {
        let history = reader.history(order)?;
        assert_eq!(history.last().unwrap().entry.version, order.head.version);
        of_heads += order.head.version.get();
    }
    assert_eq!(of_heads, entries, "heads and entries appear together");
    let counted: u64 = reader.status_counts()?.iter().map(|count| count.orders).sum();
    assert_eq!(usize::try_from(counted).unwrap(), orders.len());
    Ok(totals.last_commit.0)
}

pub(super) fn readers_beside_a_writer_see_whole_groups_only(backend: &dyn Backend) {
    const GROUPS: i64 = 60;
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let mut last = 0;
            while !written.load(Ordering::Acquire) {
                let seen = store.reading(is_whole).unwrap();
                assert!(seen >= last, "a later read sees no less");
                last = seen;
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for group in 0..GROUPS {
            let name = format!("A-{group}");
            clerk.write(&[created(&name), reported(&name, "picked_up")]);
            clerk.write(&[reported(&name, "in_transit")]);
        }
        written.store(true, Ordering::Release);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(store.reading(is_whole).unwrap(), 2 * GROUPS);
}

pub(super) fn a_read_that_pages_too_long_is_ended_and_the_next_works(backend: &dyn Backend) {
    let store = backend.open();
    let names: Vec<String> = (0..200).map(|number| format!("A-{number}")).collect();
    let wishes: Vec<_> = names.iter().map(|name| created(name)).collect();
    Clerk::of(&*store).write(&wishes);
    let began = Instant::now();
    let ended = store.reading(|reader| {
        while began.elapsed() < 5 * MAX_READ {
            reader.log(Position::new(0), 100)?;
        }
        Ok(())
    });
    assert_eq!(ended, Err(Error::ReadTooLong));
    assert!(began.elapsed() < 3 * MAX_READ, "{:?}", began.elapsed());
    for _ in 0..2 * READERS {
        let page = store.reading(|reader| reader.log(Position::new(0), 500)).unwrap();
        assert_eq!(page.len(), 200);
    }
}

pub(super) fn a_read_that_dawdles_between_its_questions_is_ended(backend: &dyn Backend) {
    let store = backend.open();
    let ended = store.reading(|reader| {
        reader.totals()?;
        std::thread::sleep(MAX_READ + Duration::from_millis(50));
        reader.totals()
    });
    assert_eq!(ended, Err(Error::ReadTooLong));
    store.reading(|reader| reader.totals()).unwrap();
}

pub(super) fn more_readers_than_there_are_places_wait_their_turn(backend: &dyn Backend) {
    let store = backend.open();
    let (now, most, served) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 * READERS {
            scope.spawn(|| {
                let read = store.reading(|reader| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let totals = reader.totals();
                    std::thread::sleep(Duration::from_millis(20));
                    now.fetch_sub(1, Ordering::SeqCst);
                    totals
                });
                read.unwrap();
                served.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(served.into_inner(), 4 * READERS);
    assert!(most.into_inner() <= READERS);
}

pub(super) fn what_a_failed_job_says_reaches_its_caller(backend: &dyn Backend) {
    let store = backend.open();
    let refused = Error::Damaged("said by the job".to_owned());
    for _ in 0..2 * READERS {
        let failed: Result<(), Error> = store.reading(|reader| {
            reader.totals()?;
            Err(refused.clone())
        });
        assert_eq!(failed, Err(refused.clone()));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.reading(|reader| -> Result<(), Error> {
                reader.totals()?;
                panic!("a job's own fault")
            })
        }));
        assert!(panicked.is_err());
    }
    store.reading(|reader| reader.totals()).unwrap();
}
