//! Requests a minute, of each principal or address.

use reqwest::Method;
use serde_json::json;

use crate::harness::front::{Front, Reply, SECRET, admin, driver, new_event, operator, sign, token};

const FIVE: (&str, &str) = ("RATE_LIMIT_PER_MINUTE", "5");

fn assert_limited(reply: &Reply) {
    reply.is_problem(429, "RATE_LIMITED");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=5;w=60");
    assert!(
        reply.header("ratelimit").starts_with("\"default\";r=0;t="),
        "{}",
        reply.header("ratelimit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_has_so_many_requests_whatever_its_tokens() {
    let front = Front::start_with(&[FIVE]).await;
    for left in (0..5).rev() {
        let reply = front.get(&operator(), "/shipments").await;
        reply.is(200);
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=5;w=60");
        let standing = format!("\"default\";r={left};t=");
        assert!(
            reply.header("ratelimit").starts_with(&standing),
            "{}",
            reply.header("ratelimit")
        );
    }
    assert_limited(&front.get(&operator(), "/shipments").await);
    assert_limited(&front.get(&operator(), "/nothing").await);
    let again = json!({"sub": "an-operator", "role": "operator", "exp": 4_102_444_800_i64, "jti": "another"});
    let other_token = sign(&json!({"alg": "HS256"}), &again, SECRET);
    assert_limited(&front.get(&other_token, "/shipments").await);
    front.get(&admin(), "/shipments").await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_counted_by_address_and_probes_are_not_counted() {
    let front = Front::start_with(&[FIVE]).await;
    for token in ["", "garbage", "", "garbage", ""] {
        front.get(token, "/shipments").await.is(401);
    }
    assert_limited(&front.get("garbage", "/shipments").await);
    assert_limited(&front.send(front.request(Method::GET, "/")).await);
    for path in ["/healthz", "/readyz", "/metrics"] {
        for _ in 0..10 {
            let reply = front.send(front.request(Method::GET, path)).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("ratelimit")),
                (200, ""),
                "{path}"
            );
        }
    }
    front.get(&operator(), "/shipments").await.is(200);
    let named_so = token("127.0.0.1", "operator", None);
    front.get(&named_so, "/shipments").await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_request() {
    let front = Front::start_with(&[FIVE]).await;
    let number = front.shipment_of("client_001").await;
    let events = vec![new_event(&number, "picked_up", "2026-01-31T10:00:00Z"); 100];
    for _ in 0..5 {
        let reply = front
            .post(&driver("client_001"), "/events/batch", &json!({"events": events}))
            .await;
        assert_eq!(reply.is(202)["queued"], 100);
    }
    assert_limited(
        &front
            .post(&driver("client_001"), "/events/batch", &json!({"events": events}))
            .await,
    );
    front.end().await;
}

async fn ask(front: &Front, forwarded: &str) -> Reply {
    let request = front
        .request(Method::GET, "/")
        .header("x-forwarded-for", forwarded);
    front.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_a_trusted_proxy_is_taken_and_of_nobody_else() {
    let front = Front::start_with(&[FIVE, ("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")]).await;
    for _ in 0..5 {
        assert_eq!(
            ask(&front, "203.0.113.9, 198.51.100.1, 10.1.2.3").await.status,
            200
        );
    }
    assert_limited(&ask(&front, "198.51.100.1").await);
    assert_limited(&ask(&front, "spoofed, 198.51.100.1, 10.9.9.9").await);
    assert_eq!(ask(&front, "198.51.100.2").await.status, 200);
    assert_eq!(ask(&front, "garbage").await.status, 200);
    front.end().await;
    let front = Front::start_with(&[FIVE]).await;
    for last in 0..5 {
        assert_eq!(ask(&front, &format!("198.51.100.{last}")).await.status, 200);
    }
    assert_limited(&ask(&front, "198.51.100.77").await);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_proxy_gives_with_its_port_is_the_same_address() {
    let front = Front::start_with(&[FIVE, ("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8,fd00::/8")]).await;
    for hops in [
        "203.0.113.7",
        "203.0.113.7:4711",
        "spoofed, 203.0.113.7:1, 10.1.2.3:80",
        "203.0.113.7:65535, [fd00::1]:80, [fd00::2]",
        "203.0.113.7:2 ,fd00::1",
    ] {
        assert_eq!(ask(&front, hops).await.status, 200, "{hops}");
    }
    assert_limited(&ask(&front, "203.0.113.7:4712").await);
    for hops in [
        "[2001:db8::1]:4711",
        "[2001:db8::1]",
        "2001:db8::1",
        "[2001:db8::1]:1",
        "[2001:db8::1], 10.1.2.3:80",
    ] {
        assert_eq!(ask(&front, hops).await.status, 200, "{hops}");
    }
    assert_limited(&ask(&front, "[2001:db8::1]:4712").await);
    // What is no address ends the chain: what stands before it is not believed.
    for hops in [
        "203.0.113.7:x",
        "[203.0.113.7]",
        "[2001:db8::1",
        "203.0.113.7:65536",
        "unknown",
    ] {
        assert_eq!(
            ask(&front, &format!("203.0.113.7, {hops}")).await.status,
            200,
            "{hops}"
        );
    }
    front.end().await;
}
