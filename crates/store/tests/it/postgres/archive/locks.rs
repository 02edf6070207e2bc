//! Partitions leave beside readers and writers: nobody waits long, and nobody sees a half.

use std::time::{Duration, Instant};

use store::Error;
use store::postgres::PostgresOptions;
use store::postgres::archive::{Archiver, Going};
use store::verify::verify;

use super::super::Peer;
use super::{archiver, can_go, delivered, detach, filled, findings, go_on, history, now};
use crate::backend::PostgresDatabase;
use crate::orders::{named, reported};

#[test]
fn a_group_under_way_ends_first_and_the_next_one_waits() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, mut peer) = filled(&database);
    let mut next = Peer::of(&*store);
    let mut archiver = archiver(&database);
    let plan = archiver.plan().unwrap();
    let commit = peer.writer.next_commit().unwrap();
    let mut group = peer.writer.begin().unwrap();
    let writes = peer.rules.judge(&mut *group, &[reported("A-1", "in_transit")]);
    std::thread::scope(|scope| {
        let going = scope.spawn(|| archiver.detach(&can_go(&plan), now(), &mut |_| {}));
        wait_for_waiting(&database, 1);
        let behind = scope.spawn(|| next.write(&["B-1".to_owned()], &[reported("B-1", "picked_up")]));
        wait_for_waiting(&database, 2);
        group.commit(commit, peer.rules.now, writes).unwrap();
        let moved_on = Going::MovedOn(vec![crate::orders::id("A-1")]);
        assert_eq!(going.join().unwrap(), Ok(moved_on));
        behind.join().unwrap().unwrap();
    });
    assert_eq!(findings(&*store), [""; 0]);
}

#[test]
fn who_has_begun_to_read_reads_to_the_end() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    let mut archiver = archiver(&database);
    let plan = archiver.plan().unwrap();
    let (begin, begun) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        let going = scope.spawn(move || {
            begun.recv().unwrap();
            archiver.detach(&can_go(&plan), now(), &mut |_| {})
        });
        let read = store.reading(|reader| {
            let order = reader.order(&named("A-1"))?.unwrap();
            begin.send(()).unwrap();
            wait_for_waiting(&database, 1);
            reader.history(&order)
        });
        assert_eq!(read.unwrap().len(), 4);
        assert_eq!(going.join().unwrap(), Ok(Going::Gone));
    });
    assert_eq!(history(&*store, "A-1"), Err(Error::Archived));
}

#[test]
fn a_lock_that_does_not_come_is_given_up_and_asked_for_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, mut peer) = filled(&database);
    let mut dump = database.raw();
    let mut reading = Some(dump.transaction().unwrap());
    if let Some(reading) = &mut reading {
        reading
            .batch_execute("LOCK TABLE entries IN ACCESS SHARE MODE")
            .unwrap();
    }
    let mut archiver = archiver(&database);
    let plan = archiver.plan().unwrap();
    let began = Instant::now();
    let going = archiver.detach(&can_go(&plan), now(), &mut |_| {
        // It has given way: a group gets through while the dump goes on.
        go_on(&mut peer, "B-1", "picked_up");
        reading.take();
    });
    assert_eq!(going, Ok(Going::Gone));
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(reading.is_none());
    assert_eq!(findings(&*store), [""; 0]);
}

#[test]
fn two_that_archive_at_once_are_one_too_many() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (_store, _peer) = filled(&database);
    let first = archiver(&database);
    let second = Archiver::open(&PostgresOptions::new(&database.dsn()))
        .err()
        .unwrap();
    assert!(
        second.to_string().contains("another process is archiving"),
        "{second}"
    );
    drop(first);
}

#[test]
fn writers_go_on_while_partitions_leave() {
    const GROUPS: usize = 150;
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    let longest = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mut peer = Peer::of(&**store);
                    let mut longest = Duration::ZERO;
                    for group in 0..GROUPS {
                        let began = Instant::now();
                        delivered(&mut peer, &format!("W-{writer}-{group}"));
                        longest = longest.max(began.elapsed());
                    }
                    longest
                })
            })
            .collect();
        assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone));
        let longest = writers.into_iter().map(|writer| writer.join().unwrap());
        longest.max().unwrap()
    });
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    let report = verify(&*store, &mut |_| {});
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.orders, report.archived_orders),
        (2 * GROUPS as u64 + 3, 2)
    );
}

/// Waits until so many sessions of this database wait for a lock.
fn wait_for_waiting(database: &PostgresDatabase, sessions: i64) {
    let mut raw = database.raw();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        if raw.query_one(sql, &[]).unwrap().get::<_, i64>(0) >= sessions {
            return;
        }
    }
    panic!("nobody waits");
}
