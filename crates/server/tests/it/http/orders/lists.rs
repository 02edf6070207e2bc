//! Lists of orders.

use serde_json::{Value, json};

use super::{
    ORDERS, ann, bob, cancel, delivery_of, new_delivery, new_merchant_order, order_of, read, seeded, walk,
};
use crate::harness::front::{Front, admin, client, driver, operator};

const ALL: &str = "/api/v1/admin/orders";

fn ids(page: &Value) -> Vec<String> {
    let orders = page["data"].as_array().unwrap();
    orders.iter().map(super::id).collect()
}

/// The orders on all pages, each of so many.
async fn pages(front: &Front, token: &str, path: &str, query: &str, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = format!("{path}?limit={limit}{query}");
    loop {
        let page = front.get(token, &next).await;
        let body = page.is(200);
        assert!(body["data"].as_array().unwrap().len() <= limit);
        found.extend(ids(&body));
        if body["next_cursor"].is_null() {
            assert_eq!(page.header("link"), "");
            return found;
        }
        let link = page.header("link");
        assert!(link.ends_with(">; rel=\"next\""), "{link}");
        next = link.split(['<', '>']).nth(1).unwrap().to_owned();
        assert!(next.contains(body["next_cursor"].as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_sees_the_own_orders_newest_first() {
    let front = seeded().await;
    let anns = delivery_of(&front, &ann()).await;
    let first = order_of(&front, "client_001").await;
    let other = order_of(&front, "client_002").await;
    let parcel = front.shipment_of("client_001").await;
    let bobs = delivery_of(&front, &bob()).await;
    let all = vec![&bobs, &parcel, &other, &first, &anns];
    for (token, expected) in [
        (ann(), vec![&anns]),
        (bob(), vec![&bobs]),
        (client("client_001"), vec![&parcel, &first]),
        (driver("client_001"), vec![&parcel, &first]),
        (driver("client_002"), vec![&other]),
        (operator(), all.clone()),
        (admin(), all.clone()),
    ] {
        for limit in [1, 2, 50] {
            let found = pages(&front, &token, ORDERS, "", limit).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }
    assert_eq!(
        pages(&front, &operator(), ALL, "", 2)
            .await
            .iter()
            .collect::<Vec<_>>(),
        all
    );
    // In a list an order is what it is by itself.
    let page = front.get(&operator(), ORDERS).await.is(200);
    for order in page["data"].as_array().unwrap() {
        assert_eq!(read(&front, &super::id(order)).await, *order);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_narrows_and_all_of_them_together() {
    let front = seeded().await;
    let new = order_of(&front, "client_001").await;
    let moving = order_of(&front, "client_001").await;
    walk(&front, &moving, &["picked_up"]).await;
    let done = order_of(&front, "client_002").await;
    walk(&front, &done, &["picked_up", "in_transit", "delivered"]).await;
    let stopped = order_of(&front, "client_001").await;
    cancel(&front, &operator(), &stopped).await.is(200);
    let parcel = front.shipment_of("client_001").await;
    let delivery = delivery_of(&front, &ann()).await;
    for (query, expected) in [
        ("lifecycle=merchant", vec![&stopped, &done, &moving, &new]),
        ("lifecycle=delivery", vec![&delivery]),
        ("lifecycle=food", vec![]),
        ("status=created", vec![&delivery, &parcel, &new]),
        ("status=picked_up", vec![&moving]),
        ("status=DELIVERED", vec![]),
        ("lifecycle=merchant&status=created", vec![&new]),
        ("phase=pending", vec![&delivery, &parcel, &new]),
        ("phase=moving", vec![&moving]),
        ("phase=stopped", vec![&stopped]),
        ("active=true", vec![&delivery, &parcel, &moving, &new]),
        ("active=false", vec![&stopped, &done]),
        ("active=true&phase=done", vec![]),
        ("merchant=client_001", vec![&parcel, &stopped, &moving, &new]),
        ("merchant=client_002", vec![&done]),
        ("merchant=nobody", vec![]),
        (
            "merchant=client_001&active=true&lifecycle=merchant",
            vec![&moving, &new],
        ),
        ("merchant=client_001&phase=moving&status=picked_up", vec![&moving]),
        (
            "lifecycle=&status=&phase=&active=&merchant=&customer_reference=&from=&to=&cursor=",
            vec![&delivery, &parcel, &stopped, &done, &moving, &new],
        ),
    ] {
        for limit in [1, 50] {
            let found = pages(&front, &operator(), ORDERS, &format!("&{query}"), limit).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
            let found = pages(&front, &admin(), ALL, &format!("&{query}"), limit).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
    }
    let own = pages(
        &front,
        &client("client_001"),
        ORDERS,
        "&merchant=client_001&active=false",
        50,
    )
    .await;
    assert_eq!(own, [stopped]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_reference_and_by_contact() {
    let front = seeded().await;
    let mut wish = new_delivery();
    wish["customer_reference"] = json!("REF 1+1");
    let anns = super::id(&front.post(&ann(), ORDERS, &wish).await.is(201));
    let mut wish = new_merchant_order();
    wish["customer_reference"] = json!("REF 1+1");
    let first = super::id(&front.post(&client("client_001"), ORDERS, &wish).await.is(201));
    wish["customer"]["contact"] = json!("REF 1+1");
    wish["customer_reference"] = json!("another");
    let by_contact = super::id(&front.post(&client("client_002"), ORDERS, &wish).await.is(201));
    let query = "&customer_reference=REF%201%2B1";
    for (token, expected) in [
        (operator(), vec![&by_contact, &first, &anns]),
        (ann(), vec![&anns]),
        (bob(), vec![]),
        (client("client_001"), vec![&first]),
        (driver("client_002"), vec![&by_contact]),
    ] {
        for limit in [1, 50] {
            let found = pages(&front, &token, ORDERS, query, limit).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }
    let mail = "&customer_reference=customer_user_001@example.com";
    assert_eq!(pages(&front, &operator(), ORDERS, mail, 50).await, [anns]);
    let mail = "&customer_reference=cy@example.com&status=created";
    assert_eq!(pages(&front, &operator(), ORDERS, mail, 50).await, [first]);
    assert!(
        pages(&front, &operator(), ORDERS, "&customer_reference=REF", 50)
            .await
            .is_empty()
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stretch_of_time_has_its_beginning_and_not_its_end() {
    let front = Front::start().await;
    let mut orders = Vec::new();
    for _ in 0..4 {
        let id = order_of(&front, "client_001").await;
        let at = read(&front, &id).await["created_at"].as_str().unwrap().to_owned();
        orders.push((id, at));
    }
    let id = |place: usize| &orders[place].0;
    let at = |place: usize| &orders[place].1;
    for (query, expected) in [
        (format!("from={}&to={}", at(1), at(3)), vec![id(2), id(1)]),
        (format!("from={}", at(2)), vec![id(3), id(2)]),
        (format!("to={}", at(1)), vec![id(0)]),
        (format!("from={}&to={}", at(3), at(1)), vec![]),
        ("from=2100-01-01T00:00:00Z".to_owned(), vec![]),
        ("to=2026-01-01T00:00:00Z".to_owned(), vec![]),
        (
            format!("from={}&to={}&status=created&merchant=client_001", at(0), at(2)),
            vec![id(1), id(0)],
        ),
    ] {
        for token in [operator(), client("client_001")] {
            let found = pages(&front, &token, ORDERS, &format!("&{query}"), 1).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_in_step_while_orders_are_made_and_moved() {
    let front = Front::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(order_of(&front, "client_001").await);
    }
    made.reverse();
    let mut found = Vec::new();
    let mut next = format!("{ORDERS}?limit=2");
    loop {
        let page = front.get(&client("client_001"), &next).await.is(200);
        found.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        next = format!("{ORDERS}?limit=2&cursor={cursor}");
        // What is new comes before what was passed; what moves stays where it is.
        order_of(&front, "client_001").await;
        walk(
            &front,
            &made[4],
            if found.len() == 2 {
                &["picked_up"]
            } else {
                &["in_transit"]
            },
        )
        .await;
    }
    assert_eq!(found, made);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_orders_make_short_pages_that_still_join() {
    let front = Front::start().await;
    let token = client("client_001");
    let mut wish = new_merchant_order();
    wish["items"] = json!(vec![json!({"name": "x".repeat(200), "quantity": 1}); 1_000]);
    wish["metadata"] = json!({"long": "x".repeat(16_000)});
    let mut made = Vec::new();
    for _ in 0..60 {
        made.push(super::id(&front.post(&token, ORDERS, &wish).await.is(201)));
    }
    made.reverse();
    let first = front.get(&token, &format!("{ORDERS}?limit=500")).await.is(200);
    assert!(ids(&first).len() < made.len());
    assert!(first["next_cursor"].is_string());
    assert_eq!(pages(&front, &token, ORDERS, "", 500).await, made);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_bounds_that_are_none_are_refused_by_name() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let event_id = super::history(&front, &id).await[0]["event_id"].clone();
    let foreign = format!("cursor={}", event_id.as_str().unwrap());
    for (query, field) in [
        ("lifecycle=parcel", "lifecycle"),
        ("status=lost", "status"),
        ("status=Created", "status"),
        ("lifecycle=merchant&status=PLACED", "status"),
        ("phase=open", "phase"),
        ("active=yes", "active"),
        ("from=yesterday", "from"),
        ("to=2026-01-31", "to"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=MQ", "cursor"),
        (&foreign, "cursor"),
        ("offset=1", "offset"),
        ("client_id=client_001", "client_id"),
        ("status=created&status=picked_up", "status"),
    ] {
        for path in [ORDERS, ALL] {
            let message = front
                .get(&operator(), &format!("{path}?{query}"))
                .await
                .blames(field);
            assert!(message.len() > 10, "{query}: {message}");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_merchant_is_named_by_staff_only() {
    let front = seeded().await;
    order_of(&front, "client_001").await;
    for token in [client("client_002"), driver("client_002"), ann()] {
        front
            .get(&token, &format!("{ORDERS}?merchant=client_001"))
            .await
            .is_problem(403, "FORBIDDEN");
    }
    front.end().await;
}
