//! Nodes whose clocks are a minute apart.

use serde_json::json;

use super::super::accounts::{PASSWORD, login, put, try_login};
use crate::harness::acknowledged::history;
use crate::harness::front::{Front, new_event, new_shipment, operator};
use crate::harness::two::{Two, must_be_refused_soon};

const ME: &str = "/api/v1/users/me";
/// How far the clock of the other node is ahead, in seconds.
const APART_S: [i64; 2] = [60, -60];

#[tokio::test(flavor = "multi_thread")]
async fn a_history_goes_on_in_order_whichever_clock_wrote_it() {
    for apart_s in APART_S {
        let Some(two) = Two::start_apart(apart_s).await else {
            return;
        };
        for (near, far) in [(&two.one, &two.other), (&two.other, &two.one)] {
            let number = near.shipment_of("client_001").await;
            let steps = ["picked_up", "in_warehouse", "in_transit", "delivered"];
            for (status, node) in steps.iter().zip([far, near, far, near]) {
                let event = new_event(&number, status, "2026-01-31T10:00:00Z");
                let told = node.report(&operator(), &event).await.is(200);
                assert_eq!(told["outcome"], "applied");
                let listed = near.get(&operator(), "/shipments?limit=1").await.is(200);
                assert_eq!(listed["data"][0]["tracking_number"], *number, "newest first");
            }
            let entries = history(&**near.engine.store(), &number);
            let versions: Vec<u32> = entries.iter().map(|entry| entry.version.get()).collect();
            assert_eq!(versions, [1, 2, 3, 4, 5]);
            assert!(entries.is_sorted_by(|before, after| before.recorded_at < after.recorded_at));
            let shipment = far.shipment(&number).await;
            let updated_at = shipment["updated_at"].as_str().unwrap();
            assert!(
                updated_at >= shipment["created_at"].as_str().unwrap(),
                "{shipment}"
            );
        }
        two.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_either_clock_count_on_both_nodes_and_end_on_both() {
    for apart_s in APART_S {
        let Some(two) = Two::start_apart(apart_s).await else {
            return;
        };
        server::accounts::seed_demo(&two.one.engine).await.unwrap();
        for (user, near, far) in [
            ("customer_user_001", &two.one, &two.other),
            ("customer_user_002", &two.other, &two.one),
        ] {
            let mut current = PASSWORD.to_owned();
            // Twice: the second change may come in what the first one's node calls the past.
            for (next, near, far) in [("password-two", near, far), ("password-three", far, near)] {
                let before = [
                    login(near, user, &current).await,
                    login(far, user, &current).await,
                ];
                for token in &before {
                    must_count(&two, token).await;
                }
                let change = json!({"password": next, "current_password": current});
                let changed = put(near, &before[0], ME, &change).await.is(200);
                next.clone_into(&mut current);
                let fresh = [
                    login(far, user, &current).await,
                    login(near, user, &current).await,
                ];
                for token in fresh.iter().map(String::as_str).chain(changed["token"].as_str()) {
                    must_count(&two, token).await;
                }
                for node in [near, far] {
                    must_be_refused_soon(node, &before[1], ME).await;
                }
                for node in [near, far] {
                    node.post(&fresh[0], "/auth/logout", &json!({})).await;
                    must_be_refused_soon(node, &fresh[0], ME).await;
                    try_login(node, user, PASSWORD).await.is(401);
                }
            }
        }
        two.end().await;
    }
}

async fn must_count(two: &Two, token: &str) {
    for node in [&two.one, &two.other] {
        node.get(token, ME).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_receipts_of_either_clock_count_on_both_nodes() {
    for apart_s in APART_S {
        let Some(two) = Two::start_apart(apart_s).await else {
            return;
        };
        for (near, far) in [(&two.one, &two.other), (&two.other, &two.one)] {
            let key = format!("made by {}", near.address);
            let make = |node| make(node, &key);
            let made = make(near).await;
            let again = make(far).await;
            assert_eq!((again.0, again.1.as_str()), (made.0.clone(), "true"));
            let number = made.0["tracking_number"].as_str().unwrap().to_owned();
            let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
            let batch = json!({"events": [event]});
            let told = near.post(&operator(), "/events/batch", &batch).await.is(202);
            let path = format!("/events/batches/{}", told["batch_id"].as_str().unwrap());
            assert_eq!(far.get(&operator(), &path).await.is(200)["applied"], 1);
            let again = far.report(&operator(), &event).await.is(200);
            assert_eq!(again["outcome"], "duplicate");
        }
        two.end().await;
    }
}

/// A shipment, and whether the answer was one of before.
async fn make(front: &Front, key: &str) -> (serde_json::Value, String) {
    let wish = new_shipment("client_001");
    let made = front
        .post_with(&operator(), "/shipments", ("idempotency-key", key), &wish)
        .await;
    (made.is(201), made.header("idempotent-replayed").to_owned())
}
