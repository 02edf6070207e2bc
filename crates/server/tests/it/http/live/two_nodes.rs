//! Streams of two nodes over one database.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::standing::signed_up;
use super::tickets::ticket;
use crate::harness::front::{admin, client, operator};
use crate::harness::live::{Events, Socket, step};
use crate::harness::two::Two;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_what_another_node_writes_and_goes_on_there() {
    let Some(two) = Two::start().await else { return };
    let number = two.one.shipment_of("client_001").await;
    let mut events = Events::open(&two.one, &client("client_001"), "").await;
    step(&two.other, &number, 0).await;
    let began = Instant::now();
    let first = events.message().await;
    assert_eq!(first.data["version"], 2);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(events);
    step(&two.one, &number, 1).await;
    let mut events = Events::resume(&two.other, &client("client_001"), "", &first.id).await;
    step(&two.one, &number, 2).await;
    step(&two.other, &number, 3).await;
    let versions: Vec<u64> = events
        .versions(3)
        .await
        .into_iter()
        .map(|(_, version)| version)
        .collect();
    assert_eq!(versions, [3, 4, 5]);
    events.is_silent().await;
    drop(events);
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_tell_the_same_in_the_same_order_whoever_wrote_it_and_so_does_coming_back() {
    const SHIPMENTS: usize = 12;
    const STEPS: usize = 4;
    let Some(two) = Two::start().await else { return };
    let mut numbers = Vec::new();
    for _ in 0..SHIPMENTS {
        numbers.push(two.one.shipment_of("client_001").await);
    }
    let at_one = Events::open(&two.one, &operator(), "").await;
    let mut at_other = Events::begin(&two.other, &operator(), "", None).await;
    let start = at_other.next().await.id;
    // Both write at the same time, in groups between each other's.
    let (front, half) = numbers.split_at(SHIPMENTS / 2);
    for number in 0..STEPS {
        let on_one = async {
            for shipment in front {
                step(&two.one, shipment, number).await;
            }
        };
        let on_other = async {
            for shipment in half {
                step(&two.other, shipment, number).await;
            }
        };
        tokio::join!(on_one, on_other);
    }
    let resumed = Events::resume(&two.one, &operator(), "", &start).await;
    let mut told = Vec::new();
    for mut events in [at_one, at_other, resumed] {
        let mut texts = Vec::new();
        for _ in 0..SHIPMENTS * STEPS {
            texts.push(events.message().await.text);
        }
        events.is_silent().await;
        told.push(texts);
    }
    assert_eq!(told[0], told[1], "on either node");
    assert_eq!(told[0], told[2], "then and now");
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_used_once_whichever_nodes_are_asked_at_once() {
    let Some(two) = Two::start().await else { return };
    for _ in 0..5 {
        let query = format!("?ticket={}", ticket(&two.one, &operator()).await);
        let (one, other) = tokio::join!(
            Socket::try_open(&two.one, "", &query),
            Socket::try_open(&two.other, "", &query)
        );
        assert_ne!(one.is_ok(), other.is_ok(), "one of them");
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_disabled_on_one_node_is_told_nothing_more_on_the_other_within_a_second() {
    let Some(two) = Two::start().await else { return };
    let (user, token) = signed_up(&two.one, "anna").await;
    let mut events = Events::open(&two.other, &token, "").await;
    let request = two.one.request(Method::PUT, &format!("/api/v1/users/{user}"));
    let disable = request.bearer_auth(admin()).json(&json!({"disabled": true}));
    two.one.send(disable).await.is(200);
    let began = Instant::now();
    let closed = events.closed().await;
    assert_eq!(closed.data["reason"], "unauthenticated");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    two.end().await;
}
