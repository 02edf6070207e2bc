//! What is asked for and is not there.

use reqwest::Method;
use server::server::Limits;

use crate::harness::front::{Front, operator};
use crate::harness::home::Home;
use crate::harness::live::Events;

#[tokio::test(flavor = "multi_thread")]
async fn unknown_filters_and_values_are_refused_by_name() {
    let front = Front::start().await;
    for (query, field) in [
        ("?colour=red", "colour"),
        ("?lifecycle=walk", "lifecycle"),
        ("?status=lost_in_space", "status"),
        ("?lifecycle=food&status=picked_up", "status"),
        ("?phase=early", "phase"),
        ("?active=no", "active"),
        ("?from=yesterday", "from"),
        ("?to=2026-13-01T00:00:00Z", "to"),
        ("?status=created&status=delivered", "status"),
        ("?limit=5", "limit"),
    ] {
        let path = format!("/api/v1/stream{query}");
        front.get(&operator(), &path).await.blames(field);
        let head = front.request(Method::HEAD, &path).bearer_auth(operator());
        assert_eq!(front.send(head).await.status.as_u16(), 400, "{query}");
    }
    let long = format!("/api/v1/stream?merchant={}", "m".repeat(1_000));
    front.get(&operator(), &long).await.blames("merchant");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_last_events_are_refused() {
    let front = Front::start().await;
    let request = front
        .request(Method::GET, "/api/v1/stream")
        .bearer_auth(operator());
    let twice = request
        .header("last-event-id", "one")
        .header("last-event-id", "one");
    front.send(twice).await.blames("Last-Event-ID");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_not_there() {
    let front = Front::start().await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        for path in ["/api/v1/stream", "/api/v1/ws"] {
            let request = front.request(method.clone(), path).bearer_auth(operator());
            front.send(request).await.is_problem(405, "METHOD_NOT_ALLOWED");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_has_no_more_than_its_share_of_streams() {
    let mut limits = Limits::default();
    limits.streams.per_principal = 2;
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let one = Events::open(&front, &operator(), "").await;
    let two = Events::open(&front, &operator(), "").await;
    let refused = front.get(&operator(), "/api/v1/stream").await;
    refused.is_problem(429, "RATE_LIMITED");
    assert_ne!(refused.header("retry-after"), "");
    let other = Events::open(&front, &crate::harness::front::admin(), "").await;
    drop(one);
    let began = std::time::Instant::now();
    loop {
        let request = front
            .request(Method::GET, "/api/v1/stream")
            .bearer_auth(operator());
        if request.send().await.unwrap().status().as_u16() == 200 {
            break;
        }
        assert!(began.elapsed().as_secs() < 10, "its place is free again");
    }
    drop((two, other));
    front.end().await;
}
