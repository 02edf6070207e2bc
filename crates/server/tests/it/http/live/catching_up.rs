//! Many that come back at once, and one that does not keep up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use server::server::Limits;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::front::{Front, client, new_event, operator};
use crate::harness::home::Home;
use crate::harness::live::{Events, STEPS, version};

/// Shipments of this many clients, one each.
async fn shipments(front: &Front, clients: usize) -> Vec<String> {
    let mut numbers = Vec::new();
    for number in 0..clients {
        numbers.push(front.shipment_of(&format!("client_{number}")).await);
    }
    numbers
}

/// Has all of them take a step.
async fn all_step(front: &Front, numbers: &[String], step: usize) {
    let timestamp = format!("2026-01-31T1{step}:00:00Z");
    let events: Vec<Value> = numbers
        .iter()
        .map(|number| new_event(number, STEPS[step], &timestamp))
        .collect();
    let told = front
        .post(&operator(), "/events/batch", &json!({"events": events}))
        .await
        .is(202);
    assert_eq!(told["queued"], numbers.len());
}

/// Reads so many messages, and comes back whenever the stream is closed for being slow: how often that was.
async fn all_told(
    front: &Front,
    token: &str,
    query: &str,
    mut events: Events,
    count: usize,
) -> (Events, Vec<(String, u64)>, usize) {
    let (mut told, mut closed) = (Vec::new(), 0);
    while told.len() < count {
        let event = events.next().await;
        match event.kind.as_str() {
            "" => {}
            "closed" => {
                closed += 1;
                assert_eq!(event.data["reason"], "slow");
                let cursor = event.data["cursor"].as_str().unwrap();
                assert_eq!(cursor, event.id);
                events = Events::resume(front, token, query, cursor).await;
            }
            _ => told.push(version(&event.data)),
        }
    }
    (events, told, closed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_that_come_back_at_once_each_get_everything_once_while_more_is_written() {
    const CLIENTS: usize = 25;
    let mut limits = Limits::default();
    // So small that everybody is full, leaves the pass and comes again.
    limits.streams.live.buffered_messages = 4;
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let numbers = shipments(&front, CLIENTS).await;
    let mut begun = Events::begin(&front, &operator(), "", None).await;
    let start = begun.next().await.id;
    drop(begun);
    for step in 0..3 {
        all_step(&front, &numbers, step).await;
    }
    let front = Arc::new(front);
    let mut readers = JoinSet::new();
    let begun = Arc::new(Semaphore::new(0));
    for reader in 0..400 {
        let (front, start, begun) = (front.clone(), start.clone(), begun.clone());
        let number = numbers[reader % CLIENTS].clone();
        // Everything, one client's, and one order's.
        let (token, query, count) = match reader % 4 {
            0 => (operator(), String::new(), 4 * CLIENTS),
            1 | 2 => (client(&format!("client_{}", reader % CLIENTS)), String::new(), 4),
            _ => (operator(), format!("?order_id={number}"), 4),
        };
        readers.spawn(async move {
            let mut events = Events::begin(&front, &token, &query, Some(&start)).await;
            assert_eq!(events.next().await.kind, "hello");
            begun.add_permits(1);
            // Who has come so far is live, and what is written at once is more than a buffer holds.
            let (events, told, _) = all_told(&front, &token, &query, events, count).await;
            let mut once = told.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), count, "nothing twice: {told:?}");
            for order in told.iter().map(|(order, _)| order) {
                let of_order = told.iter().filter(|(found, _)| found == order);
                let versions: Vec<u64> = of_order.map(|(_, version)| *version).collect();
                assert_eq!(versions, [2, 3, 4, 5], "in its order");
            }
            if count == 4 {
                assert!(told.iter().all(|(order, _)| *order == number));
            }
            events
        });
    }
    // Some have begun, others have not.
    begun.acquire_many(100).await.unwrap().forget();
    all_step(&front, &numbers, 3).await;
    let mut open = Vec::new();
    while let Some(done) = readers.join_next().await {
        open.push(done.unwrap());
    }
    assert_eq!(open.len(), 400);
    drop(open);
    Arc::into_inner(front).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_closed_and_goes_on_from_its_cursor_without_loss() {
    let mut limits = Limits::default();
    limits.streams.live.buffered_messages = 8;
    // Of its own accord it would be cut later.
    limits.slowest_time = Duration::from_secs(60);
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let numbers = shipments(&front, 1_500).await;
    let mut slow = Events::begin(&front, &operator(), "", None).await;
    let mut quick = Events::open(&front, &client("client_7"), "").await;
    assert_eq!(slow.next().await.kind, "hello");
    // More than the buffers of two sockets hold, with what comes with each.
    let filling = json!({"filling": "x".repeat(12_000)});
    for (step, status) in STEPS.iter().enumerate().take(2) {
        let timestamp = format!("2026-01-31T1{step}:00:00Z");
        for some in numbers.chunks(500) {
            let events = some.iter().map(|number| {
                let mut event = new_event(number, status, &timestamp);
                event["metadata"] = filling.clone();
                event
            });
            let events: Vec<Value> = events.collect();
            let accepted = front
                .post(&operator(), "/events/batch", &json!({"events": events}))
                .await
                .is(202);
            assert_eq!(accepted["queued"], 500);
        }
    }
    assert_eq!(
        quick.versions(2).await,
        [(numbers[7].clone(), 2), (numbers[7].clone(), 3)]
    );
    let (events, mut told, closed) = all_told(&front, &operator(), "", slow, 3_000).await;
    assert!(closed > 0, "it was slow");
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 3_000, "nothing lost and nothing twice");
    drop((events, quick));
    front.end().await;
}
