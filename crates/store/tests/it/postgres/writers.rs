//! Several writers at once: nothing is lost, nothing is doubled, and nobody waits for somebody who waits for him.

use std::sync::atomic::{AtomicUsize, Ordering};

use store::limits::FIRST_BLOCK;
use store::verify::verify;
use store::{CommitId, Error, GroupWrites, KeyState, Record, StoredAnswer};

use super::Peer;
use crate::backend::{Backend, PostgresDatabase};
use crate::orders::{created, named, reported};

/// Numbers in no order, the same ones each time.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self, below: usize) -> usize {
        // Knuth's MMIX: the high bits are good enough for this.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn some_of(&mut self, names: &[String], count: usize) -> Vec<String> {
        let mut rest = names.to_vec();
        (0..count)
            .map(|_| rest.swap_remove(self.next(rest.len())))
            .collect()
    }
}

#[test]
fn writers_over_the_same_orders_in_any_order_lose_nothing_and_never_deadlock() {
    const WRITERS: u64 = 4;
    const GROUPS: usize = 40;
    const ORDERS: usize = 6;
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let stores = [database.open(), database.open()];
    let names: Vec<String> = (0..12).map(|number| format!("A-{number}")).collect();
    let mut first = Peer::of(&*stores[0]);
    let born: Vec<_> = names.iter().map(|name| created(name)).collect();
    first.write(&[], &born).unwrap();
    for status in ["picked_up", "in_transit"] {
        let moved: Vec<_> = names.iter().map(|name| reported(name, status)).collect();
        first.write(&names, &moved).unwrap();
    }
    drop(first);
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let store = &stores[usize::try_from(number % 2).unwrap()];
            let names = &names;
            scope.spawn(move || {
                let mut shuffle = Shuffle(number);
                let mut peer = Peer::of(&**store);
                for _ in 0..GROUPS {
                    let some = shuffle.some_of(names, ORDERS);
                    // A late report is kept, whatever came before it.
                    let late: Vec<_> = some.iter().map(|name| reported(name, "picked_up")).collect();
                    peer.write(&some, &late).unwrap();
                }
            });
        }
    });
    let report = verify(&*stores[0], &mut |_| {});
    assert_eq!(report.findings, []);
    let groups = usize::try_from(WRITERS).unwrap() * GROUPS;
    assert_eq!(
        usize::try_from(report.entries).unwrap(),
        3 * names.len() + groups * ORDERS
    );
    assert_eq!(usize::try_from(report.commits).unwrap(), 3 + groups);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks: i64 = database.raw().query_one(deadlocks, &[]).unwrap().get(0);
    assert_eq!(deadlocks, 0);
}

#[test]
fn the_same_new_orders_brought_by_two_in_opposite_orders_are_made_once() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for backwards in [false, true] {
            let (store, refused) = (&store, &refused);
            scope.spawn(move || {
                let mut peer = Peer::of(&**store);
                for round in 0..20 {
                    let mut wishes: Vec<_> = (0..8)
                        .map(|number| created(&format!("A-{round}-{number}")))
                        .collect();
                    if backwards {
                        wishes.reverse();
                    }
                    match peer.write(&[], &wishes) {
                        Ok(_) => {}
                        Err(Error::Statement(_)) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(refused.into_inner(), 20, "of each group one");
    let report = verify(&*store, &mut |_| {});
    assert_eq!((report.findings, report.orders), (vec![], 160));
}

#[test]
fn an_order_asked_for_later_is_not_waited_for_while_another_holds_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut first, mut second) = (Peer::of(&*store), Peer::of(&*store));
    first.write(&[], &[created("A-1"), created("A-2")]).unwrap();
    let (one, two) = (named("A-1"), named("A-2"));
    let mut holds_one = first.writer.begin().unwrap();
    holds_one.load(&[&one]).unwrap();
    let mut holds_two = second.writer.begin().unwrap();
    holds_two.load(&[&two]).unwrap();
    let refused = holds_two.load(&[&one]).err();
    assert!(matches!(refused, Some(Error::Contended(_))), "{refused:?}");
    drop(holds_two);
    assert!(holds_one.load(&[&two, &one]).unwrap().iter().all(Option::is_some));
    drop(holds_one);
    second
        .write(&["A-1".to_owned()], &[reported("A-1", "picked_up")])
        .unwrap();
}

#[test]
fn what_another_writer_left_is_seen_by_the_one_that_waited_for_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut first, mut second) = (Peer::of(&*store), Peer::of(&*store));
    first.write(&[], &[created("A-1")]).unwrap();
    let commit = first.writer.next_commit().unwrap();
    let mut group = first.writer.begin().unwrap();
    let writes = first.rules.judge(&mut *group, &[reported("A-1", "picked_up")]);
    let now = first.rules.now;
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut group = second.writer.begin().unwrap();
            let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
            let history = group.history(&loaded).unwrap();
            (loaded.head.version.get(), history.len())
        });
        // Whether it waits already or comes later, it sees the same.
        group.commit(commit, now, writes).unwrap();
        assert_eq!(waits.join().unwrap(), (2, 2));
    });
}

