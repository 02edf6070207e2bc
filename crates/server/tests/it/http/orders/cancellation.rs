//! Orders that are not wanted any more.

use reqwest::Method;
use serde_json::json;

use super::{ann, cancel, delivery_of, history, order_of, path, put, report, seeded, statuses, walk};
use crate::harness::front::{Front, admin, client, driver, operator};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_cancelled_once_and_goes_no_further() {
    let front = seeded().await;
    let id = delivery_of(&front, &ann()).await;
    let body = json!({"reason": "changed my mind"});
    let first = put(&front, &ann(), &path(&id, "/cancel"), &body).await;
    let order = first.is(200);
    assert_eq!(
        (&order["status"], &order["phase"]),
        (&json!("cancelled"), &json!("stopped"))
    );
    assert_eq!(first.header("etag"), "\"2\"");
    for token in [ann(), operator(), admin()] {
        assert_eq!(cancel(&front, &token, &id).await.is(200), order);
    }
    report(&front, &operator(), &id, "dispatched")
        .await
        .is_problem(409, "INVALID_TRANSITION");
    let events = history(&front, &id).await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[1]["reason"], &events[1]["source"]),
        (&json!("changed my mind"), &json!("api"))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_end_an_order_is_not_cancelled() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up", "in_transit", "delivered"]).await;
    let refused = cancel(&front, &client("client_001"), &id).await;
    assert_eq!(
        refused.is_problem(409, "INVALID_TRANSITION")["allowed"],
        json!([])
    );
    assert_eq!(statuses(&front, &id).await.len(), 4);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn until_its_end_an_order_is_cancelled_by_its_client_and_by_staff() {
    let front = Front::start().await;
    for (way, token) in [
        (&[][..], client("client_001")),
        (&["picked_up"], operator()),
        (&["picked_up", "in_transit"], client("client_001")),
        (&[], admin()),
    ] {
        let id = order_of(&front, "client_001").await;
        walk(&front, &id, way).await;
        assert_eq!(cancel(&front, &token, &id).await.is(200)["status"], "cancelled");
    }
    let id = order_of(&front, "client_001").await;
    for token in [driver("client_001"), client("client_002")] {
        cancel(&front, &token, &id).await.is_problem(403, "FORBIDDEN");
    }
    report(&front, &driver("client_001"), &id, "cancelled")
        .await
        .is_problem(403, "FORBIDDEN");
    assert_eq!(statuses(&front, &id).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_shipment_can_be_called_back_is_its_lifecycles_to_say() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    cancel(&front, &client("client_001"), &number).await.is(403);
    walk(&front, &number, &["picked_up", "in_warehouse", "in_transit"]).await;
    cancel(&front, &operator(), &number)
        .await
        .is_problem(409, "INVALID_TRANSITION");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_needs_no_body_and_takes_an_empty_one() {
    let front = Front::start().await;
    for body in ["", "  \n", "{}", r#"{"reason":null}"#, r#"{"reason":"why not"}"#] {
        let id = order_of(&front, "client_001").await;
        let request = front.request(Method::PUT, &path(&id, "/cancel"));
        let request = request.bearer_auth(operator()).body(body);
        front
            .send(request.header("content-type", "application/json"))
            .await
            .is(200);
    }
    let id = order_of(&front, "client_001").await;
    for (body, field) in [
        (json!({"reason": ""}), "reason"),
        (json!({"reason": 5}), "reason"),
        (json!({"reason": "x".repeat(501)}), "reason"),
        (json!({"why": "not"}), "why"),
        (json!([]), ""),
    ] {
        put(&front, &operator(), &path(&id, "/cancel"), &body)
            .await
            .blames(field);
    }
    let unmarked = front.request(Method::PUT, &path(&id, "/cancel"));
    front
        .send(unmarked.bearer_auth(operator()).body("{}"))
        .await
        .is_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    front.end().await;
}
