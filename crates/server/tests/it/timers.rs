//! Orders that advance by themselves while a server runs, by a clock that stands until it is moved.

mod two_nodes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Span, Timestamp};
use model::{Entry, EntryKind, Lifecycle};
use server::clock::{Clock, ManualClock, SystemClock};
use server::server::Limits;

use crate::engine::PATIENT;
use crate::harness::automatic::{cancel, create, create_as_operator, entries, report, statuses, until};
use crate::harness::front::Front;
use crate::harness::home::Home;

const DELIVERED: [&str; 4] = ["created", "dispatched", "in_transit", "delivered"];
const EATEN: [&str; 5] = ["PLACED", "PREPARING", "COOKING", "OUT_FOR_DELIVERY", "DELIVERED"];

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600).unwrap()))
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

async fn front(home: &Home, clock: &Arc<ManualClock>) -> Front {
    Front::start_at(home, Limits::default(), clock.clone(), &[]).await
}

/// Stops it and proves its store.
async fn end(mut front: Front, home: Home) {
    front.stop().await;
    verify(&front);
    drop(front);
    drop(home);
}

fn verify(front: &Front) {
    let report = store::verify::verify(&**front.engine.store(), &mut |_| {});
    assert_eq!(report.findings, []);
}

/// Seconds between an order's entries, in the world.
fn delays(entries: &[Entry]) -> Vec<f64> {
    let seconds = |span: Span| Duration::from_nanos(span.as_nanos().unsigned_abs()).as_secs_f64();
    let pairs = entries.windows(2);
    pairs
        .map(|pair| seconds(pair[1].occurred_at.since(pair[0].occurred_at)))
        .collect()
}

