//! Users, sessions, keys and the trail of their changes.

mod keys;
mod sessions;
mod slowdown;
mod trail;
mod users;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::front::{Front, Reply};

/// The password of the seeded users.
pub(super) const PASSWORD: &str = "password123";

/// A server with the seeded users.
async fn seeded() -> Front {
    let front = Front::start().await;
    server::accounts::seed_demo(&front.engine).await.unwrap();
    front
}

pub(super) async fn try_login(front: &Front, username: &str, password: &str) -> Reply {
    let body = json!({"username": username, "password": password});
    front
        .send(front.request(Method::POST, "/auth/login").json(&body))
        .await
}

/// A token of a user.
pub(super) async fn login(front: &Front, username: &str, password: &str) -> String {
    let answer = try_login(front, username, password).await.is(200);
    answer["token"].as_str().unwrap().to_owned()
}

pub(super) async fn sign_up(front: &Front, body: &Value) -> Reply {
    front
        .send(front.request(Method::POST, "/api/v1/users").json(body))
        .await
}

/// PUT of JSON.
pub(super) async fn put(front: &Front, token: &str, path: &str, body: &Value) -> Reply {
    front
        .send(front.request(Method::PUT, path).bearer_auth(token).json(body))
        .await
}

pub(super) async fn delete(front: &Front, token: &str, path: &str) -> Reply {
    front
        .send(front.request(Method::DELETE, path).bearer_auth(token))
        .await
}

/// Where a user is changed by an admin.
pub(super) async fn path_of(front: &Front, admin: &str, username: &str) -> String {
    let users = front.get(admin, "/auth/users?limit=500").await.is(200);
    let user = users["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["username"] == username);
    format!("/api/v1/users/{}", user.unwrap()["user_id"].as_str().unwrap())
}
