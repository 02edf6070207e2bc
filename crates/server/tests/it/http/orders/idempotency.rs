//! `Idempotency-Key` on every path that makes or changes an order.

use futures_util::future::join_all;
use serde_json::json;

use super::{ORDERS, ann, history, new_delivery, order_of, path, put_with, read, report, seeded, walk};
use crate::harness::front::{Front, Reply, admin, client, operator};

const KEY: (&str, &str) = ("idempotency-key", "once");

#[track_caller]
fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(first.header("idempotent-replayed"), "");
    assert_eq!(again.header("idempotent-replayed"), "true");
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_made_once_under_a_key() {
    let front = seeded().await;
    let post = || async { front.post_with(&ann(), ORDERS, KEY, &new_delivery()).await };
    let first = post().await;
    let id = super::id(&first.is(201));
    // What is given again is the answer of then, whatever has become of the order.
    super::cancel(&front, &ann(), &id).await.is(200);
    assert_replayed(&first, &post().await);
    let other = json!({"lifecycle": "delivery", "items": [{"name": "tea", "quantity": 3}]});
    front
        .post_with(&ann(), ORDERS, KEY, &other)
        .await
        .is_problem(422, "IDEMPOTENCY_KEY_REUSED");
    let all = front.get(&operator(), ORDERS).await.is(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_made_once_under_a_key() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let set = format!("/api/v1/admin/orders/{id}/status");
    // Without a time of its own the same report is another one each time: here the key alone makes it the same.
    let picked = json!({"status": "picked_up", "source": "van"});
    let first = front
        .post_with(&operator(), &path(&id, "/status"), KEY, &picked)
        .await;
    assert_eq!(first.is(200)["status"], "picked_up");
    let again = front
        .post_with(&operator(), &path(&id, "/status"), KEY, &picked)
        .await;
    assert_replayed(&first, &again);

    let forced = json!({"status": "in_transit", "reason": "why", "force": true});
    let first = put_with(&front, &admin(), &set, KEY, &forced).await;
    first.is(200);
    assert_replayed(&first, &put_with(&front, &admin(), &set, KEY, &forced).await);

    let struck = json!({"event_id": history(&front, &id).await[2]["event_id"], "reason": "why"});
    let first = front
        .post_with(&operator(), &path(&id, "/corrections"), KEY, &struck)
        .await;
    first.is(200);
    let again = front
        .post_with(&operator(), &path(&id, "/corrections"), KEY, &struck)
        .await;
    assert_replayed(&first, &again);

    let nothing = json!({});
    let first = put_with(&front, &operator(), &path(&id, "/cancel"), KEY, &nothing).await;
    first.is(200);
    let again = put_with(&front, &operator(), &path(&id, "/cancel"), KEY, &nothing).await;
    assert_replayed(&first, &again);

    assert_eq!(history(&front, &id).await.len(), 5);
    let trail = front
        .get(&admin(), "/api/v1/admin/audit-logs?entity=order")
        .await
        .is(200);
    assert_eq!(trail["data"].as_array().unwrap().len(), 1);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_does_not_use_its_key_up() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let body = json!({"status": "in_transit", "source": "van"});
    let post = || async {
        front
            .post_with(&operator(), &path(&id, "/status"), KEY, &body)
            .await
    };
    post().await.is_problem(409, "INVALID_TRANSITION");
    walk(&front, &id, &["picked_up"]).await;
    post().await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_one_order() {
    let front = Front::start().await;
    let ids = [
        order_of(&front, "client_001").await,
        order_of(&front, "client_001").await,
    ];
    let body = json!({"status": "picked_up", "source": "van"});
    for id in &ids {
        let answer = front
            .post_with(&client("client_001"), &path(id, "/status"), KEY, &body)
            .await;
        assert_eq!(answer.is(200)["order_id"], **id);
        assert_eq!(answer.header("idempotent-replayed"), "");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_under_one_key_one_makes_the_order() {
    let front = seeded().await;
    let token = ann();
    let wish = new_delivery();
    let answers = join_all((0..20).map(|_| front.post_with(&token, ORDERS, KEY, &wish))).await;
    let mut made = Vec::new();
    for answer in &answers {
        match answer.status.as_u16() {
            201 => made.push(super::id(&answer.json())),
            // It came while the first was under way.
            _ => {
                answer.is_problem(409, "CONFLICT");
            }
        }
    }
    made.dedup();
    assert_eq!(made.len(), 1);
    assert_eq!(read(&front, &made[0]).await["version"], 1);
    let all = front.get(&ann(), ORDERS).await.is(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    report(&front, &operator(), &made[0], "dispatched").await.is(200);
    front.end().await;
}
