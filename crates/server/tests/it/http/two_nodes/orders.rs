//! Orders and their events, made and moved on both nodes.

use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::harness::front::{Front, Reply, client, new_event, new_shipment, operator};
use crate::harness::two::Two;

/// Tries of what can only go wrong by chance.
const TRIES: usize = 20;
const LINES: &str = "application/x-ndjson";

/// A status that shipments may have, with a time and a source.
fn event_from(number: &str, status: &str, source: &str) -> Value {
    let mut event = new_event(number, status, "2026-01-31T10:00:00Z");
    event["source"] = json!(source);
    event
}

async fn batch(front: &Front, events: &[Value]) -> Value {
    let body = json!({"events": events});
    front
        .post_with(&operator(), "/events/batch", ("prefer", "wait=20"), &body)
        .await
        .is(200)
}

async fn shipments_of(front: &Front, client: &str, count: usize) -> Vec<String> {
    let wishes: Vec<Value> = (0..count).map(|_| new_shipment(client)).collect();
    let body = json!({"shipments": wishes});
    let made = front.post(&operator(), "/shipments/batch", &body).await.is(200);
    let results = made["results"].as_array().unwrap();
    let number = |made: &Value| made["tracking_number"].as_str().unwrap().to_owned();
    results.iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_makes_the_other_shows_lists_and_moves_at_once() {
    let Some(two) = Two::start().await else { return };
    for (near, far) in [(&two.one, &two.other), (&two.other, &two.one)] {
        for _ in 0..TRIES {
            let number = near.shipment_of("client_001").await;
            let path = format!("/shipments/{number}");
            let (here, there) = (
                near.get(&operator(), &path).await,
                far.get(&operator(), &path).await,
            );
            assert_eq!(
                (here.is(200), here.header("etag")),
                (there.is(200), there.header("etag"))
            );
            let listed = far.get(&client("client_001"), "/shipments?limit=1").await.is(200);
            assert_eq!(listed["data"][0]["tracking_number"], *number);
            let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
            let told = far.report(&operator(), &event).await.is(200);
            assert_eq!(told["outcome"], "applied");
            assert_eq!(near.statuses(&number).await, ["created", "picked_up"]);
            let receipt = format!("/events/{}", told["event_id"].as_str().unwrap());
            assert_eq!(
                near.get(&operator(), &receipt).await.is(200)["outcome"],
                "applied"
            );
        }
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_to_both_nodes_at_once_is_applied_once_under_one_id() {
    let Some(two) = Two::start().await else { return };
    let token = operator();
    for number in shipments_of(&two.one, "client_001", TRIES).await {
        let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
        let both = join(two.one.report(&token, &event), two.other.report(&token, &event)).await;
        let (one, other) = (both.0.is(200), both.1.is(200));
        assert_eq!(one["event_id"], other["event_id"]);
        let mut outcomes = [&one, &other].map(|told| told["outcome"].as_str().unwrap());
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["applied", "duplicate"]);
        let event = new_event(&number, "in_warehouse", "2026-01-31T11:00:00Z");
        let both = join(
            two.one.post(&token, "/events", &event),
            two.other.post(&token, "/events", &event),
        )
        .await;
        assert_eq!(both.0.is(202)["event_id"], both.1.is(202)["event_id"]);
        assert_eq!(
            two.one.statuses(&number).await,
            ["created", "picked_up", "in_warehouse"]
        );
    }
    two.end().await;
}

async fn make(front: &Front, key: &str) -> Reply {
    let wish = new_shipment("client_001");
    front
        .post_with(&operator(), "/shipments", ("idempotency-key", key), &wish)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_to_both_nodes_at_once_is_done_once() {
    let Some(two) = Two::start().await else { return };
    for number in 0..TRIES {
        let key = format!("key-{number}");
        let (one, other) = join(make(&two.one, &key), make(&two.other, &key)).await;
        let made: Vec<&Reply> = [&one, &other]
            .into_iter()
            .filter(|reply| reply.status != 409)
            .collect();
        assert!(!made.is_empty(), "{one:?} {other:?}");
        for reply in &made {
            assert_eq!(reply.is(201), made[0].is(201));
        }
        let firsts = made
            .iter()
            .filter(|reply| reply.header("idempotent-replayed").is_empty());
        assert_eq!(firsts.count(), 1, "{one:?} {other:?}");
        for node in [&two.one, &two.other] {
            let again = make(node, &key).await;
            assert_eq!(
                (again.is(201), again.header("idempotent-replayed")),
                (made[0].is(201), "true")
            );
        }
    }
    let listed = two.one.get(&operator(), "/shipments").await.is(200);
    assert_eq!(listed["pagination"]["total"], TRIES);
    two.end().await;
}

/// Holds the one key that is stored, as a writer does that is about to store its answer; which is not stored any more.
const HOLD_THE_KEY: &str = "\
    SELECT pg_advisory_lock(('x' || encode(substr(key, 1, 8), 'hex'))::bit(64)::bigint) FROM answers; \
    DELETE FROM answers";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_held_elsewhere_is_a_conflict_and_fails_nobody_else() {
    let Some(two) = Two::start().await else { return };
    let numbers = shipments_of(&two.one, "client_001", 40).await;
    make(&two.one, "k").await.is(201);
    let held = two.home.hold(HOLD_THE_KEY);
    for (step, status) in ["picked_up", "in_warehouse", "in_transit", "delivered"]
        .iter()
        .enumerate()
    {
        let node = [&two.one, &two.other][step % 2];
        let token = operator();
        let events = numbers
            .iter()
            .map(|number| event_from(number, status, "scanner-1"));
        let posts = events.map(|event| {
            let token = token.clone();
            async move { node.post(&token, "/events", &event).await }
        });
        let (told, keyed) = join(join_all(posts), join_all((0..4).map(|_| make(node, "k")))).await;
        for reply in told {
            reply.is(202);
        }
        for reply in keyed {
            reply.is_problem(409, "CONFLICT");
        }
    }
    drop(held);
    make(&two.other, "k").await.is(201);
    let again = make(&two.one, "k").await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (201, "true")
    );
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_about_the_same_shipments_on_both_nodes_lose_and_double_nothing() {
    let Some(two) = Two::start().await else { return };
    let numbers = shipments_of(&two.one, "client_001", 150).await;
    let steps = ["picked_up", "in_warehouse", "in_transit", "delivered"];
    for status in steps {
        let events: Vec<Value> = numbers
            .iter()
            .map(|number| event_from(number, status, "scanner-1"))
            .collect();
        let backwards: Vec<Value> = events.iter().rev().cloned().collect();
        let told = join(
            join(batch(&two.one, &events), batch(&two.other, &backwards)),
            join(batch(&two.one, &backwards), batch(&two.other, &events)),
        )
        .await;
        let told = [&told.0.0, &told.0.1, &told.1.0, &told.1.1];
        let sum = |member: &str| -> u64 { told.iter().map(|told| told[member].as_u64().unwrap()).sum() };
        assert_eq!(
            (sum("applied"), sum("duplicates")),
            (150, 450),
            "{status}: {told:?}"
        );
    }
    for number in &numbers {
        let statuses = two.other.statuses(number).await;
        assert_eq!(statuses[1..], steps);
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reports_of_one_step_on_two_nodes_one_is_applied_and_one_refused() {
    let Some(two) = Two::start().await else { return };
    let numbers = shipments_of(&two.other, "client_001", 200).await;
    let events = |source| -> Vec<Value> {
        let event = |number: &String| event_from(number, "picked_up", source);
        numbers.iter().map(event).collect()
    };
    let (mine, yours) = (events("scanner-1"), events("scanner-2"));
    let (one, other) = join(batch(&two.one, &mine), batch(&two.other, &yours)).await;
    let sum = |member: &str| one[member].as_u64().unwrap() + other[member].as_u64().unwrap();
    assert_eq!(
        (sum("applied"), sum("rejected_total")),
        (200, 200),
        "{one} {other}"
    );
    // What became of a batch is asked of the other node.
    for (told, node) in [(&one, &two.other), (&other, &two.one)] {
        let path = format!("/events/batches/{}", told["batch_id"].as_str().unwrap());
        let receipt = node.get(&operator(), &path).await.is(200);
        for member in ["received", "applied", "duplicates", "rejected_total"] {
            assert_eq!(receipt[member], told[member], "{member}");
        }
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_one_node_and_reports_on_the_other_end_in_one_history() {
    let Some(two) = Two::start().await else { return };
    let numbers = shipments_of(&two.one, "client_001", 100).await;
    let steps = ["picked_up", "in_warehouse", "in_transit"];
    let lines: String = steps
        .iter()
        .flat_map(|status| numbers.iter().map(|number| event_from(number, status, "line")))
        .map(|event| format!("{event}\n"))
        .collect();
    let token = operator();
    let streaming = two.one.post_text(&token, "/events/batch", LINES, lines);
    let reporting = async {
        let mut applied = 0;
        for number in &numbers {
            for status in ["picked_up", "in_warehouse"] {
                let told = two
                    .other
                    .report(&token, &event_from(number, status, "hand"))
                    .await;
                applied += usize::from(told.status == 200);
                assert!([200, 409].contains(&told.status.as_u16()), "{}", told.text);
            }
        }
        applied
    };
    let (told, applied) = join(streaming, reporting).await;
    let told = told.is(202);
    assert_eq!((&told["received"], &told["queued"]), (&json!(300), &json!(300)));
    let mut by_hand = 0;
    for number in &numbers {
        let shipment = two.other.shipment(number).await;
        let history = shipment["status_history"].as_array().unwrap();
        let statuses: Vec<&Value> = history.iter().map(|entry| &entry["status"]).collect();
        assert_eq!(statuses[1..], steps);
        by_hand += history.iter().filter(|entry| entry["source"] == "hand").count();
    }
    assert_eq!(by_hand, applied);
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_both_nodes_hear_of_at_once_is_one_client() {
    let Some(two) = Two::start().await else { return };
    for try_number in 0..TRIES {
        let name = format!("client_{try_number}");
        let (one, other) = join(two.one.shipment_of(&name), two.other.shipment_of(&name)).await;
        for node in [&two.one, &two.other] {
            let listed = node.get(&client(&name), "/shipments").await.is(200);
            assert_eq!(listed["pagination"]["total"], 2);
            for number in [&one, &other] {
                node.get(&client(&name), &format!("/shipments/{number}"))
                    .await
                    .is(200);
            }
        }
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_log_on_one_node_wakes_when_the_other_has_written() {
    let Some(two) = Two::start().await else { return };
    for (near, far) in [(&two.one, &two.other), (&two.other, &two.one)] {
        let mut wake_ups = far.engine.wake_ups();
        let known = *wake_ups.borrow_and_update();
        near.shipment_of("client_001").await;
        let end = near
            .engine
            .store()
            .reading(|reader| reader.last_position())
            .unwrap();
        assert!(end > known);
        let woken = wake_ups.wait_for(|position| *position >= end);
        tokio::time::timeout(Duration::from_secs(1), woken)
            .await
            .unwrap()
            .unwrap();
    }
    two.end().await;
}
