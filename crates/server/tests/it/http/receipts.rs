//! What is told of an event: at once, to who waits, and later.

use serde_json::{Value, json};

use crate::harness::front::{Front, client, customer, driver, new_event, operator};

const TEN: &str = "2026-01-31T10:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_the_outcome() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let own = driver("client_001");
    let event = new_event(&number, "picked_up", TEN);
    let applied = front.report(&own, &event).await;
    let told = applied.is(200);
    assert_eq!(
        (&told["outcome"], &told["tracking_number"]),
        (&json!("applied"), &json!(number))
    );
    assert_eq!(applied.header("etag"), "\"2\"");
    assert_eq!(applied.header("preference-applied"), "wait");
    let again = front.report(&own, &event).await.is(200);
    assert_eq!(
        (&again["outcome"], &again["event_id"]),
        (&json!("duplicate"), &told["event_id"])
    );
    let unheard = front.post(&own, "/events", &event).await.is(202);
    assert_eq!(
        (&unheard["status"], &unheard["event_id"]),
        (&json!("queued"), &told["event_id"])
    );
    assert_eq!(unheard["message"], "Event accepted for processing");
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrow_that_is_not_there_is_refused_with_those_that_are() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = |status: &str, at: &str| new_event(&number, status, at);
    for status in ["created", "delivered", "in_transit"] {
        let refused = front.report(&operator(), &event(status, TEN)).await;
        let problem = refused.is_problem(409, "INVALID_TRANSITION");
        assert_eq!(
            problem["detail"],
            format!("Cannot transition from 'created' to '{status}'")
        );
        assert_eq!(problem["allowed"], json!(["picked_up", "cancelled"]));
        let instance = problem["instance"].as_str().unwrap();
        assert!(instance.starts_with("/events/evt_"), "{instance}");
        let receipt = front.get(&operator(), instance).await.is(200);
        assert_eq!(receipt["outcome"], "rejected");
        assert_eq!(receipt["problem"]["error"], "INVALID_TRANSITION");
    }
    front.report(&operator(), &event("picked_up", TEN)).await.is(200);
    let same = front
        .report(&operator(), &event("picked_up", "2026-01-31T11:00:00Z"))
        .await;
    let problem = same.is_problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["allowed"], json!(["in_warehouse", "cancelled"]));
    let by_driver = front
        .report(&driver("client_001"), &event("delivered", TEN))
        .await;
    assert_eq!(by_driver.is(409)["allowed"], json!(["in_warehouse"]));
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_unknown_shipment_is_taken_in_and_its_receipt_says_so() {
    let front = Front::start().await;
    let event = new_event("99M-UNKNOWN99", "picked_up", TEN);
    let own = driver("client_001");
    let problem = front.report(&own, &event).await.is_problem(404, "NOT_FOUND");
    assert!(problem["instance"].as_str().unwrap().starts_with("/events/evt_"));
    let taken = front.post(&own, "/events", &event).await;
    assert_eq!(taken.is(202)["status"], "queued");
    let receipt = front.get(&own, taken.header("location")).await.is(200);
    assert_eq!(
        (&receipt["outcome"], &receipt["problem"]["status"]),
        (&json!("rejected"), &json!(404))
    );
    assert_eq!(receipt["tracking_number"], "99M-UNKNOWN99");
    assert_eq!(receipt["problem"]["instance"], taken.header("location"));
    for token in [driver("client_002"), client("client_001"), customer()] {
        front
            .get(&token, taken.header("location"))
            .await
            .is_problem(403, "FORBIDDEN");
    }
    front.get(&operator(), taken.header("location")).await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_for_who_sent_it_and_who_owns_the_shipment() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let taken = front
        .post(
            &driver("client_001"),
            "/events",
            &new_event(&number, "picked_up", TEN),
        )
        .await;
    taken.is(202);
    let path = taken.header("location");
    for token in [driver("client_001"), client("client_001"), operator()] {
        let receipt = front.get(&token, path).await.is(200);
        assert_eq!(receipt["outcome"], "applied");
        assert_eq!(format!("/events/{}", receipt["event_id"].as_str().unwrap()), path);
        assert!(
            receipt.get("reason").is_none() && receipt.get("problem").is_none(),
            "{receipt}"
        );
        for time in ["received_at", "decided_at"] {
            assert!(receipt[time].as_str().unwrap().ends_with('Z'), "{receipt}");
        }
    }
    for token in [driver("client_002"), client("client_002"), customer()] {
        front.get(&token, path).await.is_problem(403, "FORBIDDEN");
    }
    for unknown in ["/events/evt_0000000000000000000000", "/events/x", "/events/evt_"] {
        front.get(&operator(), unknown).await.is_problem(404, "NOT_FOUND");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ninth_digit_tells_two_events_apart_and_the_history_keeps_both() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let at = |nanos: &str| new_event(&number, "picked_up", &format!("2026-01-31T10:00:00.{nanos}Z"));
    let one = front.report(&operator(), &at("123456781")).await.is(200);
    let same = front.report(&operator(), &at("123456781")).await.is(200);
    assert_eq!(
        (&same["outcome"], &same["event_id"]),
        (&json!("duplicate"), &one["event_id"])
    );
    front
        .report(&operator(), &at("123456782"))
        .await
        .is_problem(409, "INVALID_TRANSITION");
    let mut elsewhere = at("123456781");
    elsewhere["source"] = json!("another source");
    front
        .report(&operator(), &elsewhere)
        .await
        .is_problem(409, "INVALID_TRANSITION");
    let zone = json!("2026-01-31T11:00:00.123456781+01:00");
    let mut in_a_zone = at("123456781");
    in_a_zone["timestamp"] = zone;
    assert_eq!(
        front.report(&operator(), &in_a_zone).await.is(200)["outcome"],
        "duplicate"
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_event_id_is_its_own_and_stands_for_one_content() {
    let front = Front::start().await;
    let (one, two) = (
        front.shipment_of("client_001").await,
        front.shipment_of("client_001").await,
    );
    let with_id = |number: &str, status: &str, at: &str| {
        let mut event = new_event(number, status, at);
        event["event_id"] = json!("scan-1");
        event
    };
    let first = front
        .report(&operator(), &with_id(&one, "picked_up", TEN))
        .await
        .is(200);
    assert!(first["event_id"].as_str().unwrap().starts_with("evt_"));
    let again = front
        .report(&operator(), &with_id(&one, "picked_up", TEN))
        .await
        .is(200);
    assert_eq!(
        (&again["outcome"], &again["event_id"]),
        (&json!("duplicate"), &first["event_id"])
    );
    for other in [
        with_id(&one, "in_warehouse", TEN),
        with_id(&one, "picked_up", "2026-01-31T10:00:01Z"),
    ] {
        front
            .report(&operator(), &other)
            .await
            .is_problem(409, "CONFLICT");
    }
    front
        .report(&operator(), &with_id(&two, "picked_up", TEN))
        .await
        .is(200);
    assert_eq!(front.statuses(&one).await, ["created", "picked_up"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_judged_by_its_arrow_and_not_by_its_time() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    for (status, at) in [
        ("picked_up", "2026-01-31T10:00:00Z"),
        ("in_warehouse", "2020-01-01T00:00:00Z"),
    ] {
        front
            .report(&operator(), &new_event(&number, status, at))
            .await
            .is(200);
    }
    let shipment: Value = front.shipment(&number).await;
    assert_eq!(
        shipment["status_history"][2]["timestamp"],
        "2020-01-01T00:00:00.000000Z"
    );
    assert_eq!(shipment["current_status"], "in_warehouse");
    front.end().await;
}
