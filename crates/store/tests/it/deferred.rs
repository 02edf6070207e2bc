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

#[test]
fn what_is_stored_of_deferred_heads_is_bounded_however_few_orders_move() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(few()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&all_created());
    let few = ["P-0", "P-1", "P-2"];
    for step in ["picked_up", "in_transit"] {
        clerk.write(&few.map(|parcel| reported(parcel, step)));
    }
    let most = (0..200)
        .map(|group| {
            // Kept, as it comes too late: its version rises for ever.
            clerk.write(&[reported(few[group % 3], "picked_up")]);
            stored_rows(&folder)
        })
        .max();
    // Two rounds, of a change a group, and the group under way.
    let two_rounds = i64::try_from(2 * ROUND + 1).unwrap();
    assert!(most.unwrap() > 1 && most.unwrap() <= two_rounds, "{most:?}");
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
