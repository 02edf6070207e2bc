//! Limits at their edges.

use model::Refusal;
use model::command::{Change, FieldError, Report, ReportFields};
use model::decide::Decision;
use model::entry::Location;
use model::limits::{
    MAX_AHEAD, MAX_DETAILS_BYTES, MAX_ENTRIES, MAX_EVENT_ID_CHARS, MAX_METADATA_BYTES, MAX_SOURCE_CHARS,
    MAX_TEXT_CHARS,
};
use model::time::Timestamp;

use crate::lifecycles::{looping, looping_and_parking, shipped};
use crate::order::{DRIVER, OPERATOR, Order, at, create, report, report_of, seen};

fn problem(spoil: impl FnOnce(&mut ReportFields)) -> Option<String> {
    let mut fields = seen("picked_up", 1);
    spoil(&mut fields);
    Report::new(fields).err().map(|error| error.to_string())
}

/// So many characters of two bytes each.
fn text(chars: usize) -> Box<str> {
    "é".repeat(chars).into()
}

#[test]
fn texts_of_a_report_are_counted_in_characters() {
    assert_eq!(problem(|it| it.source = text(MAX_SOURCE_CHARS)), None);
    assert_eq!(
        problem(|it| it.source = text(MAX_SOURCE_CHARS + 1)),
        Some("source must have at most 200 characters, this has 201".to_owned())
    );
    assert_eq!(
        problem(|it| it.client_event_id = Some(text(MAX_EVENT_ID_CHARS))),
        None
    );
    assert_eq!(
        problem(|it| it.client_event_id = Some(text(MAX_EVENT_ID_CHARS + 1))),
        Some("event_id must have at most 200 characters, this has 201".to_owned())
    );
    assert_eq!(problem(|it| it.notes = Some(text(MAX_TEXT_CHARS))), None);
    assert_eq!(
        problem(|it| it.notes = Some(text(MAX_TEXT_CHARS + 1))),
        Some("notes must have at most 500 characters, this has 501".to_owned())
    );
    assert_eq!(
        problem(|it| it.metadata = Some(vec![b' '; MAX_METADATA_BYTES].into())),
        None
    );
    assert_eq!(
        problem(|it| it.metadata = Some(vec![b' '; MAX_METADATA_BYTES + 1].into())),
        Some("metadata must have at most 16384 bytes, this has 16385".to_owned())
    );
}

#[test]
fn places_lie_on_earth() {
    let place = |lat, lng| problem(|it| it.location = Some(Location { lat, lng }));
    for (lat, lng) in [(90.0, 180.0), (-90.0, -180.0), (0.0, -0.0)] {
        assert_eq!(place(lat, lng), None);
    }
    let bad_lat = Some("location.lat must lie between -90 and 90 degrees".to_owned());
    let bad_lng = Some("location.lng must lie between -180 and 180 degrees".to_owned());
    for lat in [90.000_000_1, -91.0, f64::NAN, f64::INFINITY] {
        assert_eq!(place(lat, 0.0), bad_lat);
    }
    for lng in [180.000_000_1, -181.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(place(0.0, lng), bad_lng);
    }
}

#[test]
fn reasons_say_why_in_bounds() {
    let checked = |change: Change| change.checked().err();
    let overridden = |reason: Box<str>| {
        checked(Change::Override {
            status: "picked_up".into(),
            reason,
            force: false,
        })
    };
    let cancelled = |reason, source| checked(Change::Cancel { reason, source });
    let corrected = |reason| {
        checked(Change::Correct {
            strike: crate::order::version(2),
            reason,
        })
    };
    let must_say_why = Some(FieldError {
        field: "reason",
        message: "must say why".to_owned(),
    });
    assert_eq!(overridden(text(MAX_TEXT_CHARS)), None);
    assert_eq!(overridden(text(MAX_TEXT_CHARS + 1)).unwrap().field, "reason");
    assert_eq!(overridden(" \n".into()), must_say_why);
    assert_eq!(corrected("".into()), must_say_why);
    assert_eq!(corrected("wrong".into()), None);
    assert_eq!(cancelled(None, "api".into()), None);
    assert_eq!(
        cancelled(Some(text(MAX_TEXT_CHARS)), text(MAX_SOURCE_CHARS)),
        None
    );
    assert_eq!(
        cancelled(Some(text(MAX_TEXT_CHARS + 1)), "api".into())
            .unwrap()
            .field,
        "reason"
    );
    assert_eq!(
        cancelled(None, text(MAX_SOURCE_CHARS + 1)).unwrap().field,
        "source"
    );
    assert_eq!(checked(report("picked_up", 1)), None);
    assert_eq!(checked(Change::Due { due_at: at(0) }), None);
}

