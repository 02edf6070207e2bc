//! Groups that are written while the next one is decided on top of them.

use model::command::OrderRef;
use model::ids::{OrderKey, PartyId, Version};
use model::time::Timestamp;
use store::verify::verify;
use store::{BatchReceipt, CommitId, Committed, Error, GroupWrites, Record, Store};

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, Wish, created, named, reported};

/// Decides a group and has it written behind, once the one before it is.
fn begin(clerk: &mut Clerk, wishes: &[Wish]) -> Option<Result<Committed, Error>> {
    let mut group = clerk.writer.begin().unwrap();
    let writes = clerk.rules.judge(&mut *group, wishes);
    drop(group);
    let before = finish(clerk);
    let commit = clerk.writer.next_commit().unwrap();
    clerk
        .writer
        .commit_behind(commit, clerk.rules.now, writes)
        .unwrap();
    before
}

/// What came of the group that was on its way.
fn finish(clerk: &mut Clerk) -> Option<Result<Committed, Error>> {
    clerk.writer.finish().unwrap().map(|landed| landed.result)
}

#[test]
fn each_is_decided_on_top_of_the_one_that_is_on_its_way() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let store: &dyn Store = &*store;
    let mut clerk = Clerk::of(store);
    assert_eq!(begin(&mut clerk, &[created("A-1"), created("A-2")]), None);
    for (number, step) in (1..).zip(["picked_up", "in_transit", "delivered"]) {
        let landed = begin(&mut clerk, &[reported("A-1", step)]).unwrap().unwrap();
        assert_eq!(landed.commit, CommitId(number));
    }
    assert_eq!(finish(&mut clerk).unwrap().unwrap().commit, CommitId(4));
    assert_eq!(finish(&mut clerk), None, "it is told once");
    let history = |name| {
        store.reading(|reader| {
            let order = reader.order(&named(name))?.unwrap();
            reader.history(&order)
        })
    };
    assert_eq!(history("A-1").unwrap().len(), 4);
    assert_eq!(history("A-2").unwrap().len(), 1);
    drop(clerk);
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}

#[test]
fn what_is_asked_of_the_log_waits_for_it() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    begin(&mut clerk, &[reported("A-1", "picked_up")]);
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(loaded.head.version, Version::new(2));
    assert_eq!(group.history(&loaded).unwrap().len(), 2);
    let entry = group.entry(&loaded, Version::new(2)).unwrap().unwrap();
    assert_eq!(entry.status, loaded.head.status);
    drop(group);
    assert!(finish(&mut clerk).unwrap().is_ok());
    clerk.write(&[reported("A-1", "in_transit")]);
}

#[test]
fn how_many_receipts_a_principal_has_is_known_while_one_is_on_its_way() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    let actor = PartyId::new(4);
    let receipt = |id: &str| {
        Record::Batch(BatchReceipt {
            batch_id: id.into(),
            actor,
            decided_at: Timestamp::from_nanos(1),
            content: [].into(),
        })
    };
    let counted = |clerk: &mut Clerk| clerk.writer.begin().unwrap().batch_receipts_of(actor).unwrap();
    clerk.record(vec![receipt("B-1")]);
    assert_eq!(counted(&mut clerk), 1);
    // Nothing can be written: who waits for what is on its way is told that it failed.
    let raw = folder.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commit = clerk.writer.next_commit().unwrap();
    let writes = GroupWrites {
        records: vec![receipt("B-2")],
        ..GroupWrites::default()
    };
    clerk
        .writer
        .commit_behind(commit, clerk.rules.now, writes)
        .unwrap();
    assert_eq!(counted(&mut clerk), 2);
    raw.execute_batch("ROLLBACK").unwrap();
    assert!(finish(&mut clerk).unwrap().is_ok());
    assert_eq!(counted(&mut clerk), 2);
    drop(clerk);
    assert_eq!(counted(&mut Clerk::of(&*store)), 2);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn orders_that_are_not_in_memory_are_found_meanwhile() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2")]);
    clerk.write(&[reported("A-2", "picked_up")]);
    drop(clerk);
    let mut clerk = Clerk::of(&*store);
    begin(&mut clerk, &[reported("A-1", "picked_up")]);
    let landed = begin(
        &mut clerk,
        &[reported("A-2", "in_transit"), reported("A-1", "in_transit")],
    );
    assert!(landed.unwrap().is_ok());
    assert!(finish(&mut clerk).unwrap().is_ok());
    drop(clerk);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn an_order_that_is_on_its_way_under_one_name_is_found_under_another() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    Clerk::of(&*store).write(&[created("P-0")]);
    // Nothing is in memory, and the group takes a while.
    let mut clerk = Clerk::of(&*store);
    let mut wishes: Vec<Wish> = (0..2_000).map(|number| created(&format!("X-{number}"))).collect();
    wishes.push(Wish::Report {
        order: OrderRef::Key(OrderKey::new(1)),
        status: "picked_up",
        notes: None,
    });
    begin(&mut clerk, &wishes);
    assert!(
        begin(&mut clerk, &[reported("P-0", "in_transit")])
            .unwrap()
            .is_ok()
    );
    assert!(finish(&mut clerk).unwrap().is_ok());
    drop(clerk);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn after_one_that_fails_nothing_is_left_of_it_nor_of_what_was_decided_on_top() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let store: &dyn Store = &*store;
    let mut clerk = Clerk::of(store);
    clerk.write(&[created("A-1")]);
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON order_identities WHEN NEW.public_id = 'A-2' BEGIN SELECT RAISE(ABORT, 'no'); END";
    folder.raw().execute_batch(refuse).unwrap();
    begin(&mut clerk, &[reported("A-1", "picked_up"), created("A-2")]);
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(loaded.head.version, Version::new(2), "on top of it");
    let refused = group.history(&loaded);
    assert!(matches!(refused, Err(Error::Statement(_))), "{refused:?}");
    drop(group);
    let failed = finish(&mut clerk);
    assert!(matches!(failed, Some(Err(Error::Statement(_)))), "{failed:?}");
    // As if it had never been.
    let done = clerk.write(&[reported("A-1", "picked_up")]);
    assert_eq!((done.commit, done.last_position.get()), (CommitId(2), 2));
    assert!(begin(&mut clerk, &[reported("A-1", "in_transit")]).is_none());
    drop(clerk);
    let order = store
        .reading(|reader| reader.order(&named("A-1")))
        .unwrap()
        .unwrap();
    assert_eq!(
        order.head.version,
        Version::new(3),
        "what was on its way came through"
    );
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}
