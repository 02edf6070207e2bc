//! Many events, many shipments, in one body.

use serde_json::{Value, json};
use server::engine::Quotas;
use server::server::Limits;

use crate::harness::front::{Front, admin, client, driver, new_event, new_shipment, operator};
use crate::harness::home::Home;

const WAY: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];

/// All steps of a shipment.
fn way_of(number: &str) -> Vec<Value> {
    let event =
        |(hour, status): (usize, &&str)| new_event(number, status, &format!("2026-01-31T1{hour}:00:00Z"));
    WAY.iter().enumerate().map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_applies_in_its_own_order() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let taken = front
        .post(
            &driver("client_001"),
            "/events/batch",
            &json!({"events": way_of(&number)}),
        )
        .await;
    let told = taken.is(202);
    let batch_id = told["batch_id"].as_str().unwrap();
    assert_eq!(
        told,
        json!({"received": 4, "queued": 4, "message": "All events accepted for processing",
            "batch_id": batch_id, "rejected": [], "rejected_total": 0})
    );
    assert_eq!(taken.header("location"), format!("/events/batches/{batch_id}"));
    assert_eq!(front.statuses(&number).await[1..], WAY);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_entry_never_loses_the_others() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let mut events = way_of(&number);
    events.insert(0, json!({"status": "picked_up"}));
    events.insert(2, json!("no event"));
    events.insert(4, new_event("99M-UNKNOWN99", "picked_up", "2026-01-31T10:00:00Z"));
    events.push(new_event(&number, "lost", "2026-01-31T10:00:00Z"));
    let told = front
        .post(&driver("client_001"), "/events/batch", &json!({"events": events}))
        .await
        .is(202);
    assert_eq!(told["message"], "5 of 8 events accepted for processing");
    let indexes: Vec<&Value> = told["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["index"])
        .collect();
    assert_eq!(indexes, [0, 2, 7]);
    for entry in told["rejected"].as_array().unwrap() {
        assert_eq!(entry["error"], "VALIDATION_FAILED");
        assert!(entry["message"].as_str().unwrap().len() > 10, "{entry}");
        assert_eq!(entry.as_object().unwrap().len(), 3);
    }
    assert_eq!(front.statuses(&number).await[1..], WAY);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_batch_is_told_what_its_receipt_says_later() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let own = driver("client_001");
    let mut events = way_of(&number);
    events.insert(1, events[0].clone());
    events.push(new_event(&number, "picked_up", "2026-01-31T20:00:00Z"));
    events.push(json!({}));
    let answer = front
        .post_with(
            &own,
            "/events/batch",
            ("prefer", "wait=10"),
            &json!({"events": events}),
        )
        .await
        .is(200);
    let path = format!("/events/batches/{}", answer["batch_id"].as_str().unwrap());
    assert_eq!(answer["received"], 7);
    assert_eq!(
        (&answer["applied"], &answer["duplicates"]),
        (&json!(4), &json!(1))
    );
    let rejected: Vec<(&Value, &Value)> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["index"], &entry["error"]))
        .collect();
    assert_eq!(
        rejected,
        [
            (&json!(5), &json!("INVALID_TRANSITION")),
            (&json!(6), &json!("VALIDATION_FAILED"))
        ]
    );
    for token in [&own, &operator()] {
        assert_eq!(front.get(token, &path).await.is(200), answer);
    }
    for token in [driver("client_002"), client("client_001")] {
        front.get(&token, &path).await.is_problem(403, "FORBIDDEN");
    }
    front
        .get(&own, "/events/batches/bat_none")
        .await
        .is_problem(404, "NOT_FOUND");
    let dir = front.end().await;
    let front = Front::start_in(dir, &[]).await;
    assert_eq!(front.get(&own, &path).await.is(200), answer);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_nothing_good_is_taken_and_one_of_nothing_is_not() {
    let front = Front::start().await;
    let own = driver("client_001");
    let all_bad = front
        .post(&own, "/events/batch", &json!({"events": [{}, 1, null]}))
        .await
        .is(202);
    assert_eq!((&all_bad["received"], &all_bad["queued"]), (&json!(3), &json!(0)));
    assert_eq!(all_bad["message"], "0 of 3 events accepted for processing");
    let path = format!("/events/batches/{}", all_bad["batch_id"].as_str().unwrap());
    let receipt = front.get(&own, &path).await.is(200);
    assert_eq!(
        (&receipt["applied"], &receipt["rejected_total"]),
        (&json!(0), &json!(3))
    );
    front
        .post(&own, "/events/batch", &json!({"events": []}))
        .await
        .blames("events");
    front
        .post(&own, "/events/batch", &json!({"events": {}}))
        .await
        .blames("events");
    front
        .post(&own, "/events/batch", &json!({"events": [], "more": 1}))
        .await
        .is(400);
    front
        .post(&operator(), "/shipments/batch", &json!({"shipments": []}))
        .await
        .blames("shipments");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_ten_thousand_entries_and_not_one_more() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    let mut events = vec![event; 10_000];
    let told = front
        .post_with(
            &operator(),
            "/events/batch",
            ("prefer", "wait"),
            &json!({"events": events}),
        )
        .await
        .is(200);
    assert_eq!(
        (&told["applied"], &told["duplicates"]),
        (&json!(1), &json!(9_999))
    );
    events.push(events[0].clone());
    front
        .post(&operator(), "/events/batch", &json!({"events": events}))
        .await
        .is_problem(413, "PAYLOAD_TOO_LARGE");
    let mut shipments = vec![new_shipment("client_001"); 10_000];
    let told = front
        .post(&operator(), "/shipments/batch", &json!({"shipments": shipments}))
        .await
        .is(200);
    assert_eq!(
        (&told["received"], &told["created"]),
        (&json!(10_000), &json!(10_000))
    );
    shipments.push(shipments[0].clone());
    front
        .post(&operator(), "/shipments/batch", &json!({"shipments": shipments}))
        .await
        .is_problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(
        front.get(&operator(), "/shipments").await.is(200)["pagination"]["total"],
        10_001
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_thousand_rejected_are_listed_and_all_are_counted() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let refused = new_event(&number, "delivered", "2026-01-31T10:00:00Z");
    let mut events = vec![refused; 5];
    events.resize(2_005, json!({}));
    let told = front
        .post_with(
            &operator(),
            "/events/batch",
            ("prefer", "wait"),
            &json!({"events": events}),
        )
        .await
        .is(200);
    assert_eq!(told["rejected_total"], 2_005);
    let listed: Vec<u64> = told["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["index"].as_u64().unwrap())
        .collect();
    assert_eq!(listed, (0..1_000).collect::<Vec<u64>>());
    assert_eq!(told["rejected"][4]["error"], "INVALID_TRANSITION");
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let request = front
        .request(reqwest::Method::POST, "/events/batch")
        .bearer_auth(operator());
    let request = request
        .header("content-type", "application/x-ndjson")
        .header("prefer", "wait")
        .body(lines);
    let told = front.send(request).await.is(200);
    assert_eq!(told["rejected_total"], 2_005);
    assert_eq!(
        (&told["rejected"][0]["index"], &told["rejected"][999]["index"]),
        (&json!(0), &json!(999))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipments_come_in_one_body_or_line_by_line() {
    let front = Front::start().await;
    let mut bad = new_shipment("client_001");
    bad["weight_kg"] = json!(0);
    let batch = json!({"shipments": [new_shipment("client_001"), bad, new_shipment("client_002"), 7]});
    let told = front.post(&operator(), "/shipments/batch", &batch).await.is(200);
    assert_eq!((&told["received"], &told["created"]), (&json!(4), &json!(2)));
    let results = told["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
        assert_eq!(result["tracking_number"].is_string(), index % 2 == 0, "{result}");
        assert_eq!(
            result["error"].is_string() && result["message"].is_string(),
            index % 2 == 1,
            "{result}"
        );
    }
    assert_eq!(results[1]["errors"][0]["field"], "weight_kg");
    let lines = format!(
        "{}\r\n\n{}",
        new_shipment("client_001"),
        new_shipment("client_001")
    );
    let told = front
        .post_text(&operator(), "/shipments/batch", "application/x-ndjson", lines)
        .await
        .is(200);
    assert_eq!((&told["received"], &told["created"]), (&json!(2), &json!(2)));
    assert_eq!(
        front.get(&operator(), "/shipments").await.is(200)["pagination"]["total"],
        4
    );
    front.end().await;
}

/// A server that keeps so many receipts of a principal.
async fn with_receipts_per_principal(batch_receipts: u64) -> Front {
    let limits = Limits {
        quotas: Quotas {
            batch_receipts,
            ..Quotas::default()
        },
        ..Limits::default()
    };
    Front::start_within(limits, Home::new(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_the_quota_of_receipts_is_refused_whole_and_others_are_not() {
    let front = with_receipts_per_principal(2).await;
    let number = front.shipment_of("client_001").await;
    let own = driver("client_001");
    let way = way_of(&number);
    let first = json!({"events": way[..1]});
    let keyed = ("idempotency-key", "first");
    front
        .post_with(&own, "/events/batch", keyed, &first)
        .await
        .is(202);
    front
        .post(&own, "/events/batch", &json!({"events": way[1..2]}))
        .await
        .is(202);
    // Neither decided nor kept as refused, whoever waits or not.
    let over = json!({"events": [way[2], new_event(&number, "created", "2026-01-31T10:00:00Z")]});
    for header in [("prefer", "wait"), ("x-other", "1"), ("idempotency-key", "over")] {
        let refused = front.post_with(&own, "/events/batch", header, &over).await;
        let problem = refused.is_problem(429, "RATE_LIMITED");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("nothing of this one was taken in")
        );
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert_eq!(front.statuses(&number).await[1..], WAY[..2]);
    let letters = front.get(&admin(), "/api/v1/admin/dead-letters").await.is(200);
    assert_eq!(letters["data"], json!([]));
    // What was answered before is answered again, single events are taken, and so are the batches of others.
    let again = front.post_with(&own, "/events/batch", keyed, &first).await;
    again.is(202);
    assert_eq!(again.header("idempotent-replayed"), "true");
    front.report(&own, &way[2]).await.is(200);
    let others = front
        .post(&operator(), "/events/batch", &json!({"events": way[3..]}))
        .await;
    others.is(202);
    assert_eq!(front.statuses(&number).await[1..], WAY);
    // The key of what was refused is not used up.
    let front = Front::start_in(front.end().await, &[]).await;
    let taken = front
        .post_with(&own, "/events/batch", ("idempotency-key", "over"), &over)
        .await;
    assert_eq!(
        (
            taken.is(202)["queued"].clone(),
            taken.header("idempotent-replayed")
        ),
        (json!(2), "")
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_receipt_counts_for_as_many_as_it_is_long() {
    let front = with_receipts_per_principal(20).await;
    let bad = json!({"events": vec![json!({}); 1_000]});
    front.post(&operator(), "/events/batch", &bad).await.is(202);
    front
        .post(&operator(), "/events/batch", &json!({"events": [{}]}))
        .await
        .is_problem(429, "RATE_LIMITED");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_come_together_get_no_more_receipts_than_there_may_be() {
    let front = with_receipts_per_principal(3).await;
    let number = front.shipment_of("client_001").await;
    let body = json!({"events": way_of(&number)});
    let own = operator();
    let together = (0..12).map(|_| front.post(&own, "/events/batch", &body));
    let replies = futures_util::future::join_all(together).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![202; 3], vec![429; 9]].concat());
    front.post(&own, "/events/batch", &body).await.is(429);
    front.end().await;
}
