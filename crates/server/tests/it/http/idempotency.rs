//! `Idempotency-Key`: done once, answered as often as asked.

use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::select;
use serde_json::{Value, json};

use crate::harness::front::{Front, Reply, client, driver, new_event, new_shipment, operator};

/// Longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn make(front: &Front, key: &str, body: &Value) -> Reply {
    front
        .post_with(&operator(), "/shipments", ("idempotency-key", key), body)
        .await
}

async fn total(front: &Front) -> Value {
    front.get(&operator(), "/shipments").await.is(200)["pagination"]["total"].clone()
}

fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(first.header("idempotent-replayed"), "");
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_first_answer_also_after_a_restart() {
    let front = Front::start().await;
    let body = new_shipment("client_001");
    let first = make(&front, "key-1", &body).await;
    first.is(201);
    assert_replayed(&first, &make(&front, "key-1", &body).await);
    let dir = front.end().await;
    let front = Front::start_in(dir, &[]).await;
    assert_replayed(&first, &make(&front, "key-1", &body).await);
    assert_eq!(total(&front).await, 1);
    let other = make(&front, "key-1", &new_shipment("client_002")).await;
    other.is_problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(total(&front).await, 1);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_1_to_255_characters_and_comes_once() {
    let front = Front::start().await;
    let body = new_shipment("client_001");
    for key in ["", &"k".repeat(256)] {
        make(&front, key, &body).await.blames("Idempotency-Key");
    }
    let twice = front
        .request(reqwest::Method::POST, "/shipments")
        .bearer_auth(operator())
        .json(&body);
    let twice = twice
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    front.send(twice).await.blames("Idempotency-Key");
    assert_eq!(total(&front).await, 0);
    for key in ["k", &"k".repeat(255)] {
        make(&front, key, &body).await.is(201);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_use_a_key_up() {
    let front = Front::start().await;
    let mut wrong = new_shipment("client_001");
    wrong["weight_kg"] = json!(-1);
    make(&front, "k", &wrong).await.is(400);
    make(&front, "k", &new_shipment("client_001")).await.is(201);
    let number = front.shipment_of("client_001").await;
    let early = new_event(&number, "in_warehouse", "2026-01-31T10:00:00Z");
    let request = || {
        let request = front
            .request(reqwest::Method::POST, "/events")
            .bearer_auth(operator());
        request
            .header("idempotency-key", "e")
            .header("prefer", "wait")
            .json(&early)
    };
    front.send(request()).await.is(409);
    front
        .report(
            &operator(),
            &new_event(&number, "picked_up", "2026-01-31T10:00:00Z"),
        )
        .await
        .is(200);
    let applied = front.send(request()).await;
    assert_eq!(applied.is(200)["outcome"], "applied");
    assert_replayed(&applied, &front.send(request()).await);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_its_principals_and_its_paths() {
    let front = Front::start().await;
    let body = new_shipment("client_001");
    make(&front, "k", &body).await.is(201);
    let own = front
        .post_with(
            &client("client_001"),
            "/shipments",
            ("idempotency-key", "k"),
            &body,
        )
        .await;
    own.is(201);
    assert_eq!(own.header("idempotent-replayed"), "");
    let batch = json!({"shipments": [body]});
    let made = front
        .post_with(&operator(), "/shipments/batch", ("idempotency-key", "k"), &batch)
        .await;
    made.is(200);
    assert_eq!(made.header("idempotent-replayed"), "");
    assert_eq!(total(&front).await, 3);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_covers_a_batch_as_a_whole() {
    let front = Front::start().await;
    let mut bad = new_shipment("client_001");
    bad["weight_kg"] = json!(0);
    let shipments = json!({"shipments": [new_shipment("client_001"), bad, new_shipment("client_001")]});
    let post = |body: Value| {
        let front = &front;
        async move {
            front
                .post_with(&operator(), "/shipments/batch", ("idempotency-key", "k"), &body)
                .await
        }
    };
    let first = post(shipments.clone()).await;
    assert_eq!(first.is(200)["created"], 2);
    assert_replayed(&first, &post(shipments).await);
    post(json!({"shipments": [new_shipment("client_001")]}))
        .await
        .is_problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(total(&front).await, 2);

    let number = front.shipment_of("client_001").await;
    let events = json!({"events": [new_event(&number, "picked_up", "2026-01-31T10:00:00Z"), {}]});
    let token = operator();
    let send = || front.post_with(&token, "/events/batch", ("idempotency-key", "k"), &events);
    let first = send().await;
    assert_eq!(first.is(202)["queued"], 1);
    assert_replayed(&first, &send().await);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_flight_until_it_is_decided_also_when_its_caller_has_gone_away() {
    let front = Front::start_with(&[("PG_WRITERS", "1")]).await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    let token = operator();
    let post = || front.post_with(&token, "/events", ("idempotency-key", "k"), &event);
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (hold, held) = tokio::sync::oneshot::channel();
    let holding = front.engine.with_writer(move |_| {
        hold.send(()).ok();
        released.recv().ok();
        Ok(())
    });
    let caller = async {
        held.await.unwrap();
        // The one that waits for the writer goes away, and its caller comes again.
        let (told, waiting) = select(Box::pin(post()), Box::pin(post())).await.factor_first();
        told.is_problem(409, "CONFLICT");
        drop(waiting);
        for _ in 0..20 {
            let again = tokio::time::timeout(PATIENCE, post()).await;
            again
                .expect("it waits for the writer too")
                .is_problem(409, "CONFLICT");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        release.send(()).unwrap();
    };
    let (done, ()) = tokio::join!(holding, caller);
    done.unwrap();
    let mut again = post().await;
    while again.status == 409 {
        again = post().await;
    }
    again.is(202);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_is_in_flight_the_second_is_a_conflict() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (hold, held) = tokio::sync::oneshot::channel();
    let holding = front.engine.with_writer(move |_| {
        hold.send(()).ok();
        released.recv().ok();
        Ok(())
    });
    let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    let own = driver("client_001");
    let post = || front.post_with(&own, "/events", ("idempotency-key", "k"), &event);
    let race = async {
        held.await.unwrap();
        // One of the two waits for the writer; the other is told so.
        let race = select(Box::pin(post()), Box::pin(post())).await;
        let (told, waiting) = race.factor_first();
        release.send(()).unwrap();
        (waiting.await, told)
    };
    let (_, (one, two)) = tokio::join!(holding, race);
    two.is_problem(409, "CONFLICT");
    one.is(202);
    assert_replayed(&one, &post().await);
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}
