//! Entries that cannot be an order's history, each made by damaging one that is.

use model::entry::{Body, FormatError};
use model::history::HistoryFault;
use model::ids::{LifecycleId, OrderKey, Owner};
use model::sealed::Sealed;
use model::{Entry, EntryKind, History, StateId};

use crate::lifecycles::parking_and_keeping;
use crate::order::{ADMIN, DRIVER, OPERATOR, Order, SALT, at, correct, override_to, report, version};

/// 1 created, 2 parked d, 3 applied b, 4 applied customs, 5 released d, 6 recorded b, 7 struck 5, 8 override b, 9 parked e,
/// 10 abandoned 9.
fn order() -> Order {
    let mut order = Order::of(parking_and_keeping());
    order.accept(&DRIVER, &report("d", 1));
    order.pass(&["b", "customs"]);
    order.accept(&DRIVER, &report("b", 4));
    order.accept(&OPERATOR, &correct(5));
    order.accept(&ADMIN, &override_to("a", true));
    order.accept(&DRIVER, &report("e", 9));
    order.run_timers_at(at(90_000));
    assert_eq!(order.entries.len(), 10);
    order
}

fn fault(damage: impl FnOnce(&mut Vec<Entry>)) -> (HistoryFault, String) {
    let order = order();
    let mut entries = order.entries.clone();
    damage(&mut entries);
    let fault = History::new(&order.lifecycle, &entries)
        .fold(order.scale)
        .unwrap_err();
    let words = fault.to_string();
    (fault, words)
}

