//! An admin sets a status.

use serde_json::{Value, json};

use super::{history, order_of, put, set_status, statuses, walk};
use crate::harness::front::{Front, admin, client, driver, operator};

#[tokio::test(flavor = "multi_thread")]
async fn only_with_force_a_status_is_set_against_the_arrows_and_it_is_recorded_as_such() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let plain = set_status(&front, &id, &json!({"status": "delivered", "reason": "seen"})).await;
    assert_eq!(
        plain.is_problem(409, "INVALID_TRANSITION")["allowed"],
        json!(["picked_up", "cancelled"])
    );
    let forced = json!({"status": "delivered", "reason": "seen at the door", "force": true});
    let answer = set_status(&front, &id, &forced).await;
    assert_eq!(answer.is(200)["status"], "delivered");
    assert_eq!(answer.header("etag"), "\"2\"");
    // Also out of a final status.
    let back = json!({"status": "picked_up", "reason": "it was the neighbour's", "force": true});
    assert_eq!(set_status(&front, &id, &back).await.is(200)["phase"], "moving");
    let along = json!({"status": "in_transit", "reason": "on its way"});
    set_status(&front, &id, &along).await.is(200);
    let kinds: Vec<Value> = history(&front, &id)
        .await
        .iter()
        .map(|event| json!([event["kind"], event["status"], event["actor"], event["reason"]]))
        .collect();
    assert_eq!(
        kinds[1..],
        [
            json!(["override", "delivered", "an-admin", "seen at the door"]),
            json!(["override", "picked_up", "an-admin", "it was the neighbour's"]),
            json!(["status_applied", "in_transit", "an-admin", "on its way"]),
        ]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_that_is_set_leaves_a_line_in_the_trail_and_a_refused_one_none() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let forced = json!({"status": "in_transit", "reason": "a scanner was broken", "force": true});
    set_status(&front, &id, &forced).await.is(200);
    for refused in [
        json!({"status": "in_transit", "reason": "again", "force": true}),
        json!({"status": "picked_up", "reason": "back"}),
        json!({"status": "lost", "reason": "nowhere", "force": true}),
    ] {
        assert!(set_status(&front, &id, &refused).await.status.is_client_error());
    }
    let trail = front
        .get(&admin(), &format!("/api/v1/admin/audit-logs?entity=order:{id}"))
        .await
        .is(200);
    let lines = trail["data"].as_array().unwrap();
    assert_eq!(lines.len(), 1, "{trail}");
    let line = &lines[0];
    assert_eq!(
        (&line["action"], &line["actor"], &line["role"]),
        (&json!("order.set_status"), &json!("an-admin"), &json!("admin"))
    );
    assert_eq!(line["before"], json!({"status": "created"}));
    assert_eq!(
        line["after"],
        json!({"status": "in_transit", "version": 2, "reason": "a scanner was broken", "force": true})
    );
    assert_eq!(line["at"], history(&front, &id).await[1]["recorded_at"]);
    assert!(line["request_id"].is_string() && line["ip"].is_string());
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_set_with_a_reason_and_to_one_that_there_is() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    for (body, field) in [
        (json!({"status": "delivered", "force": true}), "reason"),
        (
            json!({"status": "delivered", "reason": " ", "force": true}),
            "reason",
        ),
        (
            json!({"status": "delivered", "reason": "x".repeat(501)}),
            "reason",
        ),
        (json!({"reason": "why"}), "status"),
        (
            json!({"status": "PLACED", "reason": "why", "force": true}),
            "status",
        ),
        (
            json!({"status": "delivered", "reason": "why", "force": "yes"}),
            "force",
        ),
        (
            json!({"status": "delivered", "reason": "why", "forced": true}),
            "forced",
        ),
    ] {
        set_status(&front, &id, &body).await.blames(field);
    }
    assert_eq!(statuses(&front, &id).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_alone_set_a_status() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up"]).await;
    let path = format!("/api/v1/admin/orders/{id}/status");
    let body = json!({"status": "delivered", "reason": "why", "force": true});
    for token in [operator(), client("client_001"), driver("client_001")] {
        put(&front, &token, &path, &body)
            .await
            .is_problem(403, "FORBIDDEN");
    }
    assert_eq!(statuses(&front, &id).await, ["created", "picked_up"]);
    front.end().await;
}
