//! Each kind of entry, and what makes it.

use model::EntryKind::{Abandoned, Correction, Created, Override, Parked, Recorded, Released, StatusApplied};
use model::decide::Decision;
use model::entry::Location;
use model::ids::PartyId;
use model::role::Role;
use model::time::Span;

use crate::lifecycles::{keeping, parking, shipped};
use crate::order::{
    ADMIN, DRIVER, OPERATOR, OWNER, Order, at, cancel, correct, override_to, report, report_of, seen, version,
};

#[test]
fn a_report_on_an_arrow_moves_the_order() {
    let mut order = Order::of(shipped("shipment"));
    let mut fields = seen("picked_up", 5);
    fields.client_event_id = Some("scan-1".into());
    fields.location = Some(Location {
        lat: 52.52,
        lng: 13.4,
    });
    fields.notes = Some("at the ramp".into());
    fields.metadata = Some(b"{\"a\": 1}".as_slice().into());
    order.set_clock(at(9));
    let entries = order.accept(&DRIVER, &report_of(fields));
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!(
        (entry.kind, entry.version, order.status()),
        (StatusApplied, version(2), "picked_up")
    );
    assert_eq!((entry.occurred_at, entry.recorded_at), (at(5), at(10)));
    assert_eq!(
        (entry.owner, entry.order, entry.lifecycle),
        (OWNER, order.head.order, order.head.lifecycle)
    );
    let body = entry.body().unwrap();
    assert_eq!(
        (body.source, body.client_event_id),
        (Some("scanner"), Some("scan-1"))
    );
    assert_eq!((body.actor, body.role), (Some(DRIVER.party), Some(Role::Driver)));
    assert_eq!(body.queued_for, Some(Span::from_seconds(5)));
    assert_eq!(body.previous, Some(order.lifecycle.initial()));
    assert_eq!(
        body.private_digest,
        entry.private.as_ref().map(|sealed| sealed.digest())
    );
    let private = entry.private().unwrap();
    assert_eq!(
        private.location,
        Some(Location {
            lat: 52.52,
            lng: 13.4
        })
    );
    assert_eq!(private.notes, Some("at the ramp"));
    assert_eq!(private.metadata, Some(b"{\"a\": 1}".as_slice()));
    assert_eq!(private.reason, None);
}

#[test]
fn a_late_report_is_kept_without_moving_the_order() {
    let mut order = Order::of(keeping());
    order.pass(&["picked_up", "in_transit"]);
    let entries = order.accept(&DRIVER, &report("picked_up", 3));
    assert_eq!(entries[0].kind, Recorded);
    assert_eq!(order.status(), "in_transit");
    let reported = entries[0].reported_status().unwrap();
    assert_eq!(order.lifecycle.state_name(reported), "picked_up");
    assert_eq!(order.entries[2].reported_status().unwrap(), order.head.status);
}

#[test]
fn an_early_report_is_kept_without_moving_the_order() {
    let mut order = Order::of(keeping());
    let entries = order.accept(&DRIVER, &report("delivered", 3));
    assert_eq!((entries[0].kind, order.status()), (Recorded, "created"));
    order.pass(&["picked_up"]);
    assert_eq!(order.kinds(), [Created, Recorded, StatusApplied]);
}

#[test]
fn parked_reports_are_applied_one_after_the_other_once_they_can_be() {
    let mut order = Order::of(parking());
    order.accept(&OPERATOR, &report("e", 40));
    order.accept(&OPERATOR, &report("customs", 30));
    assert_eq!((order.status(), order.head.parked.len()), ("a", 2));
    assert_eq!(order.head.parked[0].until, at(3601));
    let entries = order.accept(&DRIVER, &report("b", 20));
    let made: Vec<_> = entries
        .iter()
        .map(|entry| (entry.kind, entry.occurred_at))
        .collect();
    assert_eq!(
        made,
        [(StatusApplied, at(20)), (Released, at(30)), (Released, at(40))]
    );
    let about: Vec<_> = entries.iter().map(|entry| entry.body().unwrap().about).collect();
    assert_eq!(about, [None, Some(version(3)), Some(version(2))]);
    assert_eq!((order.status(), order.head.parked.len()), ("e", 0));
    assert!(entries.is_sorted_by(|one, next| one.recorded_at < next.recorded_at));
}

