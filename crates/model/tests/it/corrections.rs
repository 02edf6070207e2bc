//! What can be taken back, and what cannot.

use model::EntryKind::{Abandoned, Correction, Released};
use model::Refusal;
use model::decide::Decision;
use model::refusal::CorrectionRefusal;
use model::role::Role;

use crate::lifecycles::{keeping, mending, parking, parking_and_keeping, shipped};
use crate::order::{
    ADMIN, CLIENT, DRIVER, OPERATOR, Order, at, cancel, correct, override_to, report, version,
};

fn why_not(order: &mut Order, strike: u32) -> (CorrectionRefusal, String) {
    let refusal = order.refusal(&OPERATOR, &correct(strike));
    assert_eq!(refusal.code(), "correction_refused");
    let Refusal::Correction(why) = refusal else {
        panic!("{refusal:?}");
    };
    (why, Refusal::from(why).to_string())
}

#[test]
fn only_operators_and_admins_correct() {
    let mut order = Order::of(shipped("merchant"));
    order.pass(&["picked_up"]);
    for actor in [CLIENT, DRIVER] {
        assert_eq!(order.refusal(&actor, &correct(2)), Refusal::Forbidden(actor.role));
    }
    let refusal = order.refusal(&model::command::Actor::SYSTEM, &correct(2));
    assert_eq!(refusal, Refusal::Forbidden(Role::System));
    order.accept(&ADMIN, &correct(2));
    assert_eq!(order.status(), "created");
}

#[test]
fn an_entry_that_is_not_there_cannot_be_struck() {
    let mut order = Order::of(shipped("merchant"));
    let words = "the order has no such event".to_owned();
    assert_eq!(why_not(&mut order, 2), (CorrectionRefusal::NoSuchEntry, words));
}

#[test]
fn creations_corrections_and_what_was_given_up_stay() {
    let mut order = Order::of(parking());
    order.pass(&["b"]);
    order.accept(&OPERATOR, &correct(2));
    order.accept(&DRIVER, &report("e", 1));
    order.run_timers_at(at(9000));
    assert_eq!(order.kinds()[4], Abandoned);
    for strike in [1, 3, 4, 5] {
        let words = "a creation, a correction or a report given up cannot be corrected".to_owned();
        assert_eq!(
            why_not(&mut order, strike),
            (CorrectionRefusal::NotCorrectable, words)
        );
    }
}

#[test]
fn of_a_parked_report_that_was_applied_the_applying_is_struck() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    order.pass(&["b", "customs"]);
    assert_eq!((order.kinds()[4], order.status()), (Released, "d"));
    let words = "this report was applied later: correct the event that applied it".to_owned();
    assert_eq!(why_not(&mut order, 2), (CorrectionRefusal::ReleasedSince, words));
    order.accept(&OPERATOR, &correct(5));
    assert_eq!(order.status(), "customs");
}

#[test]
fn a_struck_parked_report_waits_no_more() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    let entries = order.accept(&OPERATOR, &correct(2));
    assert_eq!((entries.len(), order.head.parked.len()), (1, 0));
    order.pass(&["b", "customs"]);
    assert_eq!(order.status(), "customs");
}

#[test]
fn an_ended_order_stays_ended_unless_the_lifecycle_says_how_to_take_it_back() {
    let mut order = Order::of(shipped("merchant"));
    order.pass(&["picked_up", "in_transit", "delivered"]);
    let words = "the order has ended, and its lifecycle does not say how to take that back".to_owned();
    assert_eq!(why_not(&mut order, 4), (CorrectionRefusal::LeavesFinal, words));
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(
        order.status(),
        "delivered",
        "an earlier step may be struck: the end stands"
    );

    let mut order = Order::of(mending());
    order.pass(&["held", "paid", "done"]);
    order.accept(&OPERATOR, &correct(4));
    assert_eq!(order.status(), "paid");
    order.accept(&OPERATOR, &report("lost", 3));
    assert_eq!(why_not(&mut order, 6).0, CorrectionRefusal::LeavesFinal);
}

#[test]
fn a_step_that_moved_stock_or_money_stays_unless_the_lifecycle_says_how_to_take_it_back() {
    let mut order = Order::of(mending());
    order.pass(&["held", "paid"]);
    let words = "this step moved stock or money, and the lifecycle does not say how to take that back";
    let refused = (CorrectionRefusal::MovedStockOrMoney, words.to_owned());
    assert_eq!(why_not(&mut order, 3), refused);
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(order.status(), "paid");
}

#[test]
fn an_override_is_taken_back_while_the_order_has_not_ended() {
    let mut order = Order::of(shipped("shipment"));
    order.accept(&ADMIN, &override_to("in_transit", true));
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(order.status(), "created");
    order.accept(&ADMIN, &override_to("delivered", true));
    assert_eq!(why_not(&mut order, 4).0, CorrectionRefusal::LeavesFinal);
}

#[test]
fn a_kept_report_is_struck_without_moving_the_order() {
    let mut order = Order::of(keeping());
    order.accept(&DRIVER, &report("delivered", 1));
    order.pass(&["picked_up"]);
    order.accept(&OPERATOR, &cancel());
    order.accept(&OPERATOR, &correct(2));
    assert_eq!((order.status(), order.kinds()[4]), ("cancelled", Correction));
}

#[test]
fn a_correction_made_again_is_the_first_one() {
    let mut order = Order::of(shipped("shipment"));
    order.pass(&["picked_up", "in_warehouse"]);
    order.accept(&OPERATOR, &correct(3));
    assert_eq!(
        order.submit(&OPERATOR, &correct(3)),
        Decision::Duplicate(version(4))
    );
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(order.submit(&ADMIN, &correct(3)), Decision::Duplicate(version(4)));
    assert_eq!(order.status(), "created");
}

#[test]
fn a_correction_lets_wait_what_waits_and_gives_up_what_cannot_come() {
    let mut order = Order::of(parking_and_keeping());
    order.pass(&["b"]);
    order.accept(&DRIVER, &report("d", 1));
    order.accept(&OPERATOR, &correct(2));
    assert_eq!((order.status(), order.head.parked.len()), ("a", 1));
    assert_eq!(order.head.step_due, None);
}
