//! Signing in and out, and what ends a session.

use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, delete, login, path_of, put, seeded, try_login};
use crate::harness::front::{Front, SECRET, admin, sign, token};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_and_a_wrong_password_are_answered_alike() {
    let front = seeded().await;
    let mut bodies = Vec::new();
    for (username, password) in [("nobody_at_all", PASSWORD), ("customer_user_001", "password124")] {
        let mut body = try_login(&front, username, password).await.is(401);
        for own in ["request_id", "timestamp"] {
            body.as_object_mut().unwrap().remove(own);
        }
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_an_address_in_either_field_signs_in() {
    let front = seeded().await;
    for field in ["username", "email"] {
        for name in ["customer_user_001", "Customer_User_001@example.com"] {
            for path in ["/auth/login", "/api/v1/auth/login"] {
                let body = json!({field: name, "password": PASSWORD});
                let answer = front.send(front.request(Method::POST, path).json(&body)).await;
                assert_eq!(answer.header("cache-control"), "no-store");
                let body = answer.is(200);
                assert_eq!(body["token_type"], "Bearer");
                assert_eq!(body["expires_in"], 86_400);
            }
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_that_session_only() {
    let front = seeded().await;
    for path in ["/auth/logout", "/api/v1/auth/logout"] {
        let one = login(&front, "customer_user_001", PASSWORD).await;
        let other = login(&front, "customer_user_001", PASSWORD).await;
        front.get(&one, "/api/v1/users/me").await.is(200);
        let out = front
            .send(front.request(Method::POST, path).bearer_auth(&one))
            .await;
        out.is(204);
        front.get(&one, "/api/v1/users/me").await.is(401);
        front
            .send(front.request(Method::POST, path).bearer_auth(&one))
            .await
            .is(401);
        front.get(&other, "/api/v1/users/me").await.is(200);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_elsewhere_can_be_signed_out_too() {
    let front = seeded().await;
    let outside = token("somebody", "operator", None);
    front.get(&outside, "/shipments").await.is(200);
    front.post(&outside, "/auth/logout", &json!({})).await.is(204);
    front.get(&outside, "/shipments").await.is(401);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_refused_with_the_next_request() {
    let front = seeded().await;
    let driver = login(&front, "driver_user_001", PASSWORD).await;
    front.get(&driver, "/shipments").await.is(200);
    let path = path_of(&front, &admin(), "driver_user_001").await;
    put(&front, &admin(), &path, &json!({"disabled": true}))
        .await
        .is(200);
    front.get(&driver, "/shipments").await.is(401);
    try_login(&front, "driver_user_001", PASSWORD).await.is(401);
    // Let in again, it signs in again: the old session has ended.
    put(&front, &admin(), &path, &json!({"disabled": false}))
        .await
        .is(200);
    front.get(&driver, "/shipments").await.is(401);
    login(&front, "driver_user_001", PASSWORD).await;
    front.end().await;
}

/// Changes the own password; the new token.
async fn change_password(front: &Front, token: &str, current: &str, new: &str) -> String {
    let body = json!({"password": new, "current_password": current});
    let changed = put(front, token, "/api/v1/users/me", &body).await;
    assert_eq!(changed.header("cache-control"), "no-store");
    changed.is(200)["token"].as_str().unwrap().to_owned()
}

/// Which of some tokens count.
async fn counting<const N: usize>(front: &Front, tokens: [&str; N]) -> [bool; N] {
    let mut counting = [false; N];
    for (counts, token) in counting.iter_mut().zip(tokens) {
        let status = front.get(token, "/api/v1/users/me").await.status.as_u16();
        assert!([200, 401].contains(&status), "{status}");
        *counts = status == 200;
    }
    counting
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_ends_every_other_session() {
    let front = seeded().await;
    let mine = login(&front, "customer_user_001", PASSWORD).await;
    let others = login(&front, "customer_user_001", PASSWORD).await;
    let fresh = change_password(&front, &mine, PASSWORD, "a new password").await;
    assert_eq!(
        counting(&front, [&mine, &others, &fresh]).await,
        [true, false, true]
    );
    try_login(&front, "customer_user_001", PASSWORD).await.is(401);
    let again = login(&front, "customer_user_001", "a new password").await;
    assert_eq!(counting(&front, [&again]).await, [true]);
    // It is kept in the store, not in memory.
    let front = Front::start_in(front.end().await, &[]).await;
    assert_eq!(
        counting(&front, [&mine, &others, &fresh]).await,
        [true, false, true]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_is_kept_ends_with_the_next_change_made_in_another() {
    let front = seeded().await;
    let first = login(&front, "customer_user_001", PASSWORD).await;
    let second = change_password(&front, &first, PASSWORD, "the second password").await;
    // The one that was kept changes it again, and is kept again.
    let third = change_password(&front, &first, "the second password", "the third password").await;
    assert_eq!(
        counting(&front, [&first, &second, &third]).await,
        [true, false, true]
    );
    let fourth = change_password(&front, &third, "the third password", "the fourth password").await;
    assert_eq!(
        counting(&front, [&first, &third, &fourth]).await,
        [false, true, true]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_is_kept_can_be_signed_out() {
    let front = seeded().await;
    let mine = login(&front, "customer_user_001", PASSWORD).await;
    let fresh = change_password(&front, &mine, PASSWORD, "a new password").await;
    front.post(&mine, "/auth/logout", &json!({})).await.is(204);
    assert_eq!(counting(&front, [&mine, &fresh]).await, [false, true]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_ends_sessions_ends_the_one_that_was_kept_too() {
    let front = seeded().await;
    let path = path_of(&front, &admin(), "driver_user_001").await;
    for (round, change) in [
        json!({"client_id": "client_002"}),
        json!({"role": "operator"}),
        json!({"password": "given by an admin"}),
        json!({"disabled": true}),
    ]
    .iter()
    .enumerate()
    {
        put(&front, &admin(), &path, &json!({"password": PASSWORD}))
            .await
            .is(200);
        let mine = login(&front, "driver_user_001", PASSWORD).await;
        let new = format!("password of round {round}");
        let fresh = change_password(&front, &mine, PASSWORD, &new).await;
        // A name is no reason.
        put(&front, &admin(), &path, &json!({"name": new})).await.is(200);
        assert_eq!(counting(&front, [&mine, &fresh]).await, [true, true]);
        put(&front, &admin(), &path, change).await.is(200);
        assert_eq!(
            counting(&front, [&mine, &fresh]).await,
            [false, false],
            "{change}"
        );
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_elsewhere_is_kept_too_with_an_id_or_without() {
    let front = seeded().await;
    for (user, keeps_the_one_with_an_id) in [("customer_user_001", true), ("customer_user_002", false)] {
        let mut claims =
            json!({"sub": user, "role": "customer", "iat": 1_767_225_600, "exp": 4_102_444_800_i64});
        let without_id = sign(&json!({"alg": "HS256"}), &claims, SECRET);
        claims["jti"] = json!("one");
        let with_id = sign(&json!({"alg": "HS256"}), &claims, SECRET);
        let kept = if keeps_the_one_with_an_id {
            &with_id
        } else {
            &without_id
        };
        change_password(&front, kept, PASSWORD, "a new password").await;
        assert_eq!(
            counting(&front, [&with_id, &without_id]).await,
            [keeps_the_one_with_an_id, !keeps_the_one_with_an_id]
        );
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_changed_only_by_who_knows_it_or_an_admin() {
    let front = seeded().await;
    let customer = login(&front, "customer_user_001", PASSWORD).await;
    let me = "/api/v1/users/me";
    let wish = |current: Option<&str>, new: &str| match current {
        Some(current) => json!({"password": new, "current_password": current}),
        None => json!({"password": new}),
    };
    for (body, field) in [
        (wish(None, "a new password"), "current_password"),
        (wish(Some("password124"), "a new password"), "current_password"),
        (wish(Some(PASSWORD), "short"), "password"),
        (wish(Some(PASSWORD), "customer_user_001"), "password"),
        (json!({"current_password": PASSWORD}), "password"),
    ] {
        let refused = put(&front, &customer, me, &body).await.is(400);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    front.get(&customer, me).await.is(200);
    let path = path_of(&front, &admin(), "customer_user_001").await;
    let body = wish(None, "given by an admin");
    let changed = put(&front, &admin(), &path, &body).await.is(200);
    assert!(changed.get("token").is_none(), "{changed}");
    front.get(&customer, me).await.is(401);
    login(&front, "customer_user_001", "given by an admin").await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_role_or_client_ends_the_sessions_that_had_the_old_one() {
    let front = seeded().await;
    let path = path_of(&front, &admin(), "driver_user_001").await;
    for change in [json!({"client_id": "client_002"}), json!({"role": "operator"})] {
        let driver = login(&front, "driver_user_001", PASSWORD).await;
        front.get(&driver, "/api/v1/users/me").await.is(200);
        put(&front, &admin(), &path, &change).await.is(200);
        front.get(&driver, "/api/v1/users/me").await.is(401);
    }
    let operator = login(&front, "driver_user_001", PASSWORD).await;
    let me = front.get(&operator, "/api/v1/users/me").await.is(200);
    assert_eq!(
        (&me["role"], &me["client_id"]),
        (&json!("operator"), &json!(null))
    );
    // A name is no reason.
    put(&front, &admin(), &path, &json!({"name": "Someone"}))
        .await
        .is(200);
    front.get(&operator, "/api/v1/users/me").await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_revoked_and_not_signed_out() {
    let front = Front::start().await;
    let body = json!({"name": "tests", "role": "operator"});
    let made = front.post(&admin(), "/api/v1/api-keys", &body).await.is(201);
    let key = made["key"].as_str().unwrap();
    let refused = front.post(key, "/auth/logout", &json!({})).await.is(403);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("DELETE /api/v1/api-keys/")
    );
    front.get(key, "/shipments").await.is(200);
    let path = format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap());
    delete(&front, &admin(), &path).await.is(204);
    front.get(key, "/shipments").await.is(401);
    front.end().await;
}
