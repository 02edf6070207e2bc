//! Every refusal, with the words that a caller reads.

use model::Refusal;
use model::decide::Decision;
use model::limits::MAX_PARKED;
use model::role::Role;

use crate::lifecycles::{keeping, looping, parking, shipped};
use crate::order::{
    ADMIN, CUSTOMER, DRIVER, OPERATOR, Order, cancel, override_to, report, report_of, seen, version,
};

fn said(refusal: &Refusal) -> (&'static str, String) {
    (refusal.code(), refusal.to_string())
}

#[test]
fn a_step_without_an_arrow_is_refused_with_what_is_possible() {
    let mut order = Order::of(shipped("shipment"));
    let refusal = order.refusal(&DRIVER, &report("in_transit", 1));
    assert_eq!(
        said(&refusal),
        (
            "invalid_transition",
            "Cannot transition from 'created' to 'in_transit'".to_owned()
        )
    );
    let Refusal::InvalidTransition { from, to, allowed } = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!((&*from, &*to), ("created", "in_transit"));
    assert_eq!(allowed, ["picked_up".into()], "a driver does not cancel");
    let Refusal::InvalidTransition { allowed, .. } = order.refusal(&OPERATOR, &report("created", 1)) else {
        panic!("the same status again is no step");
    };
    assert_eq!(allowed, ["picked_up".into(), "cancelled".into()]);
}

#[test]
fn what_comes_late_or_never_is_refused_unless_the_lifecycle_keeps_it() {
    let mut order = Order::of(parking());
    order.pass(&["b", "customs"]);
    assert_eq!(
        order.refusal(&OPERATOR, &report("b", 1)).code(),
        "invalid_transition"
    );
    order.accept(&OPERATOR, &cancel());
    assert_eq!(
        order.refusal(&OPERATOR, &report("e", 1)).code(),
        "invalid_transition"
    );

    let mut order = Order::of(keeping());
    order.accept(&OPERATOR, &cancel());
    assert_eq!(
        order.refusal(&OPERATOR, &report("delivered", 1)).code(),
        "invalid_transition"
    );
    assert_eq!(
        order.refusal(&OPERATOR, &report("cancelled", 1)).code(),
        "invalid_transition"
    );
}

#[test]
fn an_unknown_status_is_refused_with_those_known() {
    let mut order = Order::of(looping());
    let words = "unknown status 'lost': this order knows home, away, sold";
    let expected = ("unknown_status", words.to_owned());
    assert_eq!(said(&order.refusal(&DRIVER, &report("lost", 1))), expected);
    assert_eq!(said(&order.refusal(&ADMIN, &override_to("lost", true))), expected);
}

#[test]
fn a_role_without_the_arrow_is_refused() {
    let mut order = Order::of(shipped("shipment"));
    let refusal = order.refusal(&DRIVER, &cancel());
    assert_eq!(
        (refusal.code(), refusal),
        ("forbidden", Refusal::Forbidden(Role::Driver))
    );
}

#[test]
fn anothers_order_is_refused() {
    let mut order = Order::of(shipped("merchant"));
    let mut stranger = CUSTOMER;
    stranger.scope = model::command::Scope::Customer(crate::order::STRANGER_ID);
    assert_eq!(
        said(&order.refusal(&stranger, &cancel())),
        ("not_yours", "the order belongs to someone else".to_owned())
    );
}

#[test]
fn a_stale_version_is_refused() {
    let mut order = Order::of(shipped("shipment"));
    let change = report("picked_up", 1);
    let decision = order.submit_now(&DRIVER, Some(version(2)), &change);
    let refusal = Refusal::VersionMismatch {
        current: version(1),
        expected: version(2),
    };
    let words = "the order is at version 1, not 2".to_owned();
    assert_eq!(said(&refusal), ("version_mismatch", words));
    assert_eq!(decision, Decision::Refused(refusal));
    let decision = order.submit_now(&DRIVER, Some(version(1)), &change);
    assert!(matches!(decision, Decision::Accepted(_)));
}

