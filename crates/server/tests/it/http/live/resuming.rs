//! Coming back: nothing is missed and nothing comes twice.

use serde_json::json;
use server::server::Limits;

use crate::harness::front::{Front, client, operator};
use crate::harness::home::Home;
use crate::harness::live::{Events, step};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_goes_on_where_it_was() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::open(&front, &operator(), "").await;
    step(&front, &number, 0).await;
    let last = events.message().await.id;
    drop(events);
    step(&front, &number, 1).await;
    step(&front, &number, 2).await;
    let after = format!("?after={last}");
    for mut events in [
        Events::resume(&front, &operator(), "", &last).await,
        Events::resume(&front, &operator(), &after, &last).await,
        Events::resume(&front, &client("client_001"), "", &last).await,
        Events::resume(
            &front,
            &client("client_001"),
            &format!("?order_id={number}"),
            &last,
        )
        .await,
    ] {
        let expected = [(number.clone(), 3), (number.clone(), 4)];
        assert_eq!(events.versions(2).await, expected);
        events.is_silent().await;
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_began_behind_a_cursor_and_comes_back_by_the_same_url_goes_on_from_its_last_event() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::begin(&front, &operator(), "", None).await;
    let url = format!("?after={}", events.next().await.id);
    drop(events);
    step(&front, &number, 0).await;
    step(&front, &number, 1).await;
    let mut events = Events::open(&front, &operator(), &url).await;
    let first = events.message().await;
    assert_eq!(first.data["version"], 2);
    drop(events);
    let mut events = Events::resume(&front, &operator(), &url, &first.id).await;
    assert_eq!(events.versions(1).await, [(number, 3)]);
    events.is_silent().await;
    drop(events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_off_before_the_first_message_has_lost_nothing() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::begin(&front, &operator(), "", None).await;
    let hello = events.next().await;
    drop(events);
    step(&front, &number, 0).await;
    // The head's cursor is another by now, and must not be taken for what was read.
    let mut events = Events::begin(&front, &operator(), "", Some(&hello.id)).await;
    let again = events.next().await;
    assert_eq!(again.id, hello.id);
    assert_ne!(again.data["cursor"], hello.data["cursor"]);
    drop(events);
    let mut events = Events::resume(&front, &operator(), "", &again.id).await;
    assert_eq!(events.versions(1).await, [(number, 2)]);
    drop(events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_nothing_to_a_cursor() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::open(&front, &operator(), "").await;
    step(&front, &number, 0).await;
    let last = events.message().await.id;
    let home = {
        step(&front, &number, 1).await;
        drop(events);
        front.end().await
    };
    let front = Front::start_in(home, &[]).await;
    step(&front, &number, 2).await;
    let mut events = Events::resume(&front, &operator(), "", &last).await;
    step(&front, &number, 3).await;
    let versions: Vec<u64> = events
        .versions(3)
        .await
        .into_iter()
        .map(|(_, version)| version)
        .collect();
    assert_eq!(versions, [3, 4, 5]);
    events.is_silent().await;
    drop(events);
    front.end().await;
}

/// A `reset` behind `hello`, and what happens from then on.
async fn is_reset(front: &Front, number: &str, last: &str, why: &str, at: usize) {
    let mut events = Events::begin(front, &operator(), "", Some(last)).await;
    let hello = events.next().await;
    let reset = events.next().await;
    assert_eq!((hello.kind.as_str(), reset.kind.as_str()), ("hello", "reset"));
    assert_eq!(reset.data, json!({"reason": why, "cursor": hello.data["cursor"]}));
    assert_eq!(reset.id, hello.data["cursor"].as_str().unwrap());
    step(front, number, at).await;
    let version = u64::try_from(at + 2).unwrap();
    assert_eq!(events.versions(1).await, [(number.to_owned(), version)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_none_is_told_so_and_the_stream_goes_on() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let identity = front.engine.store().identity().clone();
    let future = model::cursor::CursorCodec::new(&identity.event_id_key, &identity.epoch)
        .encode(model::ids::Position::new(1_000));
    let before_a_restore = model::cursor::CursorCodec::new(&identity.event_id_key, &[7; 16])
        .encode(model::ids::Position::new(1));
    is_reset(&front, &number, "garbage", "unknown", 0).await;
    is_reset(&front, &number, &future, "unknown", 1).await;
    is_reset(&front, &number, &before_a_restore, "unknown", 2).await;
    is_reset(&front, &number, "caf\u{e9}", "unknown", 3).await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_for_too_long_is_told_so_but_not_on_one_order() {
    let mut limits = Limits::default();
    limits.streams.live.behind_entries = 5;
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let number = front.shipment_of("client_001").await;
    let mut events = Events::begin(&front, &operator(), "", None).await;
    let first = events.next().await.id;
    drop(events);
    for _ in 0..6 {
        front.shipment_of("client_002").await;
    }
    is_reset(&front, &number, &first, "too_old", 0).await;
    let on_one = format!("?order_id={number}");
    let mut events = Events::resume(&front, &operator(), &on_one, &first).await;
    assert_eq!(events.versions(1).await, [(number, 2)]);
    drop(events);
    front.end().await;
}
