//! `ETag` and `If-Match`.

use crate::harness::front::{Front, Reply, new_event, operator};

async fn report_if(front: &Front, number: &str, status: &str, tag: &str) -> Reply {
    let event = new_event(number, status, "2026-01-31T10:00:00Z");
    front
        .post_with(&operator(), "/events", ("if-match", tag), &event)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_only_on_the_version_that_was_seen() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let path = format!("/shipments/{number}");
    let etag = || async { front.get(&operator(), &path).await.header("etag").to_owned() };
    assert_eq!(etag().await, "\"1\"");
    report_if(&front, &number, "picked_up", "\"1\"").await.is(202);
    assert_eq!(etag().await, "\"2\"");
    let stale = report_if(&front, &number, "in_warehouse", "\"1\"").await;
    let problem = stale.is_problem(412, "PRECONDITION_FAILED");
    assert!(problem["instance"].as_str().unwrap().starts_with("/events/evt_"));
    assert_eq!(etag().await, "\"2\"");
    for (status, tag) in [
        ("in_warehouse", "W/\"2\""),
        ("in_transit", "\"3-gzip\""),
        ("delivered", "*"),
    ] {
        report_if(&front, &number, status, tag).await.is(202);
    }
    assert_eq!(etag().await, "\"5\"");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_event_is_answered_with_the_version_that_its_shipment_has_now() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = |status: &str| new_event(&number, status, "2026-01-31T10:00:00Z");
    for (status, outcome, tag) in [
        ("picked_up", "applied", "\"2\""),
        ("picked_up", "duplicate", "\"2\""),
        ("in_warehouse", "applied", "\"3\""),
        ("picked_up", "duplicate", "\"3\""),
    ] {
        let answer = front.report(&operator(), &event(status)).await;
        assert_eq!(answer.is(200)["outcome"], outcome);
        assert_eq!(answer.header("etag"), tag, "{status}");
    }
    // It is one to be built upon.
    report_if(&front, &number, "in_transit", "\"3\"").await.is(202);
    // Who does not wait is told nothing of the outcome: no version either.
    let unheard = front.post(&operator(), "/events", &event("picked_up")).await;
    unheard.is(202);
    assert_eq!(unheard.header("etag"), "");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_entity_tag_is_refused_and_one_that_never_was_matches_nothing() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    for tag in ["1", "\"1", "", "\"1\", \"2\"", "W/1"] {
        report_if(&front, &number, "picked_up", tag)
            .await
            .blames("If-Match");
    }
    for tag in ["\"abc\"", "\"99999999999999999999\"", "\"2\"", "\"\""] {
        report_if(&front, &number, "picked_up", tag)
            .await
            .is_problem(412, "PRECONDITION_FAILED");
    }
    assert_eq!(front.statuses(&number).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_whole_whatever_the_caller_has() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let request = front.request(reqwest::Method::GET, &format!("/shipments/{number}"));
    let read = front
        .send(request.bearer_auth(operator()).header("if-none-match", "\"1\""))
        .await;
    assert_eq!(read.is(200)["tracking_number"], number);
    front.end().await;
}
