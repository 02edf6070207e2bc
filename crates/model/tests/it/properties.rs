//! What holds for every sequence of changes, whoever submits them and whenever, on every lifecycle.

use std::sync::LazyLock;

use model::command::{Actor, Change, ReportFields, Scope};
use model::decide::Decision;
use model::head::DelayScale;
use model::history::AsOf;
use model::ids::Version;
use model::role::Role;
use model::time::{Span, Timestamp};
use model::{EntryKind, History, Lifecycle};
use proptest::prelude::*;

use crate::lifecycles::all;
use crate::order::{
    ADMIN, CLIENT, CUSTOMER, DRIVER, OPERATOR, Order, STRANGER_ID, actor, at, cancel, correct, override_to,
    report_of, seen,
};

static LIFECYCLES: LazyLock<Vec<Lifecycle>> = LazyLock::new(all);

/// One wish of a random story: numbers that only the order's lifecycle gives a meaning.
#[derive(Clone, Debug)]
enum Wish {
    Report {
        status: u8,
        gate: bool,
        seconds: i64,
        event_id: Option<u8>,
    },
    Cancel,
    Override {
        status: u8,
        force: bool,
    },
    Correct(u32),
    Due,
}

/// A wish, by whom, how long after the one before (or before it, if the clock is set back), and with which `If-Match`.
#[derive(Clone, Debug)]
struct Told {
    wish: Wish,
    by: Actor,
    wait: i64,
    expected: Option<u32>,
}

/// A command as it was submitted, and what became of it.
#[derive(Clone, Debug)]
struct Submission {
    now: Timestamp,
    by: Actor,
    expected: Option<Version>,
    change: Change,
    decision: Decision,
}

fn wishes() -> impl Strategy<Value = Wish> {
    let reports = (
        0u8..10,
        any::<bool>(),
        -50i64..50,
        prop::option::weighted(0.3, 0u8..6),
    );
    prop_oneof![
        12 => reports.prop_map(|(status, gate, seconds, event_id)| Wish::Report { status, gate, seconds, event_id }),
        1 => Just(Wish::Cancel),
        2 => (0u8..10, any::<bool>()).prop_map(|(status, force)| Wish::Override { status, force }),
        3 => (1u32..12).prop_map(Wish::Correct),
        5 => Just(Wish::Due),
    ]
}

fn actors() -> impl Strategy<Value = Actor> {
    prop_oneof![
        6 => Just(ADMIN),
        6 => Just(OPERATOR),
        4 => Just(DRIVER),
        2 => Just(CLIENT),
        2 => Just(CUSTOMER),
        3 => Just(Actor::SYSTEM),
        1 => Just(actor(51, Role::Driver, Scope::Client(STRANGER_ID))),
    ]
}

fn stories() -> impl Strategy<Value = (usize, Vec<Told>)> {
    let waits = prop_oneof![4 => 0i64..30, 1 => 0i64..4_000, 1 => -60i64..0];
    let told = (wishes(), actors(), waits, prop::option::weighted(0.1, 1u32..8));
    let told = told.prop_map(|(wish, by, wait, expected)| Told {
        wish,
        by,
        wait,
        expected,
    });
    (0..LIFECYCLES.len(), prop::collection::vec(told, 0..50))
}

fn begin(lifecycle: usize) -> Order {
    Order::numbered(7, LIFECYCLES[lifecycle].clone(), DelayScale::ONE)
}

fn change_of(order: &Order, wish: &Wish) -> Change {
    let states = order.lifecycle.states();
    let name = |number: u8| {
        states
            .get(usize::from(number))
            .map_or("nowhere", |state| &state.name)
            .to_owned()
    };
    match wish {
        Wish::Report {
            status,
            gate,
            seconds,
            event_id,
        } => report_of(ReportFields {
            source: if *gate { "gate" } else { "scanner" }.into(),
            client_event_id: event_id.map(|number| number.to_string().into()),
            ..seen(&name(*status), *seconds)
        }),
        Wish::Cancel => cancel(),
        Wish::Override { status, force } => override_to(&name(*status), *force),
        Wish::Correct(strike) => correct(*strike),
        Wish::Due => Change::Due {
            due_at: order.head.due_at().unwrap_or(Timestamp::MAX),
        },
    }
}

