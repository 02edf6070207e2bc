//! `GET /shipments`.

use serde_json::Value;

use crate::harness::front::{Front, admin, client, customer, driver, new_event, operator};

async fn page(front: &Front, token: &str, query: &str) -> (Vec<String>, Value) {
    let body = front.get(token, &format!("/shipments{query}")).await.is(200);
    let number = |entry: &Value| entry["tracking_number"].as_str().unwrap().to_owned();
    let numbers = body["data"].as_array().unwrap().iter().map(number).collect();
    (numbers, body["pagination"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_cut_into_pages_newest_first() {
    let front = Front::start().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(front.shipment_of("client_001").await);
    }
    made.reverse();
    let (first, told) = page(&front, &operator(), "").await;
    assert_eq!(first, made[..10]);
    assert_eq!(
        told,
        serde_json::json!({"total": 12, "limit": 10, "offset": 0, "has_next": true})
    );
    let (rest, told) = page(&front, &operator(), "?limit=10&offset=10").await;
    assert_eq!(rest, made[10..]);
    assert_eq!(told["has_next"], false);
    let (all, _) = page(&front, &operator(), "?limit=100").await;
    assert_eq!(all, made);
    let (exact, told) = page(&front, &operator(), "?limit=6&offset=6").await;
    assert_eq!((exact.len(), &told["has_next"]), (6, &Value::Bool(false)));
    let (none, told) = page(&front, &operator(), "?offset=1000").await;
    assert_eq!(
        (none.len(), &told["total"], &told["has_next"]),
        (0, &12.into(), &false.into())
    );
    let (one, _) = page(&front, &operator(), "?limit=1&offset=3").await;
    assert_eq!(one, made[3..4]);
    page(&front, &operator(), "?status=&client_id=&limit=10&offset=0").await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_and_filters_that_are_not_there_are_refused_by_name() {
    let front = Front::start().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("offset=-1", "offset"),
        ("offset=x", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("status=lost", "status"),
        ("status=CREATED", "status"),
        ("page=2", "page"),
        ("limit=5&limit=6", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let message = front
            .get(&operator(), &format!("/shipments?{query}"))
            .await
            .blames(field);
        assert!(message.len() > 10, "{query}: {message}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_by_status_and_client() {
    let front = Front::start().await;
    let one = front.shipment_of("client_001").await;
    let two = front.shipment_of("client_002").await;
    let three = front.shipment_of("client_001").await;
    front
        .report(&operator(), &new_event(&one, "picked_up", "2026-01-31T10:00:00Z"))
        .await
        .is(200);
    for (token, query, expected) in [
        (operator(), "?status=picked_up", vec![&one]),
        (operator(), "?status=created", vec![&three, &two]),
        (operator(), "?status=delivered", vec![]),
        (admin(), "?client_id=client_001", vec![&three, &one]),
        (admin(), "?client_id=client_001&status=created", vec![&three]),
        (admin(), "?client_id=nobody", vec![]),
        (client("client_001"), "", vec![&three, &one]),
        (client("client_001"), "?client_id=client_001", vec![&three, &one]),
        (driver("client_002"), "", vec![&two]),
        (client("client_of_none"), "", vec![]),
        (customer(), "", vec![]),
    ] {
        let (numbers, told) = page(&front, &token, query).await;
        assert_eq!(numbers.iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(told["total"], expected.len(), "{query}");
    }
    for token in [client("client_001"), driver("client_001"), customer()] {
        front
            .get(&token, "/shipments?client_id=client_002")
            .await
            .is_problem(403, "FORBIDDEN");
    }
    let listed = front
        .get(&operator(), "/shipments?status=picked_up")
        .await
        .is(200)["data"][0]
        .clone();
    let read = front.shipment(&one).await;
    for member in [
        "tracking_number",
        "client_id",
        "current_status",
        "created_at",
        "updated_at",
    ] {
        assert_eq!(listed[member], read[member], "{member}");
    }
    assert_eq!(listed.as_object().unwrap().len(), 5);
    front.end().await;
}
