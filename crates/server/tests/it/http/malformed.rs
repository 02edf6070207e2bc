//! Bodies that are no JSON, or JSON of another form than it should have.

use serde_json::{Value, json};

use crate::harness::front::{Front, new_event, new_shipment, operator};

const NOON: &str = "2026-01-31T12:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_refused_as_such() {
    let front = Front::start().await;
    for path in ["/shipments", "/shipments/batch", "/events", "/events/batch"] {
        let token = operator();
        let post = |body: Vec<u8>| front.post_text(&token, path, "application/json", body);
        let array = |name: &str| format!("{{\"{name}s\":[").into_bytes();
        for body in [
            b"".to_vec(),
            b"{".to_vec(),
            b"{\"a\":1}}".to_vec(),
            b"{'a':1}".to_vec(),
            b"{\"a\":NaN}".to_vec(),
            b"{\"a\":1e999}".to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            b"{\"source\":\"\xff\"}".to_vec(),
            b"{\"source\":\"\xed\xa0\x80\"}".to_vec(),
            b"{\"source\":\"\\ud800\"}".to_vec(),
            b"{\"source\":\"\x00\"}".to_vec(),
            array("event"),
            array("shipment"),
        ] {
            let reply = post(body.clone()).await;
            let shown = String::from_utf8_lossy(&body);
            assert_eq!(reply.status, 400, "{path} {shown:?}: {}", reply.text);
            let problem = reply.is(400);
            let single = !path.ends_with("batch");
            let code = problem["error"].as_str().unwrap();
            assert!(
                code == "MALFORMED_JSON" || !single && code == "VALIDATION_FAILED",
                "{path} {shown:?}: {problem}"
            );
        }
        for body in ["[]", "null", "true", "7", "\"text\"", "[[]]", "[{}]", "{}"] {
            post(body.into()).await.is_problem(400, "VALIDATION_FAILED");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_no_object_though_its_entries_would_fit() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let array = json!([number, "picked_up", NOON, "source", null, null, null, null]);
    front.post(&operator(), "/events", &array).await.blames("");
    let batch = front
        .post(&operator(), "/events/batch", &json!({"events": [array]}))
        .await
        .is(202);
    assert_eq!(
        (&batch["queued"], &batch["rejected"][0]["error"]),
        (&json!(0), &json!("VALIDATION_FAILED"))
    );
    let nested = json!([[new_event(&number, "picked_up", NOON)]]);
    front
        .post(&operator(), "/events/batch", &nested)
        .await
        .blames("events");
    front
        .post(&operator(), "/shipments/batch", &json!([[new_shipment("c")]]))
        .await
        .blames("shipments");
    assert_eq!(front.statuses(&number).await, ["created"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stands_there_twice_is_refused() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let twice = |body: &Value, more: &str| body.to_string().replacen('{', &format!("{{{more},"), 1);
    let shipment = new_shipment("client_001");
    for more in [
        "\"weight_kg\":1",
        "\"client_id\":\"client_002\"",
        "\"origin_address\":\"elsewhere\"",
    ] {
        let body = twice(&shipment, more);
        front
            .post_text(&operator(), "/shipments", "application/json", body.clone())
            .await
            .is_problem(400, "VALIDATION_FAILED");
        let batch = format!("{{\"shipments\":[{body}]}}");
        let told = front
            .post_text(&operator(), "/shipments/batch", "application/json", batch)
            .await
            .is(200);
        assert_eq!(told["created"], 0, "{told}");
    }
    let body = twice(&new_event(&number, "picked_up", NOON), "\"status\":\"delivered\"");
    let reply = front
        .post_text(&operator(), "/events", "application/json", body)
        .await;
    reply.is_problem(400, "VALIDATION_FAILED");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_too_deep_is_refused_wherever_it_stands() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let event = |metadata: &str| {
        let event = new_event(&number, "picked_up", NOON).to_string();
        format!(
            "{},\"metadata\":{{\"a\":{metadata}}}}}",
            event.strip_suffix('}').unwrap()
        )
    };
    let post = |path: &'static str, kind: &'static str, body: String| {
        let front = &front;
        async move { front.post_text(&operator(), path, kind, body).await }
    };
    let json = "application/json";
    for path in ["/events", "/shipments", "/auth/login"] {
        post(path, json, deep(10_000))
            .await
            .is_problem(400, "VALIDATION_FAILED");
    }
    for path in ["/events/batch", "/shipments/batch"] {
        post(path, json, deep(10_000)).await.is(400);
    }
    post("/events", json, event(&deep(10_000)))
        .await
        .is_problem(400, "VALIDATION_FAILED");
    post("/events", json, event(&deep(70))).await.blames("metadata");
    post("/events", json, event(&deep(60))).await.is(202);
    let mut later = new_event(&number, "in_warehouse", "2026-01-31T13:00:00Z");
    later["source"] = json!("second");
    for bad in [event(&deep(70)), event(&deep(5_000)), deep(10_000)] {
        let body = format!("{{\"events\":[{bad},{later}]}}");
        let told = post("/events/batch", json, body).await.is(202);
        assert_eq!(
            (&told["received"], &told["queued"]),
            (&json!(2), &json!(1)),
            "{told}"
        );
        let body = format!("{bad}\n{later}\n");
        let told = post("/events/batch", "application/x-ndjson", body).await.is(202);
        assert_eq!(
            (&told["received"], &told["queued"]),
            (&json!(2), &json!(1)),
            "{told}"
        );
        let body = format!("{{\"shipments\":[{bad},{}]}}", new_shipment("client_001"));
        let told = post("/shipments/batch", json, body).await.is(200);
        assert_eq!(
            (&told["received"], &told["created"]),
            (&json!(2), &json!(1)),
            "{told}"
        );
    }
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "in_warehouse"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_of_a_body_full_of_spaces_can_be_read() {
    let front = Front::start().await;
    let mut body = vec![b' '; 500_000];
    body.extend(new_shipment("client_001").to_string().bytes());
    body.resize(1024 * 1024, b'\n');
    let made = front
        .post_text(&operator(), "/shipments", "application/json", body)
        .await
        .is(201);
    let read = front.shipment(made["tracking_number"].as_str().unwrap()).await;
    assert_eq!(read["origin"]["address"], "1 First Street");
    front.end().await;
}
