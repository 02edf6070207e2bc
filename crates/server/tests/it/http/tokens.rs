//! Who is let in, and by what.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::front::{Front, SECRET, admin, sign, token};

const LONG_AGO: i64 = 1_000_000_000;
const FAR_AWAY: i64 = 4_102_444_800;

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

/// Claims of an admin, with one member changed; `null` takes it away.
fn claims(name: &str, value: Value) -> Value {
    let mut claims = json!({"sub": "somebody", "role": "admin", "iat": LONG_AGO, "exp": FAR_AWAY});
    claims[name] = value;
    if claims[name].is_null() {
        claims.as_object_mut().unwrap().remove(name);
    }
    claims
}

fn with_claim(name: &str, value: Value) -> String {
    sign(&hs256(), &claims(name, value), SECRET)
}

/// The same signature in a form that decodes to the same bytes where decoders are careless.
fn not_canonical(token: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (front, last) = token.split_at(token.len() - 1);
    let place = ALPHABET
        .iter()
        .position(|symbol| *symbol == last.as_bytes()[0])
        .unwrap();
    format!("{front}{}", char::from(ALPHABET[place + 1]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_count_is_refused() {
    let front = Front::start().await;
    let good = admin();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let none = json!({"alg": "none"});
    let tokens = [
        ("no token", "garbage".to_owned()),
        ("three dots", "...".to_owned()),
        ("expired", with_claim("exp", json!(LONG_AGO))),
        (
            "expired long before any clock",
            with_claim("exp", json!(-9_000_000_000_000_i64)),
        ),
        ("without an end", with_claim("exp", Value::Null)),
        ("an end in words", with_claim("exp", json!("tomorrow"))),
        ("not yet", with_claim("nbf", json!(FAR_AWAY))),
        ("nobody's", with_claim("sub", Value::Null)),
        ("of an empty name", with_claim("sub", json!(""))),
        ("without a role", with_claim("role", Value::Null)),
        ("of a role that is not", with_claim("role", json!("root"))),
        ("of the server's own role", with_claim("role", json!("system"))),
        ("a driver of no client", token("d", "driver", None)),
        ("a client of no client", token("c", "client", None)),
        (
            "another secret's",
            sign(
                &hs256(),
                &claims("iat", json!(1)),
                "another-secret-of-more-than-32-bytes!",
            ),
        ),
        ("unsigned", format!("{message}.")),
        ("no algorithm", sign(&none, &claims("iat", json!(1)), SECRET)),
        (
            "no algorithm, unsigned",
            format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(none.to_string()),
                URL_SAFE_NO_PAD.encode(claims("iat", json!(1)).to_string())
            ),
        ),
        (
            "RS256 by the secret",
            sign(&json!({"alg": "RS256"}), &claims("iat", json!(1)), SECRET),
        ),
        (
            "HS512 by name",
            sign(&json!({"alg": "HS512"}), &claims("iat", json!(1)), SECRET),
        ),
        ("a signature not canonical", not_canonical(&good)),
        ("a signature with padding", format!("{good}=")),
        (
            "other claims under the signature",
            format!("{}.{signature}", message.replace('e', "f")),
        ),
        ("over 8 KiB", with_claim("note", json!("x".repeat(8 * 1024)))),
        (
            "a key that was never made",
            "sk_live_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        ),
    ];
    for (what, token) in tokens {
        let reply = front.get(&token, "/shipments").await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.text);
        reply.is_problem(401, "UNAUTHENTICATED");
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{what}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_bearer_in_any_case_and_nothing_else() {
    let front = Front::start().await;
    let ask = |value: String| {
        front.send(
            front
                .request(Method::GET, "/shipments")
                .header("authorization", value),
        )
    };
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        ask(format!("{scheme} {}", admin())).await.is(200);
    }
    for value in [
        admin(),
        format!("Basic {}", admin()),
        "Basic dXNlcjpwYXNz".to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ] {
        ask(value).await.is_problem(401, "UNAUTHENTICATED");
    }
    let nothing = front.send(front.request(Method::GET, "/shipments")).await;
    nothing.is_problem(401, "UNAUTHENTICATED");
    assert!(nothing.header("www-authenticate").starts_with("Bearer"));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_in_one_request_are_one_too_many() {
    let front = Front::start().await;
    let request = front
        .request(Method::GET, "/shipments")
        .bearer_auth(admin())
        .bearer_auth(admin());
    let message = front.send(request).await.blames("Authorization");
    assert_eq!(message, "must be sent once");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_may_say_besides_is_no_hindrance() {
    let front = Front::start().await;
    for (name, value) in [
        ("nbf", json!(LONG_AGO)),
        ("exp", json!(4_102_444_800.5)),
        ("iat", Value::Null),
        ("iat", json!(1e300)),
        ("aud", json!("someone")),
        ("iss", json!("elsewhere")),
        ("jti", json!("")),
        ("jti", json!("ü".repeat(1000))),
        ("client_id", json!("client_001")),
    ] {
        let reply = front.get(&with_claim(name, value.clone()), "/shipments").await;
        assert_eq!(reply.status, 200, "{name}: {value}: {}", reply.text);
    }
    let mut far_apart = claims("jti", json!("07ffffffffff00000000000000000000"));
    far_apart["iat"] = json!(-9_000_000_000_i64);
    front
        .get(&sign(&hs256(), &far_apart, SECRET), "/shipments")
        .await
        .is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_secret_of_the_list_verifies() {
    let other = "the-one-before-this-one-of-32-bytes-or-more";
    let front = Front::start_with(&[("JWT_SECRET", &format!("{SECRET},{other}"))]).await;
    for secret in [SECRET, other] {
        let token = sign(&hs256(), &claims("iat", json!(1)), secret);
        front.get(&token, "/shipments").await.is(200);
    }
    let stranger = sign(
        &hs256(),
        &claims("iat", json!(1)),
        "a-secret-that-is-not-in-that-list-at-all",
    );
    front.get(&stranger, "/shipments").await.is(401);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_known_users_count_an_outside_token_does_not() {
    let front = Front::start_with(&[("JWT_KNOWN_USERS_ONLY", "true")]).await;
    front
        .get(&admin(), "/shipments")
        .await
        .is_problem(401, "UNAUTHENTICATED");
    front.end().await;
}
