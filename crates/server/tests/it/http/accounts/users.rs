//! Signing up, looking at users and changing them.

use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, login, path_of, put, seeded, sign_up};
use crate::harness::front::{Front, admin, customer, operator};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_up_is_a_customer_and_never_chooses_a_role() {
    let front = Front::start().await;
    let body =
        json!({"username": "ann", "email": "Ann@Example.com", "password": "correct horse", "name": "Ann"});
    let made = sign_up(&front, &body).await;
    let user = made.is(201);
    assert_eq!(made.header("etag"), "\"1\"");
    let id = user["user_id"].as_str().unwrap();
    assert!(id.starts_with("usr_"), "{id}");
    assert_eq!(made.header("location"), format!("/api/v1/users/{id}"));
    assert_eq!(
        (&user["role"], &user["email"]),
        (&json!("customer"), &json!("ann@example.com"))
    );
    let mut members: Vec<&String> = user.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["created_at", "email", "name", "role", "user_id", "username"]
    );

    for (field, value) in [
        ("role", json!("customer")),
        ("client_id", json!("c")),
        ("disabled", json!(false)),
    ] {
        let mut more = json!({"username": "bob", "password": "correct horse", "name": "Bob"});
        more[field] = value;
        let refused = sign_up(&front, &more).await.is(400);
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let ann = login(&front, "ann", "correct horse").await;
    for change in [
        json!({"role": "admin"}),
        json!({"client_id": "client_001"}),
        json!({"disabled": false}),
    ] {
        put(&front, &ann, "/api/v1/users/me", &change).await.is(403);
    }
    assert_eq!(
        front.get(&ann, "/api/v1/users/me").await.is(200)["role"],
        "customer"
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_an_address_that_anybody_signs_in_with_is_taken() {
    let front = seeded().await;
    let wish = |username: Option<&str>, email: Option<&str>| {
        let mut body = json!({"password": "correct horse", "name": "Ann"});
        if let Some(username) = username {
            body["username"] = json!(username);
        }
        if let Some(email) = email {
            body["email"] = json!(email);
        }
        body
    };
    for (username, email) in [
        (Some("customer_user_001"), Some("new@example.com")),
        (Some("new"), Some("CUSTOMER_user_001@example.com")),
        (Some("customer_user_001@example.com"), None),
        (None, Some("customer_user_001@example.com")),
    ] {
        let refused = sign_up(&front, &wish(username, email)).await.is(409);
        assert_eq!(refused["error"], "CONFLICT");
    }
    let by_email = sign_up(&front, &wish(None, Some("Ann@example.com")))
        .await
        .is(201);
    assert_eq!(by_email["username"], "ann@example.com");
    let by_name = sign_up(&front, &wish(Some("ann"), None)).await.is(201);
    assert_eq!(by_name["email"], "ann@example.invalid");
    // Whose name is an address keeps it for itself, also when its address is another.
    let ann = login(&front, "ann@example.com", "correct horse").await;
    put(
        &front,
        &ann,
        "/api/v1/users/me",
        &json!({"email": "ann@example.org"}),
    )
    .await
    .is(200);
    sign_up(&front, &wish(Some("other"), Some("ann@example.com")))
        .await
        .is(409);
    put(
        &front,
        &ann,
        "/api/v1/users/me",
        &json!({"email": "customer_user_001@example.com"}),
    )
    .await
    .is(409);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_sign_up_is_told_all_at_once() {
    let front = Front::start().await;
    let body = json!({"username": "key:1", "email": 7, "password": "short", "colour": "red"});
    let refused = sign_up(&front, &body).await.is(400);
    let mut fields: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["colour", "email", "name", "password", "username"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_sign_up_gets_the_first_answer() {
    let front = Front::start().await;
    let send = |key: &'static str, name: &'static str| {
        let body = json!({"username": "ann", "password": "correct horse", "name": name});
        let request = front.request(Method::POST, "/api/v1/users").json(&body);
        front.send(request.header("Idempotency-Key", key))
    };
    let first = send("k-1", "Ann").await;
    first.is(201);
    let again = send("k-1", "Ann").await;
    again.is(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("location"), first.header("location"));
    send("k-1", "Anne").await.is(422);
    send("k-2", "Ann").await.is(409);
    // A refusal does not use the key up.
    let users = front.get(&admin(), "/auth/users").await.is(200);
    assert_eq!(users["data"].as_array().unwrap().len(), 1);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_see_others_and_nobody_learns_who_there_is() {
    let front = seeded().await;
    let one = login(&front, "customer_user_001", PASSWORD).await;
    let me = front.get(&one, "/api/v1/users/me").await.is(200);
    let own = format!("/api/v1/users/{}", me["user_id"].as_str().unwrap());
    assert_eq!(front.get(&one, &own).await.is(200), me);
    let other = path_of(&front, &admin(), "customer_user_002").await;
    for path in [other.as_str(), "/api/v1/users/usr_unknown"] {
        front.get(&one, path).await.is(403);
        front.get(&operator(), path).await.is(403);
        put(&front, &one, path, &json!({"name": "Mine"})).await.is(403);
    }
    front.get(&admin(), &other).await.is(200);
    front.get(&admin(), "/api/v1/users/usr_unknown").await.is(404);
    front.get(&admin(), "/api/v1/users/me").await.is(404);
    for token in [one, operator(), customer()] {
        front.get(&token, "/auth/users").await.is(403);
    }
    front
        .send(front.request(Method::GET, "/auth/users"))
        .await
        .is(401);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_users_is_complete_page_by_page_and_has_no_hash() {
    let front = seeded().await;
    let (mut names, mut path) = (Vec::new(), "/auth/users?limit=3".to_owned());
    loop {
        let page = front.get(&admin(), &path).await;
        assert!(!page.text.contains("argon2"), "{}", page.text);
        let body = page.is(200);
        let data = body["data"].as_array().unwrap();
        names.extend(
            data.iter()
                .map(|user| user["username"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = body["next_cursor"].as_str() else {
            assert_eq!(page.header("link"), "");
            break;
        };
        path = format!("/auth/users?limit=3&cursor={cursor}");
        assert_eq!(page.header("link"), format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(names.len(), 8);
    assert!(names.is_sorted());
    for bad in ["limit=0", "limit=501", "cursor=%21", "colour=red"] {
        front.get(&admin(), &format!("/auth/users?{bad}")).await.is(400);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_changed_only_at_the_version_that_was_seen() {
    let front = seeded().await;
    let path = path_of(&front, &admin(), "customer_user_001").await;
    let seen = front.get(&admin(), &path).await;
    assert_eq!(seen.header("etag"), "\"1\"");
    let change = |tag: &'static str, name: &'static str| {
        let request = front.request(Method::PUT, &path).bearer_auth(admin());
        front.send(request.header("If-Match", tag).json(&json!({"name": name})))
    };
    let changed = change("\"1\"", "Ann").await;
    assert_eq!(changed.is(200)["name"], "Ann");
    assert_eq!(changed.header("etag"), "\"2\"");
    change("\"1\"", "Bob").await.is(412);
    assert_eq!(front.get(&admin(), &path).await.is(200)["name"], "Ann");
    // What changes nothing makes no version.
    assert_eq!(change("\"2\"", "Ann").await.header("etag"), "\"2\"");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_set_role_and_client_but_do_not_lock_themselves_out() {
    let front = seeded().await;
    let token = login(&front, "admin_user", PASSWORD).await;
    for change in [json!({"disabled": true}), json!({"role": "operator"})] {
        put(&front, &token, "/api/v1/users/me", &change).await.is(409);
    }
    let path = path_of(&front, &token, "customer_user_001").await;
    for (change, field) in [
        (json!({"role": "client"}), "client_id"),
        (json!({"client_id": "client_001"}), "client_id"),
        (json!({"role": "system"}), "role"),
        (json!({"role": "boss"}), "role"),
    ] {
        let refused = put(&front, &token, &path, &change).await.is(400);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let change = json!({"role": "client", "client_id": "client_001"});
    let changed = put(&front, &token, &path, &change).await.is(200);
    assert_eq!(
        (&changed["role"], &changed["client_id"]),
        (&json!("client"), &json!("client_001"))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_seeded_once_and_gets_a_first_admin_only_while_it_is_empty() {
    let front = Front::start().await;
    let generated = server::accounts::first_admin(&front.engine, None, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&*generated.username, "admin");
    assert!(!format!("{generated:?}").contains(generated.password.expose()));
    let token = login(&front, "admin", generated.password.expose()).await;
    let me = front.get(&token, "/api/v1/users/me").await.is(200);
    assert_eq!(me["role"], "admin");
    assert!(
        server::accounts::first_admin(&front.engine, None, None)
            .await
            .unwrap()
            .is_none()
    );

    server::accounts::seed_demo(&front.engine).await.unwrap();
    let path = path_of(&front, &token, "customer_user_002").await;
    put(&front, &token, &path, &json!({"password": "changed since"}))
        .await
        .is(200);
    server::accounts::seed_demo(&front.engine).await.unwrap();
    login(&front, "customer_user_002", "changed since").await;
    let users = front.get(&token, "/auth/users").await.is(200);
    assert_eq!(users["data"].as_array().unwrap().len(), 9);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_admin_can_be_given_and_must_keep_the_rules() {
    use server::settings::Secret;

    let front = Front::start().await;
    let refused = server::accounts::first_admin(&front.engine, Some("root admin"), None).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "username must be of visible characters, without spaces"
    );
    let password = Secret::new("correct horse");
    let made = server::accounts::first_admin(&front.engine, Some("root"), Some(&password)).await;
    assert!(made.unwrap().is_none());
    login(&front, "root", "correct horse").await;
    front.end().await;
}
