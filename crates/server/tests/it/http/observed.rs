//! How the server says that it is well, and what it counts.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::harness::front::{Front, driver, new_event, operator};

#[tokio::test(flavor = "multi_thread")]
async fn health_has_one_shape_however_it_is_asked() {
    let front = Front::start().await;
    for method in [Method::GET, Method::POST] {
        let health = front.send(front.request(method, "/health")).await.is(200);
        assert_eq!(health["status"], "ok");
        assert_eq!(
            health["checks"],
            json!({"database": "ok", "cache": "ok", "event_queue": "ok"})
        );
        assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(health.as_object().unwrap().len(), 3);
    }
    for path in ["/healthz", "/readyz"] {
        let reply = front.send(front.request(Method::GET, path)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str()),
            (200, "{\"status\":\"ok\"}"),
            "{path}"
        );
        assert_eq!(reply.header("content-type"), "application/json");
    }
    front.end().await;
}

const FAMILIES: [(&str, &str); 9] = [
    ("http_requests_total", "counter"),
    ("http_request_duration_seconds", "histogram"),
    ("orders_produced_total", "counter"),
    ("orders_consumed_total", "counter"),
    ("status_transitions_total", "counter"),
    ("pipeline_step_duration_seconds", "histogram"),
    ("db_write_latency_seconds", "histogram"),
    ("db_errors_total", "counter"),
    ("events_duplicate_total", "counter"),
];

async fn metrics(front: &Front) -> String {
    let reply = front.send(front.request(Method::GET, "/metrics")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/plain"));
    reply.text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_is_there_from_the_first_look_with_help_and_type() {
    let front = Front::start().await;
    let text = metrics(&front).await;
    for (family, kind) in FAMILIES {
        assert!(text.contains(&format!("# HELP {family} ")), "{family}:\n{text}");
        assert!(
            text.contains(&format!("# TYPE {family} {kind}\n")),
            "{family}:\n{text}"
        );
    }
    let named = |line: &str, mark: &str| line.strip_prefix(mark)?.split(' ').next().map(str::to_owned);
    let of = |mark: &str| {
        text.lines()
            .filter_map(|line| named(line, mark))
            .collect::<BTreeSet<_>>()
    };
    let (help, types) = (of("# HELP "), of("# TYPE "));
    assert_eq!(help, types);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        assert!(
            types.contains(name) || family.is_some_and(|family| types.contains(family)),
            "{line}"
        );
    }
    for (family, kind) in FAMILIES {
        if kind != "histogram" {
            continue;
        }
        for (le, there) in [
            ("0.0005", true),
            ("10", true),
            ("+Inf", true),
            ("0.0001", false),
            ("30", false),
        ] {
            let found = text.lines().any(|line| {
                line.starts_with(&format!("{family}_bucket{{")) && line.contains(&format!("le=\"{le}\""))
            });
            assert_eq!(found, there, "{family} {le}");
        }
        for end in ["_sum", "_count"] {
            assert!(text.contains(&format!("\n{family}{end}")), "{family}{end}");
        }
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_templates_and_known_methods_only() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    front.shipment(&number).await;
    for path in ["/nothing-1", "/nothing-2"] {
        front.send(front.request(Method::GET, path)).await.is(404);
    }
    for method in ["BREW", "STEEP"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        front
            .send(front.request(method.clone(), "/shipments"))
            .await
            .is(405);
        front.send(front.request(method, "/nothing")).await.is(404);
    }
    let text = metrics(&front).await;
    for line in [
        "http_requests_total{method=\"GET\",route=\"/shipments/{tracking_number}\",status=\"200\"} 1",
        "http_requests_total{method=\"POST\",route=\"/shipments\",status=\"201\"} 1",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 2",
        "http_requests_total{method=\"OTHER\",route=\"unmatched\",status=\"404\"} 2",
        "http_requests_total{method=\"OTHER\",route=\"/shipments\",status=\"405\"} 2",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    for secret in [number.as_str(), "nothing-1", "BREW"] {
        assert!(!text.contains(secret), "{secret}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_orders_is_counted() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    for _ in 0..3 {
        front.report(&driver("client_001"), &event).await.is(200);
    }
    let text = metrics(&front).await;
    for line in [
        "status_transitions_total{from=\"\",to=\"created\"} 1",
        "status_transitions_total{from=\"created\",to=\"picked_up\"} 1",
        "events_duplicate_total 2",
        "db_errors_total 0",
        "orders_produced_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(!text.contains("db_write_latency_seconds_count 0"));
    front.get(&operator(), "/shipments").await.is(200);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_have_an_address_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let front = Front::start_with(&[("METRICS_ADDR", &free.to_string())]).await;
    front
        .send(front.request(Method::GET, "/metrics"))
        .await
        .is_problem(404, "NOT_FOUND");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let there =
        |method: Method, path: &str| front.send(client.request(method, format!("http://{free}{path}")));
    let apart = there(Method::GET, "/metrics").await;
    assert_eq!(apart.status, 200);
    assert!(apart.text.contains("http_requests_total"));
    assert_eq!(there(Method::HEAD, "/metrics").await.status, 200);
    for path in ["/", "/shipments", "/metrics/more"] {
        let unknown = there(Method::GET, path).await.is_problem(404, "NOT_FOUND");
        assert_eq!(unknown["instance"], path);
    }
    let refused = there(Method::POST, "/metrics").await;
    refused.is_problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(refused.header("allow"), "GET,HEAD");
    drop(client);
    front.end().await;
}
