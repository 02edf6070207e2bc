//! The log and what is read of it page by page.

use model::command::OrderRef;
use model::ids::{OrderKey, Position};
use store::{CommitId, OrderRecord};

use crate::backend::Backend;
use crate::orders::{Clerk, created, id, named, reported, reported_with_notes};

pub(super) fn entries_commits_and_orders_come_in_pages(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    for round in 0..25 {
        let name = format!("A-{round}");
        clerk.write(&[created(&name), reported(&name, "picked_up")]);
    }
    let (mut positions, mut orders, mut commits) = (vec![0], vec![0], vec![0]);
    while positions.last() != Some(&50) {
        let after = Position::new(*positions.last().unwrap());
        let page = store.reading(|reader| reader.log(after, 7)).unwrap();
        positions.extend(page.iter().map(|found| found.position.get()));
    }
    while orders.last() != Some(&25) {
        let after = OrderKey::new(*orders.last().unwrap());
        let page = store.reading(|reader| reader.orders(after, 4)).unwrap();
        orders.extend(page.iter().map(|order| order.head.order.get()));
    }
    while commits.last() != Some(&25) {
        let after = CommitId(*commits.last().unwrap());
        let page = store.reading(|reader| reader.commits(after, 6)).unwrap();
        commits.extend(page.iter().map(|commit| commit.commit.0));
    }
    assert_eq!(positions, (0..=50).collect::<Vec<_>>());
    assert_eq!(orders, (0..=25).collect::<Vec<_>>());
    assert_eq!(commits, (0..=25).collect::<Vec<_>>());
    let beyond = store.reading(|reader| reader.log(Position::new(50), 7)).unwrap();
    assert_eq!(beyond, []);
}

pub(super) fn a_group_is_one_commit_whose_digest_covers_its_entries(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    clerk.write(&[reported("A-1", "picked_up"), created("A-2")]);
    let commits = store.reading(|reader| reader.commits(CommitId(0), 10)).unwrap();
    let shape: Vec<(i64, i64, u32)> = commits
        .iter()
        .map(|commit| (commit.commit.0, commit.first_position.get(), commit.entries))
        .collect();
    assert_eq!(shape, [(1, 1, 1), (2, 2, 2)]);
    assert_eq!(commits[1].at, clerk.rules.now);
    assert_ne!(commits[0].digest, commits[1].digest);
}

pub(super) fn private_parts_and_details_come_back_as_written(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[
        created("A-1"),
        reported_with_notes("A-1", "picked_up", "by the \u{1F6AA}\0 door"),
    ]);
    let order: OrderRecord = store
        .reading(|reader| Ok(reader.order(&named("A-1"))?.unwrap()))
        .unwrap();
    assert_eq!(order.public_id, id("A-1"));
    assert_eq!(order.reference.as_deref(), Some("ref\0A-1"));
    assert_eq!(order.details.as_ref().unwrap().content(), b"{\"for\":\"A-1\"}");
    let history = store.reading(|reader| reader.history(&order)).unwrap();
    assert_eq!(order.created_at, history[0].entry.recorded_at);
    let private = history[1].entry.private().unwrap();
    assert_eq!(private.notes, Some("by the \u{1F6AA}\0 door"));
    let by_key = OrderRef::Key(order.head.order);
    let again = store.reading(|reader| reader.order(&by_key)).unwrap().unwrap();
    assert_eq!((again.public_id, again.head), (order.public_id, order.head));
    assert!(
        store
            .reading(|reader| reader.order(&named("A-2")))
            .unwrap()
            .is_none()
    );
}
