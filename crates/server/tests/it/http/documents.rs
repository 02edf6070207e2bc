//! `/openapi.json` and `/docs`.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::harness::front::{Front, admin};

async fn document(front: &Front) -> Value {
    front
        .send(front.request(Method::GET, "/openapi.json"))
        .await
        .is(200)
}

/// Every path with each of its operations.
fn operations(document: &Value) -> Vec<(String, String, Map<String, Value>)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((
                path.clone(),
                method.to_uppercase(),
                operation.as_object().unwrap().clone(),
            ));
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_path_of_the_contract_with_its_errors() {
    let front = Front::start().await;
    let document = document(&front).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    for (path, methods) in [
        ("/auth/login", &["post"][..]),
        ("/shipments", &["get", "post"]),
        ("/shipments/batch", &["post"]),
        ("/shipments/{tracking_number}", &["get"]),
        ("/events", &["post"]),
        ("/events/batch", &["post"]),
        ("/events/{event_id}", &["get"]),
        ("/events/batches/{batch_id}", &["get"]),
        ("/api/v1/orders", &["get", "post"]),
        ("/api/v1/orders/{order_id}", &["get"]),
        ("/api/v1/orders/{order_id}/status", &["get", "post"]),
        ("/api/v1/orders/{order_id}/history", &["get"]),
        ("/api/v1/orders/{order_id}/transitions", &["get"]),
        ("/api/v1/orders/{order_id}/corrections", &["post"]),
        ("/api/v1/orders/{order_id}/cancel", &["put"]),
        ("/api/v1/admin/orders", &["get"]),
        ("/api/v1/admin/orders/{order_id}/status", &["put"]),
        ("/api/v1/lifecycles", &["get"]),
        ("/api/v1/lifecycles/{name}", &["get"]),
        ("/api/v1/stream", &["get"]),
        ("/api/v1/stream/tickets", &["post"]),
        ("/api/v1/ws", &["get"]),
        ("/health", &["get", "post"]),
        ("/healthz", &["get"]),
        ("/readyz", &["get"]),
        ("/metrics", &["get"]),
        ("/problems/{slug}", &["get"]),
        ("/api/v1/admin/dead-letters", &["get"]),
        ("/api/v1/admin/dead-letters/{dead_letter_id}/redrive", &["post"]),
    ] {
        for method in methods {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    for (path, method, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses
                .keys()
                .any(|status| status.starts_with(['2', '3']) || status == "101"),
            "{method} {path}"
        );
        for (status, response) in responses {
            if status.as_str() >= "400" && path != "/health" {
                let kinds = response["content"].as_object().unwrap();
                assert!(
                    kinds.contains_key("application/problem+json"),
                    "{method} {path} {status}"
                );
            }
        }
        let open = operation["security"] == serde_json::json!([{}]);
        assert!(open || responses.contains_key("401"), "{method} {path}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_described_is_there_and_asks_for_whom_it_says() {
    let front = Front::start().await;
    let document = document(&front).await;
    for (path, method, operation) in operations(&document) {
        let filled = path
            .replace("{slug}", "not-found")
            .replace("{file}", "index.html");
        let filled: String = filled.replace(['{', '}'], "");
        let open = operation["security"] == serde_json::json!([{}]);
        let method: Method = method.parse().unwrap();
        let nobody = front.send(front.request(method.clone(), &filled)).await;
        assert_ne!(nobody.status, 405, "{method} {path}");
        if open {
            assert!(
                ![401, 403, 404].contains(&nobody.status.as_u16()) || path == "/auth/login",
                "{method} {path}"
            );
        } else {
            assert_eq!(nobody.status, 401, "{method} {path}");
        }
        // An answer without an end is not waited for.
        let method = if path == "/api/v1/stream" {
            Method::HEAD
        } else {
            method
        };
        let known = front
            .send(front.request(method.clone(), &filled).bearer_auth(admin()))
            .await;
        assert_ne!(known.status, 405, "{method} {path}");
        if known.status == 404 {
            assert_ne!(
                known.json()["detail"],
                "there is no such path; /docs lists those that there are",
                "{method} {path}"
            );
        }
    }
    front.end().await;
}

/// The routers are built from the descriptions, so a route that is not described can only be made by the plain router's own words.
#[test]
fn no_route_is_made_without_its_description() {
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"),
        &mut files,
    );
    assert!(files.len() > 20);
    let (mut handlers, mut routed) = (0, 0);
    for file in files {
        // What only the bench has.
        if file.ends_with("measuring.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for word in [".route(", ".nest(", ".nest_service(", ".route_service("] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
        handlers += text.matches("#[utoipa::path(").count();
        routed += text
            .split("routes!(")
            .skip(1)
            .map(|names| names.split(')').next().unwrap_or_default().split(',').count())
            .sum::<usize>();
    }
    // One handler stands under two paths, each described.
    assert_eq!(handlers, routed);
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_is_served_from_here_alone() {
    let front = Front::start().await;
    let page = front.send(front.request(Method::GET, "/docs")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(
        !policy.contains("http:") && !policy.contains("https:"),
        "{policy}"
    );
    let mut loaded = 0;
    for piece in page
        .text
        .split(['"', '\''])
        .filter(|piece| piece.starts_with("/docs/"))
    {
        let file = piece;
        let asset = front.send(front.request(Method::GET, file)).await;
        assert_eq!(asset.status, 200, "{file}");
        assert!(
            asset
                .header("content-security-policy")
                .contains("default-src 'self'"),
            "{file}"
        );
        loaded += 1;
    }
    assert!(loaded >= 4, "{loaded}");
    for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "<script>"] {
        assert!(!page.text.contains(attribute), "{attribute}");
    }
    let start = front
        .send(front.request(Method::GET, "/docs/swagger-initializer.js"))
        .await;
    assert!(start.text.contains("/openapi.json"));
    assert!(!start.text.contains("http"), "{}", start.text);
    for path in ["/", "/problems"] {
        let page = front.send(front.request(Method::GET, path)).await;
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "<script"] {
            assert!(!page.text.contains(attribute), "{path}: {attribute}");
        }
    }
    front.end().await;
}

/// A change of what clients are told is seen in review: `waybill openapi > docs/openapi.json` takes it over.
#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let made: serde_json::Value = serde_json::from_str(&server::http::openapi_json()).unwrap();
    assert!(kept == made, "run `waybill openapi > docs/openapi.json`");
}
