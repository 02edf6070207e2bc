//! Commits of unknown outcome, and a storage that is busy.

use std::sync::Arc;

use model::command::{Change, OrderRef};
use rusqlite::Connection;
use server::engine::{Failure, GROUP_COMMANDS, Once, OnceAnswer, Submission};
use store::Trouble;
use store::folder::DATABASE_FILE;

use super::unsure_store::{Commit, HELD_KEY, LOST_KEY, Script, UnsureStore};
use super::{Gate, Setting, Stand, accepted, at, duplicate_of, public_id, submission};
use crate::replay::{many_orders, plan, replayed_by};

async fn stand(script: &Script) -> Stand {
    let script = script.clone();
    Stand::start_with(Setting {
        between: Box::new(move |store| Arc::new(UnsureStore::new(store, script))),
        ..Setting::default()
    })
    .await
}

#[tokio::test]
async fn a_commit_that_was_made_after_all_is_answered_once_and_wakes_readers() {
    let script = Script::default();
    let stand = stand(&script).await;
    let mut wake_ups = stand.handle().wake_ups();
    script.lock().unwrap().push_back(Commit::Made);
    stand.created("A-1").await;
    assert_eq!(stand.history("A-1").len(), 1);
    assert!(wake_ups.has_changed().unwrap());
    assert_eq!(wake_ups.borrow_and_update().get(), 1);
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    stand.verify();
}

#[tokio::test]
async fn a_commit_that_was_not_made_is_made_again() {
    let script = Script::default();
    let stand = stand(&script).await;
    script.lock().unwrap().extend([Commit::NotMade, Commit::NotMade]);
    stand.created("A-1").await;
    script.lock().unwrap().extend([Commit::NotMade, Commit::Made]);
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    assert_eq!(stand.history("A-1").len(), 2);
    stand.verify();
}

#[tokio::test]
async fn a_commit_that_stays_unknown_is_said_to_be_and_found_when_sent_again() {
    let script = Script::default();
    let stand = stand(&script).await;
    script.lock().unwrap().push_back(Commit::MadeButSilent);
    let unknown = stand.one(stand.create("A-1")).await;
    assert_eq!(unknown, Err(Failure::Unavailable(Trouble::Io)));
    // The next caller is not to suffer for it.
    accepted(stand.one(stand.create("A-2")).await);
    assert_eq!(duplicate_of(&stand.one(stand.create("A-1")).await), 1);

    script.lock().unwrap().extend([Commit::NotMade; 3]);
    let not_made = stand.one(stand.create("A-3")).await;
    assert_eq!(not_made, Err(Failure::Unavailable(Trouble::Io)));
    stand.created("A-3").await;
    stand.verify();
}

#[tokio::test]
async fn a_group_that_another_writer_was_in_the_way_of_is_begun_again() {
    let script = Script::default();
    let stand = stand(&script).await;
    script.lock().unwrap().extend([Commit::Overtaken; 2]);
    stand.created("A-1").await;
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    assert_eq!(stand.history("A-1").len(), 2);
    // Not for ever: its callers are told to come again, and nobody else suffers for it.
    script.lock().unwrap().extend([Commit::Overtaken; 3]);
    let overtaken = stand.one(stand.report("A-1", "in_warehouse", 2)).await;
    assert_eq!(overtaken, Err(Failure::Unavailable(Trouble::Busy)));
    accepted(stand.one(stand.report("A-1", "in_warehouse", 2)).await);
    stand.verify();
}

/// A stand whose writer waits at the gate with the group of `A-0`: what is submitted meanwhile is the next group.
async fn gathering(script: &Script, group_commands: usize) -> (Stand, Gate) {
    let (closed, gate, observer) = Gate::new();
    let script = script.clone();
    let stand = Stand::start_with(Setting {
        group_commands,
        between: Box::new(move |store| Arc::new(UnsureStore::new(store, script))),
        observer: Some(observer),
        ..Setting::default()
    })
    .await;
    *closed.lock().unwrap() = true;
    let first = submission(vec![stand.create("A-0")]);
    stand.handle().enqueue_patiently(first).await.unwrap();
    gate.group();
    (stand, gate)
}

#[tokio::test]
async fn who_meets_another_writer_fails_alone_in_a_group() {
    let script = Script::default();
    let (stand, mut gate) = gathering(&script, GROUP_COMMANDS).await;
    let mut group = Vec::new();
    for number in 1..=4 {
        let one = submission(vec![stand.create(&format!("A-{number}"))]);
        group.push(stand.handle().enqueue_patiently(one).await.unwrap());
    }
    // The whole three times, then its front half once, and of that the first by itself.
    script.lock().unwrap().extend([Commit::Overtaken; 3 + 1 + 3]);
    gate.open();
    let mut answers = Vec::new();
    for told in group {
        answers.push(told.wait().await.unwrap().remove(0));
    }
    assert_eq!(answers.remove(0), Err(Failure::Unavailable(Trouble::Busy)));
    assert_eq!(answers.into_iter().map(accepted).count(), 3);
    stand.created("A-1").await;
    stand.verify();
}

