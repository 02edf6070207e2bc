//! What only the embedded store promises.

use model::ids::OrderKey;
use store::Error;

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, named, reported};

#[test]
fn a_group_that_wrote_nothing_leaves_heads_in_memory() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    drop(clerk.writer.begin().unwrap());
    // Behind the writer's back, to tell memory from storage.
    folder
        .raw()
        .execute_batch("UPDATE order_heads SET status = 3")
        .unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(loaded.head.status.number(), 0);
}

#[test]
fn after_a_failed_commit_nothing_in_memory_is_believed() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut group = clerk.writer.begin().unwrap();
    let mut writes = clerk.rules.judge(&mut *group, &[created("A-2")]);
    writes.orders[0].order = OrderKey::new(1);
    let commit = store::CommitId(2);
    group.commit(commit, clerk.rules.now, writes).unwrap_err();
    folder
        .raw()
        .execute_batch("UPDATE order_heads SET status = 3")
        .unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(loaded.head.status.number(), 3);
}

#[test]
fn a_store_held_by_another_connection_is_busy_and_then_free() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let other = folder.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = clerk.writer.begin().err().unwrap();
    assert_eq!(busy.to_string(), "the store is busy: database is locked");
    other.execute_batch("ROLLBACK").unwrap();
    clerk.write(&[reported("A-1", "picked_up")]);
}

#[test]
fn a_history_that_leads_into_another_order_is_damage_not_an_answer() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2")]);
    clerk.write(&[reported("A-1", "picked_up")]);
    folder
        .raw_without_triggers()
        .execute_batch("UPDATE entries SET previous_position = 2 WHERE position = 3")
        .unwrap();
    let read = store.reading(|reader| {
        let order = reader.order(&named("A-1"))?.unwrap();
        reader.history(&order)
    });
    let expected = Error::Damaged("position 2 is not version 1 of order 1".to_owned());
    assert_eq!(read, Err(expected.clone()));
    let mut group = clerk.writer.begin().unwrap();
    let loaded = group.load(&[&named("A-1")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(group.history(&loaded), Err(expected));
}

#[test]
fn the_trail_can_be_appended_to_and_nothing_else() {
    let folder = SqliteFolder::new();
    drop(folder.open());
    let raw = folder.raw();
    let append = "INSERT INTO audit_log (at, actor, role, action, entity_type, entity_id) \
                  VALUES (1, 'ada', 5, 'user.create', 'user', 'U-1')";
    raw.execute_batch(append).unwrap();
    for change in [
        "UPDATE audit_log SET actor = 'eve'",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log",
    ] {
        let refused = raw.execute_batch(change).unwrap_err();
        assert_eq!(refused.to_string(), "the audit log is append-only", "{change}");
    }
    raw.execute_batch(append).unwrap();
    let actors: Vec<(i64, String)> = raw
        .prepare("SELECT audit_id, actor FROM audit_log ORDER BY audit_id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(actors, [(1, "ada".to_owned()), (2, "ada".to_owned())]);
}

#[test]
fn an_unknown_stored_role_is_damage() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    folder
        .raw()
        .execute_batch(
            "INSERT INTO audit_log (at, actor, role, action, entity_type, entity_id) VALUES (1, 'ada', 99, 'a', 'b', 'c')",
        )
        .unwrap();
    let read = store.reading(|reader| reader.audit(None, 1));
    assert_eq!(read, Err(Error::Damaged("unknown role 99".to_owned())));
}

#[test]
fn there_is_one_writer_at_a_time() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let first = store.writer().unwrap();
    let Err(refused) = store.writer() else {
        panic!("two writers");
    };
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
    drop(first);
    store.writer().unwrap();
}
