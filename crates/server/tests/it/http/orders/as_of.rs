//! Orders as they were, on both clocks.

use serde_json::{Value, json};

use super::{ORDERS, cancel, history, id, new_merchant_order, order_of, path, read, report};
use crate::harness::front::{Front, Reply, client, operator};

async fn look(front: &Front, id: &str, query: &str) -> Reply {
    front.get(&operator(), &path(id, &format!("?{query}"))).await
}

/// Status and version of the order as it was.
async fn was(front: &Front, id: &str, query: &str) -> (String, u64) {
    let answer = look(front, id, query).await;
    let order = answer.is(200);
    assert_eq!(answer.header("etag"), format!("\"{}\"", order["version"]));
    let status = order["status"].as_str().unwrap().to_owned();
    (status, order["version"].as_u64().unwrap())
}

fn recorded_at(event: &Value) -> &str {
    event["recorded_at"].as_str().unwrap()
}

/// Delivered, as its reports say, on the last day of January; all of them told here today, one late.
async fn told_afterwards(front: &Front) -> String {
    let mut wish = new_merchant_order();
    wish["occurred_at"] = json!("2026-01-31T08:00:00Z");
    let id = id(&front.post(&client("client_001"), ORDERS, &wish).await.is(201));
    for (status, at) in [
        ("picked_up", "2026-01-31T10:00:00Z"),
        ("in_transit", "2026-01-31T12:00:00Z"),
        ("delivered", "2026-01-31T14:00:00Z"),
    ] {
        let body = json!({"status": status, "source": "van", "occurred_at": at});
        front
            .post(&operator(), &path(&id, "/status"), &body)
            .await
            .is(200);
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_shown_as_the_server_knew_it() {
    let front = Front::start().await;
    let id = told_afterwards(&front).await;
    let events = history(&front, &id).await;
    for (event, version) in events.iter().zip(1..) {
        let status = event["status"].as_str().unwrap().to_owned();
        for clock in ["", "&clock=recorded"] {
            let query = format!("at={}{clock}", recorded_at(event));
            assert_eq!(was(&front, &id, &query).await, (status.clone(), version));
        }
    }
    let second = look(&front, &id, &format!("at={}", recorded_at(&events[1])))
        .await
        .is(200);
    assert_eq!(second["updated_at"], events[1]["recorded_at"]);
    assert_eq!(second["created_at"], events[0]["recorded_at"]);
    assert_eq!(
        was(&front, &id, "at=2100-01-01T00:00:00Z").await,
        ("delivered".to_owned(), 4)
    );
    // At none of the times of the world was it known here.
    for at in [
        "2026-01-31T09:00:00Z",
        "2026-01-31T23:00:00Z",
        "2000-01-01T00:00:00Z",
    ] {
        look(&front, &id, &format!("at={at}"))
            .await
            .is_problem(404, "NOT_FOUND");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_shown_as_it_was_in_the_world() {
    let front = Front::start().await;
    let id = told_afterwards(&front).await;
    for (at, status, version) in [
        ("2026-01-31T08:00:00Z", "created", 1),
        ("2026-01-31T09:59:59.999999999Z", "created", 1),
        ("2026-01-31T10:00:00Z", "picked_up", 2),
        ("2026-01-31T14:30:00%2B01:00", "in_transit", 3),
        ("2026-01-31T14:00:00Z", "delivered", 4),
        ("2100-01-01T00:00:00Z", "delivered", 4),
    ] {
        let query = format!("at={at}&clock=occurred");
        assert_eq!(
            was(&front, &id, &query).await,
            (status.to_owned(), version),
            "{at}"
        );
    }
    let then = look(&front, &id, "at=2026-01-31T13:00:00Z&clock=occurred")
        .await
        .is(200);
    assert_eq!(then["created_at"], "2026-01-31T08:00:00.000000Z");
    assert_eq!(then["updated_at"], "2026-01-31T12:00:00.000000Z");
    look(&front, &id, "at=2026-01-31T07:59:59Z&clock=occurred")
        .await
        .is_problem(404, "NOT_FOUND");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_means_its_whole_microsecond_unless_it_is_told_more_exactly() {
    let front = Front::start().await;
    let mut wish = new_merchant_order();
    wish["occurred_at"] = json!("2026-01-31T08:00:00.000000500Z");
    let id = id(&front.post(&client("client_001"), ORDERS, &wish).await.is(201));
    for (at, found) in [
        ("2026-01-31T08:00:00Z", true),
        ("2026-01-31T07:59:59.999999Z", false),
        ("2026-01-31T08:00:00.000000499Z", false),
        ("2026-01-31T08:00:00.000000500Z", true),
    ] {
        let answer = look(&front, &id, &format!("at={at}&clock=occurred")).await;
        assert_eq!(answer.status == 200, found, "{at}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_struck_since_was_known_then_and_has_never_happened() {
    let front = Front::start().await;
    let id = told_afterwards(&front).await;
    let events = history(&front, &id).await;
    let body = json!({"event_id": events[2]["event_id"], "reason": "another parcel"});
    front
        .post(&operator(), &path(&id, "/corrections"), &body)
        .await
        .is(200);
    let known = format!("at={}", recorded_at(&events[2]));
    assert_eq!(was(&front, &id, &known).await, ("in_transit".to_owned(), 3));
    let query = "at=2026-01-31T13:00:00Z&clock=occurred";
    assert_eq!(was(&front, &id, query).await, ("picked_up".to_owned(), 2));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_back_changes_nothing_and_is_no_version_to_build_on() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    report(&front, &operator(), &id, "picked_up").await.is(200);
    let now = read(&front, &id).await;
    let first = recorded_at(&history(&front, &id).await[0]).to_owned();
    let then = look(&front, &id, &format!("at={first}")).await;
    assert_eq!(then.is(200)["status"], "created");
    let body = json!({"status": "in_transit", "source": "van"});
    let stale = front
        .post_with(
            &operator(),
            &path(&id, "/status"),
            ("if-match", then.header("etag")),
            &body,
        )
        .await;
    stale.is_problem(412, "PRECONDITION_FAILED");
    assert_eq!(read(&front, &id).await, now);
    cancel(&front, &operator(), &id).await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_and_clocks_that_are_none_are_refused_by_name() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    for (query, field) in [
        ("at=yesterday", "at"),
        ("at=2026-01-31", "at"),
        ("at=2026-01-31T10:00:00Z&clock=local", "clock"),
        ("clock=occurred", "clock"),
        ("clock=recorded", "clock"),
        ("at=yesterday&clock=occurred", "at"),
        ("time=2026-01-31T10:00:00Z", "time"),
    ] {
        look(&front, &id, query).await.blames(field);
    }
    front.end().await;
}
