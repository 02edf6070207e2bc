//! What orders may do, told by the server.

use serde_json::{Value, json};

use crate::harness::front::{Front, client, customer};

#[tokio::test(flavor = "multi_thread")]
async fn all_lifecycles_are_listed_by_name() {
    let front = Front::start().await;
    let page = front.get(&customer(), "/api/v1/lifecycles").await.is(200);
    let lifecycles = page["data"].as_array().unwrap();
    let names: Vec<&Value> = lifecycles.iter().map(|lifecycle| &lifecycle["name"]).collect();
    assert_eq!(names, ["delivery", "food", "merchant", "shipment", "shop"]);
    for lifecycle in lifecycles {
        let path = format!("/api/v1/lifecycles/{}", lifecycle["name"].as_str().unwrap());
        assert_eq!(front.get(&customer(), &path).await.is(200), *lifecycle);
    }
    let first = front.get(&customer(), "/api/v1/lifecycles?limit=3").await;
    let next = first.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let rest = front.get(&customer(), &next).await.is(200);
    assert_eq!(
        (
            rest["data"][0]["name"].clone(),
            rest["data"].as_array().unwrap().len(),
            &rest["next_cursor"]
        ),
        (json!("shipment"), 2, &Value::Null)
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_says_its_states_its_arrows_and_who_may_follow_them() {
    let front = Front::start().await;
    let delivery = front
        .get(&client("client_001"), "/api/v1/lifecycles/delivery?version=1")
        .await
        .is(200);
    let expected = json!({
        "name": "delivery", "version": 1, "description": "A delivery to a customer that advances by itself.",
        "initial": "created", "cancelled": "cancelled", "created_by": ["customer", "operator", "admin"],
        "reports": {"late": "reject", "early": "reject", "park_for": "1d"}, "jitter_percent": 20,
        "states": [
            {"name": "created", "phase": "pending", "final": false},
            {"name": "dispatched", "phase": "active", "final": false},
            {"name": "in_transit", "phase": "moving", "final": false},
            {"name": "delivered", "phase": "done", "final": true},
            {"name": "cancelled", "phase": "stopped", "final": true},
        ],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(delivery[member], *value, "{member}");
    }
    let arrows = delivery["arrows"].as_array().unwrap();
    assert_eq!(arrows.len(), 6);
    assert_eq!(
        arrows[0],
        json!({"from": "created", "to": "dispatched", "by": ["operator", "admin", "system"], "after": "20s",
            "effects": [], "compensation": null})
    );
    let shop = front.get(&customer(), "/api/v1/lifecycles/shop").await.is(200);
    assert_eq!(shop["arrows"][0]["effects"], json!(["reserve_stock"]));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_that_there_is_not_is_not_found() {
    let front = Front::start().await;
    for path in ["nothing", "delivery?version=2", "Delivery"] {
        front
            .get(&customer(), &format!("/api/v1/lifecycles/{path}"))
            .await
            .is_problem(404, "NOT_FOUND");
    }
    for query in ["version=0", "version=x", "colour=red"] {
        let field = query.split('=').next().unwrap();
        let path = format!("/api/v1/lifecycles/delivery?{query}");
        front.get(&customer(), &path).await.blames(field);
    }
    front.end().await;
}