#[test]
fn a_creation_is_bounded() {
    let mut wish = create();
    wish.source = text(MAX_SOURCE_CHARS);
    wish.reference = Some(text(MAX_SOURCE_CHARS));
    wish.details = vec![b' '; MAX_DETAILS_BYTES].into();
    let wish = wish.checked().unwrap();
    let spoilt = |spoil: fn(&mut model::command::Create)| {
        let mut wish = wish.clone();
        spoil(&mut wish);
        wish.checked().unwrap_err().field
    };
    assert_eq!(spoilt(|wish| wish.source = text(MAX_SOURCE_CHARS + 1)), "source");
    assert_eq!(
        spoilt(|wish| wish.reference = Some(text(MAX_SOURCE_CHARS + 1))),
        "customer_reference"
    );
    assert_eq!(
        spoilt(|wish| wish.details = vec![0; MAX_DETAILS_BYTES + 1].into()),
        "details"
    );
}

#[test]
fn times_of_events_are_taken_up_to_their_bounds() {
    let judge = |occurred_at| {
        let mut order = Order::of(shipped("shipment"));
        let mut fields = seen("picked_up", 1);
        fields.occurred_at = occurred_at;
        order.submit_now(&DRIVER, None, &report_of(fields))
    };
    let after = |time: Timestamp, nanos| Timestamp::from_nanos(time.as_nanos() + nanos);
    let refused = Decision::Refused(Refusal::OccurredAtOutOfRange);
    let latest = at(0) + MAX_AHEAD;
    assert_eq!(latest, at(86_400));
    assert!(matches!(judge(Timestamp::EARLIEST_EVENT), Decision::Accepted(_)));
    assert_eq!(judge(after(Timestamp::EARLIEST_EVENT, -1)), refused);
    assert!(matches!(judge(latest), Decision::Accepted(_)));
    assert_eq!(judge(after(latest, 1)), refused);
}

#[test]
fn an_order_holds_ten_thousand_entries_and_no_more() {
    let mut order = Order::of(looping());
    for number in 2..=MAX_ENTRIES {
        let status = if number % 2 == 0 { "away" } else { "home" };
        order.accept(&OPERATOR, &report(status, i64::from(number)));
    }
    assert_eq!(order.head.version.get(), MAX_ENTRIES);
    assert_eq!(
        (order.status(), order.head.step_due, order.head.due_at()),
        ("away", None, None)
    );
    let refusal = order.refusal(&OPERATOR, &report("home", 1));
    assert_eq!(refusal, Refusal::OrderFull);
    let decision = order.submit(&OPERATOR, &report("away", 2));
    assert_eq!(decision, Decision::Duplicate(crate::order::version(2)));
}

#[test]
fn the_last_entry_of_an_order_is_not_kept_from_it_by_reports_that_wait() {
    let mut order = Order::of(looping_and_parking());
    for number in 2..=MAX_ENTRIES - 3 {
        let status = if number % 2 == 0 { "away" } else { "home" };
        order.accept(&OPERATOR, &report(status, i64::from(number)));
    }
    order.accept(&OPERATOR, &report("sold", 1));
    order.accept(&OPERATOR, &report("sold", 2));
    assert_eq!((order.status(), order.head.parked.len()), ("home", 2));
    order.accept(&OPERATOR, &report("checked", 3));
    assert_eq!(
        (order.status(), order.head.version.get()),
        ("checked", MAX_ENTRIES)
    );
    assert_eq!(order.head.due_at(), None, "a full order is left in peace");
    order.run_timers_at(at(1_000_000));
    assert_eq!(
        order.refusal(&OPERATOR, &report("created", 4)),
        Refusal::OrderFull
    );
}
