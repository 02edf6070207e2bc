//! What is wrong with a request is named, field by field.

use serde_json::{Value, json};

use super::{ORDERS, ann, new_delivery, new_merchant_order, order_of, path, seeded, statuses};
use crate::harness::front::{Front, client, operator};

/// A body with one member changed; `null` takes it out.
fn with(body: &Value, member: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[member] = value;
    body
}

fn items(count: usize) -> Value {
    json!(vec![json!({"name": "tea", "quantity": 1}); count])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_that_no_order_is_made_of_here_is_named_with_those_that_there_are() {
    let front = seeded().await;
    for lifecycle in [
        Value::Null,
        json!("shop"),
        json!("food"),
        json!("shipment"),
        json!("none"),
        json!(""),
        json!(7),
    ] {
        let wish = with(&new_delivery(), "lifecycle", lifecycle.clone());
        let message = front.post(&ann(), ORDERS, &wish).await.blames("lifecycle");
        assert!(
            lifecycle == 7 || message.contains("delivery") && message.contains("merchant"),
            "{message}"
        );
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_lifecycle_does_not_take_is_refused_with_the_reason_and_the_cure() {
    let front = seeded().await;
    for (token, wish, field, value) in [
        (
            ann(),
            new_delivery(),
            "customer",
            json!({"name": "A", "contact": "a"}),
        ),
        (ann(), new_delivery(), "merchant", json!("client_001")),
        (ann(), new_delivery(), "payment_method", json!("pm_card_visa")),
        (
            ann(),
            new_delivery(),
            "expected_total",
            json!({"amount": 1, "currency": "USD"}),
        ),
        (
            client("client_001"),
            new_merchant_order(),
            "payment_method",
            json!("pm_card_visa"),
        ),
        (
            client("client_001"),
            new_merchant_order(),
            "customer_id",
            json!("customer_user_001"),
        ),
        (
            client("client_001"),
            new_merchant_order(),
            "expected_total",
            json!(1),
        ),
    ] {
        let message = front
            .post(&token, ORDERS, &with(&wish, field, value))
            .await
            .blames(field);
        assert!(
            message.contains("leave it out") || message.contains("say who it is"),
            "{message}"
        );
    }
    for (token, wish) in [
        (ann(), new_delivery()),
        (client("client_001"), new_merchant_order()),
    ] {
        let message = front
            .post(&token, ORDERS, &with(&wish, "adress", json!("1 First Street")))
            .await
            .blames("adress");
        assert!(message.contains("address"), "{message}");
        // Null is as good as nothing.
        front
            .post(&token, ORDERS, &with(&wish, "payment_method", Value::Null))
            .await
            .is(201);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_delivery_has_its_bounds() {
    let front = seeded().await;
    let item = |name: Value, quantity: Value| json!([{"name": name, "quantity": quantity}]);
    for (member, value, field) in [
        ("items", Value::Null, "items"),
        ("items", json!("tea"), "items"),
        ("items", json!([]), "items"),
        ("items", items(1_001), "items"),
        ("items", json!(["tea"]), "items[0]"),
        ("items", item(json!("tea"), json!(0)), "items[0].quantity"),
        ("items", item(json!("tea"), json!(-1)), "items[0].quantity"),
        ("items", item(json!("tea"), json!(1.5)), "items[0].quantity"),
        ("items", item(json!("tea"), json!("2")), "items[0].quantity"),
        ("items", item(json!("tea"), json!(1_000_001)), "items[0].quantity"),
        ("items", item(json!("tea"), json!(null)), "items[0].quantity"),
        ("items", item(json!(""), json!(1)), "items[0].name"),
        ("items", item(json!("x".repeat(201)), json!(1)), "items[0].name"),
        (
            "items",
            json!([{"name": "a", "quantity": 1}, {"name": "b", "quantity": 1, "product_id": "p"}]),
            "items[1].product_id",
        ),
        ("address", json!(""), "address"),
        ("address", json!("x".repeat(501)), "address"),
        ("address", json!({}), "address"),
        ("customer_reference", json!("x".repeat(201)), "customer_reference"),
        ("customer_id", json!(1), "customer_id"),
        ("metadata", json!([]), "metadata"),
        ("metadata", json!("text"), "metadata"),
        ("metadata", json!({"a": "x".repeat(16 * 1024)}), "metadata"),
        ("occurred_at", json!("now"), "occurred_at"),
        ("occurred_at", json!("1999-12-31T23:59:59Z"), "occurred_at"),
        ("occurred_at", json!("2100-01-01T00:00:00Z"), "occurred_at"),
    ] {
        front
            .post(&ann(), ORDERS, &with(&new_delivery(), member, value))
            .await
            .blames(field);
    }
    for (member, value) in [
        ("items", items(1_000)),
        ("items", item(json!("é".repeat(200)), json!(1_000_000))),
        ("address", json!("é".repeat(500))),
        ("customer_reference", json!("é".repeat(200))),
        ("metadata", json!({"a": "x".repeat(16 * 1024 - 8)})),
        ("customer_reference", json!("a\u{0}b")),
    ] {
        front
            .post(&ann(), ORDERS, &with(&new_delivery(), member, value))
            .await
            .is(201);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_merchant_order_has_its_bounds() {
    let front = Front::start().await;
    let token = client("client_001");
    let name = |name: &str| json!({"name": name, "contact": "c"});
    for (member, value, field) in [
        ("customer", Value::Null, "customer"),
        ("customer", json!("Cy"), "customer"),
        ("customer", json!({"contact": "c"}), "customer.name"),
        ("customer", json!({"name": "Cy"}), "customer.contact"),
        ("customer", name(&"x".repeat(201)), "customer.name"),
        (
            "customer",
            json!({"name": "Cy", "contact": "x".repeat(321)}),
            "customer.contact",
        ),
        (
            "customer",
            json!({"name": "Cy", "contact": "c", "age": 5}),
            "customer.age",
        ),
        ("merchant", json!(""), "merchant"),
        ("items", json!({}), "items"),
        ("items", items(1_001), "items"),
    ] {
        front
            .post(&token, ORDERS, &with(&new_merchant_order(), member, value))
            .await
            .blames(field);
    }
    for (member, value) in [
        (
            "customer",
            json!({"name": "é".repeat(200), "contact": "é".repeat(320)}),
        ),
        ("items", json!([])),
        ("items", items(1_000)),
    ] {
        front
            .post(&token, ORDERS, &with(&new_merchant_order(), member, value))
            .await
            .is(201);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_told_at_once() {
    let front = Front::start().await;
    let wish = json!({"lifecycle": "merchant", "customer": {"name": ""}, "items": [{}], "colour": "red"});
    let problem = front.post(&client("client_001"), ORDERS, &wish).await;
    let problem = problem.is_problem(400, "VALIDATION_FAILED");
    let fields: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(
        fields,
        [
            "customer.name",
            "customer.contact",
            "items[0].name",
            "items[0].quantity",
            "colour"
        ]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_object_or_no_json_are_refused() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let token = operator();
    for target in [ORDERS.to_owned(), path(&id, "/status"), path(&id, "/corrections")] {
        for body in ["", "{", "{\"a\":}", "\u{feff}{}"] {
            let reply = front.post_text(&token, &target, "application/json", body).await;
            reply.is_problem(400, "MALFORMED_JSON");
        }
        for body in [
            "[]",
            "null",
            "7",
            r#"{"a":1,"a":2}"#,
            r#"{"metadata":{},"metadata":{}}"#,
        ] {
            let reply = front.post_text(&token, &target, "application/json", body).await;
            reply.is_problem(400, "VALIDATION_FAILED");
        }
        let deep = format!("{{\"metadata\":{}{}}}", "[".repeat(64), "]".repeat(64));
        let reply = front.post_text(&token, &target, "application/json", deep).await;
        reply.blames("");
        let reply = front.post_text(&token, &target, "text/plain", "{}").await;
        reply.is_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_report_has_its_bounds() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let report = json!({"status": "picked_up", "source": "van"});
    for (member, value, field) in [
        ("status", Value::Null, "status"),
        ("status", json!("PICKED_UP"), "status"),
        ("status", json!(2), "status"),
        ("source", Value::Null, "source"),
        ("source", json!("x".repeat(201)), "source"),
        ("occurred_at", json!("2100-01-01T00:00:00Z"), "occurred_at"),
        ("occurred_at", json!("1999-12-31T23:59:59Z"), "occurred_at"),
        ("location", json!("here"), "location"),
        ("location", json!({"lat": 91, "lng": 0}), "location.lat"),
        ("location", json!({"lat": 0, "lng": -180.5}), "location.lng"),
        ("location", json!({"lat": 0}), "location.lng"),
        ("metadata", json!("text"), "metadata"),
        ("metadata", json!({"a": "x".repeat(16 * 1024)}), "metadata"),
        ("notes", json!("n"), "notes"),
        ("timestamp", json!("2026-01-31T10:00:00Z"), "timestamp"),
    ] {
        front
            .post(&operator(), &path(&id, "/status"), &with(&report, member, value))
            .await
            .blames(field);
    }
    assert_eq!(statuses(&front, &id).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_a_path_has_not_are_refused() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    for (rest, field) in [
        ("/status?verbose=1", "verbose"),
        ("/transitions?role=admin", "role"),
        ("/history?limit=0", "limit"),
        ("/history?limit=501", "limit"),
        ("/history?cursor=x!", "cursor"),
        ("/history?cursor=bm90LWEtbnVtYmVy", "cursor"),
        ("/history?offset=1", "offset"),
        ("?verbose=1", "verbose"),
    ] {
        front.get(&operator(), &path(&id, rest)).await.blames(field);
    }
    front.end().await;
}
