//! Food orders, from their making to their end.

mod relations;

use model::command::{Actor, Change, OrderRef};
use model::public_id::PublicId;
use model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::engine::{Command, Outcome, Submission};

use crate::harness::automatic::reported;
use crate::harness::front::{Front, Reply, admin, client, customer, driver, operator, token};

const OPEN: [(&str, &str); 1] = [("OPEN_ORDERS", "true")];

fn meal() -> Value {
    json!({"customer_name": "Ana Ünal", "address": "1 Main St", "item": "Pad Thai", "size": "medium"})
}

/// Asks without a token.
async fn open(front: &Front, method: Method, path: &str, body: Option<&Value>) -> Reply {
    let request = front.request(method, path);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    front.send(request).await
}

async fn made(front: &Front, token: &str) -> String {
    let made = front.post(token, "/orders", &meal()).await.is(201);
    made["order_id"].as_str().unwrap().to_owned()
}

/// Changes an order as an operator's tool would.
async fn change(front: &Front, order_id: &str, change: Change) {
    let command = Command::Change {
        order: OrderRef::Public(PublicId::new(order_id).unwrap()),
        actor: Actor {
            role: Role::Operator,
            ..Actor::SYSTEM
        },
        expected: None,
        change,
    };
    let submission = Submission {
        commands: vec![command],
        ..Submission::default()
    };
    let answers = front.engine.submit(submission).await.unwrap();
    assert!(matches!(answers[0], Ok(Outcome::Accepted(_))), "{answers:?}");
}

async fn advance(front: &Front, order_id: &str, status: &str) {
    change(front, order_id, reported(&front.engine, "kitchen", status)).await;
}