#[tokio::test]
async fn nothing_overtakes_what_storage_failed_on_in_a_row() {
    let script = Script::default();
    // Each is a group.
    let (stand, mut gate) = gathering(&script, 1).await;
    let row = stand.handle().in_order();
    let mut told = Vec::new();
    for (status, seconds) in [("picked_up", 1), ("in_warehouse", 2), ("in_transit", 3)] {
        let step = submission(vec![stand.report("A-0", status, seconds)]);
        told.push(row.enqueue_patiently(step).await.unwrap());
    }
    let order = OrderRef::Public(public_id("A-0"));
    let cancel = Change::Cancel {
        reason: None,
        source: "api".into(),
    };
    let cancel = submission(vec![stand.change(order, cancel)]);
    told.push(row.enqueue_patiently(cancel).await.unwrap());
    script
        .lock()
        .unwrap()
        .extend([Commit::Known, Commit::NotMade, Commit::NotMade, Commit::NotMade]);
    gate.open();
    let mut answers = Vec::new();
    for told in told {
        answers.push(told.wait().await.unwrap().remove(0));
    }
    accepted(answers.remove(0));
    assert_eq!(answers, vec![Err(Failure::Unavailable(Trouble::Io)); 3]);
    // Who has nothing to do with it goes on, and so does its caller with another row.
    stand.created("A-1").await;
    let again = submission(vec![stand.report("A-0", "in_warehouse", 2)]);
    let again = stand.handle().in_order().submit(again).await.unwrap();
    accepted(again.into_iter().next().unwrap());
    stand.verify();
}

#[tokio::test]
async fn a_key_that_another_writer_holds_is_told_to_be_and_keeps_nobody_waiting() {
    let (stand, mut gate) = gathering(&Script::default(), GROUP_COMMANDS).await;
    let keyed = Submission {
        commands: vec![stand.create("A-1")],
        once: Some(Once {
            key: HELD_KEY,
            body_hash: [1; 32],
            not_before: at(0),
        }),
        ..Submission::default()
    };
    let keyed = stand.handle().enqueue_patiently(keyed).await.unwrap();
    let innocent = submission(vec![stand.create("A-2")]);
    let innocent = stand.handle().enqueue_patiently(innocent).await.unwrap();
    gate.let_one_go();
    assert_eq!(gate.group().commands, 2, "they are no group");
    gate.open();
    assert_eq!(keyed.wait_once().await, Ok(OnceAnswer::UnderWay));
    accepted(innocent.wait().await.unwrap().remove(0));
    stand.created("A-1").await;
    stand.verify();
}

#[tokio::test]
async fn a_connection_lost_while_a_key_is_asked_for_is_no_key_under_way() {
    let stand = stand(&Script::default()).await;
    let keyed = Submission {
        commands: vec![stand.create("A-1")],
        once: Some(Once {
            key: LOST_KEY,
            body_hash: [1; 32],
            not_before: at(0),
        }),
        ..Submission::default()
    };
    let answer = stand.handle().submit_once(keyed).await.unwrap();
    let OnceAnswer::Decided(mut answers) = answer else {
        panic!("it was not decided: {answer:?}");
    };
    accepted(answers.remove(0));
    stand.verify();
}

#[tokio::test]
async fn readers_are_woken_for_a_commit_found_out_later() {
    let script = Script::default();
    let stand = stand(&script).await;
    let wake_ups = stand.handle().wake_ups();
    script.lock().unwrap().push_back(Commit::MadeButSilent);
    stand.one(stand.create("A-1")).await.unwrap_err();
    // A repetition commits nothing itself; the writer has learned meanwhile what it repeats.
    assert_eq!(duplicate_of(&stand.one(stand.create("A-1")).await), 1);
    assert_eq!(wake_ups.borrow().get(), 1);
}

#[tokio::test]
async fn a_database_that_another_holds_is_busy_and_then_free() {
    let stand = Stand::start().await;
    let other = Connection::open(stand.dir.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = stand.one(stand.create("A-1")).await;
    assert_eq!(busy, Err(Failure::Unavailable(Trouble::Busy)));
    other.execute_batch("ROLLBACK").unwrap();
    stand.created("A-1").await;
    stand.verify();
}

#[tokio::test]
async fn a_replay_over_commits_of_unknown_outcome_leaves_nothing_waiting() {
    let folder = many_orders(1_000);
    let plan = plan(folder.path());
    let script = Script::default();
    let stand = stand(&script).await;
    // The fourth has the steps that others, of the groups before it, have waited for.
    let every_second = [Commit::Known, Commit::MadeButSilent].into_iter().cycle();
    script.lock().unwrap().extend(every_second.take(20));
    let summary = replayed_by(stand.handle(), &plan).await;
    assert_eq!(summary.rejected.len(), 0, "{summary:?}");
    assert_eq!(summary.made + summary.known, 1_000);
    assert_eq!(summary.applied + summary.duplicates, 4_000);
    stand.verify();
}
