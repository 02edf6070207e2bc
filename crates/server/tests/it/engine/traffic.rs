//! Made-up traffic: it ends when it is told to, and at once when it cannot begin.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::ids::OrderKey;
use model::time::Span;
use rusqlite::Connection;
use server::engine::Failure;
use server::traffic::{Counters, OrderTraffic, Traffic, TrafficOptions};
use store::Trouble;
use store::folder::DATABASE_FILE;
use tokio::sync::Notify;

use super::Stand;

/// Longer than anything here takes, and far shorter than the pauses of slow traffic.
const PATIENCE: Duration = Duration::from_secs(30);

fn traffic(stand: &Stand, rate: Option<f64>) -> Traffic {
    Traffic {
        handle: stand.handle().clone(),
        options: TrafficOptions {
            submitters: 2,
            batch: 5,
            under_way: 10,
            rate,
            rest_ms: None,
            seed: 1,
        },
        counters: Arc::new(Counters::default()),
        listener: None,
    }
}

#[tokio::test]
async fn slow_traffic_ends_within_its_pause() {
    let stand = Stand::start().await;
    let begun = Arc::new(Notify::new());
    let heard = begun.clone();
    let traffic = Traffic {
        listener: Some(Arc::new(move |_| heard.notify_one())),
        ..traffic(&stand, Some(0.01))
    };
    let ran = tokio::time::timeout(PATIENCE, traffic.run(begun.notified())).await;
    assert_eq!(ran, Ok(Ok(())));
    stand.verify();
}

#[tokio::test]
async fn a_shipment_rests_between_its_steps() {
    let stand = Stand::start().await;
    let (rest_ms, tick) = (3_000..=20_000, Span::from_seconds(1));
    let mut traffic = traffic(&stand, None);
    traffic.options.batch = 1;
    traffic.options.under_way = 1_000;
    traffic.options.rest_ms = Some(rest_ms.clone());
    // Whatever is accepted takes a second, and there is always room for another shipment.
    let (enough, heard) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (clock, told) = (stand.clock.clone(), enough.clone());
    traffic.listener = Some(Arc::new(move |_| {
        clock.advance(tick);
        if heard.fetch_add(1, Ordering::Relaxed) == 600 {
            told.notify_one();
        }
    }));
    let ran = tokio::time::timeout(PATIENCE, traffic.run(enough.notified())).await;
    assert_eq!(ran, Ok(Ok(())));
    let store = stand.handle().store();
    let orders = store.reading(|reader| reader.orders(OrderKey::new(0), 1_000));
    let mut steps = 0;
    for order in orders.unwrap() {
        let history = stand.history(order.public_id.as_str());
        for step in history.windows(2) {
            steps += 1;
            let rested = step[1].occurred_at.since(step[0].occurred_at);
            assert!(
                rested.as_nanos() >= i64::from(*rest_ms.start()) * 1_000_000,
                "{rested:?}"
            );
        }
    }
    assert!(steps > 100, "{steps}");
}

#[tokio::test]
async fn traffic_ends_while_every_shipment_rests() {
    let stand = Stand::start().await;
    let mut traffic = traffic(&stand, None);
    traffic.options.rest_ms = Some(3_000..=20_000);
    let counters = traffic.counters.clone();
    // The clock stands: all shipments that there is room for are made, and none ever moves.
    let all_made = async {
        while counters.created.load(Ordering::Relaxed) < 2 * 10 {
            tokio::task::yield_now().await;
        }
    };
    let ran = tokio::time::timeout(PATIENCE, traffic.run(all_made)).await;
    assert_eq!(ran, Ok(Ok(())));
    assert_eq!(counters.applied.load(Ordering::Relaxed), 0);
    stand.verify();
}

#[tokio::test]
async fn traffic_that_cannot_begin_ends_before_its_time() {
    let stand = Stand::start().await;
    let other = Connection::open(stand.dir.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = tokio::time::timeout(PATIENCE, traffic(&stand, None).run(pending())).await;
    assert_eq!(ran, Ok(Err(Failure::Unavailable(Trouble::Busy))));
}

#[tokio::test]
async fn orders_of_other_kinds_come_to_their_end_and_some_are_cancelled() {
    let stand = Stand::start().await;
    let traffic = OrderTraffic {
        handle: stand.handle().clone(),
        rate: 10_000.0,
        rest_ms: 3_000..=20_000,
        seed: 1,
    };
    let ends = ["delivered", "cancelled", "DELIVERED", "CANCELLED"];
    let all_have_ended = async {
        loop {
            stand.clock.advance(Span::from_seconds(1));
            stand.handle().advance_due(1_000).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let store = stand.handle().store();
            let counts = store.reading(|reader| reader.status_counts()).unwrap();
            let mut ended: Vec<(String, String)> = counts
                .iter()
                .map(|count| {
                    let lifecycle = stand.handle().lifecycle(count.lifecycle).unwrap();
                    let status = lifecycle.state_name(count.status).to_owned();
                    (lifecycle.name().to_owned(), status)
                })
                .filter(|(_, status)| ends.contains(&&**status))
                .collect();
            ended.sort();
            ended.dedup();
            if ended.len() == 6 {
                return ended;
            }
        }
    };
    let ended = std::sync::Mutex::new(Vec::new());
    let until = async {
        let all = tokio::time::timeout(PATIENCE, all_have_ended).await;
        *ended.lock().unwrap() = all.expect("not all kinds have come to their ends");
    };
    traffic.run(until).await.unwrap();
    let ended = ended.into_inner().unwrap();
    let names: Vec<&str> = ended.iter().map(|(lifecycle, _)| &**lifecycle).collect();
    assert_eq!(
        names,
        ["delivery", "delivery", "food", "food", "merchant", "merchant"]
    );
    stand.verify();
}
