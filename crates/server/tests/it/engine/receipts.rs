//! What became of an event, asked by its id.

use model::command::{Change, NewId, OrderRef};
use model::event_id::{EventIdCodec, EventRef};
use model::ids::{DeadLetterId, OrderKey, Version};
use server::engine::{Command, Outcome, Receipt, ReceiptOutcome, Submission};

use super::{Stand, accepted, at, public_id, seconds};

fn receipt(stand: &Stand, of: EventRef) -> Option<Receipt> {
    let id = stand.handle().event_ids().encode(of);
    stand.handle().receipt(&id.to_string()).unwrap()
}

fn entry(stand: &Stand, order: OrderKey, version: u32) -> Receipt {
    receipt(stand, EventRef::Entry(order, Version::new(version))).unwrap()
}

/// The outcome and the reason.
fn told(receipt: &Receipt) -> (&str, Option<&str>) {
    (receipt.outcome.name(), receipt.reason.as_deref())
}

/// Submits as a caller that is answered before the decision, and gives the dead letter.
async fn dead_letter(stand: &Stand, command: Command) -> DeadLetterId {
    match &keeping(stand, vec![command]).await[..] {
        [Ok(Outcome::Refused(_, Some(id)))] => *id,
        other => panic!("no dead letter: {other:?}"),
    }
}

async fn keeping(stand: &Stand, commands: Vec<Command>) -> Vec<server::engine::Answer> {
    let submission = Submission {
        commands,
        atomic: false,
        keep_refusals: true,
        ..Submission::default()
    };
    stand.handle().submit(submission).await.unwrap()
}

async fn patient(stand: &Stand) -> OrderKey {
    let (patient, _) = stand.handle().lifecycle_named("patient").unwrap();
    let create = stand.create_as(NewId::Given(public_id("P-1")), patient, stand.client);
    accepted(stand.one(create).await).order
}

#[tokio::test]
async fn an_applied_event_says_when_it_came_and_when_it_was_decided() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    stand.clock.advance(seconds(10));
    let report = stand.report("A-1", "picked_up", 5);
    stand.clock.advance(seconds(2));
    accepted(stand.one(report).await);
    let expected = Receipt {
        public_id: "A-1".to_owned(),
        order: Some(order),
        owner: Stand::owner(stand.client),
        actor: None,
        refusal: None,
        outcome: ReceiptOutcome::Applied,
        reason: None,
        received_at: at(10),
        decided_at: at(12),
    };
    assert_eq!(entry(&stand, order, 2), expected);
    let absent = EventRef::Entry(order, Version::new(3));
    assert_eq!(receipt(&stand, absent), None);
}

#[tokio::test]
async fn events_decided_in_one_instant_were_received_when_they_were() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    // Recorded a microsecond apart, as times of an order grow; received when they were received.
    let receipt = entry(&stand, order, 2);
    assert_eq!(
        (receipt.received_at, receipt.decided_at),
        (at(0), at(0).next_micro())
    );
}

#[tokio::test]
async fn a_recorded_a_parked_a_released_and_a_dead_event_say_so() {
    let stand = Stand::start().await;
    let order = patient(&stand).await;
    accepted(stand.one(stand.report("P-1", "in_transit", 20)).await);
    assert_eq!(
        told(&entry(&stand, order, 2)),
        ("parked", Some("waits for a step in between"))
    );
    stand.clock.advance(seconds(60));
    accepted(stand.one(stand.report("P-1", "picked_up", 10)).await);
    let released = entry(&stand, order, 2);
    assert_eq!(told(&released), ("applied", None));
    assert_eq!(
        (released.received_at, released.decided_at),
        (at(0), at(60).next_micro())
    );
    accepted(stand.one(stand.report("P-1", "picked_up", 11)).await);
    assert_eq!(
        told(&entry(&stand, order, 5)),
        ("applied", Some("recorded: the order has another status"))
    );
}

#[tokio::test]
async fn a_report_that_waited_in_vain_is_dead() {
    let stand = Stand::start().await;
    let order = patient(&stand).await;
    accepted(stand.one(stand.report("P-1", "in_transit", 20)).await);
    stand.clock.advance(seconds(3_600));
    let due = Change::Due { due_at: at(3_600) };
    accepted(stand.one(stand.change(OrderRef::Key(order), due)).await);
    let dead = entry(&stand, order, 2);
    assert_eq!(told(&dead), ("dead", Some("the step in between did not come")));
    assert_eq!(dead.decided_at, at(3_600));
}

#[tokio::test]
async fn a_struck_event_says_so() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    accepted(stand.one(stand.report("A-1", "picked_up", 1)).await);
    accepted(stand.one(stand.correct("A-1", 2)).await);
    assert_eq!(
        told(&entry(&stand, order, 2)),
        ("applied", Some("struck by a correction"))
    );
}

#[tokio::test]
async fn a_refused_event_is_rejected_with_its_reason() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    stand.clock.advance(seconds(5));
    let report = stand.report("A-1", "delivered", 1);
    stand.clock.advance(seconds(1));
    let id = dead_letter(&stand, report).await;
    let expected = Receipt {
        public_id: "A-1".to_owned(),
        order: Some(order),
        owner: Stand::owner(stand.client),
        actor: Some(stand.operator().party),
        refusal: Some("invalid_transition".into()),
        outcome: ReceiptOutcome::Rejected,
        reason: Some("Cannot transition from 'created' to 'delivered'".to_owned()),
        received_at: at(5),
        decided_at: at(6),
    };
    assert_eq!(receipt(&stand, EventRef::DeadLetter(id)), Some(expected));
    let unknown = dead_letter(&stand, stand.report("A-9", "delivered", 1)).await;
    let unknown = receipt(&stand, EventRef::DeadLetter(unknown)).unwrap();
    assert_eq!(unknown.public_id, "A-9");
    assert_eq!(told(&unknown), ("rejected", Some("there is no such order")));
}

#[tokio::test]
async fn the_same_refusal_is_kept_once() {
    let stand = Stand::start().await;
    stand.created("A-1").await;
    let report = || stand.report("A-1", "delivered", 1);
    let answers = keeping(
        &stand,
        vec![report(), stand.report("A-1", "delivered", 2), report()],
    )
    .await;
    assert_eq!(answers[0], answers[2]);
    assert_ne!(answers[0], answers[1]);
    assert_eq!(stand.dead_letters(), 2);
    let again = keeping(&stand, vec![report()]).await;
    assert_eq!(again[0], answers[0]);
    let stand = stand.restart().await;
    let again = keeping(&stand, vec![stand.report("A-1", "delivered", 1)]).await;
    assert_eq!(again[0], answers[0]);
    assert_eq!(stand.dead_letters(), 2);
}

#[tokio::test]
async fn a_foreign_id_has_no_receipt() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    let foreign = EventIdCodec::new(&[9; 16]).encode(EventRef::Entry(order, Version::FIRST));
    for id in [
        &foreign.to_string(),
        "evt_",
        "evt_00000000000000000000000000",
        "A-1",
        "",
    ] {
        assert_eq!(stand.handle().receipt(id).unwrap(), None, "{id}");
    }
    let absent = receipt(&stand, EventRef::DeadLetter(DeadLetterId::new(7)));
    assert_eq!(absent, None);
}
