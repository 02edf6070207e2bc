//! Partitions of the log that leave: only when nobody needs them, and never half.

mod damage;
mod locks;

use model::ids::{OrderKey, Position, Version};
use model::time::Timestamp;
use store::postgres::PostgresOptions;
use store::postgres::archive::{ArchiveFile, Archiver, Going, Partition, Stays};
use store::verify::verify;
use store::{CommitId, Error, LogEntry, OrderRecord, Store};

use super::Peer;
use crate::backend::{Backend, PostgresDatabase};
use crate::orders::{Wish, created, named, reported};

const PARTITION: i64 = 64 << 20;
const WAY: [&str; 3] = ["picked_up", "in_transit", "delivered"];

fn archiver(database: &PostgresDatabase) -> Archiver {
    Archiver::open(&PostgresOptions::new(&database.dsn())).unwrap()
}

/// As if so many entries had been written.
fn go_to(database: &PostgresDatabase, place: i64) {
    let sql = format!("SELECT setval('places', {place}), make_log_partitions({place})");
    database.raw().batch_execute(&sql).unwrap();
}

/// An order that comes to its end at once.
fn delivered(peer: &mut Peer, name: &str) {
    let mut wishes = vec![created(name)];
    wishes.extend(WAY.map(|status| reported(name, status)));
    peer.write(&[], &wishes).unwrap();
}

fn go_on(peer: &mut Peer, name: &str, status: &'static str) {
    peer.write(&[name.to_owned()], &[reported(name, status)]).unwrap();
}

fn file_of(partition: &Partition) -> ArchiveFile {
    ArchiveFile {
        name: format!("{}.ndjson.gz", partition.name),
        sha256: [7; 32],
    }
}

fn can_go(plan: &[Partition]) -> Vec<(Partition, ArchiveFile)> {
    let can_go = plan.iter().filter(|partition| partition.stays.is_none());
    can_go
        .map(|partition| (partition.clone(), file_of(partition)))
        .collect()
}

fn detach(archiver: &mut Archiver) -> Result<Going, Error> {
    let plan = archiver.plan().unwrap();
    archiver.detach(&can_go(&plan), now(), &mut |_| {})
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_770_000_000).unwrap()
}

fn order(store: &dyn Store, name: &str) -> OrderRecord {
    store
        .reading(|reader| reader.order(&named(name)))
        .unwrap()
        .unwrap()
}

fn history(store: &dyn Store, name: &str) -> Result<Vec<LogEntry>, Error> {
    let order = order(store, name);
    store.reading(|reader| reader.history(&order))
}

fn log(store: &dyn Store, after: i64, limit: u32) -> Result<Vec<i64>, Error> {
    let log = store.reading(|reader| reader.log(Position::new(after), limit))?;
    Ok(log.iter().map(|found| found.position.get()).collect())
}

fn findings(store: &dyn Store) -> Vec<String> {
    let findings = verify(store, &mut |_| {}).findings;
    findings.iter().map(ToString::to_string).collect()
}

/// Two delivered orders in the first partition, and one that is under way in the second.
fn filled(database: &PostgresDatabase) -> (Box<dyn Store>, Peer) {
    let store = database.open();
    let mut peer = Peer::of(&*store);
    delivered(&mut peer, "A-1");
    delivered(&mut peer, "A-2");
    go_to(database, PARTITION + 10);
    peer.write(&[], &[created("B-1")]).unwrap();
    (store, peer)
}

