//! Events that were wrong are struck.

use serde_json::{Value, json};

use super::{history, order_of, path, read, report, set_status, statuses, walk};
use crate::harness::front::{Front, Reply, new_event, operator};

async fn correct(front: &Front, id: &str, event_id: &Value) -> Reply {
    let body = json!({"event_id": event_id, "reason": "the wrong parcel"});
    front.post(&operator(), &path(id, "/corrections"), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_struck_event_counts_no_more_and_stays_in_the_history() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up", "in_transit"]).await;
    let wrong = history(&front, &id).await[2]["event_id"].clone();
    let answer = correct(&front, &id, &wrong).await;
    let order = answer.is(200);
    assert_eq!(
        (&order["status"], &order["version"]),
        (&json!("picked_up"), &json!(4))
    );
    assert_eq!(answer.header("etag"), "\"4\"");
    let events = history(&front, &id).await;
    let struck: Vec<&Value> = events.iter().map(|event| &event["struck"]).collect();
    assert_eq!(struck, [false, false, true, false]);
    assert_eq!(
        (
            &events[3]["kind"],
            &events[3]["about"],
            &events[3]["reason"],
            &events[3]["actor"]
        ),
        (
            &json!("correction"),
            &wrong,
            &json!("the wrong parcel"),
            &json!("an-operator")
        )
    );
    // The same again is answered the same, and the order goes on from there.
    assert_eq!(correct(&front, &id, &wrong).await.is(200), order);
    let again = json!({"status": "in_transit", "source": "van-8"});
    front
        .post(&operator(), &path(&id, "/status"), &again)
        .await
        .is(200);
    assert_eq!(correct(&front, &id, &wrong).await.is(200)["status"], "in_transit");
    assert_eq!(history(&front, &id).await.len(), 5);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_that_an_event_was_acknowledged_with_is_the_one_it_is_corrected_by() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    let applied = front.report(&operator(), &event).await.is(200);
    let order = correct(&front, &number, &applied["event_id"]).await.is(200);
    assert_eq!(order["status"], "created");
    assert_eq!(front.statuses(&number).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_struck_is_refused_by_its_rule() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up", "in_transit", "delivered"]).await;
    let events = history(&front, &id).await;
    for (place, told) in [(0, "a creation"), (3, "has ended")] {
        let problem = correct(&front, &id, &events[place]["event_id"]).await;
        let problem = problem.is_problem(409, "CONFLICT");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
    }
    // A step before the last one is: the order's status does not depend on it.
    correct(&front, &id, &events[1]["event_id"]).await.is(200);
    let correction = history(&front, &id).await[4]["event_id"].clone();
    correct(&front, &id, &correction)
        .await
        .is_problem(409, "CONFLICT");
    assert_eq!(read(&front, &id).await["status"], "delivered");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_can_be_struck() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    set_status(
        &front,
        &id,
        &json!({"status": "in_transit", "reason": "a guess", "force": true}),
    )
    .await
    .is(200);
    let wrong = history(&front, &id).await[1]["event_id"].clone();
    assert_eq!(correct(&front, &id, &wrong).await.is(200)["status"], "created");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_the_orders_is_named() {
    let front = Front::start().await;
    let (id, other) = (
        order_of(&front, "client_001").await,
        order_of(&front, "client_001").await,
    );
    walk(&front, &id, &["picked_up"]).await;
    walk(&front, &other, &["picked_up"]).await;
    let foreign = history(&front, &other).await[1]["event_id"].clone();
    let number = front.shipment_of("client_001").await;
    let early = new_event(&number, "delivered", "2026-01-31T10:00:00Z");
    let refused = front.post(&operator(), "/events", &early).await.is(202);
    for event_id in [
        foreign,
        refused["event_id"].clone(),
        json!("evt_none"),
        json!("x"),
        json!(7),
        json!(null),
        json!(""),
    ] {
        correct(&front, &id, &event_id).await.blames("event_id");
    }
    let event_id = history(&front, &id).await[1]["event_id"].clone();
    for reason in [json!(null), json!(""), json!("x".repeat(501))] {
        let body = json!({"event_id": event_id, "reason": reason});
        let refused = front.post(&operator(), &path(&id, "/corrections"), &body).await;
        refused.blames("reason");
    }
    assert_eq!(statuses(&front, &id).await, ["created", "picked_up"]);
    report(&front, &operator(), &id, "in_transit").await.is(200);
    front.end().await;
}
