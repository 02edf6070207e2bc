//! Positions: no reader skips one, sees one twice, or waits for somebody who has not ended.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use model::ids::Position;
use store::verify::verify;
use store::{CommitId, LogEntry, Store};

use super::Peer;
use crate::backend::{Backend, PostgresDatabase};
use crate::orders::{created, named, reported};

fn log(store: &dyn Store) -> Vec<i64> {
    let log = store
        .reading(|reader| reader.log(Position::new(0), 1_000))
        .unwrap();
    log.iter().map(|found| found.position.get()).collect()
}

#[test]
fn a_group_held_open_holds_nobody_back() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut slow, mut quick) = (Peer::of(&*store), Peer::of(&*store));
    slow.write(&[], &[created("S-1")]).unwrap();
    let commit = slow.writer.next_commit().unwrap();
    let mut group = slow.writer.begin().unwrap();
    let writes = slow
        .rules
        .judge(&mut *group, &[reported("S-1", "picked_up"), created("S-2")]);
    for round in 1..=5i64 {
        let committed = quick.write(&[], &[created(&format!("Q-{round}"))]).unwrap();
        assert_eq!(committed.last_position, Position::new(1 + round));
        assert_eq!(log(&*store), (1..=1 + round).collect::<Vec<_>>(), "seen at once");
    }
    let committed = group.commit(commit, slow.rules.now, writes).unwrap();
    assert_eq!(committed.last_position, Position::new(8));
    assert_eq!(log(&*store), (1..=8).collect::<Vec<_>>());
    let order = store.reading(|reader| {
        let order = reader.order(&named("S-1"))?.unwrap();
        reader.history(&order)
    });
    let positions: Vec<i64> = order.unwrap().iter().map(|found| found.position.get()).collect();
    assert_eq!(positions, [1, 7]);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn what_other_transactions_of_the_server_do_holds_nobody_back() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    peer.write(&[], &[created("A-1")]).unwrap();
    // One that writes in another database, and one of this database that was prepared and forgotten.
    let mut elsewhere = database.server();
    let mut open = elsewhere.transaction().unwrap();
    open.batch_execute("CREATE TEMPORARY TABLE held (number INT)")
        .unwrap();
    let name = database.name();
    let forgotten = format!("BEGIN; CREATE TABLE forgotten (number INT); PREPARE TRANSACTION '{name}'");
    database.raw().batch_execute(&forgotten).unwrap();
    let began = Instant::now();
    for round in 2..=10 {
        peer.write(&[], &[created(&format!("A-{round}"))]).unwrap();
        assert_eq!(log(&*store), (1..=round).collect::<Vec<_>>());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let rolled_back = format!("ROLLBACK PREPARED '{name}'");
    database.raw().batch_execute(&rolled_back).unwrap();
    open.rollback().unwrap();
}

/// Follows the log until everything is written and read. Every entry's order and version.
fn follow(store: &dyn Store, is_written: &AtomicBool, page: u32) -> Vec<(i64, u32)> {
    let (mut seen, mut after) = (Vec::new(), Position::new(0));
    loop {
        let was_written = is_written.load(Ordering::Acquire);
        let found: Vec<LogEntry> = store.reading(|reader| reader.log(after, page)).unwrap();
        if found.is_empty() && was_written {
            return seen;
        }
        for LogEntry { position, entry } in found {
            assert_eq!(position, after.next(), "none is skipped, none comes twice");
            after = position;
            seen.push((entry.order.get(), entry.version.get()));
        }
    }
}

#[test]
fn followers_see_every_entry_once_and_in_order_while_several_write() {
    const GROUPS: usize = 40;
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, other) = (database.open(), database.open());
    let is_written = AtomicBool::new(false);
    let seen: Vec<Vec<(i64, u32)>> = std::thread::scope(|scope| {
        let followers: Vec<_> = [7, 100]
            .map(|page| {
                let (other, is_written) = (&other, &is_written);
                scope.spawn(move || follow(&**other, is_written, page))
            })
            .into();
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mut peer = Peer::of(&**store);
                    for group in 0..GROUPS {
                        let name = format!("W-{writer}-{group}");
                        let wishes = [created(&name), reported(&name, "picked_up")];
                        if group % 3 == 2 {
                            // Places are taken, and never used.
                            let commit = CommitId(0);
                            let mut dropped = peer.writer.begin().unwrap();
                            let writes = peer.rules.judge(&mut *dropped, &wishes);
                            dropped.commit(commit, peer.rules.now, writes).unwrap_err();
                        }
                        peer.write(&[], &wishes[..1 + group % 2]).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        is_written.store(true, Ordering::Release);
        followers
            .into_iter()
            .map(|follower| follower.join().unwrap())
            .collect()
    });
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].len(), 3 * (GROUPS + GROUPS / 2));
    let once: HashSet<_> = seen[0].iter().collect();
    assert_eq!(once.len(), seen[0].len());
    let mut versions = std::collections::HashMap::new();
    for (order, version) in &seen[0] {
        let before = versions.insert(order, *version).unwrap_or(0);
        assert_eq!(*version, before + 1, "of order {order}");
    }
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn the_log_goes_on_in_new_partitions_that_are_made_ahead() {
    const PARTITION: i64 = 64 << 20;
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    let names: Vec<String> = ["A-1", "A-2"].map(str::to_owned).into();
    peer.write(&[], &[created("A-1"), created("A-2")]).unwrap();
    let partitions = |expected: &[&str]| {
        let sql = "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid \
                   WHERE inhparent = 'entries'::regclass AND relkind = 'r' ORDER BY 1";
        let rows = database.raw().query(sql, &[]).unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(names, expected);
    };
    partitions(&["entries_0", "entries_1"]);
    // As if so many entries had been written.
    let go_to = |place: i64| {
        let sql = format!("SELECT setval('places', {place})");
        database.raw().batch_execute(&sql).unwrap();
    };
    for (place, status) in [
        (PARTITION - 2, "picked_up"),
        (PARTITION + PARTITION / 2, "in_transit"),
        (2 * PARTITION - 2, "delivered"),
        (2 * PARTITION + PARTITION / 2, "picked_up"),
        (3 * PARTITION - 2, "picked_up"),
    ] {
        go_to(place);
        let wishes: Vec<_> = names.iter().map(|name| reported(name, status)).collect();
        peer.write(&names, &wishes).unwrap();
    }
    partitions(&["entries_0", "entries_1", "entries_2", "entries_3"]);
    assert_eq!(log(&*store), (1..=12).collect::<Vec<_>>());
    let mut group = peer.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-2")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(group.history(&loaded).unwrap().len(), 6);
    drop(group);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}