fn must_be_about(delays: &[f64], wanted: &[f64]) {
    assert_eq!(delays.len(), wanted.len());
    for (delay, wanted) in delays.iter().zip(wanted) {
        assert!(
            (wanted * 0.8..=wanted * 1.2).contains(delay),
            "{delay} for {wanted}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_and_meals_come_by_themselves() {
    let (home, clock) = (Home::new(), clock());
    let front = front(&home, &clock).await;
    let (delivery, meal) = (ids("D", 1), ids("M", 1));
    create(&front.engine, "delivery", &delivery).await;
    create(&front.engine, "food", &meal).await;
    for moved in [2, 3, 4] {
        clock.advance(Span::from_seconds(75));
        until("a delivery moves", || {
            entries(&front.engine, "D-0").len() >= moved
        })
        .await;
    }
    until("a meal is eaten", || entries(&front.engine, "M-0").len() == 5).await;
    assert_eq!(statuses(&front.engine, "D-0"), DELIVERED);
    assert_eq!(statuses(&front.engine, "M-0"), EATEN);
    must_be_about(&delays(&entries(&front.engine, "D-0")), &[20.0, 40.0, 60.0]);
    must_be_about(&delays(&entries(&front.engine, "M-0")), &[15.0, 20.0, 30.0, 30.0]);
    let metrics = front.get("", "/metrics").await.text;
    assert!(metrics.contains("\ntimer_steps_total 7\n"), "{metrics}");
    assert!(
        metrics.contains("\ntimer_lateness_seconds_count 7\n"),
        "{metrics}"
    );
    let walked = "status_transitions_total{from=\"dispatched\",to=\"in_transit\"} 1";
    assert!(metrics.contains(walked), "{metrics}");
    end(front, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_while_the_server_was_down_is_made_up_for() {
    let (home, clock) = (Home::new(), clock());
    let mut first = front(&home, &clock).await;
    let ids = ids("D", 20);
    create(&first.engine, "delivery", &ids).await;
    first.stop().await;
    drop(first);
    clock.advance(Span::from_seconds(3_600));
    let front = front(&home, &clock).await;
    until("all are delivered", || {
        ids.iter().all(|id| entries(&front.engine, id).len() == 4)
    })
    .await;
    for id in &ids {
        assert_eq!(statuses(&front.engine, id), DELIVERED);
        // As if it had been there: each step occurred when it was due, and the next is due from there.
        let entries = entries(&front.engine, id);
        must_be_about(&delays(&entries), &[20.0, 40.0, 60.0]);
        assert!(entries[3].recorded_at.since(entries[3].occurred_at) > Span::from_seconds(3_000));
    }
    end(front, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_waited_too_long_is_given_up() {
    let (home, clock) = (Home::new(), clock());
    let front = front(&home, &clock).await;
    let patient = Lifecycle::from_toml("patient.toml", PATIENT).unwrap();
    let store = front.engine.store().clone();
    let pinned = tokio::task::block_in_place(|| store.pin_lifecycles(&[patient], clock.now()));
    // As another node would have stored it.
    let id = pinned.unwrap()[0].id;
    until("it is known", || front.engine.lifecycle(id).is_some()).await;
    create_as_operator(&front.engine, "patient", &ids("P", 1)).await;
    report(&front.engine, "P-0", "in_transit").await;
    clock.advance(Span::from_seconds(3_500));
    create(&front.engine, "delivery", &ids("D", 1)).await;
    clock.advance(Span::from_seconds(90));
    until("a delivery has moved", || {
        entries(&front.engine, "D-0").len() == 3
    })
    .await;
    let kinds = |front: &Front| -> Vec<EntryKind> {
        let entries = entries(&front.engine, "P-0");
        entries.iter().map(|entry| entry.kind).collect()
    };
    assert_eq!(kinds(&front), [EntryKind::Created, EntryKind::Parked]);
    clock.advance(Span::from_seconds(20));
    until("the report is given up", || kinds(&front).len() == 3).await;
    assert_eq!(kinds(&front)[2], EntryKind::Abandoned);
    end(front, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_database_refuses_does_not_stop_the_others() {
    let (home, clock) = (Home::new(), clock());
    let front = front(&home, &clock).await;
    let ids = ids("D", 10);
    create(&front.engine, "delivery", &ids).await;
    let refuse = match home.dsn() {
        None => {
            "CREATE TRIGGER poison BEFORE INSERT ON entries WHEN NEW.order_key = 4 \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        }
        Some(_) => {
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE check_violation USING MESSAGE = 'not this one'; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON entries FOR EACH ROW WHEN (NEW.order_key = 4) EXECUTE FUNCTION poison()"
        }
    };
    home.execute(refuse).unwrap();
    clock.advance(Span::from_seconds(150));
    let walked = |id: &String| entries(&front.engine, id).len();
    until("the others are delivered", || {
        ids.iter().filter(|id| walked(id) == 4).count() == 9
    })
    .await;
    assert_eq!(walked(&ids[3]), 1);
    let mend = match home.dsn() {
        None => "DROP TRIGGER poison",
        Some(_) => "DROP TRIGGER poison ON entries",
    };
    home.execute(mend).unwrap();
    clock.advance(Span::from_seconds(300));
    until("it goes on once the cause is mended", || walked(&ids[3]) == 4).await;
    end(front, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_cancelled_stops_advancing() {
    let (home, clock) = (Home::new(), clock());
    let front = front(&home, &clock).await;
    let ids = ids("D", 2);
    create(&front.engine, "delivery", &ids).await;
    cancel(&front.engine, "D-0").await;
    clock.advance(Span::from_seconds(3_600));
    until("the other is delivered", || {
        entries(&front.engine, "D-1").len() == 4
    })
    .await;
    assert_eq!(statuses(&front.engine, "D-0"), ["created", "cancelled"]);
    end(front, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_scale_of_a_hundredth_makes_a_delivery_a_matter_of_a_second() {
    let home = Home::new();
    let settings = [("DELAY_SCALE", "0.01")];
    let front = Front::start_at(&home, Limits::default(), Arc::new(SystemClock), &settings).await;
    let began = Instant::now();
    create(&front.engine, "delivery", &ids("D", 1)).await;
    until("it is delivered", || entries(&front.engine, "D-0").len() == 4).await;
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900), "{took:?}");
    must_be_about(&delays(&entries(&front.engine, "D-0")), &[0.2, 0.4, 0.6]);
    assert!(SystemClock.now() > entries(&front.engine, "D-0")[3].occurred_at);
    end(front, home).await;
}