fn ids(list: &Value) -> Vec<&str> {
    let orders = list.as_array().unwrap().iter();
    orders.map(|order| order["order_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_orders_are_open_a_meal_is_ordered_read_and_cancelled_without_a_token() {
    let front = Front::start_with(&OPEN).await;
    let reply = open(&front, Method::POST, "/orders", Some(&meal())).await;
    let body = reply.is(201);
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    let id = body["order_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("ORD-") && id.len() == 20, "{id}");
    assert!(PublicId::new(&id).unwrap().check_symbol_holds());
    let path = format!("/orders/{id}");
    assert_eq!(
        (reply.header("location"), reply.header("etag")),
        (&*path, "\"1\"")
    );

    let read = open(&front, Method::GET, &path, None).await;
    let body = read.is(200);
    assert_eq!(read.header("etag"), "\"1\"");
    let order = &body["order"];
    let told = ["customer_name", "address", "item", "size"].map(|name| order[name].clone());
    assert_eq!(
        told,
        ["Ana Ünal", "1 Main St", "Pad Thai", "medium"].map(Value::from)
    );
    assert_eq!(
        (&order["order_id"], &order["status"]),
        (&json!(id), &json!("PLACED"))
    );
    assert_eq!(order["created_at"], order["updated_at"]);
    assert_eq!(
        (order.as_object().unwrap().len(), body.as_object().unwrap().len()),
        (8, 2)
    );
    let created_at = &order["created_at"];
    let meta = json!({"version": 1, "kind": "created", "recorded_at": created_at});
    let event = |number: u32, event: &str| json!({"id": format!("{id}-{number}"), "order_id": id, "event": event, "timestamp": created_at, "meta": meta});
    assert_eq!(body["events"], json!([event(1, "CREATED"), event(2, "PLACED")]));

    let cancel = format!("{path}/cancel");
    let cancelled = open(&front, Method::POST, &cancel, None).await;
    let order = cancelled.is(200);
    assert_eq!(
        (&order["status"], cancelled.header("etag")),
        (&json!("CANCELLED"), "\"2\"")
    );
    let again = open(&front, Method::POST, &cancel, Some(&json!({}))).await;
    assert_eq!((again.is(200), again.header("etag")), (order.clone(), "\"2\""));
    let read = open(&front, Method::GET, &path, None).await.is(200);
    assert_eq!(read["order"], order);
    assert_eq!(read["events"][2]["event"], "CANCELLED");
    assert_eq!(
        open(&front, Method::GET, "/orders", None).await.is(200),
        json!([order])
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meal_may_have_been_ordered_before_it_is_told_here() {
    let front = Front::start().await;
    let mut meal = meal();
    meal["occurred_at"] = json!("2026-01-05T12:00:00.5Z");
    let made = front.post(&customer(), "/orders", &meal).await.is(201);
    let path = format!("/orders/{}", made["order_id"].as_str().unwrap());
    let read = front.get(&customer(), &path).await.is(200);
    assert_eq!(
        read["events"][0]["timestamp"],
        json!("2026-01-05T12:00:00.500000Z")
    );
    meal["occurred_at"] = json!("1999-12-31T23:59:59Z");
    let refused = front.post(&customer(), "/orders", &meal).await;
    refused.blames("occurred_at");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_has_no_fields_and_names_those_that_are_there() {
    let front = Front::start().await;
    let path = format!("/orders/{}/cancel", made(&front, &customer()).await);
    let refused = front.post(&customer(), &path, &json!({"because": 1})).await;
    let why = refused.blames("because");
    assert_eq!(why, "is not a field here; there are none");
    let request = front.request(Method::POST, &path).bearer_auth(customer());
    let cut = front.send(request.body("{\"because\":")).await;
    cut.is_problem(400, "MALFORMED_JSON");
    front.post(&customer(), &path, &json!({})).await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meal_that_has_ended_is_not_cancelled() {
    let front = Front::start().await;
    let id = made(&front, &customer()).await;
    for status in ["PREPARING", "COOKING", "OUT_FOR_DELIVERY", "DELIVERED"] {
        advance(&front, &id, status).await;
    }
    let path = format!("/orders/{id}");
    let refused = front
        .post(&customer(), &format!("{path}/cancel"), &json!({}))
        .await;
    let body = refused.is_problem(409, "INVALID_TRANSITION");
    assert_eq!(body["allowed"], json!([]));
    let events = front.get(&customer(), &path).await.is(200)["events"].clone();
    let events: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    let expected = [
        "CREATED",
        "PLACED",
        "PREPARING",
        "COOKING",
        "OUT_FOR_DELIVERY",
        "DELIVERED",
    ];
    assert_eq!(events, expected);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_orders_are_closed_unless_they_are_open() {
    let front = Front::start().await;
    let id = made(&front, &customer()).await;
    for (method, path) in [
        (Method::POST, "/orders".to_owned()),
        (Method::GET, "/orders".to_owned()),
        (Method::GET, format!("/orders/{id}")),
        (Method::POST, format!("/orders/{id}/cancel")),
    ] {
        let refused = open(&front, method.clone(), &path, None).await;
        refused.is_problem(401, "UNAUTHENTICATED");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    front.end().await;

    let front = Front::start_with(&OPEN).await;
    let mine = made(&front, &customer()).await;
    let nobodys = open(&front, Method::POST, "/orders", Some(&meal())).await.is(201);
    let nobodys = nobodys["order_id"].as_str().unwrap();
    let all = open(&front, Method::GET, "/orders", None).await.is(200);
    assert_eq!(ids(&all), [nobodys, &mine]);
    // Who says who it is, is held to that; and a token that does not hold is no token.
    let own = front.get(&customer(), "/orders").await.is(200);
    assert_eq!(ids(&own), [&mine]);
    front
        .get(&customer(), &format!("/orders/{nobodys}"))
        .await
        .is(403);
    front
        .get("stale", "/orders")
        .await
        .is_problem(401, "UNAUTHENTICATED");
    let shipment = front.shipment_of("client_001").await;
    for path in [format!("/orders/{shipment}"), "/orders/ORD-NONE".to_owned()] {
        open(&front, Method::GET, &path, None).await.is(404);
        open(&front, Method::POST, &format!("{path}/cancel"), None)
            .await
            .is(404);
    }
    assert_eq!(front.statuses(&shipment).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_order_and_see_what_is_theirs() {
    let front = Front::start().await;
    let (mine, others) = (customer(), token("another-customer", "customer", None));
    let id = made(&front, &mine).await;
    let for_anyone = made(&front, &operator()).await;
    for token in [client("client_001"), driver("client_001")] {
        front
            .post(&token, "/orders", &meal())
            .await
            .is_problem(403, "FORBIDDEN");
        assert_eq!(front.get(&token, "/orders").await.is(200), json!([]));
        front.get(&token, &format!("/orders/{id}")).await.is(403);
        front
            .post(&token, &format!("/orders/{id}/cancel"), &json!({}))
            .await
            .is(403);
    }
    front.get(&others, &format!("/orders/{id}")).await.is(403);
    front
        .post(&others, &format!("/orders/{id}/cancel"), &json!({}))
        .await
        .is(403);
    assert_eq!(front.get(&others, "/orders").await.is(200), json!([]));
    for token in [operator(), admin()] {
        let list = front.get(&token, "/orders").await.is(200);
        assert_eq!(ids(&list), [&for_anyone, &id]);
    }
    assert_eq!(ids(&front.get(&mine, "/orders").await.is(200)), [&id]);
    front.get(&mine, &format!("/orders/{for_anyone}")).await.is(403);
    front
        .post(&mine, &format!("/orders/{id}/cancel"), &json!({}))
        .await
        .is(200);
    front
        .post(&admin(), &format!("/orders/{for_anyone}/cancel"), &json!({}))
        .await
        .is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_of_a_meal_is_named() {
    let front = Front::start().await;
    for (field, value) in [
        ("customer_name", json!("a".repeat(201))),
        ("customer_name", json!(" ")),
        ("customer_name", json!(7)),
        ("address", json!("a".repeat(501))),
        ("item", json!("a".repeat(501))),
        ("size", json!("huge")),
        ("size", json!("SMALL")),
        ("size", Value::Null),
        ("status", json!("DELIVERED")),
        ("order_id", json!("ORD-1")),
    ] {
        let mut bad = meal();
        bad[field] = value;
        front.post(&customer(), "/orders", &bad).await.blames(field);
    }
    let most = json!({"customer_name": "ü".repeat(200), "address": "ü".repeat(500), "item": "ü".repeat(500), "size": "large"});
    front.post(&customer(), "/orders", &most).await.is(201);
    let missing = front.post(&customer(), "/orders", &json!({})).await.is(400);
    assert_eq!(missing["errors"].as_array().unwrap().len(), 4);
    front.post(&customer(), "/orders", &json!([])).await.is(400);
    for (query, field) in [
        ("status=EATEN", "status"),
        ("status=placed", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("offset=1", "offset"),
    ] {
        let refused = front.get(&customer(), &format!("/orders?{query}")).await;
        refused.blames(field);
    }
    let id = made(&front, &customer()).await;
    let path = format!("/orders/{id}/cancel");
    front
        .post(&customer(), &path, &json!({"reason": "late"}))
        .await
        .is(400);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_meals_are_listed_and_by_status() {
    let front = Front::start().await;
    let mut all = Vec::new();
    for _ in 0..55 {
        all.push(made(&front, &customer()).await);
        if all.len() % 10 == 0 {
            front.shipment_of("client_001").await;
        }
    }
    all.reverse();
    for id in [&all[0], &all[54]] {
        front
            .post(&customer(), &format!("/orders/{id}/cancel"), &json!({}))
            .await
            .is(200);
    }
    for token in [customer(), operator()] {
        let list = |query: &str| {
            let path = format!("/orders{query}");
            let (front, token) = (&front, token.clone());
            async move { front.get(&token, &path).await.is(200) }
        };
        assert_eq!(ids(&list("").await), all[..50]);
        assert_eq!(ids(&list("?limit=500").await), all);
        assert_eq!(ids(&list("?limit=3").await), all[..3]);
        assert_eq!(ids(&list("?status=CANCELLED").await), [&all[0], &all[54]]);
        assert_eq!(ids(&list("?status=PLACED&limit=2").await), all[1..3]);
        assert_eq!(list("?status=DELIVERED").await, json!([]));
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_and_a_stale_version_are_what_they_are_elsewhere() {
    let front = Front::start_with(&OPEN).await;
    let keyed = |path: &str, key: &str, body: &Value| {
        let request = front.request(Method::POST, path).json(body);
        front.send(request.header("idempotency-key", key))
    };
    let first = keyed("/orders", "k-1", &meal()).await;
    let again = keyed("/orders", "k-1", &meal()).await;
    assert_eq!(
        (first.is(201), again.header("idempotent-replayed")),
        (again.is(201), "true")
    );
    let mut other = meal();
    other["size"] = json!("large");
    keyed("/orders", "k-1", &other)
        .await
        .is_problem(422, "IDEMPOTENCY_KEY_REUSED");
    // Who is signed in is somebody else.
    let request = front
        .request(Method::POST, "/orders")
        .bearer_auth(customer())
        .json(&meal());
    let theirs = front.send(request.header("idempotency-key", "k-1")).await;
    assert_ne!(theirs.is(201), first.json());

    let id = first.json()["order_id"].as_str().unwrap().to_owned();
    let cancel = format!("/orders/{id}/cancel");
    let stale = front.request(Method::POST, &cancel).header("if-match", "\"7\"");
    front.send(stale).await.is_problem(412, "PRECONDITION_FAILED");
    let right = front.request(Method::POST, &cancel).header("if-match", "\"1\"");
    let right = front.send(right.header("idempotency-key", "k-2")).await;
    assert_eq!(right.is(200)["status"], "CANCELLED");
    let replayed = keyed(&cancel, "k-2", &json!({})).await;
    assert_eq!(
        (replayed.is(200), replayed.header("etag")),
        (right.json(), "\"2\"")
    );
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    let unchanged = keyed(&cancel, "k-3", &json!({})).await;
    assert_eq!(
        (unchanged.is(200), unchanged.header("etag")),
        (right.json(), "\"2\"")
    );
    let replayed = keyed(&cancel, "k-3", &json!({})).await;
    assert_eq!(replayed.is(200), right.json());
    front.end().await;
}
