//! A stream ends when who opened it may not read on.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::messages::with_heartbeat;
use crate::harness::front::{Front, SECRET, admin, operator, sign};
use crate::harness::live::{Events, Socket, step};

/// A new user, and a token of it.
pub(super) async fn signed_up(front: &Front, name: &str) -> (String, String) {
    let wish = json!({"username": name, "email": format!("{name}@example.com"), "password": "a-long-password", "name": name});
    let request = front.request(Method::POST, "/api/v1/users").json(&wish);
    let user = front.send(request).await.is(201);
    let id = user["user_id"].as_str().unwrap().to_owned();
    (id, signed_in(front, name).await)
}

async fn signed_in(front: &Front, name: &str) -> String {
    let wish = json!({"username": name, "password": "a-long-password"});
    let request = front.request(Method::POST, "/auth/login").json(&wish);
    let token = front.send(request).await.is(200);
    token["token"].as_str().unwrap().to_owned()
}

async fn changed(front: &Front, user: &str, change: &Value) {
    let request = front.request(Method::PUT, &format!("/api/v1/users/{user}"));
    front
        .send(request.bearer_auth(admin()).json(change))
        .await
        .is(200);
}

async fn ends(mut events: Events) {
    let began = Instant::now();
    let closed = events.closed().await;
    assert_eq!(closed.data["reason"], "unauthenticated");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_a_new_role_and_a_signed_out_session_end_their_streams_alone() {
    let front = Front::start().await;
    let (disabled, its_token) = signed_up(&front, "disabled").await;
    let (promoted, old_token) = signed_up(&front, "promoted").await;
    let (_, left_token) = signed_up(&front, "left").await;
    let stays_token = signed_in(&front, "left").await;
    let mut stays = Events::open(&front, &stays_token, "").await;
    let streams = [
        Events::open(&front, &its_token, "").await,
        Events::open(&front, &old_token, "").await,
        Events::open(&front, &left_token, "").await,
    ];
    let [first, second, third] = streams;
    changed(&front, &disabled, &json!({"disabled": true})).await;
    ends(first).await;
    changed(&front, &promoted, &json!({"role": "operator"})).await;
    ends(second).await;
    let logout = front
        .request(Method::POST, "/auth/logout")
        .bearer_auth(&left_token);
    assert_eq!(front.send(logout).await.status.as_u16(), 204);
    ends(third).await;
    stays.is_silent().await;
    drop(stays);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_its_streams() {
    let front = Front::start().await;
    let wish = json!({"name": "a machine", "role": "operator"});
    let made = front.post(&admin(), "/api/v1/api-keys", &wish).await.is(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let events = Events::open(&front, key, "").await;
    let mut socket = Socket::open(&front, key, "").await;
    let revoke = front.request(Method::DELETE, &format!("/api/v1/api-keys/{id}"));
    assert!(front.send(revoke.bearer_auth(admin())).await.status.is_success());
    ends(events).await;
    assert_eq!(socket.closed().await, (1008, "unauthenticated".to_owned()));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_ends_its_streams_at_that_moment_though_they_are_busy() {
    let front = with_heartbeat(Duration::from_millis(500)).await;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"sub": "short", "role": "operator", "iat": now, "exp": now + 3});
    let token = sign(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET);
    let mut events = Events::open(&front, &token, "").await;
    let mut socket = Socket::open(&front, &token, "").await;
    let number = front.shipment_of("client_001").await;
    step(&front, &number, 0).await;
    assert_eq!(events.versions(2).await.len(), 2);
    // Read all the while: it is pinged.
    let (closed, of_socket) = tokio::join!(events.closed(), socket.closed());
    assert_eq!(closed.data["reason"], "unauthenticated");
    let late = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let expires = Duration::from_secs(now + 3);
    assert!(
        late >= expires && late < expires + Duration::from_secs(1),
        "{late:?}"
    );
    assert_eq!(of_socket.0, 1008);
    // What it was told goes on elsewhere.
    let cursor = closed.data["cursor"].as_str().unwrap();
    let mut events = Events::resume(&front, &operator(), "", cursor).await;
    step(&front, &number, 1).await;
    assert_eq!(events.versions(1).await, [(number, 3)]);
    drop(events);
    front.end().await;
}