#[test]
fn of_an_archived_order_there_is_its_head_and_the_answer_that_its_history_is_archived() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, mut peer) = filled(&database);
    let before = order(&*store, "A-2");
    assert!(!before.placement.is_archived());
    assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone));
    let after = order(&*store, "A-2");
    assert!(after.placement.is_archived());
    assert_eq!(after.head, before.head);
    assert_eq!(history(&*store, "A-2"), Err(Error::Archived));
    assert_eq!(history(&*store, "B-1").unwrap().len(), 1);
    let all = [order(&*store, "B-1"), after];
    let read = store.reading(|reader| reader.histories(&all));
    assert_eq!(read, Err(Error::Archived));
    let archives = store
        .reading(|reader| reader.archives_of(all[1].head.order))
        .unwrap();
    let archives: Vec<_> = archives
        .iter()
        .map(|archive| (&*archive.file, archive.entries, archive.orders))
        .collect();
    assert_eq!(archives, [("entries_0.ndjson.gz", 8, 2)]);

    let commit = peer.writer.next_commit().unwrap();
    let mut group = peer.writer.begin().unwrap();
    let names = [named("A-1"), named("B-1")];
    let loaded = group.load(&names.iter().collect::<Vec<_>>()).unwrap();
    let [Some(archived), Some(live)] = &loaded[..] else {
        panic!("{loaded:?}");
    };
    assert!(archived.placement.is_archived() && !live.placement.is_archived());
    assert_eq!(group.history(archived), Err(Error::Archived));
    assert_eq!(group.entry(archived, Version::new(2)), Err(Error::Archived));
    assert_eq!(group.history(live).unwrap().len(), 1);
    let writes = peer.rules.judge(&mut *group, &[reported("A-1", "in_transit")]);
    assert_eq!(group.commit(commit, now(), writes), Err(Error::Archived));

    go_on(&mut peer, "B-1", "picked_up");
    assert_eq!(history(&*store, "B-1").unwrap().len(), 2);
    let report = verify(&*store, &mut |_| {});
    assert_eq!(report.findings, []);
    assert_eq!((report.orders, report.archived_orders, report.entries), (3, 2, 2));
    // Another partition follows, and a node that starts finds everything as it is.
    drop((store, peer));
    let store = database.open();
    let mut peer = Peer::of(&*store);
    delivered(&mut peer, "B-2");
    assert_eq!(findings(&*store), [""; 0]);
}

#[test]
fn the_log_is_never_read_with_a_silent_gap() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    assert_eq!(log(&*store, 0, 100).unwrap(), (1..=9).collect::<Vec<_>>());
    assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone));
    for (after, limit) in [(0, 100), (0, 1), (7, 1), (7, 100), (3, 2)] {
        assert_eq!(
            log(&*store, after, limit),
            Err(Error::Archived),
            "{limit} after {after}"
        );
    }
    assert_eq!(log(&*store, 8, 1), Ok(vec![9]));
    assert_eq!(log(&*store, 8, 100), Ok(vec![9]));
    assert_eq!(log(&*store, 9, 100), Ok(vec![]));
}

#[test]
fn what_is_detached_is_all_there_to_be_written_down_first() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, _peer) = filled(&database);
    let before = history(&*store, "A-2").unwrap();
    let mut archiver = archiver(&database);
    let plan = archiver.plan().unwrap();
    let orders = archiver.orders_after(&plan[0], OrderKey::new(0)).unwrap();
    let names: Vec<&str> = orders.iter().map(|order| order.public_id.as_str()).collect();
    assert_eq!(names, ["A-1", "A-2"]);
    let entries: Vec<_> = orders[1].entries.iter().map(|(_, entry)| entry).collect();
    assert_eq!(
        entries,
        before.iter().map(|found| &found.entry).collect::<Vec<_>>()
    );
    let places: Vec<i64> = orders[1].entries.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [5, 6, 7, 8]);
    assert_eq!(
        (&*orders[1].lifecycle, orders[1].lifecycle_version),
        ("parcel", 1)
    );
    let none = archiver.orders_after(&plan[0], orders[1].order).unwrap();
    assert!(none.is_empty());
    let commits = archiver.commits_after(&plan[0], CommitId(0)).unwrap();
    let [first, second] = &commits[..] else {
        panic!("{commits:?}");
    };
    assert_eq!(
        (first.previous_digest, second.previous_digest),
        (None, Some(first.commit.digest))
    );
    assert_eq!((second.first_place, second.commit.entries), (5, 4));
    assert_eq!(
        archiver.detach(&can_go(&plan), now(), &mut |_| {}),
        Ok(Going::Gone)
    );
    // Detached, never dropped.
    let sql = "SELECT count(*) FROM entries_0";
    assert_eq!(database.raw().query_one(sql, &[]).unwrap().get::<_, i64>(0), 8);
}

