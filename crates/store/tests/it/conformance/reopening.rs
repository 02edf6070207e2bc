//! What is stored is there after a start.

use model::ids::{OrderKey, Position};
use store::{CommitId, Store};

use crate::backend::{Backend, birth};
use crate::orders::{Clerk, created, created_for, reported};

fn fill(store: &dyn Store) {
    let mut clerk = Clerk::of(store);
    for number in 0..40 {
        let name = format!("A-{number}");
        let meal = format!("M-{number}");
        clerk.write(&[
            created(&name),
            created_for(&meal, "food", number % 3 + 1),
            reported(&name, "in_transit"),
            reported(&name, "picked_up"),
        ]);
    }
}

/// Everything that a reader can say.
fn everything(store: &dyn Store) -> String {
    let all = store.reading(|reader| {
        let orders = reader.orders(OrderKey::new(0), 1_000)?;
        let mut histories = Vec::new();
        for order in &orders {
            histories.push(reader.history(order)?);
        }
        Ok(format!(
            "{orders:?} {histories:?} {:?} {:?} {:?} {:?} {:?}",
            reader.log(Position::new(0), 1_000)?,
            reader.commits(CommitId(0), 1_000)?,
            reader.status_counts()?,
            reader.due(model::time::Timestamp::MAX, 1_000)?,
            reader.totals()?,
        ))
    });
    all.unwrap()
}

pub(super) fn a_reopened_store_reads_the_same(backend: &dyn Backend) {
    let store = backend.open();
    fill(&*store);
    let before = everything(&*store);
    drop(store);
    for _ in 0..2 {
        assert!(everything(&*backend.open()) == before, "a start changes nothing");
    }
}

pub(super) fn a_reopened_store_goes_on_where_it_ended(backend: &dyn Backend) {
    let store = backend.open();
    fill(&*store);
    let totals = store.reading(|reader| reader.totals()).unwrap();
    drop(store);
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let committed = clerk.write(&[created("B-1"), reported("A-3", "delivered")]);
    assert_eq!(committed.commit, CommitId(totals.last_commit.0 + 1));
    assert_eq!(committed.last_position.get(), totals.last_position.get() + 2);
    let after = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!(after.last_order, totals.last_order.next());
}

pub(super) fn an_identity_is_kept_for_ever(backend: &dyn Backend) {
    let first = backend.open().identity().clone();
    let second = backend.open().identity().clone();
    assert_eq!(
        (first.store_id, first.event_id_key),
        (birth().store_id, birth().event_id_key)
    );
    assert_eq!(
        (first.store_id, first.event_id_key, first.epoch),
        (second.store_id, second.event_id_key, second.epoch)
    );
}
