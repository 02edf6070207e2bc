//! Compression, what browsers of other origins may do, and clients that do not listen.

use server::server::Limits;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::Method;

use crate::harness::front::{Front, operator};
use crate::harness::home::Home;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_compressed_as_the_caller_likes() {
    let front = Front::start().await;
    let plain = front.get("", "/openapi.json").await;
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("identity", ""),
        ("gzip;q=0, br", "br"),
        ("unheard-of", ""),
    ] {
        let request = front
            .request(Method::GET, "/openapi.json")
            .header("accept-encoding", accepted);
        let response = request.send().await.unwrap();
        let told = response
            .headers()
            .get("content-encoding")
            .map_or("", |value| value.to_str().unwrap());
        assert_eq!(told, coding, "{accepted}");
        let bytes = response.bytes().await.unwrap();
        if coding.is_empty() {
            assert_eq!(bytes, plain.text.as_bytes());
        } else {
            assert!(bytes.len() * 2 < plain.text.len(), "{coding}: {}", bytes.len());
        }
        if coding == "gzip" {
            let mut text = String::new();
            GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
            assert_eq!(text, plain.text);
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_a_problem_whatever_coding_is_asked_for() {
    let front = Front::start().await;
    let request = front
        .request(Method::GET, "/nothing")
        .header("accept-encoding", "gzip, br, zstd");
    front.send(request).await.is_problem(404, "NOT_FOUND");
    front.end().await;
}

async fn preflight(front: &Front, origin: &str) -> crate::harness::front::Reply {
    let request = front
        .request(Method::OPTIONS, "/shipments")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key",
        );
    front.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_shut_out_unless_they_are_listed() {
    let front = Front::start().await;
    let reply = preflight(&front, "https://shop.example").await;
    reply.is_problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(reply.header("access-control-allow-origin"), "");
    front.end().await;

    let front = Front::start_with(&[("CORS_ORIGINS", "https://shop.example,https://desk.example")]).await;
    let listed = preflight(&front, "https://shop.example").await;
    assert!(listed.status.is_success());
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "https://shop.example"
    );
    assert!(listed.header("access-control-allow-methods").contains("POST"));
    for name in ["authorization", "content-type", "idempotency-key"] {
        assert!(
            listed.header("access-control-allow-headers").contains(name),
            "{name}"
        );
    }
    assert_eq!(
        preflight(&front, "https://evil.example")
            .await
            .header("access-control-allow-origin"),
        ""
    );
    for (origin, path, allowed) in [
        ("https://desk.example", "/shipments", "https://desk.example"),
        ("https://desk.example", "/nothing", "https://desk.example"),
        ("https://evil.example", "/shipments", ""),
        ("null", "/shipments", ""),
    ] {
        let request = front
            .request(Method::GET, path)
            .bearer_auth(operator())
            .header("origin", origin);
        let reply = front.send(request).await;
        assert_eq!(
            reply.header("access-control-allow-origin"),
            allowed,
            "{origin} {path}"
        );
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        if !allowed.is_empty() {
            assert!(reply.header("access-control-expose-headers").contains("etag"));
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_guessing_its_kind() {
    let front = Front::start().await;
    for path in ["/", "/shipments", "/nothing", "/metrics", "/docs/index.html"] {
        let reply = front.get(&operator(), path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_take_its_answer_is_given_up() {
    let limits = Limits {
        slowest_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let mut unread = TcpStream::connect(front.address).unwrap();
    // More than the system holds for a connection.
    let request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n";
    unread.write_all(&request.repeat(40)).unwrap();
    let open = async || {
        let metrics = front.send(front.request(Method::GET, "/metrics")).await.text;
        let gauge = metrics
            .lines()
            .find_map(|line| line.strip_prefix("http_connections "));
        gauge.unwrap().parse::<u32>().unwrap()
    };
    let given_up = async {
        // The one that asks stays.
        while open().await > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_up)
        .await
        .unwrap();
    let mut came = Vec::new();
    // What was on its way comes, and then the end: not forty bundles.
    unread.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    drop(unread.read_to_end(&mut came));
    assert!(came.len() < 40 * 1_000_000, "{}", came.len());
    front.end().await;
}
