//! Heads that go into their table later than their group: whoever reads sees them, whatever happens meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::sqlite::{SqliteOptions, SqliteStore};
use store::verify::verify;
use store::{OrderFilter, Store};

use crate::backend::SqliteFolder;
use crate::orders::{Clerk, Wish, created, created_for, named, reported};

/// So few that a handful of groups goes round several times.
const HEADS: usize = 5;
const ROUND: usize = 12;
const PARCELS: usize = 16;
const STEPS: [&str; 3] = ["picked_up", "in_transit", "delivered"];

fn few() -> SqliteOptions {
    SqliteOptions {
        deferred_heads: HEADS,
        deferred_round: ROUND,
        ..SqliteOptions::default()
    }
}

fn name(parcel: usize) -> String {
    format!("P-{parcel}")
}

fn all_created() -> Vec<Wish> {
    (0..PARCELS).map(|parcel| created(&name(parcel))).collect()
}

/// Versions by name, as single reads have them.
fn versions(store: &dyn Store) -> BTreeMap<String, u32> {
    let version = |parcel| {
        let order = named(&name(parcel));
        let (record, history) = store
            .reading(|reader| {
                let record = reader.order(&order)?.unwrap();
                let history = reader.history(&record)?;
                Ok((record, history))
            })
            .unwrap();
        let last = &history.last().unwrap().entry;
        assert_eq!(record.head.version, last.version);
        assert_eq!(record.head.status, last.status);
        assert_eq!(record.head.recorded_at, last.recorded_at);
        (name(parcel), record.head.version.get())
    };
    (0..PARCELS).map(version).collect()
}

/// Versions by name, as the lists by status have them, each of which must be as long as it says.
fn listed_versions(store: &dyn Store, clerk: &Clerk) -> BTreeMap<String, u32> {
    let parcel = clerk.rules.lifecycle("parcel");
    let mut found = BTreeMap::new();
    for client in [None, Some(model::ids::PartyId::new(1))] {
        found.clear();
        for status in ["created", "picked_up", "in_transit", "delivered"] {
            let status = parcel.lifecycle.state_named(status).unwrap();
            let filter = OrderFilter {
                statuses: vec![(parcel.id, status)],
                client,
            };
            let list = store
                .reading(|reader| reader.list_orders(&filter, 0, 100))
                .unwrap();
            assert_eq!(list.total, u64::try_from(list.orders.len()).unwrap());
            assert!(list.orders.iter().all(|order| order.status == status));
            found.extend(
                list.orders
                    .into_iter()
                    .map(|order| (order.public_id.to_string(), order.version.get())),
            );
        }
    }
    found
}

fn stored_rows(folder: &SqliteFolder) -> i64 {
    let count = "SELECT count(*) FROM deferred_heads";
    folder.raw().query_row(count, [], |row| row.get(0)).unwrap()
}

/// The parcels of each group; each goes one step further as long as there is one.
fn groups() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let group = prop::collection::vec(0..PARCELS, 1..8);
    prop::collection::vec(group, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_reader_sees_what_was_committed_also_after_a_crash_and_after_closing(groups in groups()) {
        let folder = SqliteFolder::new();
        let store = folder.open_with(few()).unwrap();
        let mut clerk = Clerk::of(&store);
        clerk.write(&all_created());
        let mut expected: BTreeMap<String, u32> = (0..PARCELS).map(|parcel| (name(parcel), 1)).collect();
        for group in groups {
            let mut wishes = Vec::new();
            for parcel in group {
                let version = expected.get_mut(&name(parcel)).unwrap();
                if let Some(step) = STEPS.get(usize::try_from(*version - 1).unwrap()) {
                    wishes.push(reported(&name(parcel), step));
                    *version += 1;
                }
            }
            clerk.write(&wishes);
            prop_assert_eq!(&versions(&store), &expected);
            prop_assert_eq!(&listed_versions(&store, &clerk), &expected);
            prop_assert_eq!(&versions(&SqliteStore::open_to_read(folder.path()).unwrap()), &expected);
        }
        let copy = SqliteFolder::with_copy_of(folder.path());
        let crashed = copy.try_open().unwrap();
        prop_assert_eq!(&versions(&crashed), &expected);
        prop_assert_eq!(verify(&crashed, &mut |_| {}).findings, []);
        drop((clerk, store));
        prop_assert_eq!(stored_rows(&folder), 0);
        let closed = folder.try_open().unwrap();
        prop_assert_eq!(&versions(&closed), &expected);
        prop_assert_eq!(verify(&closed, &mut |_| {}).findings, []);
    }
}

