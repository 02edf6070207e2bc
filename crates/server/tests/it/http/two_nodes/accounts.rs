//! Users, sessions and keys of both nodes.

use futures_util::future::join;
use serde_json::{Value, json};

use super::super::accounts::{PASSWORD, delete, login, path_of, put, sign_up, try_login};
use crate::harness::front::{Front, admin};
use crate::harness::two::{Two, must_be_refused_soon};

const ME: &str = "/api/v1/users/me";

async fn seeded() -> Option<Two> {
    let two = Two::start().await?;
    server::accounts::seed_demo(&two.one.engine).await.unwrap();
    Some(two)
}

/// The token works on both nodes, which remember it then.
async fn must_work(two: &Two, token: &str, path: &str) {
    for node in [&two.one, &two.other] {
        node.get(token, path).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_signed_out_on_one_node_has_ended_on_the_other() {
    let Some(two) = seeded().await else { return };
    let token = login(&two.one, "customer_user_001", PASSWORD).await;
    let another = login(&two.other, "customer_user_001", PASSWORD).await;
    must_work(&two, &token, ME).await;
    must_work(&two, &another, ME).await;
    two.one.post(&token, "/auth/logout", &json!({})).await.is(204);
    two.one.get(&token, ME).await.is(401);
    must_be_refused_soon(&two.other, &token, ME).await;
    must_work(&two, &another, ME).await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_deleted_on_one_node_is_refused_on_the_other() {
    let Some(two) = seeded().await else { return };
    let wish = json!({"name": "a key", "role": "operator"});
    let made = two.one.post(&admin(), "/api/v1/api-keys", &wish).await.is(201);
    let key = made["key"].as_str().unwrap();
    must_work(&two, key, "/shipments").await;
    let path = format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap());
    delete(&two.one, &admin(), &path).await.is(204);
    two.one.get(key, "/shipments").await.is(401);
    must_be_refused_soon(&two.other, key, "/shipments").await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_disabled_on_one_node_is_shut_out_of_the_other() {
    let Some(two) = seeded().await else { return };
    let token = login(&two.other, "driver_user_001", PASSWORD).await;
    must_work(&two, &token, "/shipments").await;
    let path = path_of(&two.other, &admin(), "driver_user_001").await;
    put(&two.one, &admin(), &path, &json!({"disabled": true}))
        .await
        .is(200);
    try_login(&two.other, "driver_user_001", PASSWORD).await.is(401);
    must_be_refused_soon(&two.other, &token, "/shipments").await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_on_one_node_is_the_password_on_the_other() {
    let Some(two) = seeded().await else { return };
    let asking = login(&two.one, "customer_user_001", PASSWORD).await;
    let ended = login(&two.other, "customer_user_001", PASSWORD).await;
    must_work(&two, &asking, ME).await;
    must_work(&two, &ended, ME).await;
    let change = json!({"password": "another-password", "current_password": PASSWORD});
    let changed = put(&two.one, &asking, ME, &change).await.is(200);
    let fresh = login(&two.other, "customer_user_001", "another-password").await;
    try_login(&two.other, "customer_user_001", PASSWORD).await.is(401);
    must_be_refused_soon(&two.other, &ended, ME).await;
    for token in [&asking, &fresh, changed["token"].as_str().unwrap()] {
        must_work(&two, token, ME).await;
    }
    two.end().await;
}

async fn tried(front: &Front, wish: &Value) -> u16 {
    sign_up(front, wish).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_asked_for_on_both_nodes_at_once_goes_to_one() {
    let Some(two) = seeded().await else { return };
    for number in 0..5 {
        let wish = json!({"username": format!("ann-{number}"), "password": PASSWORD, "name": "Ann"});
        let (one, other) = join(tried(&two.one, &wish), tried(&two.other, &wish)).await;
        let mut both = [one, other];
        both.sort_unstable();
        assert_eq!(both, [201, 409]);
        login(&two.other, &format!("ann-{number}"), PASSWORD).await;
    }
    two.end().await;
}
