//! Orders are made, and are then what was asked for.

use serde_json::{Value, json};

use super::{ORDERS, ann, bob, id, new_delivery, new_merchant_order, read, seeded};
use crate::harness::front::{Front, admin, client, customer, operator};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_its_customers_and_has_the_name_and_contact_of_the_profile() {
    let front = seeded().await;
    let wish = json!({
        "lifecycle": "delivery", "items": [{"name": "tea", "quantity": 2}, {"name": "cups", "quantity": 6}],
        "address": "1 First Street", "customer_reference": "for-saturday", "metadata": {"gift": true},
    });
    let made = front.post(&ann(), ORDERS, &wish).await;
    let order = made.is(201);
    let order_id = id(&order);
    assert_eq!(made.header("location"), format!("{ORDERS}/{order_id}"));
    assert_eq!(made.header("etag"), "\"1\"");
    let expected = json!({
        "order_id": order_id, "lifecycle": "delivery", "status": "created", "phase": "pending",
        "customer": {"name": "customer_user_001", "contact": "customer_user_001@example.com"},
        "customer_reference": "for-saturday", "merchant": null,
        "items": [{"name": "tea", "quantity": 2}, {"name": "cups", "quantity": 6}],
        "address": "1 First Street", "total": null, "metadata": {"gift": true},
        "created_at": order["created_at"], "updated_at": order["created_at"], "version": 1,
    });
    assert_eq!(order, expected);
    let shown = front.get(&ann(), made.header("location")).await;
    assert_eq!(shown.is(200), order);
    assert_eq!(shown.header("etag"), "\"1\"");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_ids_have_no_look_alikes_and_a_check_symbol() {
    let front = seeded().await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        let order_id = super::delivery_of(&front, &ann()).await;
        let public = model::public_id::PublicId::new(&order_id).unwrap();
        assert!(public.check_symbol_holds(), "{order_id}");
        let symbols = order_id.strip_prefix("ORD-").unwrap();
        assert!(symbols.len() == 16 && !symbols.contains(['0', 'O', '1', 'I', 'L']));
        assert!(!seen.contains(&order_id));
        seen.push(order_id);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_make_deliveries_for_a_customer_whom_they_name_by_id_or_name() {
    let front = seeded().await;
    let profile = front.get(&ann(), "/api/v1/users/me").await.is(200);
    for (token, named) in [
        (operator(), profile["user_id"].clone()),
        (admin(), json!("customer_user_001")),
    ] {
        let mut wish = new_delivery();
        wish["customer_id"] = named;
        let order = front.post(&token, ORDERS, &wish).await.is(201);
        assert_eq!(order["customer"]["contact"], "customer_user_001@example.com");
        let location = format!("{ORDERS}/{}", id(&order));
        front.get(&ann(), &location).await.is(200);
        front.get(&bob(), &location).await.is(403);
    }
    front
        .post(&operator(), ORDERS, &new_delivery())
        .await
        .blames("customer_id");
    for named in ["usr_nobody", "a\u{0}b", "driver_user_001", "client_user_001"] {
        let mut wish = new_delivery();
        wish["customer_id"] = json!(named);
        front.post(&operator(), ORDERS, &wish).await.blames("customer_id");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_orders_for_itself_only() {
    let front = seeded().await;
    let own_id = front.get(&ann(), "/api/v1/users/me").await.is(200)["user_id"].clone();
    let wish = |customer_id: &Value| {
        let mut wish = new_delivery();
        wish["customer_id"] = customer_id.clone();
        wish
    };
    for own in [own_id.clone(), json!("customer_user_001")] {
        front.post(&ann(), ORDERS, &wish(&own)).await.is(201);
    }
    for other in [own_id, json!("customer_user_001"), json!("nobody")] {
        front
            .post(&bob(), ORDERS, &wish(&other))
            .await
            .is_problem(403, "FORBIDDEN");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_token_was_issued_elsewhere_orders_under_its_name() {
    let front = Front::start().await;
    let order = front.post(&customer(), ORDERS, &new_delivery()).await.is(201);
    assert_eq!(order["customer"], json!({"name": "a-customer", "contact": null}));
    front
        .get(&customer(), &format!("{ORDERS}/{}", id(&order)))
        .await
        .is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_order_is_its_clients_whoever_makes_it() {
    let front = Front::start().await;
    let mut named = new_merchant_order();
    named["merchant"] = json!("client_001");
    for (token, wish) in [
        (client("client_001"), new_merchant_order()),
        (client("client_001"), named.clone()),
        (operator(), named.clone()),
        (admin(), named.clone()),
    ] {
        let order = front.post(&token, ORDERS, &wish).await.is(201);
        assert_eq!(order["merchant"], "client_001");
        assert_eq!(
            order["customer"],
            json!({"name": "Cy", "contact": "cy@example.com"})
        );
        assert_eq!((&order["items"], &order["address"]), (&json!([]), &Value::Null));
        let location = format!("{ORDERS}/{}", id(&order));
        front.get(&client("client_001"), &location).await.is(200);
        front.get(&client("client_002"), &location).await.is(403);
    }
    front.post(&client("client_002"), ORDERS, &named).await.is(403);
    front
        .post(&operator(), ORDERS, &new_merchant_order())
        .await
        .blames("merchant");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_are_shown_as_they_came() {
    let front = Front::start().await;
    let metadata = r#"{ "b":1.50,"a":10000000000000000000000000.1, "é":"\u00e9" }"#;
    let body = format!(
        r#"{{"lifecycle":"merchant","metadata":{metadata},"customer":{{"name":"Cy","contact":"c"}}}}"#
    );
    let made = front
        .post_text(&client("client_001"), ORDERS, "application/json", body)
        .await;
    assert!(made.text.contains(metadata), "{}", made.text);
    let order_id = id(&made.is(201));
    let shown = front.get(&operator(), &format!("{ORDERS}/{order_id}")).await;
    assert!(shown.text.contains(metadata), "{}", shown.text);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_may_have_begun_before_it_was_told_here() {
    let front = Front::start().await;
    let mut wish = new_merchant_order();
    wish["occurred_at"] = json!("2026-01-31T10:00:00.123456789+01:00");
    let order_id = id(&front.post(&client("client_001"), ORDERS, &wish).await.is(201));
    let history = super::history(&front, &order_id).await;
    assert_eq!(history[0]["occurred_at"], "2026-01-31T09:00:00.123456Z");
    assert_eq!(
        history[0]["recorded_at"],
        read(&front, &order_id).await["created_at"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_is_an_order_too() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let order = front
        .get(&client("client_001"), &format!("{ORDERS}/{number}"))
        .await
        .is(200);
    let expected = json!({
        "order_id": number, "lifecycle": "shipment", "status": "created", "phase": "pending",
        "customer": null, "customer_reference": null, "merchant": "client_001",
        "items": [{"name": "books", "quantity": 1}], "address": "2 Second Street", "total": null,
        "metadata": null, "created_at": order["created_at"], "updated_at": order["created_at"], "version": 1,
    });
    assert_eq!(order, expected);
    super::walk(&front, &number, &["picked_up", "in_warehouse"]).await;
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "in_warehouse"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_food_order_is_an_order_too() {
    let front = seeded().await;
    let wish = json!({"customer_name": "Ann", "address": "1 First Street", "item": "pizza", "size": "large"});
    let order_id = id(&front.post(&ann(), "/orders", &wish).await.is(201));
    let order = front.get(&ann(), &format!("{ORDERS}/{order_id}")).await.is(200);
    let expected = json!({
        "order_id": order_id, "lifecycle": "food", "status": "PLACED", "phase": "pending",
        "customer": {"name": "Ann", "contact": null}, "customer_reference": null, "merchant": null,
        "items": [{"name": "pizza", "quantity": 1, "size": "large"}], "address": "1 First Street",
        "total": null, "metadata": null, "created_at": order["created_at"], "updated_at": order["updated_at"],
        "version": order["version"],
    });
    assert_eq!(order, expected);
    super::walk(&front, &order_id, &["PREPARING", "COOKING"]).await;
    let cancelled = super::cancel(&front, &ann(), &order_id).await.is(200);
    assert_eq!(
        (&cancelled["status"], &cancelled["phase"]),
        (&json!("CANCELLED"), &json!("stopped"))
    );
    let listed = front
        .get(&ann(), &format!("{ORDERS}?lifecycle=food"))
        .await
        .is(200);
    assert_eq!(listed["data"], json!([cancelled]));
    front.end().await;
}

/// As other ways in may tell of an order: what is told is no reason to hide that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_told_in_another_form_is_shown_without_it() {
    let front = Front::start().await;
    let (lifecycle, _) = front.engine.lifecycle_named("food").unwrap();
    let create = model::command::Create {
        id: model::command::NewId::Random(model::public_id::PublicId::order_id(7)),
        lifecycle,
        owner: model::ids::Owner::default(),
        actor: model::command::Actor::SYSTEM,
        reference: None,
        contact: None,
        details: b"no JSON".as_slice().into(),
        occurred_at: None,
        source: "elsewhere".into(),
        received_at: model::time::Timestamp::default(),
    };
    let submission = server::engine::Submission {
        commands: vec![server::engine::Command::Create(Box::new(create))],
        ..server::engine::Submission::default()
    };
    front.engine.submit(submission).await.unwrap();
    let page = front.get(&operator(), ORDERS).await.is(200);
    assert_eq!(
        (
            &page["data"][0]["customer"],
            &page["data"][0]["items"],
            &page["data"][0]["status"]
        ),
        (&Value::Null, &json!([]), &json!("PLACED"))
    );
    let order_id = id(&page["data"][0]);
    assert_eq!(read(&front, &order_id).await, page["data"][0]);
    front.end().await;
}
