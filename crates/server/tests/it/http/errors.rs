//! One body for every error, from wherever it comes.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use reqwest::Method;
use serde_json::json;
use server::http::{Http, Metrics, Options, StreamLimits};
use server::settings::CorsOrigins;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::front::{Front, SECRET, admin, driver, new_shipment, operator};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_there_says_so_to_everybody() {
    let front = Front::start().await;
    for path in [
        "/nothing",
        "/shipments/a/b",
        "/api/v1/nothing",
        "/docs/nothing.js",
        "//",
    ] {
        let open = front.send(front.request(Method::GET, path)).await;
        let known = front.get(&admin(), path).await;
        let unknown = front.get("not.a.token", path).await;
        for reply in [open, known, unknown] {
            let problem = reply.is_problem(404, "NOT_FOUND");
            assert_eq!(problem["instance"], path);
            assert_eq!(problem["type"], "/problems/not-found");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_has_not_is_refused_with_those_that_it_has() {
    let front = Front::start().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/shipments", &["GET", "HEAD", "POST"][..]),
        (Method::PUT, "/events", &["POST"]),
        (Method::GET, "/events", &["POST"]),
        (Method::PATCH, "/health", &["GET", "HEAD", "POST"]),
        (Method::OPTIONS, "/healthz", &["GET", "HEAD"]),
        (Method::TRACE, "/", &["GET", "HEAD"]),
        (Method::from_bytes(b"BREW").unwrap(), "/metrics", &["GET", "HEAD"]),
    ] {
        let reply = front.send(front.request(method.clone(), path)).await;
        reply.is_problem(405, "METHOD_NOT_ALLOWED");
        let mut told: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{method} {path}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_json_by_its_header_is_refused() {
    let front = Front::start().await;
    for path in [
        "/shipments",
        "/shipments/batch",
        "/events",
        "/events/batch",
        "/auth/login",
    ] {
        for kind in [
            "text/plain",
            "application/jsonp",
            "multipart/form-data; boundary=x",
        ] {
            let reply = front.post_text(&admin(), path, kind, "{}").await;
            let problem = reply.is_problem(415, "UNSUPPORTED_MEDIA_TYPE");
            assert!(problem["detail"].as_str().unwrap().contains("application/json"));
        }
        let none = front.request(Method::POST, path).bearer_auth(admin()).body("{}");
        front.send(none).await.is_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let made = new_shipment("client_001").to_string();
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        front
            .post_text(&admin(), "/shipments", kind, made.clone())
            .await
            .is(201);
    }
    front.end().await;
}

/// JSON with spaces behind, of exactly this length.
fn padded(json: &serde_json::Value, length: usize) -> Vec<u8> {
    let mut body = json.to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_exactly_its_limit_and_not_a_byte_more() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = json!({"tracking_number": number, "status": "picked_up",
        "timestamp": "2026-01-31T10:00:00Z", "source": "s"});
    for (path, json, limit, fits) in [
        ("/shipments", new_shipment("client_001"), MIB, 201),
        ("/events", event.clone(), MIB, 202),
        (
            "/shipments/batch",
            json!({"shipments": [new_shipment("client_001")]}),
            16 * MIB,
            200,
        ),
        ("/events/batch", json!({"events": [event]}), 16 * MIB, 202),
    ] {
        for (length, status) in [(limit, fits), (limit + 1, 413)] {
            let body = padded(&json, length);
            let told = front
                .post_text(&operator(), path, "application/json", body.clone())
                .await;
            let chunked = chunked(&front, path, &body);
            for reply in [told, chunked] {
                assert_eq!(reply.status, status, "{path} {length}: {}", reply.text);
                if status == 413 {
                    let problem = reply.is_problem(413, "PAYLOAD_TOO_LARGE");
                    assert!(problem["detail"].as_str().unwrap().contains(&limit.to_string()));
                }
            }
        }
    }
    front.end().await;
}

/// The answer to a POST of one chunk.
fn chunked(front: &Front, path: &str, body: &[u8]) -> crate::harness::front::Reply {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n",
        operator(),
        body.len()
    );
    front.raw_reply(&[head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_sender_who_is_still_sending() {
    let front = Front::start().await;
    let body = vec![b' '; 20 * MIB];
    for (token, status) in [("not.a.token".to_owned(), 401), (operator(), 413)] {
        let reply = front
            .post_text(&token, "/events/batch", "application/json", body.clone())
            .await;
        reply.is(status);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_does_without_a_body() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let shipment = format!("/shipments/{number}");
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/health",
        "/metrics",
        "/openapi.json",
        "/docs/index.html",
        "/problems",
        "/problems/not-found",
        "/shipments",
        &shipment,
        "/shipments/none",
        "/events/none",
        "/events/batches/none",
        "/api/v1/admin/dead-letters",
        "/api/v1/orders",
        &format!("/api/v1/orders/{number}"),
        &format!("/api/v1/orders/{number}/history"),
        "/nothing",
    ] {
        let whole = front.get(&admin(), path).await;
        let head = front
            .send(front.request(Method::HEAD, path).bearer_auth(admin()))
            .await;
        assert_eq!(head.status, whole.status, "{path}");
        assert_eq!(head.text, "", "{path}");
        assert_eq!(
            head.header("content-type"),
            whole.header("content-type"),
            "{path}"
        );
        assert_eq!(head.header("etag"), whole.header("etag"), "{path}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_error_has_a_page() {
    let front = Front::start().await;
    for slug in [
        "validation-failed",
        "malformed-json",
        "unauthenticated",
        "forbidden",
        "not-found",
        "method-not-allowed",
        "invalid-transition",
        "conflict",
        "precondition-failed",
        "payload-too-large",
        "unsupported-media-type",
        "idempotency-key-reused",
        "rate-limited",
        "internal",
        "unavailable",
    ] {
        let page = front
            .send(front.request(Method::GET, &format!("/problems/{slug}")))
            .await;
        assert_eq!(page.status, 200, "{slug}");
        assert!(page.header("content-type").starts_with("text/html"), "{slug}");
        let code = slug.to_uppercase().replace('-', "_");
        assert!(page.text.contains(&code), "{slug}");
    }
    front
        .get(&admin(), "/problems/nothing")
        .await
        .is_problem(404, "NOT_FOUND");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_echoed_or_made() {
    let front = Front::start().await;
    let ask = |id: &str| front.send(front.request(Method::GET, "/nothing").header("x-request-id", id));
    for id in ["abc-123", "a", &"x".repeat(128)] {
        assert_eq!(ask(id).await.is(404)["request_id"], id);
    }
    for id in ["", "with a space", &"x".repeat(129)] {
        let made = ask(id).await.is(404)["request_id"].as_str().unwrap().to_owned();
        assert!(made != id && made.len() == 32, "{made}");
    }
    let one = front.get(&admin(), "/shipments").await;
    let two = front.get(&admin(), "/shipments").await;
    assert_ne!(one.header("x-request-id"), "");
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_text_is_a_problem_too() {
    let front = Front::start().await;
    for path in [
        "/shipments/%FF",
        "/events/%C3%28",
        "/events/batches/%80",
        "/problems/%FF",
    ] {
        let reply = front.get(&admin(), path).await;
        let problem = reply.is_problem(400, "VALIDATION_FAILED");
        assert_eq!(problem["instance"], path);
    }
    for path in [
        "/shipments/%00",
        "/shipments/%2e%2e%2f",
        "/events/%E2%82%AC",
        "/shipments/a%20b",
    ] {
        front.get(&admin(), path).await.is_problem(404, "NOT_FOUND");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_not_http_or_too_large_is_answered_with_a_problem() {
    let front = Front::start().await;
    let huge = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nbig: {}\r\n\r\n",
        "x".repeat(10_000_000)
    );
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    for (bytes, status, code) in [
        (
            &b"\x16\x03\x01 not http at all\r\n\r\n"[..],
            400,
            "VALIDATION_FAILED",
        ),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "VALIDATION_FAILED"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "VALIDATION_FAILED"),
        (
            b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            400,
            "VALIDATION_FAILED",
        ),
        (huge.as_bytes(), 431, "HEADERS_TOO_LARGE"),
        (many.as_bytes(), 431, "HEADERS_TOO_LARGE"),
        (long.as_bytes(), 431, "HEADERS_TOO_LARGE"),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        let reply = front.raw_reply(bytes);
        assert_eq!(reply.status, status, "{shown}: {}", reply.text);
        reply.is_problem(status, code);
    }
    front.get(&admin(), "/shipments").await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_targets_are_answered_like_any_other() {
    let front = Front::start().await;
    for (line, status) in [
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT example.com:80 HTTP/1.1", 404),
        ("GET http://elsewhere.example/healthz HTTP/1.1", 200),
        ("GET /healthz?a=%FF HTTP/1.1", 200),
        ("GET /healthz HTTP/1.0", 200),
    ] {
        let request = format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n");
        let reply = front.raw_reply(request.as_bytes());
        assert_eq!(reply.status, status, "{line}: {}", reply.text);
        if status >= 400 {
            reply.is(status);
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_is_an_internal_error_and_the_next_request_is_served() {
    let front = Front::start().await;
    let options = Options {
        readers: 1,
        jwt_secrets: vec![SECRET.to_owned()],
        known_users_only: false,
        rate_limit_per_minute: 0,
        tracking_prefix: "99M-".to_owned(),
        open_orders: false,
        trusted_proxies: Vec::new(),
        cors_origins: CorsOrigins::Closed,
        metrics: Metrics::new().unwrap(),
        serve_metrics: true,
        slowest_time: Duration::from_secs(10),
        streams: StreamLimits::default(),
        bodies_in_memory_bytes: MIB,
    };
    async fn panics() -> &'static str {
        panic!("a secret of the inside")
    }
    let broken = Router::new().route("/broken", get(panics));
    let http = Http::with_routes(front.engine.clone(), options, broken).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ask = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let broken = client
            .get(format!("http://{address}/broken"))
            .send()
            .await
            .unwrap();
        assert_eq!(broken.status(), 500);
        assert_eq!(broken.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(&broken.text().await.unwrap()).unwrap();
        assert_eq!(body["error"], "INTERNAL");
        assert!(!body.to_string().contains("inside"));
        let next = client
            .get(format!("http://{address}/healthz"))
            .send()
            .await
            .unwrap();
        assert_eq!(next.status(), 200);
        drop((client, stop));
    };
    let until = async {
        stopped.await.ok();
    };
    tokio::join!(http.serve(listener, until, Duration::from_secs(5)), ask);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_who_asks_is_refused_before_its_body_is_read() {
    let front = Front::start().await;
    let reply = front
        .post_text(&driver("client_001"), "/shipments", "application/json", "{")
        .await;
    reply.is_problem(403, "FORBIDDEN");
    let reply = front
        .post_text("not.a.token", "/events", "application/json", "{")
        .await;
    reply.is_problem(401, "UNAUTHENTICATED");
    front.end().await;
}
