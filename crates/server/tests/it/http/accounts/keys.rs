//! API keys.

use serde_json::{Value, json};

use super::{PASSWORD, delete, login, seeded};
use crate::harness::front::{Front, admin, client, customer, driver, new_shipment, operator};

const KEYS: &str = "/api/v1/api-keys";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_role_may_until_it_is_revoked() {
    let front = Front::start().await;
    let body = json!({"name": "warehouse", "role": "client", "client_id": "client_001"});
    let made = front.post(&admin(), KEYS, &body).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.is(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("sk_live_"), "{key}");
    front
        .post(key, "/shipments", &new_shipment("client_001"))
        .await
        .is(201);
    front
        .post(key, "/shipments", &new_shipment("client_002"))
        .await
        .is(403);
    front.get(key, KEYS).await.is(403);

    let path = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    delete(&front, key, &path).await.is(403);
    delete(&front, &admin(), &path).await.is(204);
    front.get(key, "/shipments").await.is(401);
    delete(&front, &admin(), &path).await.is(204);
    delete(&front, &admin(), &format!("{KEYS}/key_unknown"))
        .await
        .is(404);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_make_keys_and_only_sound_ones() {
    let front = Front::start().await;
    let sound = json!({"name": "warehouse", "role": "operator"});
    for token in [operator(), customer(), client("client_001"), driver("client_001")] {
        front.post(&token, KEYS, &sound).await.is(403);
        front.get(&token, KEYS).await.is(403);
    }
    let with = |field: &str, value: Value| {
        let mut body = sound.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("role", json!("customer")), "role"),
        (with("role", json!("system")), "role"),
        (with("role", json!("client")), "client_id"),
        (with("client_id", json!("client_001")), "client_id"),
        (with("name", json!("")), "name"),
        (with("name", json!(null)), "name"),
        (with("expires_at", json!("2020-01-01T00:00:00Z")), "expires_at"),
        (with("expires_at", json!("tomorrow")), "expires_at"),
        (with("colour", json!("red")), "colour"),
    ] {
        let refused = front.post(&admin(), KEYS, &body).await.is(400);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let later = with("expires_at", json!("2200-01-01T00:00:00Z"));
    let made = front.post(&admin(), KEYS, &later).await.is(201);
    assert_eq!(made["expires_at"], "2200-01-01T00:00:00.000000Z");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_shown_once_and_never_again() {
    let front = seeded().await;
    let token = login(&front, "admin_user", PASSWORD).await;
    let body = json!({"name": "warehouse", "role": "operator"});
    let send = |body: Value| {
        let (front, token) = (&front, &token);
        async move {
            let header = ("Idempotency-Key", "k-1");
            front.post_with(token, KEYS, header, &body).await
        }
    };
    let made = send(body.clone()).await.is(201);
    let key = made["key"].as_str().unwrap();
    let again = send(body).await;
    again.is(409);
    assert!(!again.text.contains(key));
    send(json!({"name": "other", "role": "operator"})).await.is(422);
    for path in [KEYS, "/api/v1/admin/audit-logs"] {
        let list = front.get(&token, path).await;
        assert!(!list.is(200)["data"].as_array().unwrap().is_empty());
        assert!(!list.text.contains(key), "{path} shows the key");
        assert!(!list.text.contains("argon2"), "{path} shows a hash");
    }
    // Nor does the file keep it.
    let dir = front.end().await;
    for entry in walk(dir.path()) {
        let content = std::fs::read(&entry).unwrap();
        let found = content.windows(key.len()).any(|piece| piece == key.as_bytes());
        assert!(!found, "{} has the key", entry.display());
    }
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_page_by_page_the_newest_first() {
    let front = Front::start().await;
    let mut made = Vec::new();
    for number in 0..5 {
        let body = json!({"name": format!("key {number}"), "role": "operator"});
        let key = front.post(&admin(), KEYS, &body).await.is(201);
        made.push(key["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    delete(&front, &admin(), &format!("{KEYS}/{}", made[1]))
        .await
        .is(204);
    let (mut listed, mut path) = (Vec::new(), format!("{KEYS}?limit=2"));
    loop {
        let page = front.get(&admin(), &path).await.is(200);
        for key in page["data"].as_array().unwrap() {
            assert!(key.get("key").is_none());
            let id = key["id"].as_str().unwrap().to_owned();
            assert_eq!(key["revoked_at"].is_string(), id == made[1]);
            listed.push(id);
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{KEYS}?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made);
    front.end().await;
}