#[test]
fn a_lifecycle_without_cancellation_is_not_cancelled() {
    let mut order = Order::of(looping());
    let words = "orders of this lifecycle cannot be cancelled".to_owned();
    assert_eq!(
        said(&order.refusal(&ADMIN, &cancel())),
        ("not_cancellable", words)
    );
}

#[test]
fn an_ended_order_is_not_cancelled() {
    let mut order = Order::of(shipped("merchant"));
    order.pass(&["picked_up", "in_transit", "delivered"]);
    let words = "Cannot transition from 'delivered' to 'cancelled'".to_owned();
    assert_eq!(
        said(&order.refusal(&OPERATOR, &cancel())),
        ("invalid_transition", words)
    );
}

#[test]
fn an_event_id_with_other_content_is_refused() {
    let mut order = Order::of(shipped("shipment"));
    let mut fields = seen("picked_up", 1);
    fields.client_event_id = Some("scan-1".into());
    order.accept(&DRIVER, &report_of(fields.clone()));
    fields.status = "in_warehouse".into();
    let words = "event_id was used before with other content".to_owned();
    let refusal = order.refusal(&DRIVER, &report_of(fields));
    assert_eq!(said(&refusal), ("event_id_reused", words));
}

#[test]
fn no_more_reports_wait_than_a_head_holds() {
    let mut order = Order::of(parking());
    for seconds in (1..).take(MAX_PARKED) {
        order.accept(&DRIVER, &report("d", seconds));
    }
    let words = "at most 16 reports of an order may wait for a step in between".to_owned();
    let refusal = order.refusal(&DRIVER, &report("d", 99));
    assert_eq!(said(&refusal), ("too_many_parked", words));
    order.run_timers_at(order.head.due_at().unwrap());
    order.accept(&DRIVER, &report("d", 99));
    assert_eq!(order.head.parked.len(), MAX_PARKED);
}

#[test]
fn an_override_is_an_admins_and_needs_force_to_leave_the_arrows() {
    let mut order = Order::of(shipped("shipment"));
    let refusal = order.refusal(&OPERATOR, &override_to("picked_up", true));
    assert_eq!(refusal, Refusal::Forbidden(Role::Operator));
    let words = "Cannot transition from 'created' to 'delivered'".to_owned();
    let refusal = order.refusal(&ADMIN, &override_to("delivered", false));
    assert_eq!(said(&refusal), ("invalid_transition", words));
    let refusal = order.refusal(&ADMIN, &override_to("created", true));
    assert_eq!(refusal.code(), "invalid_transition");
}

#[test]
fn refusals_made_elsewhere_have_words_too() {
    let refusals = [
        Refusal::UnknownOrder,
        Refusal::IdTaken,
        Refusal::OrderFull,
        Refusal::OccurredAtOutOfRange,
    ];
    let words = refusals.each_ref().map(said);
    assert_eq!(
        words,
        [
            ("unknown_order", "there is no such order".to_owned()),
            (
                "id_taken",
                "an order with this id exists already and is another one".to_owned()
            ),
            ("order_full", "an order holds at most 10000 entries".to_owned()),
            (
                "occurred_at_out_of_range",
                "occurred_at must lie between 2000-01-01 and 24 hours from now".to_owned()
            ),
        ]
    );
}

#[test]
fn no_order_comes_to_a_status_that_nothing_leads_to() {
    let mut order = Order::of(keeping());
    order.pass(&["picked_up"]);
    for actor in [DRIVER, OPERATOR, ADMIN] {
        let refusal = order.refusal(&actor, &report("created", 1));
        assert_eq!(
            refusal.to_string(),
            "Cannot transition from 'picked_up' to 'created'"
        );
    }
}

#[test]
fn the_role_that_may_not_is_named() {
    let told = [Role::Operator, Role::System].map(|role| Refusal::Forbidden(role).to_string());
    assert_eq!(
        told,
        [
            "the role operator may not do this",
            "the role system may not do this"
        ]
    );
}
