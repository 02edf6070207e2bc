//! The same report again, in every shape it comes in.

use model::EntryKind::{Abandoned, Parked};
use model::decide::Decision;
use model::{Entry, Refusal};

use crate::lifecycles::{keeping, looping, parking, shipped};
use crate::order::{DRIVER, OPERATOR, Order, at, cancel, correct, report, report_of, seen, version};

#[test]
fn the_same_source_time_and_status_is_applied_once() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&DRIVER, &report("picked_up", 1));
    order.accept(&DRIVER, &report("in_warehouse", 2));
    let mut again = seen("picked_up", 1);
    again.notes = Some("sent twice".into());
    again.received_at = at(500);
    assert_eq!(
        order.submit(&DRIVER, &report_of(again)),
        Decision::Duplicate(version(2))
    );
    assert_eq!((order.entries.len(), order.status()), (3, "in_warehouse"));
}

#[test]
fn another_source_or_a_nanosecond_makes_another_report() {
    let mut order = Order::of(keeping());
    order.pass(&["picked_up", "in_transit"]);
    order.accept(&DRIVER, &report("picked_up", 1));
    let mut other = seen("picked_up", 1);
    other.source = "gate".into();
    order.accept(&DRIVER, &report_of(other.clone()));
    other.occurred_at = model::time::Timestamp::from_nanos(other.occurred_at.as_nanos() + 1);
    order.accept(&DRIVER, &report_of(other));
    assert_eq!(order.entries.len(), 6);
}

#[test]
fn the_same_event_id_is_applied_once() {
    let mut order = Order::of(shipped("shipment"));
    let mut fields = seen("picked_up", 1);
    fields.client_event_id = Some("scan-1".into());
    order.accept(&DRIVER, &report_of(fields.clone()));
    assert_eq!(
        order.submit(&DRIVER, &report_of(fields.clone())),
        Decision::Duplicate(version(2))
    );
    fields.client_event_id = Some("scan-2".into());
    let decision = order.submit(&DRIVER, &report_of(fields.clone()));
    assert_eq!(
        decision,
        Decision::Duplicate(version(2)),
        "the same fact under another id"
    );
    fields.client_event_id = Some("scan-1".into());
    fields.occurred_at = at(3);
    assert_eq!(order.refusal(&DRIVER, &report_of(fields)), Refusal::EventIdReused);
}

#[test]
fn a_parked_report_sent_again_waits_once_and_is_known_after_its_release() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    assert_eq!(
        order.submit(&DRIVER, &report("d", 1)),
        Decision::Duplicate(version(2))
    );
    order.pass(&["b", "customs"]);
    assert_eq!(order.status(), "d");
    assert_eq!(
        order.submit(&DRIVER, &report("d", 1)),
        Decision::Duplicate(version(2))
    );
}

#[test]
fn a_report_that_was_given_up_is_still_known() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    order.run_timers_at(at(9000));
    assert_eq!(order.kinds()[1..], [Parked, Abandoned]);
    assert_eq!(
        order.submit(&DRIVER, &report("d", 1)),
        Decision::Duplicate(version(2))
    );
}

#[test]
fn a_struck_report_is_not_taken_again() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&DRIVER, &report("picked_up", 1));
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(
        order.submit(&DRIVER, &report("picked_up", 1)),
        Decision::Duplicate(version(2))
    );
    order.accept(&DRIVER, &report("picked_up", 2));
}

#[test]
fn a_repetition_is_one_whatever_the_caller_thinks_the_version_is() {
    let mut order = Order::of(shipped("shipment"));
    let change = report("picked_up", 1);
    order.accept(&DRIVER, &change);
    for expected in [1, 2, 77] {
        let decision = order.submit_now(&DRIVER, Some(version(expected)), &change);
        assert_eq!(decision, Decision::Duplicate(version(2)));
    }
}

#[test]
fn a_report_is_known_long_after_its_fingerprint_has_left_the_head() {
    let mut order = Order::of(looping());
    for seconds in 0..100 {
        order.accept(
            &DRIVER,
            &report(["away", "home"][usize::from(seconds % 2 == 1)], seconds),
        );
    }
    assert!(order.head.recent.has_older() && !order.spilled.is_empty());
    assert_eq!(
        order.submit(&DRIVER, &report("away", 0)),
        Decision::Duplicate(version(2))
    );
    assert_eq!(
        order.submit(&DRIVER, &report("home", 99)),
        Decision::Duplicate(version(101))
    );
}

#[test]
fn a_collision_of_fingerprints_swallows_no_report() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&DRIVER, &report("picked_up", 1));
    let change = report("in_warehouse", 2);
    // The hash of the stored entry is taken to be that of the report, as one in 2^50 is.
    let suspects: Vec<Entry> = order.entries.clone();
    let decision = order.judge(&DRIVER, None, &change, &suspects);
    assert!(matches!(decision, Decision::Accepted(entries) if entries.len() == 1));
    let mut with_id = seen("in_warehouse", 2);
    with_id.client_event_id = Some("scan-2".into());
    let decision = order.judge(&DRIVER, None, &report_of(with_id), &suspects);
    assert!(matches!(decision, Decision::Accepted(_)));
}

#[test]
fn an_unreadable_suspect_is_no_duplicate() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&DRIVER, &report("picked_up", 1));
    let mut damaged = order.entries[1].clone();
    damaged.format = 200;
    let decision = order.judge(&DRIVER, None, &report("picked_up", 1), &[damaged]);
    assert!(matches!(
        decision,
        Decision::Refused(Refusal::InvalidTransition { .. })
    ));
}

#[test]
fn a_cancellation_again_changes_nothing() {
    let mut order = Order::of(shipped("merchant"));
    order.accept(&OPERATOR, &cancel());
    assert_eq!(order.submit(&OPERATOR, &cancel()), Decision::Unchanged);
    assert_eq!(
        order.submit_now(&OPERATOR, Some(version(1)), &cancel()),
        Decision::Unchanged
    );
    assert_eq!(order.entries.len(), 2);
}

#[test]
fn a_repetition_under_a_used_event_id_is_judged_alike_in_whatever_order_suspects_come() {
    let mut order = Order::of(keeping());
    order.pass(&["picked_up", "in_transit"]);
    let mut with_id = seen("picked_up", 1);
    with_id.client_event_id = Some("scan-1".into());
    order.accept(&DRIVER, &report_of(with_id.clone()));
    order.accept(&DRIVER, &report("picked_up", 2));
    with_id.occurred_at = at(2);
    let change = report_of(with_id);
    let mut suspects = order.entries[3..].to_vec();
    assert_eq!(
        order.judge(&DRIVER, None, &change, &suspects),
        Decision::Duplicate(version(5))
    );
    suspects.reverse();
    assert_eq!(
        order.judge(&DRIVER, None, &change, &suspects),
        Decision::Duplicate(version(5))
    );
}
