//! What a stream says, and when.

use model::command::Change;
use model::ids::Version;
use reqwest::Method;
use serde_json::{Value, json};
use server::server::Limits;
use std::time::Duration;

use crate::harness::front::{Front, client, new_event, operator};
use crate::harness::home::Home;
use crate::harness::live::{Events, change, step};

/// With a heart that beats in no time.
pub(super) async fn with_heartbeat(heartbeat: Duration) -> Front {
    let mut limits = Limits::default();
    limits.streams.heartbeat = heartbeat;
    Front::start_within(limits, Home::new(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_comes_first_and_then_what_happens_from_now_on() {
    let front = Front::start().await;
    let earlier = front.shipment_of("client_001").await;
    let mut events = Events::begin(&front, &operator(), "", None).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert_eq!(events.header("cache-control"), "no-store");
    assert_eq!(events.header("x-accel-buffering"), "no");
    let hello = events.next().await;
    assert_eq!(hello.kind, "hello");
    assert_eq!(hello.data["cursor"], hello.id.as_str());
    assert_eq!(hello.data["epoch"].as_str().unwrap().len(), 32);
    step(&front, &earlier, 0).await;
    let number = front.shipment_of("client_001").await;
    assert_eq!(
        events.versions(2).await,
        [(earlier, 2), (number, 1)],
        "not how it began"
    );
    events.is_silent().await;
    drop(events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_says_what_became_of_the_order() {
    let front = Front::start().await;
    let mut events = Events::open(&front, &operator(), "").await;
    let number = front.shipment_of("client_001").await;
    let created = events.message().await;
    assert_eq!(created.kind, "order.created");
    assert_eq!(created.data["cursor"], created.id.as_str());
    assert_eq!(created.data["previous_status"], Value::Null);
    let mut event = new_event(&number, "picked_up", "2026-01-31T10:00:00.123456789Z");
    event["location"] = json!({"lat": 52.5, "lng": 13.4});
    let metadata = "{\"a\": 1.50,\r\n \"line\":\"\\n\\u2028\"}";
    let body = event
        .to_string()
        .replacen('{', &format!("{{\"metadata\":{metadata},"), 1);
    front
        .post_text(&operator(), "/events", "application/json", body)
        .await
        .is(202);
    let moved = events.message().await;
    assert_eq!(moved.kind, "order.status_changed");
    let mut told = moved.data.clone();
    let recorded_at = told["recorded_at"].take();
    assert!(recorded_at.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        told,
        json!({
            "cursor": moved.id, "order_id": number, "lifecycle": "shipment", "type": "order.status_changed",
            "status": "picked_up", "previous_status": "created", "phase": "moving",
            "occurred_at": "2026-01-31T10:00:00.123456Z", "recorded_at": null, "source": "scanner-1",
            "location": {"lat": 52.5, "lng": 13.4}, "metadata": {"a": 1.5, "line": "\n\u{2028}"}, "version": 2,
        })
    );
    assert!(
        moved.text.contains("\"a\": 1.50"),
        "as it was received: {}",
        moved.text
    );
    assert_eq!(moved.text.lines().count(), 4, "{}", moved.text);
    drop(events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_overridden_and_corrected_orders_are_told_as_such() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::open(&front, &operator(), "").await;
    step(&front, &number, 0).await;
    let wrong = Change::Override {
        status: "in_transit".into(),
        reason: "seen on the road".into(),
        force: true,
    };
    change(&front, &number, wrong).await;
    let correct = Change::Correct {
        strike: Version::new(3),
        reason: "it was another".into(),
    };
    change(&front, &number, correct).await;
    let cancel = Change::Cancel {
        reason: None,
        source: "api".into(),
    };
    change(&front, &number, cancel).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let Value::Object(mut message) = events.message().await.data else {
            panic!("a message is an object");
        };
        let mut take = |name: &str| message.remove(name).unwrap();
        told.push([
            take("type"),
            take("previous_status"),
            take("status"),
            take("phase"),
        ]);
    }
    let expected = [
        ["order.status_changed", "created", "picked_up", "moving"],
        ["order.overridden", "picked_up", "in_transit", "moving"],
        ["order.corrected", "in_transit", "picked_up", "moving"],
        ["order.cancelled", "picked_up", "cancelled", "stopped"],
    ];
    assert_eq!(told, expected.map(|row| row.map(Value::from)));
    drop(events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_shows_life_and_learns_newer_cursors() {
    let front = with_heartbeat(Duration::from_millis(100)).await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::open(&front, &client("client_002"), "").await;
    let first = events.next().await;
    assert!(first.text.starts_with(": "), "a comment: {}", first.text);
    assert_eq!((first.kind.as_str(), &first.data), ("", &Value::Null));
    step(&front, &number, 0).await;
    let mut later = events.next().await;
    while later.id == first.id {
        later = events.next().await;
    }
    drop(events);
    // What was passed over is not looked at again, and nothing is lost.
    let mut resumed = Events::resume(&front, &client("client_002"), "", &later.id).await;
    let own = front.shipment_of("client_002").await;
    assert_eq!(resumed.versions(1).await, [(own, 1)]);
    drop(resumed);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_not_compressed_and_head_opens_none() {
    let front = Front::start().await;
    let head = front
        .request(Method::HEAD, "/api/v1/stream")
        .bearer_auth(operator());
    let head = front.send(head).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type")),
        (200, "text/event-stream")
    );
    let asked = front
        .request(Method::GET, "/api/v1/stream")
        .bearer_auth(operator());
    let response = asked
        .header("accept-encoding", "gzip, br, zstd")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers().get("content-encoding"), None);
    let metrics = front.send(front.request(Method::GET, "/metrics")).await.text;
    assert!(metrics.contains("\nlive_streams_open 1\n"), "{metrics}");
    drop(response);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_at_once_and_where_to_go_on() {
    let mut front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(Events::open(&front, &operator(), "").await);
    }
    step(&front, &number, 0).await;
    let mut last = String::new();
    for stream in &mut streams {
        last = stream.message().await.id;
    }
    let began = std::time::Instant::now();
    front.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let mut pauses = std::collections::BTreeSet::new();
    for stream in &mut streams {
        let closed = stream.closed().await;
        let retry = closed.text.lines().find_map(|line| line.strip_prefix("retry: "));
        let retry: u32 = retry.unwrap().parse().unwrap();
        assert_eq!(
            closed.data,
            json!({"reason": "shutdown", "cursor": last, "retry_after_ms": retry})
        );
        pauses.insert(retry);
    }
    assert!(
        pauses.len() > 10 && pauses.iter().all(|pause| (1_000..5_000).contains(pause)),
        "{pauses:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::open(&front, &operator(), "").await;
    let other = Events::open(&front, &operator(), "").await;
    step(&front, &number, 0).await;
    events.message().await;
    drop(other);
    let counted = |metrics: &str| {
        metrics.contains("\nlive_streams_open 1\n")
            && metrics.contains("\nlive_streams_closed_total{reason=\"client\"} 1\n")
            && metrics.contains("\nlive_lag_entries 0\n")
            && !metrics.contains("\nlive_messages_sent_total 0\n")
    };
    let began = std::time::Instant::now();
    loop {
        let metrics = front.send(front.request(Method::GET, "/metrics")).await.text;
        if counted(&metrics) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(events);
    front.end().await;
}