pub(super) fn answer(key: u8) -> StoredAnswer {
    StoredAnswer {
        key: [key; 32],
        body_hash: [1; 32],
        stored_at: model::time::Timestamp::from_nanos(1),
        content: [2].into(),
    }
}

#[test]
fn one_idempotency_key_is_decided_by_one_writer_at_a_time() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut first, mut second) = (Peer::of(&*store), Peer::of(&*store));
    let commit = first.writer.next_commit().unwrap();
    let mut group = first.writer.begin().unwrap();
    assert_eq!(group.answer(&[7; 32]).unwrap(), KeyState::Free);
    let refused = second.writer.begin().unwrap().answer(&[7; 32]);
    assert_eq!(refused.unwrap(), KeyState::UnderWay);
    let mut other_key = second.writer.begin().unwrap();
    assert_eq!(other_key.answer(&[8; 32]).unwrap(), KeyState::Free);
    drop(other_key);
    let writes = GroupWrites {
        records: vec![Record::Answer(answer(7))],
        ..GroupWrites::default()
    };
    group.commit(commit, first.rules.now, writes).unwrap();
    let found = second.writer.begin().unwrap().answer(&[7; 32]);
    assert_eq!(found.unwrap(), KeyState::Answered(answer(7)));
}

#[test]
fn each_writer_has_a_chain_of_its_own_and_the_next_one_goes_on_with_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut first, mut second) = (Peer::of(&*store), Peer::of(&*store));
    assert_eq!(first.write(&[], &[created("A-1")]).unwrap().commit, CommitId(1));
    assert_eq!(second.write(&[], &[created("A-2")]).unwrap().commit, CommitId(1));
    assert_eq!(first.write(&[], &[created("A-3")]).unwrap().commit, CommitId(2));
    drop(first);
    let mut third = Peer::of(&*store);
    assert_eq!(third.write(&[], &[created("A-4")]).unwrap().commit, CommitId(3));
    let commits = store.reading(|reader| reader.commits(CommitId(0), 9)).unwrap();
    let shape: Vec<_> = commits
        .iter()
        .map(|commit| {
            (
                commit.commit.0,
                commit.writer,
                commit.number.0,
                commit.first_position.get(),
            )
        })
        .collect();
    assert_eq!(shape, [(1, 1, 1, 1), (2, 2, 1, 2), (3, 1, 2, 3), (4, 1, 3, 4)]);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn keys_of_several_writers_differ() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut writers = [store.writer().unwrap(), store.writer().unwrap()];
    let count = usize::try_from(3 * FIRST_BLOCK).unwrap();
    let [first, second] = &mut writers;
    let (mut one, mut two) = (first.begin().unwrap(), second.begin().unwrap());
    let mut keys: Vec<i64> = (0..count).map(|_| one.next_order_key().get()).collect();
    keys.extend((0..count).map(|_| two.next_order_key().get()));
    keys.extend((0..count).map(|_| one.next_order_key().get()));
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "no key twice");
    assert_eq!(keys.first(), Some(&1));
    drop((one, two));
    let mut group = writers[0].begin().unwrap();
    let key = group.next_order_key().get();
    assert!(
        Some(&key) > keys.last(),
        "what a dropped group had is not given again"
    );
}

#[test]
fn a_value_that_the_database_cannot_hold_fails_its_group_alone() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    let commit = peer.writer.next_commit().unwrap();
    let mut group = peer.writer.begin().unwrap();
    let mut writes = peer.rules.judge(&mut *group, &[created("A-1"), created("A-2")]);
    // Longer than an entry of an index, and of a kind that cannot be packed.
    let mut shuffle = Shuffle(1);
    let letters =
        (0..10_000).map(|_| char::from_u32(u32::try_from(shuffle.next(20_000)).unwrap() + 0x4E00).unwrap());
    writes.orders[1].reference = Some(letters.collect::<String>().into());
    let refused = group.commit(commit, peer.rules.now, writes);
    assert!(matches!(refused, Err(Error::Statement(_))), "{refused:?}");
    let committed = peer.write(&[], &[created("A-1")]).unwrap();
    assert_eq!(committed.commit, commit);
    let order = |name| store.reading(|reader| reader.order(&named(name))).unwrap();
    assert!(order("A-1").is_some());
    assert!(order("A-2").is_none());
}
