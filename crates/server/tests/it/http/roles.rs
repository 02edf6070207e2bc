//! Who may do what: every route, as everyone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::front::{Front, admin, client, customer, driver, new_event, new_shipment, operator};

/// Nobody, customer, client, driver, operator, admin.
type Statuses = [u16; 6];

/// Asks as everyone; the client and the driver are of `client_001`.
async fn ask(front: &Front, request: &str, body: Option<&Value>, statuses: Statuses) {
    let (method, path) = request.split_once(' ').unwrap();
    let own = (client("client_001"), driver("client_001"));
    let tokens = [
        None,
        Some(customer()),
        Some(own.0),
        Some(own.1),
        Some(operator()),
        Some(admin()),
    ];
    for (token, status) in tokens.iter().zip(statuses) {
        let mut asked = front.request(method.parse::<Method>().unwrap(), path);
        if let Some(token) = token {
            asked = asked.bearer_auth(token);
        }
        if let Some(body) = body {
            asked = asked.json(body);
        }
        let reply = front.send(asked).await;
        assert_eq!(reply.status, status, "{request} {token:?}: {}", reply.text);
        reply.is(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_lets_in_those_whom_the_contract_names() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T11:00:00Z");
    let (events, shipment) = (json!({"events": [event]}), new_shipment("client_001"));
    let shipments = json!({"shipments": [shipment]});
    let redrive = "POST /api/v1/admin/dead-letters/evt_none/redrive";
    for (request, body, statuses) in [
        ("POST /shipments", Some(&shipment), [401, 403, 201, 403, 201, 201]),
        (
            "POST /shipments/batch",
            Some(&shipments),
            [401, 403, 200, 403, 200, 200],
        ),
        ("POST /events", Some(&event), [401, 403, 403, 202, 202, 202]),
        (
            "POST /events/batch",
            Some(&events),
            [401, 403, 403, 202, 202, 202],
        ),
        (redrive, None, [401, 403, 403, 403, 403, 404]),
        ("POST /health", None, [200; 6]),
    ] {
        ask(&front, request, body, statuses).await;
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_shown_to_those_whom_the_contract_names() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T11:00:00Z");
    let taken = front.post(&driver("client_001"), "/events", &event).await;
    let events = json!({"events": [event]});
    let batch = front.post(&driver("client_001"), "/events/batch", &events).await;
    let (shipment, receipt) = (format!("/shipments/{number}"), taken.header("location"));
    for (path, statuses) in [
        ("/shipments", [401, 200, 200, 200, 200, 200]),
        (&shipment, [401, 403, 200, 200, 200, 200]),
        ("/shipments/99M-XXXXXXXXX", [401, 404, 404, 404, 404, 404]),
        (receipt, [401, 403, 200, 200, 200, 200]),
        ("/events/evt_none", [401, 404, 404, 404, 404, 404]),
        (batch.header("location"), [401, 403, 403, 200, 200, 200]),
        ("/api/v1/admin/dead-letters", [401, 403, 403, 403, 403, 200]),
        ("/health", [200; 6]),
    ] {
        ask(&front, &format!("GET {path}"), None, statuses).await;
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_shipments_for_itself_only() {
    let front = Front::start().await;
    let own = client("client_001");
    front
        .post(&own, "/shipments", &new_shipment("client_002"))
        .await
        .is_problem(403, "FORBIDDEN");
    let batch = json!({"shipments": [new_shipment("client_002"), new_shipment("client_001")]});
    let told = front.post(&own, "/shipments/batch", &batch).await.is(200);
    assert_eq!(told["created"], 1);
    assert_eq!(told["results"][0]["error"], "FORBIDDEN");
    assert_eq!(
        front.get(&operator(), "/shipments").await.is(200)["pagination"]["total"],
        1
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_moves_the_shipments_of_its_client_and_cancels_none() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = |status: &str| new_event(&number, status, "2026-01-31T10:00:00Z");
    for token in [driver("client_002"), driver("client_that_nobody_knows")] {
        front
            .report(&token, &event("picked_up"))
            .await
            .is_problem(403, "FORBIDDEN");
        let taken = front.post(&token, "/events", &event("picked_up")).await.is(202);
        let path = format!("/events/{}", taken["event_id"].as_str().unwrap());
        let receipt = front.get(&token, &path).await.is(200);
        assert_eq!(receipt["outcome"], "rejected");
        assert_eq!(receipt["problem"]["status"], 403);
        front.get(&client("client_001"), &path).await.is(403);
    }
    let own = driver("client_001");
    front
        .report(&own, &event("cancelled"))
        .await
        .is_problem(403, "FORBIDDEN");
    front.report(&own, &event("picked_up")).await.is(200);
    front.report(&operator(), &event("cancelled")).await.is(200);
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "cancelled"]
    );
    front.end().await;
}