/// The most changes that were stored at a time, where each group of a round of wishes makes so many.
fn most_stored(groups: usize, each: usize, wishes: impl Fn(usize) -> Vec<Wish>) -> usize {
    let folder = SqliteFolder::new();
    let options = SqliteOptions {
        deferred_heads: MANY_HEADS,
        deferred_round: MANY_ROUND,
        ..SqliteOptions::default()
    };
    let store = folder.open_with(options).unwrap();
    let mut clerk = Clerk::of(&store);
    let all: Vec<Wish> = (0..MANY_ORDERS).map(|number| created(&name(number))).collect();
    clerk.write(&all);
    let stored = |group| {
        clerk.write(&wishes(group));
        usize::try_from(stored_rows(&folder)).unwrap() * each
    };
    let most = (0..groups).map(stored).max().unwrap();
    drop(clerk);
    assert_eq!(verify(&store, &mut |_| {}).findings, []);
    most
}

const MANY_ORDERS: usize = 1_200;
const MANY_HEADS: usize = 64;
const MANY_ROUND: usize = 128;
/// Two rounds, and the groups in which they end.
const MANY_CHANGES: usize = 2 * MANY_ROUND + 16;

#[test]
fn what_is_stored_of_deferred_heads_is_bounded_however_few_orders_move() {
    let most = most_stored(700, 4, |group| {
        // Kept, as the later ones come too late: their versions rise for ever.
        let steps = ["picked_up", "in_transit", "picked_up"];
        let step = steps[group.min(2)];
        (0..4).map(|parcel| reported(&name(parcel), step)).collect()
    });
    assert!(most <= MANY_CHANGES, "{most}");
}

#[test]
fn it_is_bounded_where_always_the_youngest_orders_move() {
    let one_each = most_stored(MANY_ORDERS / 8, 8, |group| {
        let parcels = group * 8..group * 8 + 8;
        parcels
            .map(|parcel| reported(&name(parcel), "picked_up"))
            .collect()
    });
    assert!(one_each <= MANY_CHANGES, "{one_each}");
    // Each takes its steps in the groups that follow its first.
    let window = most_stored(MANY_ORDERS / 4, 12, |group| {
        let aged = |age: usize, step: &'static str| {
            let first = group
                .checked_sub(age)
                .map_or(0..0, |group| 4 * group..4 * group + 4);
            first.map(move |parcel| reported(&name(parcel), step))
        };
        aged(2, "delivered")
            .chain(aged(1, "in_transit"))
            .chain(aged(0, "picked_up"))
            .collect()
    });
    assert!(window <= MANY_CHANGES, "{window}");
}

#[test]
fn it_is_bounded_where_few_orders_move_after_many() {
    let most = most_stored(900, 8, |group| {
        if group == 0 {
            return (0..600)
                .map(|parcel| reported(&name(parcel), "picked_up"))
                .collect();
        }
        let step = if group == 1 { "in_transit" } else { "picked_up" };
        (0..8).map(|parcel| reported(&name(parcel), step)).collect()
    });
    assert!(most <= MANY_CHANGES, "{most}");
}

#[test]
fn what_waits_for_a_time_is_found_at_once() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(few()).unwrap();
    let store: &dyn Store = &store;
    let mut clerk = Clerk::of(store);
    clerk.write(&[created("P-0"), created_for("F-0", "food", 1)]);
    clerk.write(&[reported("P-0", "picked_up")]);
    let due = |by| store.reading(|reader| reader.due(by, 10)).unwrap().len();
    let for_ever = model::time::Timestamp::MAX;
    assert_eq!(due(for_ever), 1, "the food is to be prepared");
    // Too early: it waits, and is given up after a while.
    clerk.write(&[reported("P-0", "delivered")]);
    assert_eq!(due(for_ever), 2);
    // The step in between lets it go: nothing is due any more.
    clerk.write(&[reported("P-0", "in_transit")]);
    assert_eq!(due(for_ever), 1);
    let order = store
        .reading(|reader| reader.order(&named("P-0")))
        .unwrap()
        .unwrap();
    let parcel = clerk.rules.lifecycle("parcel");
    assert_eq!(Some(order.head.status), parcel.lifecycle.state_named("delivered"));
}

#[test]
fn damage_to_what_is_deferred_is_named() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(few()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("P-0")]);
    clerk.write(&[reported("P-0", "picked_up")]);
    let crashed = SqliteFolder::with_copy_of(folder.path());
    let cut = "UPDATE deferred_heads SET heads = substr(heads, 1, length(heads) - 1)";
    assert_eq!(crashed.raw().execute(cut, []).unwrap(), 1);
    let error = crashed.try_open().err().unwrap().to_string();
    assert!(error.contains("the deferred heads of commit 2"), "{error}");
}
