//! What was refused is kept, looked at, and sent again.

use reqwest::Method;
use serde_json::{Value, json};
use server::engine::Quotas;
use server::server::Limits;

use crate::harness::front::{Front, Reply, admin, driver, new_event};
use crate::harness::home::Home;

const LIST: &str = "/api/v1/admin/dead-letters";
const TEN: &str = "2026-01-31T10:00:00Z";

async fn redrive(front: &Front, id: &str) -> Reply {
    let path = format!("{LIST}/{id}/redrive");
    front
        .send(front.request(Method::POST, &path).bearer_auth(admin()))
        .await
}

/// An event that is refused. Gives its id.
async fn refused(front: &Front, event: &Value) -> String {
    let taken = front.post(&driver("client_001"), "/events", event).await.is(202);
    taken["event_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_are_listed_page_by_page_whatever_comes_meanwhile() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut sent = Vec::new();
    for minute in 10..17 {
        let event = new_event(&number, "delivered", &format!("2026-01-31T10:{minute}:00Z"));
        sent.push(refused(&front, &event).await);
    }
    let mut found = Vec::new();
    let mut path = format!("{LIST}?limit=3");
    loop {
        let page = front.get(&admin(), &path).await;
        let body = page.is(200);
        for letter in body["data"].as_array().unwrap() {
            found.push(letter["dead_letter_id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = body["next_cursor"].as_str() else {
            assert_eq!(page.header("link"), "");
            break;
        };
        path = format!("{LIST}?limit=3&cursor={cursor}");
        assert_eq!(page.header("link"), format!("<{path}>; rel=\"next\""));
        refused(&front, &new_event("99M-UNKNOWN99", "picked_up", TEN)).await;
    }
    sent.reverse();
    assert_eq!(found, sent);
    let newest = front.get(&admin(), &format!("{LIST}?limit=1")).await.is(200);
    let letter = &newest["data"][0];
    assert_eq!(letter["error"], "NOT_FOUND");
    assert_eq!(
        (&letter["actor"], &letter["client_id"]),
        (&json!("driver-of-client_001"), &Value::Null)
    );
    let content: Value = serde_json::from_str(letter["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, new_event("99M-UNKNOWN99", "picked_up", TEN));
    for bad in ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=AAAA"] {
        let field = bad.split('=').next().unwrap();
        front.get(&admin(), &format!("{LIST}?{bad}")).await.blames(field);
    }
    front.get(&admin(), &format!("{LIST}?limit=500")).await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_came_too_early_is_accepted_when_sent_again() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let early = refused(&front, &new_event(&number, "in_warehouse", TEN)).await;
    let problem = redrive(&front, &early)
        .await
        .is_problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["allowed"], json!(["picked_up", "cancelled"]));
    let before = new_event(&number, "picked_up", TEN);
    front.report(&driver("client_001"), &before).await.is(200);
    let redriven = redrive(&front, &early).await;
    let told = redriven.is(200);
    assert_eq!(
        (&told["outcome"], &told["tracking_number"]),
        (&json!("applied"), &json!(number))
    );
    assert_eq!(redriven.header("etag"), "\"3\"");
    let receipt = front
        .get(&driver("client_001"), &format!("/events/{early}"))
        .await
        .is(200);
    assert_eq!(
        (&receipt["outcome"], &receipt["event_id"]),
        (&json!("applied"), &json!(early))
    );
    redrive(&front, &early).await.is_problem(409, "CONFLICT");
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "in_warehouse"]
    );
    let list = front.get(&admin(), LIST).await.is(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    assert!(list["data"][0]["redriven_at"].is_string());
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_event_sent_again_by_its_sender_is_judged_anew() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let early = new_event(&number, "in_warehouse", TEN);
    let letter = refused(&front, &early).await;
    front
        .report(&driver("client_001"), &new_event(&number, "picked_up", TEN))
        .await
        .is(200);
    assert_eq!(
        front.report(&driver("client_001"), &early).await.is(200)["outcome"],
        "applied"
    );
    // What was kept of it is a repetition by now.
    let redriven = redrive(&front, &letter).await;
    assert_eq!(redriven.is(200)["outcome"], "duplicate");
    assert_eq!(redriven.header("etag"), "\"3\"");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_takes_no_body_and_may_have_a_key() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let letter = refused(&front, &new_event(&number, "in_warehouse", TEN)).await;
    front
        .report(&driver("client_001"), &new_event(&number, "picked_up", TEN))
        .await
        .is(200);
    let path = format!("{LIST}/{letter}/redrive");
    front
        .post(&admin(), &path, &json!({"force": true}))
        .await
        .is_problem(400, "VALIDATION_FAILED");
    let first = front
        .post_with(&admin(), &path, ("idempotency-key", "k"), &json!({}))
        .await;
    let again = front
        .post_with(&admin(), &path, ("idempotency-key", "k"), &json!({}))
        .await;
    assert_eq!(first.is(200), again.is(200));
    assert_eq!(again.header("idempotent-replayed"), "true");
    for unknown in ["evt_none", "x", first.json()["event_id"].as_str().unwrap()] {
        redrive(&front, unknown).await.is_problem(404, "NOT_FOUND");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_refused_events_is_told_so_and_others_are_not() {
    let limits = Limits {
        quotas: Quotas {
            dead_letters: 3,
            ..Quotas::default()
        },
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let number = front.shipment_of("client_001").await;
    let own = driver("client_001");
    let bad = |minute: u32| new_event(&number, "delivered", &format!("2026-01-31T10:{minute}:00Z"));
    for minute in 10..13 {
        refused(&front, &bad(minute)).await;
    }
    let over = front.post(&own, "/events", &bad(20)).await;
    over.is_problem(429, "RATE_LIMITED");
    assert!(over.header("retry-after").parse::<u64>().unwrap() > 0);
    let events = json!({"events": [bad(21), new_event(&number, "picked_up", TEN)]});
    let told = front.post(&own, "/events/batch", &events).await.is(202);
    assert_eq!(
        (&told["queued"], &told["rejected"][0]["error"]),
        (&json!(1), &json!("RATE_LIMITED"))
    );
    let other = driver("client_002");
    front.post(&other, "/events", &bad(30)).await.is(202);
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}
