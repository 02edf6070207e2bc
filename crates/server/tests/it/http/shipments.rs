//! Shipments, from their making to their list.

use crate::harness::front::{Front, client, customer, driver, new_event, new_shipment, operator};

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_is_made_moved_and_read() {
    let front = Front::start().await;
    let made = front
        .post(&client("client_001"), "/shipments", &new_shipment("client_001"))
        .await;
    let body = made.is(201);
    let number = body["tracking_number"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/shipments/{number}"));
    assert_eq!(made.header("etag"), "\"1\"");
    assert_eq!(
        (&body["status"], &body["client_id"]),
        (&"created".into(), &"client_001".into())
    );

    let event = new_event(number, "picked_up", "2026-01-31T10:00:00.123456789Z");
    let queued = front.post(&driver("client_001"), "/events", &event).await;
    let told = queued.is(202);
    assert_eq!(told["status"], "queued");
    assert_eq!(
        queued.header("location"),
        format!("/events/{}", told["event_id"].as_str().unwrap())
    );

    let read = front
        .get(&client("client_001"), &format!("/shipments/{number}"))
        .await;
    let shipment = read.is(200);
    assert_eq!(read.header("etag"), "\"2\"");
    assert_eq!(shipment["current_status"], "picked_up");
    assert_eq!(shipment["package"]["dimensions"]["height"], 10.5);
    assert_eq!(shipment["status_history"][0]["source"], "api");
    assert_eq!(
        shipment["status_history"][1]["timestamp"],
        "2026-01-31T10:00:00.123456Z"
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_anothers_shipment() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let path = format!("/shipments/{number}");
    for token in [client("client_002"), driver("client_002"), customer()] {
        front.get(&token, &path).await.is(403);
        let list = front.get(&token, "/shipments").await.is(200);
        assert_eq!(list["pagination"]["total"], 0);
    }
    for token in [client("client_001"), driver("client_001"), operator()] {
        front.get(&token, &path).await.is(200);
        assert_eq!(
            front.get(&token, "/shipments").await.is(200)["pagination"]["total"],
            1
        );
    }
    front
        .get(&client("client_002"), "/shipments?client_id=client_001")
        .await
        .is(403);
    front.end().await;
}
