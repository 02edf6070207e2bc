//! Input that is wrong is refused by the name of what is wrong; input that is merely strange is kept as it is.

use model::time::Span;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::front::{Front, admin, driver, new_event, new_shipment, operator};

const NOON: &str = "2026-01-31T12:00:00Z";

/// The same with one member changed; `null` takes it away.
fn with(body: &Value, name: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[name] = value;
    if body[name].is_null() {
        body.as_object_mut().unwrap().remove(name);
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_lacks_or_has_wrong_is_named() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", NOON);
    for (name, value, field) in [
        ("tracking_number", Value::Null, "tracking_number"),
        ("tracking_number", json!(7), "tracking_number"),
        ("tracking_number", json!(""), "tracking_number"),
        ("tracking_number", json!("with space"), "tracking_number"),
        ("tracking_number", json!("9".repeat(65)), "tracking_number"),
        ("status", Value::Null, "status"),
        ("status", json!(["picked_up"]), "status"),
        ("status", json!("lost"), "status"),
        ("status", json!("PICKED_UP"), "status"),
        ("timestamp", Value::Null, "timestamp"),
        ("timestamp", json!(1_767_225_600), "timestamp"),
        ("timestamp", json!("yesterday"), "timestamp"),
        ("timestamp", json!("2026-01-31T12:00:00"), "timestamp"),
        ("timestamp", json!("2026-02-30T12:00:00Z"), "timestamp"),
        ("source", Value::Null, "source"),
        ("source", json!(true), "source"),
        ("source", json!(""), "source"),
        ("source", json!("  "), "source"),
        ("source", json!("ü".repeat(201)), "source"),
        ("notes", json!(5), "notes"),
        ("notes", json!("ü".repeat(501)), "notes"),
        ("event_id", json!(""), "event_id"),
        ("event_id", json!("ü".repeat(201)), "event_id"),
        ("event_id", json!(12), "event_id"),
        ("metadata", json!([1]), "metadata"),
        ("metadata", json!("text"), "metadata"),
        ("location", json!("Berlin"), "location"),
        ("location", json!([52.5, 13.4]), "location"),
        ("location", json!({"lat": 1}), "location.lng"),
        ("location", json!({"lat": 1, "lng": 1, "alt": 1}), "location.alt"),
        ("location", json!({"lat": "1", "lng": 1}), "location.lat"),
        ("location", json!({"lat": 90.000_001, "lng": 0}), "location.lat"),
        ("location", json!({"lat": -91, "lng": 0}), "location.lat"),
        ("location", json!({"lat": 0, "lng": 180.000_001}), "location.lng"),
        ("location", json!({"lat": 0, "lng": -180.5}), "location.lng"),
        ("colour", json!("red"), "colour"),
    ] {
        let wrong = with(&event, name, value.clone());
        let reply = front.post(&operator(), "/events", &wrong).await;
        assert_eq!(reply.status, 400, "{name}: {value}: {}", reply.text);
        let message = reply.blames(field);
        assert!(message.len() > 8, "{field}: {message}");
    }
    assert_eq!(front.statuses(&number).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shipment_lacks_or_has_wrong_is_named() {
    let front = Front::start().await;
    let shipment = new_shipment("client_001");
    for name in shipment.as_object().unwrap().keys() {
        for value in [Value::Null, json!([]), json!({})] {
            let wrong = with(&shipment, name, value);
            front.post(&operator(), "/shipments", &wrong).await.blames(name);
        }
    }
    let long = json!("ü".repeat(501));
    for (name, value) in [
        ("weight_kg", json!(0)),
        ("weight_kg", json!(-0.1)),
        ("weight_kg", json!("2")),
        ("length_cm", json!(0)),
        ("width_cm", json!(-3)),
        ("height_cm", json!(0.0)),
        ("origin_lat", json!(90.1)),
        ("origin_lng", json!(-180.1)),
        ("destination_lat", json!(-90.1)),
        ("destination_lng", json!(181)),
        ("origin_address", json!("")),
        ("origin_address", long.clone()),
        ("destination_address", long.clone()),
        ("content_description", long),
        ("client_id", json!("ü".repeat(201))),
        ("client_id", json!(" ")),
        ("occurred_at", json!("1999-12-31T23:59:59.999999999Z")),
        ("occurred_at", json!(5)),
        ("weigth_kg", json!(5)),
    ] {
        let wrong = with(&shipment, name, value.clone());
        let reply = front.post(&operator(), "/shipments", &wrong).await;
        assert_eq!(reply.status, 400, "{name}: {value}: {}", reply.text);
        reply.blames(name);
    }
    let all_wrong = json!({"weight_kg": 0, "colour": 1});
    let told = front.post(&operator(), "/shipments", &all_wrong).await.is(400);
    assert_eq!(told["errors"].as_array().unwrap().len(), 13, "{told}");
    let list = front.get(&operator(), "/shipments").await.is(200);
    assert_eq!(list["pagination"]["total"], 0);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_just_within_bounds_is_taken_and_read_back() {
    let front = Front::start().await;
    let text = "ü".repeat(500);
    let mut shipment = new_shipment(&"ü".repeat(200));
    for (name, value) in [
        ("origin_address", json!(text)),
        ("content_description", json!(text)),
        ("origin_lat", json!(-90)),
        ("origin_lng", json!(180)),
        ("destination_lat", json!(90.0)),
        ("destination_lng", json!(-180.0)),
        ("weight_kg", json!(0.000_001)),
        ("occurred_at", json!("2000-01-01T00:00:00Z")),
    ] {
        shipment[name] = value;
    }
    let made = front.post(&operator(), "/shipments", &shipment).await.is(201);
    let number = made["tracking_number"].as_str().unwrap();
    let event = with(
        &with(
            &new_event(number, "picked_up", NOON),
            "source",
            json!("ü".repeat(200)),
        ),
        "notes",
        json!(text),
    );
    let event = with(&event, "location", json!({"lat": -90, "lng": 180.0}));
    let event = with(&event, "event_id", json!("ü".repeat(200)));
    front.report(&operator(), &event).await.is(200);
    let read = front.shipment(number).await;
    assert_eq!(read["client_id"], "ü".repeat(200));
    assert_eq!(
        read["origin"],
        json!({"address": text, "coordinates": {"lat": -90, "lng": 180}})
    );
    assert_eq!(read["package"]["content_description"], json!(text));
    assert_eq!(read["package"]["weight_kg"], 0.000_001);
    let history = &read["status_history"];
    assert_eq!(history[0]["location"], Value::Null);
    assert_eq!(history[0]["timestamp"], "2000-01-01T00:00:00.000000Z");
    assert_eq!(history[1]["source"], json!("ü".repeat(200)));
    assert_eq!(history[1]["location"], json!({"lat": -90.0, "lng": 180.0}));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_lies_between_the_year_2000_and_tomorrow() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let now = front.engine.clock().now();
    let tomorrow = |seconds: u32| (now + Span::from_seconds(24 * 3600 + seconds)).to_exact_text();
    let nearly = (now + Span::from_seconds(24 * 3600 - 1)).to_exact_text();
    for good in ["2000-01-01T00:00:00Z", "2000-01-01T01:00:00+01:00", &nearly] {
        let event = new_event(&number, "picked_up", good);
        front.post(&operator(), "/events", &event).await.is(202);
    }
    for bad in [
        "1999-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        &tomorrow(60),
    ] {
        let event = new_event(&number, "picked_up", bad);
        front
            .post(&operator(), "/events", &event)
            .await
            .blames("timestamp");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_kept_as_they_are_whatever_they_say() {
    let front = Front::start().await;
    for text in [
        "'; DROP TABLE orders; --",
        "<script>alert(\"x\")</script>&amp;",
        "\u{0} \u{1}\u{7f}\u{1b}[31m\r\n\t\\ \"quoted\"",
        "\u{202e}right to left\u{feff}",
        "e\u{301} 👩‍👩‍👧 \u{10ffff}",
        "${jndi:ldap://x} {{7*7}} %s %n",
        "  spaces around  ",
    ] {
        let mut shipment = new_shipment(text);
        shipment["origin_address"] = json!(text);
        shipment["content_description"] = json!(text);
        let made = front.post(&operator(), "/shipments", &shipment).await.is(201);
        assert_eq!(made["client_id"], text);
        let number = made["tracking_number"].as_str().unwrap();
        let mut event = new_event(number, "picked_up", NOON);
        event["source"] = json!(text);
        event["notes"] = json!(text);
        event["event_id"] = json!(text);
        event["metadata"] = json!({text: [text, null, 1.5]});
        let told = front.report(&operator(), &event).await.is(200);
        let again = front.report(&operator(), &event).await.is(200);
        assert_eq!(
            (&again["outcome"], &again["event_id"]),
            (&json!("duplicate"), &told["event_id"])
        );
        let read = front.shipment(number).await;
        assert_eq!(read["client_id"], text);
        assert_eq!(read["origin"]["address"], text);
        assert_eq!(read["package"]["content_description"], text);
        assert_eq!(read["status_history"][1]["source"], text);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_has_16_kib_and_not_a_byte_more() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut event = new_event(&number, "picked_up", NOON);
    event["metadata"] = json!({"a": "x".repeat(16 * 1024 - 8)});
    assert_eq!(event["metadata"].to_string().len(), 16 * 1024);
    front.report(&driver("client_001"), &event).await.is(200);
    event["metadata"] = json!({"a": "x".repeat(16 * 1024 - 7)});
    front
        .post(&driver("client_001"), "/events", &event)
        .await
        .blames("metadata");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_redrive_or_a_query_that_nobody_knows_is_refused() {
    let front = Front::start().await;
    for path in [
        "/shipments?color=red",
        "/api/v1/admin/dead-letters?status=x",
        "/shipments?limit=1&limit=2",
    ] {
        let reply = front
            .send(front.request(Method::GET, path).bearer_auth(admin()))
            .await;
        reply.is_problem(400, "VALIDATION_FAILED");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_nul_is_nobodys_and_no_failure() {
    let front = Front::start().await;
    let login = json!({"username": "a\u{0}b", "password": "password123"});
    let request = front.request(Method::POST, "/auth/login").json(&login);
    front.send(request).await.is_problem(401, "UNAUTHENTICATED");
    // The cursors are a NUL and what would follow it.
    for (path, status) in [
        ("/api/v1/users/a%00b", 404),
        ("/events/batches/a%00b", 404),
        ("/api/v1/orders/a%00b", 404),
        ("/api/v1/lifecycles/a%00b", 404),
        ("/auth/users?cursor=AGI", 200),
        ("/api/v1/api-keys?cursor=AGI", 200),
        ("/api/v1/lifecycles?cursor=AGI", 200),
        ("/api/v1/admin/audit-logs?entity=user:%00&actor=%00", 200),
        ("/api/v1/orders?merchant=%00&customer_reference=%00", 200),
        ("/shipments?client_id=%00", 200),
    ] {
        let reply = front.get(&admin(), path).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text);
    }
    let request = front.request(Method::DELETE, "/api/v1/api-keys/a%00b");
    front.send(request.bearer_auth(admin())).await.is(404);
    let subject = crate::harness::front::token("a\u{0}b", "customer", None);
    front.get(&subject, "/api/v1/orders").await.is(200);
    front.end().await;
}
