//! The trail of changes.

use model::role::Role;
use model::time::Timestamp;
use serde_json::{Value, json};
use store::accounts::AuditRecord;

use super::{PASSWORD, delete, login, path_of, put, seeded, sign_up};
use crate::harness::front::{Front, admin, operator};

const TRAIL: &str = "/api/v1/admin/audit-logs";

async fn records(front: &Front, query: &str) -> Vec<Value> {
    let page = front.get(&admin(), &format!("{TRAIL}{query}")).await.is(200);
    page["data"].as_array().unwrap().clone()
}

fn actions(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_one_record_without_secrets() {
    let front = seeded().await;
    let token = login(&front, "admin_user", PASSWORD).await;
    let body = json!({"username": "ann", "password": "correct horse", "name": "Ann"});
    let made = sign_up(&front, &body).await;
    let path = made.header("location").to_owned();
    put(
        &front,
        &token,
        &path,
        &json!({"name": "Anna", "password": "another horse"}),
    )
    .await
    .is(200);
    put(&front, &token, &path, &json!({"disabled": true}))
        .await
        .is(200);
    put(&front, &token, &path, &json!({"disabled": true}))
        .await
        .is(200);
    put(&front, &token, &path, &json!({"disabled": false}))
        .await
        .is(200);
    let key = json!({"name": "warehouse", "role": "operator"});
    let key = front.post(&token, "/api/v1/api-keys", &key).await.is(201);
    let key_path = format!("/api/v1/api-keys/{}", key["id"].as_str().unwrap());
    delete(&front, &token, &key_path).await.is(204);
    delete(&front, &token, &key_path).await.is(204);
    front.post(&token, "/auth/logout", &json!({})).await.is(204);

    let all = records(&front, "").await;
    assert_eq!(
        actions(&all)[..7],
        [
            "token.revoke",
            "api_key.revoke",
            "api_key.create",
            "user.enable",
            "user.disable",
            "user.update",
            "user.create"
        ]
    );
    assert_eq!(all.len(), 15);
    let text = Value::Array(all).to_string();
    for secret in [
        "correct horse",
        "another horse",
        "argon2",
        key["key"].as_str().unwrap(),
    ] {
        assert!(!text.contains(secret), "the trail shows {secret}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_who_did_what_to_whom_and_by_which_request() {
    let front = seeded().await;
    let token = login(&front, "admin_user", PASSWORD).await;
    let body = json!({"username": "ann", "password": "correct horse", "name": "Ann"});
    let made = sign_up(&front, &body).await;
    let path = made.header("location").to_owned();
    let id = path.rsplit('/').next().unwrap();
    let change = json!({"name": "Anna", "password": "another horse"});
    put(&front, &token, &path, &change).await.is(200);

    let all = records(&front, "").await;
    let (updated, created) = (&all[0], &all[1]);
    assert_eq!(created["actor"], "ann");
    assert_eq!(created["before"], json!(null));
    assert_eq!(created["after"]["username"], "ann");
    assert_eq!(created["request_id"], made.header("x-request-id"));
    assert_eq!(created["ip"], "127.0.0.1");
    assert_eq!(
        (&updated["actor"], &updated["role"]),
        (&json!("admin_user"), &json!("admin"))
    );
    assert_eq!(
        (&updated["entity_type"], &updated["entity_id"]),
        (&json!("user"), &json!(id))
    );
    assert_eq!(updated["before"]["name"], "Ann");
    assert_eq!(updated["after"]["name"], "Anna");
    assert_eq!(updated["after"]["password_changed"], true);
    // The seeding, by nobody over the network.
    let seeding = all.last().unwrap();
    assert_eq!(
        (&seeding["actor"], &seeding["role"]),
        (&json!("system"), &json!("system"))
    );
    assert_eq!(
        (&seeding["ip"], &seeding["request_id"]),
        (&json!(null), &json!(null))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_through_much_goes_on_where_a_page_ended() {
    let front = seeded().await;
    let many = front.engine.with_writer(|writer| {
        let mut accounts = writer.accounts()?;
        for number in 0..20_000 {
            accounts.append_audit(&AuditRecord {
                audit_id: 0,
                at: Timestamp::from_seconds(4_000_000_000).unwrap(),
                actor: "somebody".into(),
                role: Role::Admin,
                action: "user.update".into(),
                entity_type: "user".into(),
                entity_id: format!("usr_{number}").into(),
                before: None,
                after: None,
                ip: None,
                request_id: None,
            })?;
        }
        accounts.commit()
    });
    many.await.unwrap();
    let (mut pages, mut found, mut path) = (0, 0, format!("{TRAIL}?actor=system"));
    loop {
        let page = front.get(&admin(), &path).await.is(200);
        (pages, found) = (pages + 1, found + page["data"].as_array().unwrap().len());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{TRAIL}?actor=system&cursor={cursor}");
    }
    assert_eq!((pages, found), (3, 8));
    // What is far too old is not searched for.
    let page = format!("{TRAIL}?actor=system&from=2200-01-01T00:00:00Z");
    let page = front.get(&admin(), &page).await.is(200);
    assert_eq!(page["next_cursor"], json!(null));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_no_record() {
    let front = seeded().await;
    let token = login(&front, "customer_user_001", PASSWORD).await;
    let before = records(&front, "").await.len();
    put(&front, &token, "/api/v1/users/me", &json!({"role": "admin"}))
        .await
        .is(403);
    let taken = json!({"email": "customer_user_002@example.com"});
    put(&front, &token, "/api/v1/users/me", &taken).await.is(409);
    let wrong = json!({"password": "a new password", "current_password": "wrong one"});
    put(&front, &token, "/api/v1/users/me", &wrong).await.is(400);
    assert_eq!(records(&front, "").await.len(), before);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_filtered_and_paged() {
    let front = seeded().await;
    let path = path_of(&front, &admin(), "customer_user_001").await;
    let id = path.rsplit('/').next().unwrap();
    for name in ["One", "Two", "Three"] {
        put(&front, &admin(), &path, &json!({"name": name})).await.is(200);
    }
    assert_eq!(records(&front, "?entity=user").await.len(), 11);
    assert_eq!(records(&front, "?entity=api_key").await.len(), 0);
    assert_eq!(records(&front, &format!("?entity=user:{id}")).await.len(), 4);
    assert_eq!(records(&front, "?actor=an-admin").await.len(), 3);
    let newest = records(&front, "?limit=1").await;
    let at = newest[0]["at"].as_str().unwrap();
    assert_eq!(records(&front, &format!("?from={at}")).await, newest);
    assert_eq!(records(&front, &format!("?to={at}")).await.len(), 10);
    assert_eq!(records(&front, "?to=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(records(&front, "?from=2200-01-01T00:00:00Z").await.len(), 0);

    let first = front
        .get(&admin(), &format!("{TRAIL}?actor=an-admin&limit=2"))
        .await;
    let cursor = first.is(200)["next_cursor"].as_str().unwrap().to_owned();
    let next = format!("{TRAIL}?actor=an-admin&limit=2&cursor={cursor}");
    assert_eq!(first.header("link"), format!("<{next}>; rel=\"next\""));
    // Stable under what comes on top.
    put(&front, &admin(), &path, &json!({"name": "Four"}))
        .await
        .is(200);
    let second = front.get(&admin(), &next).await.is(200);
    assert_eq!(second["data"][0]["after"]["name"], "One");
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert_eq!(second["next_cursor"], json!(null));

    for bad in [
        "entity=colour",
        "entity=",
        "from=noon",
        "to=noon",
        "cursor=x",
        "limit=0",
        "colour=red",
    ] {
        let answer = front.get(&admin(), &format!("{TRAIL}?{bad}")).await;
        let is_empty = bad.ends_with('=');
        answer.is(if is_empty { 200 } else { 400 });
    }
    front.get(&operator(), TRAIL).await.is(403);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_can_be_neither_changed_nor_deleted() {
    let front = seeded().await;
    for method in [
        reqwest::Method::PUT,
        reqwest::Method::POST,
        reqwest::Method::DELETE,
    ] {
        let request = front.request(method, TRAIL).bearer_auth(admin());
        front.send(request).await.is(405);
    }
    let home = front.end().await;
    let for_all = ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"];
    let of_its_own = match home.dsn() {
        None => "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        Some(_) => "TRUNCATE audit_log",
    };
    for sql in for_all.into_iter().chain([of_its_own]) {
        assert!(home.execute(sql).is_err(), "{sql}");
    }
    let store = home.place().look_into().unwrap();
    let left = store.reading(|reader| reader.audit(None, 100)).unwrap();
    let by_system = left.iter().filter(|record| &*record.actor == "system");
    assert_eq!(by_system.count(), 8);
}
