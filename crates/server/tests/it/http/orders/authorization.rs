//! Who may do what with whose orders: every path, as everyone.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ORDERS, ann, bob, delivery_of, history, new_delivery, new_merchant_order, order_of, seeded};
use crate::harness::front::{Front, admin, client, driver, operator};

/// Nobody, the customer, another customer, the client, another client, the client's driver, another driver, operator, admin.
type Statuses = [u16; 9];

async fn ask(front: &Front, request: &str, body: Option<&Value>, statuses: Statuses) {
    let (method, path) = request.split_once(' ').unwrap();
    let tokens = [
        None,
        Some(ann()),
        Some(bob()),
        Some(client("client_001")),
        Some(client("client_002")),
        Some(driver("client_001")),
        Some(driver("client_002")),
        Some(operator()),
        Some(admin()),
    ];
    for ((token, status), who) in tokens.iter().zip(statuses).zip(0..) {
        let mut asked = front.request(method.parse::<Method>().unwrap(), path);
        if let Some(token) = token {
            asked = asked.bearer_auth(token);
        }
        if let Some(body) = body {
            asked = asked.json(body);
        }
        let reply = front.send(asked).await;
        assert_eq!(reply.status, status, "{request} by {who}: {}", reply.text);
        reply.is(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_seen_by_its_customer_and_by_staff() {
    let front = seeded().await;
    let id = delivery_of(&front, &ann()).await;
    for rest in [
        "",
        "/status",
        "/history",
        "/transitions",
        "?at=2100-01-01T00:00:00Z",
    ] {
        let request = format!("GET {ORDERS}/{id}{rest}");
        ask(
            &front,
            &request,
            None,
            [401, 200, 403, 403, 403, 403, 403, 200, 200],
        )
        .await;
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_order_is_seen_by_its_client_its_drivers_and_by_staff() {
    let front = seeded().await;
    let id = order_of(&front, "client_001").await;
    let number = front.shipment_of("client_001").await;
    for id in [id, number] {
        for rest in ["", "/status", "/history", "/transitions"] {
            let request = format!("GET {ORDERS}/{id}{rest}");
            ask(
                &front,
                &request,
                None,
                [401, 403, 403, 200, 403, 200, 403, 200, 200],
            )
            .await;
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_by_anybody() {
    let front = seeded().await;
    for rest in ["", "/status", "/history", "/transitions"] {
        let request = format!("GET {ORDERS}/ORD-NOTTHERE{rest}");
        ask(
            &front,
            &request,
            None,
            [401, 404, 404, 404, 404, 404, 404, 404, 404],
        )
        .await;
    }
    ask(
        &front,
        &format!("GET {ORDERS}/%00"),
        None,
        [401, 404, 404, 404, 404, 404, 404, 404, 404],
    )
    .await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_makes_the_orders_that_are_its_own() {
    let front = seeded().await;
    let create = format!("POST {ORDERS}");
    let mut delivery = new_delivery();
    delivery["customer_id"] = json!("customer_user_001");
    ask(
        &front,
        &create,
        Some(&delivery),
        [401, 201, 403, 403, 403, 403, 403, 201, 201],
    )
    .await;
    let mut merchant = new_merchant_order();
    merchant["merchant"] = json!("client_001");
    ask(
        &front,
        &create,
        Some(&merchant),
        [401, 403, 403, 201, 403, 403, 403, 201, 201],
    )
    .await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_changes_what_it_may_of_a_merchant_order() {
    let front = seeded().await;
    let id = order_of(&front, "client_001").await;
    let report = json!({"status": "picked_up", "source": "s", "occurred_at": "2026-01-31T10:00:00Z"});
    let request = format!("POST {ORDERS}/{id}/status");
    // The second report is the first again.
    ask(
        &front,
        &request,
        Some(&report),
        [401, 403, 403, 200, 403, 200, 403, 200, 200],
    )
    .await;
    let forced = json!({"status": "in_transit", "reason": "why", "force": true});
    let request = format!("PUT /api/v1/admin/orders/{id}/status");
    ask(
        &front,
        &request,
        Some(&forced),
        [401, 403, 403, 403, 403, 403, 403, 403, 200],
    )
    .await;
    let event_id = history(&front, &id).await[2]["event_id"].clone();
    let correction = json!({"event_id": event_id, "reason": "why"});
    let request = format!("POST {ORDERS}/{id}/corrections");
    ask(
        &front,
        &request,
        Some(&correction),
        [401, 403, 403, 403, 403, 403, 403, 200, 200],
    )
    .await;
    let request = format!("PUT {ORDERS}/{id}/cancel");
    ask(
        &front,
        &request,
        None,
        [401, 403, 403, 200, 403, 403, 403, 200, 200],
    )
    .await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_cancelled_by_its_customer_and_reported_on_by_staff_only() {
    let front = seeded().await;
    let id = delivery_of(&front, &ann()).await;
    let report = json!({"status": "dispatched", "source": "s", "occurred_at": "2026-01-31T10:00:00Z"});
    let request = format!("POST {ORDERS}/{id}/status");
    ask(
        &front,
        &request,
        Some(&report),
        [401, 403, 403, 403, 403, 403, 403, 200, 200],
    )
    .await;
    let request = format!("PUT {ORDERS}/{id}/cancel");
    ask(
        &front,
        &request,
        None,
        [401, 200, 403, 403, 403, 403, 403, 200, 200],
    )
    .await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_lifecycles_are_for_whoever_is_signed_in_and_all_orders_for_staff() {
    let front = seeded().await;
    for path in [ORDERS, "/api/v1/lifecycles", "/api/v1/lifecycles/delivery"] {
        let request = format!("GET {path}");
        ask(
            &front,
            &request,
            None,
            [401, 200, 200, 200, 200, 200, 200, 200, 200],
        )
        .await;
    }
    let request = "GET /api/v1/admin/orders";
    ask(
        &front,
        request,
        None,
        [401, 403, 403, 403, 403, 403, 403, 200, 200],
    )
    .await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_whom_nothing_is_known_yet_sees_empty_lists() {
    let front = seeded().await;
    delivery_of(&front, &ann()).await;
    order_of(&front, "client_001").await;
    for token in [bob(), client("client_of_none"), driver("client_of_none")] {
        let page = front.get(&token, ORDERS).await.is(200);
        assert_eq!(page, json!({"data": [], "next_cursor": null}));
    }
    front.end().await;
}