fn rewrite(entry: &mut Entry, change: impl FnOnce(&mut Body<'_>)) {
    let old = entry.clone();
    let mut body = old.body().unwrap();
    change(&mut body);
    entry.body = body.encode();
}

#[test]
fn no_entries_are_no_history() {
    assert_eq!(
        fault(Vec::clear),
        (HistoryFault::Empty, "the order has no entries".to_owned())
    );
}

#[test]
fn a_history_begins_with_a_creation_and_has_one() {
    let words = |number| {
        format!("version {number} is not what a history has there: a creation stands first, and only there")
    };
    let expected = |number| (HistoryFault::Creation(version(number)), words(number));
    assert_eq!(fault(|it| it[0].kind = EntryKind::Recorded), expected(1));
    assert_eq!(fault(|it| it[0].status = StateId::new(1)), expected(1));
    assert_eq!(fault(|it| it[2].kind = EntryKind::Created), expected(3));
}

#[test]
fn versions_have_no_gap() {
    let gap = |expected, found| HistoryFault::VersionGap {
        expected: version(expected),
        found: version(found),
    };
    assert_eq!(fault(|it| it[0].version = version(2)).0, gap(1, 2));
    let (found, words) = fault(|it| drop(it.remove(3)));
    assert_eq!(
        (found, words.as_str()),
        (gap(4, 5), "version 5 stands where 4 belongs")
    );
    assert_eq!(fault(|it| it.swap(2, 3)).0, gap(3, 4));
}

#[test]
fn all_entries_are_of_one_order() {
    let expected = HistoryFault::Foreign(version(3));
    let (found, words) = fault(|it| it[2].order = OrderKey::new(8));
    assert_eq!(
        words,
        "version 3 names another order, lifecycle or owner than version 1"
    );
    assert_eq!(found, expected);
    assert_eq!(fault(|it| it[2].lifecycle = LifecycleId::new(8)).0, expected);
    assert_eq!(fault(|it| it[2].owner = Owner::default()).0, expected);
}

#[test]
fn recorded_times_grow() {
    let (found, words) = fault(|it| it[2].recorded_at = it[1].recorded_at);
    assert_eq!(found, HistoryFault::NotLater(version(3)));
    assert_eq!(words, "version 3 was not recorded after the one before it");
}

#[test]
fn a_status_follows_from_the_entries() {
    let (found, words) = fault(|it| it[6].status = StateId::new(0));
    assert_eq!(
        found,
        HistoryFault::Status {
            version: version(7),
            stored: "a".into(),
            folded: "customs".into(),
        }
    );
    assert_eq!(
        words,
        "version 7 says the status is 'a', its entries say 'customs'"
    );
    let (found, _) = fault(|it| it[7].status = StateId::new(99));
    assert!(matches!(found, HistoryFault::Status { stored, .. } if &*stored == "?"));
}

#[test]
fn a_step_has_an_arrow() {
    let (found, words) = fault(|it| it[2].status = StateId::new(3));
    assert_eq!(
        found,
        HistoryFault::Arrow {
            version: version(3),
            from: "a".into(),
            to: "d".into(),
        }
    );
    assert_eq!(
        words,
        "version 3 goes from 'a' to 'd', which the lifecycle does not allow"
    );
    for place in [1, 4, 5, 9] {
        let (found, _) = fault(|it| it[place].status = StateId::new(5 - 4 * u8::from(place == 4)));
        assert!(matches!(found, HistoryFault::Arrow { .. }), "{place}: {found:?}");
    }
}

#[test]
fn an_entry_about_another_finds_it() {
    for (place, about) in [(4, 3), (9, 2), (6, 1), (6, 8)] {
        let (found, words) = fault(|it| rewrite(&mut it[place], |body| body.about = Some(version(about))));
        let number = it_is(place);
        assert_eq!(found, HistoryFault::About(version(number)));
        assert_eq!(
            words,
            format!("version {number} is about an entry that is not there")
        );
    }
}

fn it_is(place: usize) -> u32 {
    u32::try_from(place).unwrap() + 1
}

#[test]
fn a_sealed_part_is_the_one_accepted_or_none() {
    let (found, words) = fault(|it| it[6].private = Some(Sealed::new(&SALT, b"\xa0")));
    assert_eq!(found, HistoryFault::Sealed(version(7)));
    assert_eq!(words, "version 7 has another sealed part than was accepted");
    assert_eq!(
        fault(|it| it[0].private = it[6].private.clone()).0,
        HistoryFault::Sealed(version(1))
    );

    let mut order = order();
    for entry in &mut order.entries {
        entry.private = None;
    }
    assert_eq!(order.fold().head, order.head, "what was erased is not missed");
}

#[test]
fn every_entry_can_be_read() {
    for place in 0..10 {
        let (found, words) = fault(|it| it[place].format = 9);
        let expected = HistoryFault::Format {
            version: version(it_is(place)),
            error: FormatError::Unknown(9),
        };
        assert_eq!(found, expected);
        let number = it_is(place);
        assert_eq!(
            words,
            format!("version {number}: entry format 9 is not known here: it was written by a newer version")
        );
    }
}

#[test]
fn a_head_that_meets_an_unreadable_entry_is_as_before() {
    let order = order();
    for place in [1, 4, 6, 9] {
        let mut head = order.head.clone();
        let mut entry = order.entries[place].clone();
        entry.body = vec![0xff];
        let applied = head.apply(
            &entry,
            &order.lifecycle,
            order.scale,
            &Default::default(),
            &mut Vec::new(),
        );
        assert!(matches!(applied, Err(FormatError::Damaged(_))));
        assert_eq!(head, order.head);
    }
}

#[test]
fn a_correction_strikes_what_can_be_struck_and_once() {
    let mut order = Order::of(parking_and_keeping());
    order.pass(&["b", "customs"]);
    order.accept(&DRIVER, &report("b", 4));
    order.accept(&DRIVER, &report("b", 5));
    order.accept(&OPERATOR, &correct(4));
    order.accept(&OPERATOR, &correct(5));
    for about in [1, 4, 6, 7, 8] {
        let mut entries = order.entries.clone();
        rewrite(&mut entries[6], |body| body.about = Some(version(about)));
        let fault = History::new(&order.lifecycle, &entries)
            .fold(order.scale)
            .unwrap_err();
        assert_eq!(fault, HistoryFault::About(version(7)), "{about}");
    }
}