#[test]
fn a_partition_stays_while_an_order_in_it_is_not_final_or_goes_on_behind_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    delivered(&mut peer, "A-1");
    peer.write(&[], &[created("A-2")]).unwrap();
    delivered(&mut peer, "A-3");
    let stays = |stays: &[(u64, u64, &[&str])]| {
        let plan = archiver(&database).plan().unwrap();
        let mut found = plan.iter().map(|partition| &partition.stays);
        for (unfinished, going_on, some) in stays {
            let ids = some.iter().map(|name| crate::orders::id(name)).collect();
            let expected = Some(Stays::Orders {
                unfinished: *unfinished,
                going_on: *going_on,
                some: ids,
            });
            assert_eq!(found.next(), Some(&expected), "{plan:#?}");
        }
        assert!(found.all(|stays| *stays == Some(Stays::InUse)), "{plan:#?}");
    };
    stays(&[]);
    go_to(&database, PARTITION + 10);
    // Recorded, though it comes too late.
    go_on(&mut peer, "A-1", "picked_up");
    stays(&[(1, 1, &["A-1", "A-2"])]);
    assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone), "of none");
    assert_eq!(history(&*store, "A-1").unwrap().len(), 5);
    for status in WAY {
        go_on(&mut peer, "A-2", status);
    }
    stays(&[(0, 2, &["A-1", "A-2"])]);
    peer.write(&[], &[created("B-1")]).unwrap();
    go_to(&database, 2 * PARTITION + 10);
    stays(&[(0, 2, &["A-1", "A-2"]), (1, 0, &["B-1"])]);
}

#[test]
fn partitions_that_need_each_other_go_together() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    delivered(&mut peer, "A-1");
    // A group that lies in both.
    go_to(&database, PARTITION - 3);
    delivered(&mut peer, "A-2");
    // A group of which a part stays.
    go_to(&database, 2 * PARTITION - 5);
    let wishes: Vec<Wish> = ["B-1", "B-2"]
        .iter()
        .flat_map(|name| std::iter::once(created(name)).chain(WAY.map(|status| reported(name, status))))
        .collect();
    peer.write(&[], &wishes).unwrap();
    let plan = archiver(&database).plan().unwrap();
    let can: Vec<(bool, u64, u64)> = plan
        .iter()
        .map(|partition| (partition.stays.is_none(), partition.entries, partition.orders))
        .collect();
    assert_eq!(can[..3], [(true, 6, 2), (true, 6, 2), (false, 4, 1)], "{plan:#?}");
    assert_eq!(detach(&mut archiver(&database)), Ok(Going::Gone));
    let archives = |name: &str| {
        let key = order(&*store, name).head.order;
        store.reading(|reader| reader.archives_of(key)).unwrap().len()
    };
    assert_eq!(["A-1", "A-2", "B-1", "B-2"].map(archives), [1, 2, 1, 0]);
    assert_eq!(history(&*store, "B-1"), Err(Error::Archived));
    assert_eq!(history(&*store, "B-2").unwrap().len(), 4);
    assert_eq!(log(&*store, 11, 5), Err(Error::Archived));
    assert_eq!(log(&*store, 12, 5), Ok(vec![13, 14, 15, 16]));
    let report = verify(&*store, &mut |_| {});
    assert_eq!(report.findings, []);
    assert_eq!((report.entries, report.archived_orders), (4, 3));
}

#[test]
fn an_order_that_goes_on_meanwhile_keeps_its_history() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (store, mut peer) = filled(&database);
    let mut archiver = archiver(&database);
    let plan = archiver.plan().unwrap();
    go_on(&mut peer, "B-1", "picked_up");
    go_on(&mut peer, "A-2", "in_transit");
    let going = archiver.detach(&can_go(&plan), now(), &mut |_| {});
    assert_eq!(going, Ok(Going::MovedOn(vec![crate::orders::id("A-2")])));
    assert_eq!(history(&*store, "A-2").unwrap().len(), 5);
    assert_eq!(findings(&*store), [""; 0]);
}
