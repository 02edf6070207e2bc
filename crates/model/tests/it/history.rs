//! What an order was at some instant, on both clocks.

use model::History;
use model::ids::Version;
use model::time::Timestamp;

use crate::lifecycles::{keeping, shipped};
use crate::order::{DRIVER, OPERATOR, Order, at, correct, report};

fn recorded(order: &Order, seconds: i64) -> Option<(&str, u32)> {
    let then = order.history().as_recorded_at(at(seconds))?;
    Some((order.lifecycle.state_name(then.status), then.version.get()))
}

fn occurred(order: &Order, seconds: i64) -> Option<(&str, u32)> {
    let then = order.history().as_occurred_at(at(seconds))?;
    Some((order.lifecycle.state_name(then.status), then.version.get()))
}

/// Recorded at 0, 101, 201, 301; in the world the parcel was in transit before it came to the warehouse, by its scanners' clocks.
fn out_of_order() -> Order {
    let mut order = Order::of(shipped("shipment"));
    for (clock, status, happened) in [
        (100, "picked_up", 10),
        (200, "in_warehouse", 60),
        (300, "in_transit", 30),
    ] {
        order.set_clock(at(clock));
        order.accept(&DRIVER, &report(status, happened));
    }
    order
}

#[test]
fn before_its_creation_an_order_was_nothing() {
    let order = out_of_order();
    assert_eq!((recorded(&order, -1), occurred(&order, -1)), (None, None));
    assert_eq!(
        (recorded(&order, 0), occurred(&order, 0)),
        (Some(("created", 1)), Some(("created", 1)))
    );
    let nothing = History::new(&order.lifecycle, &[]);
    assert_eq!(
        (nothing.as_recorded_at(at(0)), nothing.as_occurred_at(at(0))),
        (None, None)
    );
}

#[test]
fn the_recorded_clock_shows_what_was_known_then() {
    let order = out_of_order();
    assert_eq!(recorded(&order, 100), Some(("created", 1)));
    assert_eq!(recorded(&order, 101), Some(("picked_up", 2)));
    assert_eq!(recorded(&order, 300), Some(("in_warehouse", 3)));
    assert_eq!(recorded(&order, 9_999), Some(("in_transit", 4)));
}

#[test]
fn the_occurred_clock_shows_what_had_happened_then_and_never_goes_back() {
    let order = out_of_order();
    assert_eq!(occurred(&order, 9), Some(("created", 1)));
    assert_eq!(occurred(&order, 10), Some(("picked_up", 2)));
    assert_eq!(occurred(&order, 30), Some(("in_transit", 4)));
    assert_eq!(occurred(&order, 60), Some(("in_transit", 4)));
}

#[test]
fn a_correction_changes_the_world_s_past_and_not_what_was_known() {
    let mut order = out_of_order();
    order.set_clock(at(400));
    order.accept(&OPERATOR, &correct(4));
    assert_eq!(recorded(&order, 301), Some(("in_transit", 4)));
    assert_eq!(recorded(&order, 401), Some(("in_warehouse", 5)));
    assert_eq!(occurred(&order, 30), Some(("picked_up", 2)));
    assert_eq!(occurred(&order, 60), Some(("in_warehouse", 3)));
    order.accept(&OPERATOR, &correct(2));
    assert_eq!(occurred(&order, 59), Some(("created", 1)));
    assert_eq!(order.history().struck(), [4, 2].map(Version::new));
}

#[test]
fn what_was_only_kept_is_no_status_on_either_clock() {
    let mut order = Order::of(keeping());
    order.accept(&DRIVER, &report("delivered", 5));
    assert_eq!(recorded(&order, 10), Some(("created", 2)));
    assert_eq!(occurred(&order, 10), Some(("created", 1)));
}

#[test]
fn an_unreadable_correction_leaves_the_world_s_past_unknown() {
    let mut order = out_of_order();
    order.accept(&OPERATOR, &correct(4));
    let mut entries = order.entries.clone();
    entries[4].body.clear();
    let damaged = History::new(&order.lifecycle, &entries);
    assert_eq!(damaged.as_occurred_at(Timestamp::MAX), None);
    assert_eq!(damaged.struck(), []);
}
