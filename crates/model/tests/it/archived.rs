//! Orders of which there is nothing but the head.

use model::Refusal;
use model::command::{Actor, Change, Scope};
use model::decide::{Decision, decide_archived};
use model::ids::Version;
use model::role::Role;

use crate::lifecycles::shipped;
use crate::order::{
    ADMIN, DRIVER, OPERATOR, Order, STRANGER_ID, actor, at, cancel, correct, override_to, report, version,
};

fn judged(order: &Order, actor: &Actor, change: &Change, earlier: Option<Version>) -> Decision {
    decide_archived(&order.lifecycle, &order.head, actor, change, earlier)
}

fn delivered() -> Order {
    let mut order = Order::of(shipped("shipment"));
    order.pass(&["picked_up", "in_warehouse", "in_transit", "delivered"]);
    order
}

#[test]
fn nothing_is_added_to_an_archived_order_by_nobody() {
    let order = delivered();
    for (actor, change) in [
        (DRIVER, report("picked_up", 100)),
        (OPERATOR, cancel()),
        (OPERATOR, correct(2)),
        (ADMIN, override_to("created", true)),
    ] {
        let judged = judged(&order, &actor, &change, None);
        assert_eq!(judged, Decision::Refused(Refusal::Archived), "{change:?}");
    }
    let words = "the order has ended and its history is archived: nothing can be added to it";
    assert_eq!(
        (Refusal::Archived.code(), Refusal::Archived.to_string()),
        ("archived", words.to_owned())
    );
}

#[test]
fn a_repetition_is_answered_as_ever() {
    let order = delivered();
    let repeated = judged(&order, &DRIVER, &report("in_transit", 3), Some(version(4)));
    assert_eq!(repeated, Decision::Duplicate(version(4)));
    let late = Change::Due { due_at: at(5) };
    assert_eq!(judged(&order, &Actor::SYSTEM, &late, None), Decision::Unchanged);
    let mut order = Order::of(shipped("shipment"));
    order.accept(&OPERATOR, &cancel());
    assert_eq!(judged(&order, &OPERATOR, &cancel(), None), Decision::Unchanged);
}

#[test]
fn a_stranger_is_not_even_told_of_a_repetition() {
    let stranger = actor(30, Role::Driver, Scope::Client(STRANGER_ID));
    let judged = judged(
        &delivered(),
        &stranger,
        &report("in_transit", 3),
        Some(version(4)),
    );
    assert_eq!(judged, Decision::Refused(Refusal::NotYours));
}
