//! Decisions that need an order's past or its timers.

use model::command::{Change, NewId, OrderRef};
use model::refusal::CorrectionRefusal;
use model::time::Timestamp;
use model::{EntryKind, Refusal};
use server::engine::Outcome;

use super::{Stand, accepted, at, duplicate_of, public_id, refusal, seconds};

fn kinds(stand: &Stand, order: &str) -> Vec<EntryKind> {
    stand.history(order).iter().map(|entry| entry.kind).collect()
}

async fn patient(stand: &Stand, id: &str) {
    let (patient, _) = stand.handle().lifecycle_named("patient").unwrap();
    let create = stand.create_as(NewId::Given(public_id(id)), patient, stand.client);
    accepted(stand.one(create).await);
}

fn due_at(stand: &Stand) -> Option<Timestamp> {
    let due = |by| stand.handle().store().reading(|reader| reader.due(by, 10));
    due(Timestamp::MAX).unwrap().first().map(|(_, at)| *at)
}

#[tokio::test]
async fn a_correction_takes_back_an_entry_of_the_same_group() {
    let stand = Stand::start().await;
    let answers = stand
        .submit(vec![
            stand.create("A-1"),
            stand.report("A-1", "picked_up", 1),
            stand.report("A-1", "in_warehouse", 2),
            stand.correct("A-1", 3),
            stand.correct("A-1", 3),
            stand.correct("A-1", 9),
        ])
        .await;
    let corrected = accepted(answers[3].clone());
    assert_eq!(
        (corrected.kind, corrected.version.get()),
        (EntryKind::Correction, 4)
    );
    assert_eq!(duplicate_of(&answers[4]), 4);
    assert_eq!(
        refusal(answers[5].clone()),
        Refusal::Correction(CorrectionRefusal::NoSuchEntry)
    );
    assert_eq!(
        stand.statuses("A-1"),
        ["created", "picked_up", "in_warehouse", "picked_up"]
    );
    stand.verify();
}

#[tokio::test]
async fn a_correction_sees_what_is_stored_and_what_the_group_has_added() {
    let stand = Stand::start().await;
    stand.created("A-1").await;
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    let stand = stand.restart().await;
    let answers = stand
        .submit(vec![
            stand.report("A-1", "in_warehouse", 2),
            stand.correct("A-1", 3),
            stand.correct("A-1", 2),
            stand.report("A-1", "picked_up", 7),
        ])
        .await;
    let versions: Vec<u32> = answers
        .into_iter()
        .map(|answer| accepted(answer).version.get())
        .collect();
    assert_eq!(versions, [3, 4, 5, 6]);
    assert_eq!(
        stand.statuses("A-1"),
        [
            "created",
            "picked_up",
            "in_warehouse",
            "picked_up",
            "created",
            "picked_up"
        ]
    );
    // A struck entry keeps its fingerprint.
    assert_eq!(
        duplicate_of(&stand.one(stand.report("A-1", "in_warehouse", 2)).await),
        3
    );
    stand.verify();
}

#[tokio::test]
async fn a_parked_report_is_released_by_the_step_it_waited_for() {
    let stand = Stand::start().await;
    patient(&stand, "P-1").await;
    let parked = accepted(stand.one(stand.report("P-1", "in_transit", 20)).await);
    assert_eq!((parked.kind, parked.last_version.get()), (EntryKind::Parked, 2));
    assert_eq!(due_at(&stand), Some(at(3_600)));

    let stand = stand.restart().await;
    let applied = accepted(stand.one(stand.report("P-1", "picked_up", 10)).await);
    assert_eq!((applied.version.get(), applied.last_version.get()), (3, 4));
    assert_eq!(
        stand.statuses("P-1"),
        ["created", "created", "picked_up", "in_transit"]
    );
    assert_eq!(kinds(&stand, "P-1")[3], EntryKind::Released);
    assert_eq!(due_at(&stand), None);
    stand.verify();
}

#[tokio::test]
async fn a_parked_report_is_given_up_when_its_time_has_come() {
    let stand = Stand::start().await;
    patient(&stand, "P-1").await;
    let order = accepted(stand.one(stand.report("P-1", "in_transit", 20)).await).order;
    let due = Change::Due { due_at: at(3_600) };
    let due = stand.change(OrderRef::Key(order), due);
    stand.clock.advance(seconds(3_599));
    let early = stand.one(due.clone()).await;
    assert!(matches!(early, Ok(Outcome::Unchanged(..))), "{early:?}");
    stand.clock.advance(seconds(1));
    let given_up = accepted(stand.one(due.clone()).await);
    assert_eq!(given_up.kind, EntryKind::Abandoned);
    assert!(matches!(stand.one(due).await, Ok(Outcome::Unchanged(..))));
    assert_eq!(stand.statuses("P-1"), ["created"; 3]);
    stand.verify();
}

#[tokio::test]
async fn a_step_that_is_due_occurs_at_its_time_however_late_it_is_made() {
    let stand = Stand::start().await;
    let (delivery, _) = stand.handle().lifecycle_named("delivery").unwrap();
    let create = stand.create_as(NewId::Given(public_id("D-1")), delivery, stand.client);
    let order = accepted(stand.one(create).await).order;
    let first = due_at(&stand).unwrap();
    assert!((at(16)..=at(24)).contains(&first), "{first}");
    stand.clock.advance(seconds(7_200));
    let due = |due_at| stand.change(OrderRef::Key(order), Change::Due { due_at });
    let moved = accepted(stand.one(due(first)).await);
    assert_eq!((moved.kind, moved.version.get()), (EntryKind::StatusApplied, 2));
    let second = due_at(&stand).unwrap();
    assert!(second > first && second < at(7_200), "{second}");
    // In one group, the timer of a moment that has passed does nothing.
    let answers = stand.submit(vec![due(first), due(second), due(second)]).await;
    assert!(matches!(answers[0], Ok(Outcome::Unchanged(..))));
    accepted(answers[1].clone());
    assert!(matches!(answers[2], Ok(Outcome::Unchanged(..))));
    let history = stand.history("D-1");
    assert_eq!((history[1].occurred_at, history[2].occurred_at), (first, second));
    assert_eq!(stand.statuses("D-1"), ["created", "dispatched", "in_transit"]);
    stand.verify();
}

#[tokio::test]
async fn a_repetition_is_found_also_when_its_fingerprint_no_longer_fits_the_head() {
    let stand = Stand::start().await;
    patient(&stand, "P-1").await;
    accepted(stand.one(stand.report("P-1", "picked_up", 1)).await);
    accepted(stand.one(stand.report("P-1", "in_transit", 2)).await);
    // Late reports, recorded: more than a head keeps, and the first again in the group that drives it out.
    let mut commands: Vec<_> = (100..200)
        .map(|at| stand.report("P-1", "picked_up", at))
        .collect();
    commands.push(stand.report("P-1", "picked_up", 1));
    commands.push(stand.report("P-1", "picked_up", 100));
    let answers = stand.submit(commands.clone()).await;
    assert_eq!((duplicate_of(&answers[100]), duplicate_of(&answers[101])), (2, 4));
    let stand = stand.restart().await;
    for (version, answer) in (4..).zip(&stand.submit(commands).await[..100]) {
        assert_eq!(duplicate_of(answer), version);
    }
    assert_eq!(stand.history("P-1").len(), 103);
    stand.verify();
}