#[test]
fn a_parked_report_is_given_up_when_its_time_is_over() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    order.accept(&DRIVER, &report("d", 2));
    assert_eq!(order.head.due_at(), Some(at(3601)));
    order.set_clock(at(3600));
    assert_eq!(order.tick(), Decision::Unchanged);
    order.run_timers_at(at(3601));
    assert_eq!(order.kinds(), [Created, Parked, Parked, Abandoned]);
    assert_eq!(order.entries[3].occurred_at, at(3601));
    assert_eq!(order.entries[3].body().unwrap().about, Some(version(2)));
    assert_eq!(order.head.due_at(), Some(at(3602)));
    order.run_timers_at(at(9000));
    assert_eq!((order.head.due_at(), order.status()), (None, "a"));
    assert_eq!(order.entries[4].occurred_at, at(3602));
}

#[test]
fn a_parked_report_is_given_up_when_it_can_no_longer_come_true() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    order.accept(&DRIVER, &report("d", 2));
    let entries = order.accept(&OPERATOR, &cancel());
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [StatusApplied, Abandoned, Abandoned]);
    assert_eq!((order.status(), order.head.due_at()), ("cancelled", None));
}

#[test]
fn of_two_parked_reports_of_one_status_the_first_is_applied() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 2));
    order.accept(&DRIVER, &report("d", 1));
    order.pass(&["b", "customs"]);
    assert_eq!(
        order.kinds(),
        [
            Created,
            Parked,
            Parked,
            StatusApplied,
            StatusApplied,
            Released,
            Abandoned
        ]
    );
    assert_eq!(order.entries[5].occurred_at, at(2));
}

#[test]
fn a_parked_report_is_given_up_where_its_arrow_is_not_its_reporters() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("e", 1));
    order.pass(&["b", "customs"]);
    assert_eq!(order.kinds().last(), Some(&Abandoned));
    assert_eq!(order.status(), "customs");
}

#[test]
fn a_correction_takes_the_last_step_back() {
    let mut order = Order::of(shipped("shipment"));
    order.pass(&["picked_up", "in_warehouse"]);
    let entries = order.accept(&OPERATOR, &correct(3));
    assert_eq!((entries[0].kind, order.status()), (Correction, "picked_up"));
    assert_eq!(entries[0].body().unwrap().about, Some(version(3)));
    assert_eq!(entries[0].private().unwrap().reason, Some("wrong parcel"));
    assert_eq!(order.history().struck(), [version(3)]);
}

#[test]
fn an_override_along_an_arrow_is_a_step_like_any() {
    let mut order = Order::of(shipped("shipment"));
    let entries = order.accept(&ADMIN, &override_to("picked_up", false));
    assert_eq!((entries[0].kind, order.status()), (StatusApplied, "picked_up"));
    let entries = order.accept(&ADMIN, &override_to("in_warehouse", true));
    assert_eq!(entries[0].kind, StatusApplied);
}

#[test]
fn a_forced_override_leaves_the_arrows() {
    let mut order = Order::of(parking());
    order.accept(&DRIVER, &report("d", 1));
    let entries = order.accept(&ADMIN, &override_to("customs", true));
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        (kinds.as_slice(), order.status()),
        ([Override, Released].as_slice(), "d")
    );
    assert_eq!(entries[0].private().unwrap().reason, Some("lost papers"));
    assert_eq!(entries[0].body().unwrap().actor, Some(PartyId::new(25)));
    order.pass(&["e"]);
    order.accept(&ADMIN, &override_to("a", true));
    assert_eq!(order.status(), "a", "also out of a final status");
}

#[test]
fn a_cancellation_keeps_its_reason_sealed() {
    let mut order = Order::of(shipped("merchant"));
    let entries = order.accept(&OPERATOR, &cancel());
    assert_eq!((entries[0].kind, order.status()), (StatusApplied, "cancelled"));
    assert_eq!(entries[0].private().unwrap().reason, Some("changed their mind"));
    assert_eq!(entries[0].body().unwrap().source, Some("api"));
}
