//! Groups: what they load, what they leave.

use model::command::OrderRef;
use model::ids::{OrderKey, Position, Version};
use store::{CommitId, Error, GroupWrites, Writer};

use crate::backend::Backend;
use crate::orders::{Clerk, created, id, named, reported};

pub(super) fn an_order_is_found_by_public_id_and_by_key(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2"), reported("A-2", "picked_up")]);
    let mut group = clerk.writer.begin().unwrap();
    let (by_id, by_key) = (named("A-2"), OrderRef::Key(OrderKey::new(2)));
    let loaded = group.load(&[&by_id, &by_key]).unwrap();
    let [Some(by_id), Some(by_key)] = loaded.as_slice() else {
        panic!("{loaded:?}");
    };
    assert_eq!(by_id.head, by_key.head);
    assert_eq!(by_id.placement, by_key.placement);
    assert_eq!(
        (by_id.head.order, by_id.head.version),
        (OrderKey::new(2), Version::new(2))
    );
}

pub(super) fn what_is_unknown_loads_as_none_in_its_place(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group
        .load(&[&named("A-0"), &named("A-1"), &OrderRef::Key(OrderKey::new(9))])
        .unwrap();
    let found: Vec<bool> = loaded.iter().map(Option::is_some).collect();
    assert_eq!(found, [false, true, false]);
}

pub(super) fn a_group_reads_histories_and_single_entries(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2"), reported("A-1", "picked_up")]);
    clerk.write(&[reported("A-2", "picked_up"), reported("A-1", "in_transit")]);
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    let history = group.history(&loaded).unwrap();
    let versions: Vec<u32> = history.iter().map(|entry| entry.version.get()).collect();
    assert_eq!(versions, [1, 2, 3]);
    assert!(history.iter().all(|entry| entry.order == OrderKey::new(1)));
    for entry in &history {
        assert_eq!(group.entry(&loaded, entry.version).unwrap().as_ref(), Some(entry));
    }
    for absent in [0, 4, u32::MAX] {
        assert_eq!(
            group.entry(&loaded, Version::new(absent)).unwrap(),
            None,
            "{absent}"
        );
    }
}

pub(super) fn a_dropped_group_leaves_nothing_and_the_next_one_works(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut group = clerk.writer.begin().unwrap();
    clerk.rules.judge(&mut *group, &[reported("A-1", "picked_up")]);
    drop(group);
    let totals = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!(
        (totals.last_position, totals.last_commit),
        (Position::new(1), CommitId(1))
    );
    let committed = clerk.write(&[reported("A-1", "picked_up"), created("A-2")]);
    assert_eq!(
        (committed.commit, committed.last_position),
        (CommitId(2), Position::new(3))
    );
}

pub(super) fn positions_and_commits_have_no_gaps_over_failed_groups(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    for round in 0..8 {
        let name = format!("A-{round}");
        clerk.write(&[created(&name), reported(&name, "picked_up")]);
        if round % 2 == 0 {
            fail(&mut clerk, &name);
        } else {
            drop(clerk.writer.begin().unwrap());
        }
    }
    let log = store.reading(|reader| reader.log(Position::new(0), 100)).unwrap();
    let positions: Vec<i64> = log.iter().map(|found| found.position.get()).collect();
    assert_eq!(positions, (1..=16).collect::<Vec<_>>());
    let commits = store.reading(|reader| reader.commits(CommitId(0), 100)).unwrap();
    assert_eq!(commits.len(), 8);
}

/// A group whose last order has a public id that is taken.
fn fail(clerk: &mut Clerk, taken: &str) {
    let commit = clerk.writer.next_commit().unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let mut writes = clerk.rules.judge(&mut *group, &[created("B-1"), created("B-2")]);
    writes.orders.last_mut().unwrap().public_id = id(taken);
    let failed = group.commit(commit, clerk.rules.now, writes);
    assert!(matches!(failed, Err(Error::Statement(_))), "{failed:?}");
}

pub(super) fn commit_ids_rise_by_one_and_are_known_once_durable(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    for number in 1..=3 {
        let next = clerk.writer.next_commit().unwrap();
        assert_eq!(next, CommitId(number));
        assert!(!clerk.writer.is_committed(next).unwrap());
        let committed = clerk.write(&[created(&format!("A-{number}"))]);
        assert_eq!(committed.commit, next);
        assert!(clerk.writer.is_committed(next).unwrap());
    }
    assert_eq!(clerk.writer.next_commit().unwrap(), CommitId(4));
}

pub(super) fn a_taken_public_id_is_refused_and_nothing_is_stored(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    fail(&mut clerk, "A-1");
    assert!(!clerk.writer.is_committed(CommitId(2)).unwrap());
    let all = store
        .reading(|reader| reader.orders(OrderKey::new(0), 10))
        .unwrap();
    assert_eq!(all.len(), 1);
    let counts = store.reading(|reader| reader.status_counts()).unwrap();
    assert_eq!(counts.iter().map(|count| count.orders).sum::<u64>(), 1);
    let unknown = clerk.writer.begin().unwrap().load(&[&named("B-1")]).unwrap();
    assert!(unknown[0].is_none());
}

pub(super) fn a_commit_under_another_id_than_the_next_is_refused(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    for wrong in [0, 1, 3, 9] {
        let mut group = clerk.writer.begin().unwrap();
        let writes = clerk.rules.judge(&mut *group, &[created("A-2")]);
        let refused = group.commit(CommitId(wrong), clerk.rules.now, writes);
        assert!(
            matches!(refused, Err(Error::Statement(_))),
            "{wrong}: {refused:?}"
        );
    }
    assert_eq!(clerk.write(&[created("A-2")]).commit, CommitId(2));
}

pub(super) fn an_entry_without_a_head_fails_its_group(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let mut broken = |breaks: fn(&mut GroupWrites)| {
        let mut group = clerk.writer.begin().unwrap();
        let mut writes = clerk.rules.judge(&mut *group, &[created("A-1")]);
        breaks(&mut writes);
        group.commit(CommitId(1), clerk.rules.now, writes).unwrap_err()
    };
    let missing_head = broken(|writes| writes.entries[0].0 = 7);
    assert_eq!(
        missing_head.to_string(),
        "damaged store: an entry names no head of its group"
    );
    let missing_entry = broken(|writes| writes.entries.clear());
    assert_eq!(missing_entry.to_string(), "damaged store: a head without entries");
}

pub(super) fn keys_of_a_dropped_group_are_not_given_out_again(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let given = |writer: &mut dyn Writer| {
        let mut group = writer.begin().unwrap();
        [group.next_order_key().get(), group.next_order_key().get()]
    };
    let (first, second) = (given(&mut *clerk.writer), given(&mut *clerk.writer));
    // The first group may be written behind yet.
    assert!(
        second.iter().all(|key| !first.contains(key)),
        "{first:?} {second:?}"
    );
    assert!([first, second].as_flattened().is_sorted());
}
