//! What the server does by itself, and its clock.

use model::command::{Actor, Change};
use model::decide::Decision;
use model::head::DelayScale;
use model::role::Role;
use model::time::{Span, Timestamp};
use model::{EntryKind, StateId};

use crate::lifecycles::{looping, parking, shipped};
use crate::order::{DRIVER, OPERATOR, Order, at, cancel, report};

fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.since(earlier).as_nanos() / 1_000_000_000
}

#[test]
fn a_step_is_due_after_its_delay_give_or_take_a_fifth() {
    let delays: Vec<i64> = (1..500)
        .map(|key| {
            let order = Order::numbered(key, shipped("delivery"), DelayScale::ONE);
            order.head.step_due.unwrap().since(at(0)).as_nanos()
        })
        .collect();
    let second = 1_000_000_000;
    assert!(
        delays
            .iter()
            .all(|delay| (16 * second..=24 * second).contains(delay))
    );
    assert!(*delays.iter().min().unwrap() < 17 * second, "the spread is used");
    assert!(*delays.iter().max().unwrap() > 23 * second);
}

#[test]
fn an_order_advances_by_itself_to_its_end() {
    let mut order = Order::of(shipped("food"));
    order.run_timers_at(at(3600));
    assert_eq!((order.status(), order.entries.len()), ("DELIVERED", 5));
    let delays = [15, 20, 30, 30];
    for (pair, delay) in order.entries.windows(2).zip(delays) {
        let passed = seconds_between(pair[0].occurred_at, pair[1].occurred_at);
        assert!(
            (delay * 4 / 5 - 1..=delay * 6 / 5).contains(&passed),
            "{passed} for {delay}"
        );
    }
    let body = order.entries[1].body().unwrap();
    assert_eq!((body.role, body.source), (Some(Role::System), None));
    assert_eq!(order.head.due_at(), None);
}

#[test]
fn a_restart_after_an_hour_gives_the_same_history() {
    let mut awake = Order::of(shipped("delivery"));
    while let Some(due_at) = awake.head.due_at() {
        awake.run_timers_at(due_at);
    }
    let mut asleep = Order::of(shipped("delivery"));
    asleep.run_timers_at(at(3600));
    assert_eq!(story(&awake), story(&asleep));
}

#[test]
fn a_step_is_not_taken_before_its_time() {
    let mut order = Order::of(shipped("delivery"));
    let due_at = order.head.due_at().unwrap();
    order.set_clock(Timestamp::from_nanos(due_at.as_nanos() - 1));
    assert_eq!(order.tick(), Decision::Unchanged);
    order.set_clock(due_at);
    assert!(matches!(order.tick(), Decision::Accepted(_)));
    assert_eq!(order.entries[1].occurred_at, due_at);
}

#[test]
fn a_timer_of_an_order_that_has_moved_does_nothing() {
    let mut order = Order::of(shipped("delivery"));
    let due_at = order.head.due_at().unwrap();
    order.accept(&OPERATOR, &report("dispatched", 1));
    order.set_clock(at(30));
    let decision = order.submit_now(&Actor::SYSTEM, None, &Change::Due { due_at });
    assert_eq!((decision, order.status()), (Decision::Unchanged, "dispatched"));
    order.accept(&OPERATOR, &cancel());
    assert_eq!(order.head.due_at(), None);
    order.run_timers_at(at(9999));
    assert_eq!(order.status(), "cancelled");
}

#[test]
fn delays_are_stretched_by_the_scale() {
    let one = Order::of(shipped("delivery")).head.step_due.unwrap().since(at(0));
    let scale = DelayScale::from_parts_per_million(10_000);
    let hundredth = Order::numbered(7, shipped("delivery"), scale);
    assert_eq!(hundredth.head.step_due.unwrap().since(at(0)), one.scaled(10_000));
    let none = Order::numbered(7, shipped("delivery"), DelayScale::from_parts_per_million(0));
    assert_eq!(none.head.step_due, Some(at(0)));
}

#[test]
fn an_automatic_step_frees_what_waits_for_it() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 5));
    order.pass(&["b"]);
    assert_eq!(order.head.step_due, Some(at(1000 + 120)));
    order.run_timers_at(at(1120));
    assert_eq!(order.status(), "d");
}

#[test]
fn a_loop_is_timed_anew_each_round() {
    let mut order = Order::of(looping());
    order.accept(&DRIVER, &report("away", 0));
    let first = order.head.step_due.unwrap();
    order.accept(&DRIVER, &report("home", 1));
    assert_eq!(order.head.step_due, None);
    order.accept(&DRIVER, &report("away", 2));
    let second = order.head.step_due.unwrap();
    let bounds = Span::from_seconds(1800)..=Span::from_seconds(5400);
    assert!(bounds.contains(&first.since(at(0))) && bounds.contains(&second.since(at(2))));
    assert_ne!(
        first.since(at(0)),
        second.since(at(2)),
        "the spread is of the step, not of the order"
    );
}

#[test]
fn recorded_times_grow_with_a_stuck_clock_and_a_backward_one() {
    let mut order = Order::of(parking());
    for (seconds, status) in [(0, "d"), (-500, "customs"), (-1000, "b")] {
        order.set_clock(at(seconds));
        let decision = order.submit_now(&OPERATOR, None, &report(status, 0));
        assert!(matches!(decision, Decision::Accepted(_)));
    }
    let times: Vec<i64> = order
        .entries
        .iter()
        .map(|entry| entry.recorded_at.as_nanos())
        .collect();
    assert_eq!(times.len(), 6);
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] == 1_000),
        "{times:?}"
    );
}

fn story(order: &Order) -> Vec<(u32, EntryKind, StateId, Timestamp)> {
    let told = order.entries.iter();
    told.map(|entry| (entry.version.get(), entry.kind, entry.status, entry.occurred_at))
        .collect()
}

#[test]
fn a_step_due_before_a_report_is_given_up_comes_first_after_a_restart_too() {
    let begun = || {
        let mut order = Order::of(parking());
        order.accept(&DRIVER, &report("d", 5));
        order.pass(&["b"]);
        order
    };
    let mut awake = begun();
    while let Some(due_at) = awake.head.due_at() {
        awake.run_timers_at(due_at);
    }
    let mut asleep = begun();
    asleep.run_timers_at(at(90_000));
    assert_eq!((awake.status(), asleep.status()), ("d", "d"));
    assert_eq!(story(&awake), story(&asleep));
}

#[test]
fn what_an_automatic_step_makes_impossible_is_given_up_at_its_time() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("e", 1));
    order.pass(&["b"]);
    order.run_timers_at(at(2_000));
    let last = order.entries.last().unwrap();
    assert_eq!((last.kind, last.occurred_at), (EntryKind::Abandoned, at(1_120)));
}