/// Plays a story; the order that comes of it and all that was submitted.
fn play(lifecycle: usize, story: &[Told]) -> (Order, Vec<Submission>) {
    let mut order = begin(lifecycle);
    let mut clock = 0;
    let mut submissions = Vec::new();
    for told in story {
        clock += told.wait;
        let now = at(clock);
        let by = if matches!(told.wish, Wish::Due) {
            Actor::SYSTEM
        } else {
            told.by
        };
        let change = change_of(&order, &told.wish);
        let expected = told.expected.map(Version::new);
        let mut submission = Submission {
            now,
            by,
            expected,
            change,
            decision: Decision::Unchanged,
        };
        submission.decision = submit(&mut order, &submission);
        submissions.push(submission);
    }
    (order, submissions)
}

fn submit(order: &mut Order, submission: &Submission) -> Decision {
    order.set_clock(submission.now);
    order.submit_now(&submission.by, submission.expected, &submission.change)
}

fn now(order: &Order) -> (AsOf, model::StateId) {
    let mut bears_status = order.entries.iter().filter(|entry| entry.kind.bears_status());
    let struck = order.history().struck();
    let last = bears_status
        .rfind(|entry| !struck.contains(&entry.version))
        .unwrap();
    let standing = AsOf {
        status: last.status,
        version: last.version,
    };
    (standing, order.head.status)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_head_is_what_its_entries_fold_to((lifecycle, story) in stories()) {
        let (order, _) = play(lifecycle, &story);
        let folded = order.fold();
        prop_assert_eq!(folded.head.step_due, order.head.step_due);
        prop_assert_eq!(&folded.head, &order.head);
        prop_assert_eq!(&folded.spilled, &order.spilled);
        let versions = order.entries.iter().map(|entry| entry.version.get());
        prop_assert!(versions.eq(1..=order.head.version.get()), "versions have no gaps");
        prop_assert!(order.entries.is_sorted_by(|one, next| one.recorded_at < next.recorded_at));
    }

    #[test]
    fn a_status_is_that_of_the_last_standing_step((lifecycle, story) in stories()) {
        let (order, _) = play(lifecycle, &story);
        let (standing, status) = now(&order);
        prop_assert_eq!(standing.status, status);
    }

    #[test]
    fn no_arrow_outside_the_lifecycle_is_decided((lifecycle, story) in stories()) {
        let (order, _) = play(lifecycle, &story);
        for pair in order.entries.windows(2) {
            let arrow = order.lifecycle.arrow(pair[0].status, pair[1].status);
            match pair[1].kind {
                EntryKind::StatusApplied | EntryKind::Released => prop_assert!(arrow.is_some()),
                EntryKind::Recorded | EntryKind::Parked | EntryKind::Abandoned => {
                    prop_assert_eq!(pair[0].status, pair[1].status);
                }
                EntryKind::Correction => {}
                // Along an arrow only where it is the server's own.
                EntryKind::Override => prop_assert!(arrow.is_none_or(|arrow| !arrow.by.contains(Role::Admin))),
                EntryKind::Created => prop_assert!(false, "an order is created once"),
            }
            let role = pair[1].body().unwrap().role;
            prop_assert!(pair[1].kind != EntryKind::Override || role == Some(Role::Admin));
        }
    }

    #[test]
    fn what_was_not_accepted_leaves_no_trace((lifecycle, story) in stories()) {
        let (order, submissions) = play(lifecycle, &story);
        let mut without = begin(lifecycle);
        for submission in submissions.iter().filter(|it| matches!(it.decision, Decision::Accepted(_))) {
            prop_assert_eq!(&submit(&mut without, submission), &submission.decision);
        }
        prop_assert_eq!(&without.entries, &order.entries);
        prop_assert_eq!(&without.head, &order.head);
    }

    #[test]
    fn repetitions_anywhere_change_nothing(
        (lifecycle, story) in stories(),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30),
    ) {
        let (order, submissions) = play(lifecycle, &story);
        let mut repeated = begin(lifecycle);
        for (place, submission) in submissions.iter().enumerate() {
            prop_assert_eq!(&submit(&mut repeated, submission), &submission.decision);
            let here = repeats.iter().filter(|(after, _)| after.index(submissions.len()) == place);
            for (_, which) in here {
                let mut earlier = submissions[which.index(place + 1)].clone();
                let is_repeatable = matches!(earlier.change, Change::Report(_) | Change::Correct { .. });
                let (true, Decision::Accepted(made)) = (is_repeatable, &earlier.decision) else {
                    continue;
                };
                let first = made[0].version;
                earlier.now = earlier.now + Span::from_seconds(5);
                prop_assert_eq!(submit(&mut repeated, &earlier), Decision::Duplicate(first));
            }
        }
        prop_assert_eq!(&repeated.entries, &order.entries);
        prop_assert_eq!(&repeated.head, &order.head);
    }

    #[test]
    fn replaying_is_deterministic((lifecycle, story) in stories()) {
        let (one, first) = play(lifecycle, &story);
        let (other, second) = play(lifecycle, &story);
        prop_assert_eq!(&one.entries, &other.entries);
        let decisions = |all: &[Submission]| all.iter().map(|it| it.decision.clone()).collect::<Vec<_>>();
        prop_assert_eq!(decisions(&first), decisions(&second));
    }

    #[test]
    fn timers_that_ran_late_make_the_same_history((lifecycle, story) in stories()) {
        let (mut awake, _) = play(lifecycle, &story);
        let (mut asleep, _) = play(lifecycle, &story);
        while let Some(due_at) = awake.head.due_at() {
            awake.run_timers_at(due_at);
        }
        asleep.run_timers_at(at(1_000_000_000));
        let told = |order: &Order| -> Vec<_> {
            let entries = order.entries.iter();
            entries.map(|entry| (entry.kind, entry.status, entry.occurred_at)).collect()
        };
        prop_assert_eq!(told(&awake), told(&asleep));
    }

    #[test]
    fn the_past_as_known_is_the_fold_of_what_was_known((lifecycle, story) in stories()) {
        let (order, _) = play(lifecycle, &story);
        for count in 1..=order.entries.len() {
            let known = &order.entries[..count];
            let folded = History::new(&order.lifecycle, known).fold(order.scale).unwrap().head;
            let recorded_at = known[count - 1].recorded_at;
            let then = order.history().as_recorded_at(recorded_at).unwrap();
            prop_assert_eq!((then.status, then.version), (folded.status, folded.version));
            let before = Timestamp::from_nanos(recorded_at.as_nanos() - 1);
            let before = order.history().as_recorded_at(before).map(|it| it.version);
            prop_assert_eq!(before, (count > 1).then(|| known[count - 1].version).map(|it| Version::new(it.get() - 1)));
        }
    }

    #[test]
    fn at_the_end_of_time_both_clocks_say_what_is((lifecycle, story) in stories()) {
        let (order, _) = play(lifecycle, &story);
        let recorded = order.history().as_recorded_at(Timestamp::MAX).unwrap();
        prop_assert_eq!((recorded.status, recorded.version), (order.head.status, order.head.version));
        prop_assert_eq!(order.history().as_occurred_at(Timestamp::MAX), Some(now(&order).0));
        prop_assert_eq!(order.history().as_occurred_at(at(-1)), None);
    }

    #[test]
    fn a_correction_gives_the_status_without_what_it_strikes((lifecycle, story) in stories(), strike in 1u32..20) {
        let (mut order, _) = play(lifecycle, &story);
        let struck = order.history().struck();
        let standing = order.entries.iter().filter(|entry| {
            entry.kind.bears_status() && entry.version.get() != strike && !struck.contains(&entry.version)
        });
        let expected = standing.map(|entry| entry.status).next_back();
        if let Decision::Accepted(entries) = order.submit(&OPERATOR, &correct(strike)) {
            prop_assert_eq!(Some(entries[0].status), expected);
            prop_assert_eq!(entries[0].kind, EntryKind::Correction);
        }
    }
}
