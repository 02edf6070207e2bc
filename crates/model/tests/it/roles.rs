//! Who may touch which order, and who may do what to it.

use model::Refusal;
use model::command::{Actor, Scope};
use model::decide::Decision;
use model::ids::{Owner, PartyId};
use model::role::Role;

use crate::lifecycles::{keeping, shipped};
use crate::order::{
    ADMIN, CLIENT, CLIENT_ID, CUSTOMER, CUSTOMER_ID, DRIVER, OPERATOR, OWNER, Order, STRANGER_ID, actor,
    cancel, report,
};

#[test]
fn scopes_cover_whom_they_name() {
    assert!(Scope::All.covers(&Owner::default()));
    assert!(Scope::Client(CLIENT_ID).covers(&OWNER) && !Scope::Client(CUSTOMER_ID).covers(&OWNER));
    assert!(Scope::Customer(CUSTOMER_ID).covers(&OWNER) && !Scope::Customer(CLIENT_ID).covers(&OWNER));
    assert!(!Scope::Customer(PartyId::NOBODY).covers(&Owner::default()));
    assert!(!Scope::Client(PartyId::NOBODY).covers(&Owner::default()));
}

#[test]
fn a_driver_reports_but_does_not_cancel() {
    let mut order = Order::of(shipped("merchant"));
    let forbidden = Refusal::Forbidden(Role::Driver);
    assert_eq!(order.refusal(&DRIVER, &cancel()), forbidden);
    assert_eq!(order.refusal(&DRIVER, &report("cancelled", 1)), forbidden);
    order.accept(&DRIVER, &report("picked_up", 1));
    order.accept(&CLIENT, &cancel());
}

#[test]
fn a_customer_cancels_their_own_order_and_reports_nothing() {
    let mut order = Order::of(shipped("delivery"));
    let refusal = order.refusal(&CUSTOMER, &report("dispatched", 1));
    assert_eq!(refusal, Refusal::Forbidden(Role::Customer));
    let stranger = actor(41, Role::Customer, Scope::Customer(STRANGER_ID));
    assert_eq!(order.refusal(&stranger, &cancel()), Refusal::NotYours);
    order.accept(&CUSTOMER, &cancel());
    assert_eq!(order.status(), "cancelled");
}

#[test]
fn another_clients_driver_learns_nothing_even_of_a_repetition() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&DRIVER, &report("picked_up", 1));
    let stranger = actor(41, Role::Driver, Scope::Client(STRANGER_ID));
    assert_eq!(
        order.refusal(&stranger, &report("picked_up", 1)),
        Refusal::NotYours
    );
    let decision = order.submit(&DRIVER, &report("picked_up", 1));
    assert!(matches!(decision, Decision::Duplicate(_)));
}

#[test]
fn what_a_role_may_never_report_is_not_kept_of_it() {
    let mut order = Order::of(keeping());
    order.pass(&["picked_up", "in_transit"]);
    assert_eq!(
        order.refusal(&CLIENT, &report("picked_up", 1)),
        Refusal::Forbidden(Role::Client)
    );
    order.accept(&DRIVER, &report("picked_up", 1));
}

#[test]
fn steps_of_the_server_are_its_own() {
    let mut order = Order::of(shipped("shop"));
    order.tick();
    assert_eq!(order.status(), "reserved");
    assert_eq!(
        order.refusal(&OPERATOR, &report("paid", 1)),
        Refusal::Forbidden(Role::Operator)
    );
    order.accept(&Actor::SYSTEM, &report("paid", 1));
    order.accept(&ADMIN, &cancel());
}
