//! `/api/v1/orders`: orders of every lifecycle.

mod as_of;
mod authorization;
mod bad_input;
mod cancellation;
mod concurrency;
mod corrections;
mod creation;
mod idempotency;
mod lifecycles;
mod lists;
mod overrides;
mod progression;
mod two_nodes;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::front::{Front, Reply, admin, client, operator, token};

const ORDERS: &str = "/api/v1/orders";

/// A server with the seeded users.
async fn seeded() -> Front {
    let front = Front::start().await;
    server::accounts::seed_demo(&front.engine).await.unwrap();
    front
}

/// The token of a seeded customer.
fn ann() -> String {
    token("customer_user_001", "customer", None)
}

/// Of another one.
fn bob() -> String {
    token("customer_user_002", "customer", None)
}

fn new_delivery() -> Value {
    json!({"lifecycle": "delivery", "items": [{"name": "tea", "quantity": 2}]})
}

fn new_merchant_order() -> Value {
    json!({"lifecycle": "merchant", "customer": {"name": "Cy", "contact": "cy@example.com"}})
}

/// A delivery of the customer's own.
async fn delivery_of(front: &Front, customer: &str) -> String {
    id(&front.post(customer, ORDERS, &new_delivery()).await.is(201))
}

/// A merchant order of this client.
async fn order_of(front: &Front, client_id: &str) -> String {
    let own = client(client_id);
    id(&front.post(&own, ORDERS, &new_merchant_order()).await.is(201))
}

fn id(order: &Value) -> String {
    order["order_id"].as_str().unwrap().to_owned()
}

fn path(id: &str, rest: &str) -> String {
    format!("{ORDERS}/{id}{rest}")
}

async fn read(front: &Front, id: &str) -> Value {
    front.get(&operator(), &path(id, "")).await.is(200)
}

/// A report from a source of its own, so that no two are the same.
async fn report(front: &Front, token: &str, id: &str, status: &str) -> Reply {
    let body = json!({"status": status, "source": format!("to-{status}")});
    front.post(token, &path(id, "/status"), &body).await
}

/// Moves an order along these statuses.
async fn walk(front: &Front, id: &str, statuses: &[&str]) {
    for status in statuses {
        report(front, &operator(), id, status).await.is(200);
    }
}

async fn put(front: &Front, token: &str, path: &str, body: &Value) -> Reply {
    let request = front.request(Method::PUT, path).bearer_auth(token);
    front.send(request.json(body)).await
}

/// PUT, with one header more.
async fn put_with(front: &Front, token: &str, path: &str, header: (&str, &str), body: &Value) -> Reply {
    let request = front.request(Method::PUT, path).bearer_auth(token);
    front.send(request.header(header.0, header.1).json(body)).await
}

async fn cancel(front: &Front, token: &str, id: &str) -> Reply {
    let request = front.request(Method::PUT, &path(id, "/cancel"));
    front.send(request.bearer_auth(token)).await
}

async fn set_status(front: &Front, id: &str, body: &Value) -> Reply {
    put(
        front,
        &admin(),
        &format!("/api/v1/admin/orders/{id}/status"),
        body,
    )
    .await
}

async fn history(front: &Front, id: &str) -> Vec<Value> {
    let page = front
        .get(&operator(), &path(id, "/history?limit=500"))
        .await
        .is(200);
    assert_eq!(page["next_cursor"], Value::Null);
    page["data"].as_array().unwrap().clone()
}

/// The statuses that a history has, in its order.
async fn statuses(front: &Front, id: &str) -> Vec<String> {
    let status = |event: &Value| event["status"].as_str().unwrap().to_owned();
    history(front, id).await.iter().map(status).collect()
}
