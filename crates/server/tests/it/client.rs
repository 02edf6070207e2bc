//! The client, against a server of a few lines that answers what a test tells it to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use server::client::{Access, Answered, Client, ClientError, Post, ServerUrl, Token};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Answers each request with the next of a list, and keeps what it saw.
struct Scripted {
    server: JoinSet<()>,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = (u16, Vec<(&'static str, &'static str)>, Value);

impl Scripted {
    async fn start(answers: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::serve(listener, address, answers)
    }

    fn serve(listener: TcpListener, address: SocketAddr, answers: impl IntoIterator<Item = Script>) -> Self {
        let answers: Arc<Mutex<VecDeque<Script>>> = Arc::new(Mutex::new(answers.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let path = uri.path().to_owned();
            kept.lock().unwrap().push(Seen { path, headers, body });
            let script = answers.lock().unwrap().pop_front();
            script.map_or_else(|| StatusCode::IM_A_TEAPOT.into_response(), answered)
        };
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, Router::new().fallback(answer))
                .await
                .unwrap()
        });
        Self {
            server,
            address,
            seen,
        }
    }

    fn url(&self) -> ServerUrl {
        format!("http://{}", self.address).parse().unwrap()
    }

    async fn client(&self) -> Client {
        let access = Access::Given(Token::new("sk_live_secret").unwrap());
        Client::connect(self.url(), access).await.unwrap()
    }

    /// Stops it; what it saw.
    async fn end(mut self) -> Vec<Seen> {
        self.server.shutdown().await;
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn answered((status, headers, body): Script) -> Response {
    let mut response = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn ok(body: Value) -> Script {
    (200, Vec::new(), body)
}

fn problem(status: u16, code: &str, detail: &str) -> Script {
    (
        status,
        vec![("retry-after", "0")],
        json!({"error": code, "detail": detail}),
    )
}

static POST: Post<'static> = Post {
    path: "/shipments/batch",
    body: Bytes::from_static(b"{\"shipments\": []}"),
    idempotency_key: Some("k"),
    wait_s: None,
};

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_bytes_and_key() {
    let server = Scripted::start([
        problem(429, "RATE_LIMITED", "too many"),
        problem(503, "UNAVAILABLE", "no room"),
        problem(409, "CONFLICT", "the first is in flight"),
        (200, vec![("idempotent-replayed", "true")], json!({"received": 0})),
    ])
    .await;
    let client = server.client().await;
    let answer: Answered<Value> = client.post_json(&POST).await.unwrap();
    assert_eq!((answer.tries, answer.replayed), (4, true));
    assert_eq!(answer.body, json!({"received": 0}));
    assert_eq!(client.latencies().unwrap().count, 4);
    let seen = server.end().await;
    assert_eq!(seen.len(), 4);
    for request in seen {
        assert_eq!(request.body, POST.body);
        assert_eq!(request.header("idempotency-key"), Some("k"));
        assert_eq!(request.header("authorization"), Some("Bearer sk_live_secret"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("prefer"), None);
    }
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url: ServerUrl = format!("http://{address}").parse().unwrap();
    let access = Access::Given(Token::new("t").unwrap());
    let client = Client::connect(url, access).await.unwrap();
    // Takes the connection and goes away without an answer.
    let first = async {
        drop(listener.accept().await.unwrap());
        drop(listener);
        // Nobody listens for a while: the next try is refused.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let listener = TcpListener::bind(address).await.unwrap();
        Scripted::serve(listener, address, [ok(json!([]))])
    };
    let (answer, server) = tokio::join!(client.post_json::<Value>(&POST), first);
    assert!(answer.unwrap().tries >= 2);
    assert_eq!(server.end().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_ends_it_in_the_servers_words_and_without_the_token() {
    let server = Scripted::start([problem(403, "FORBIDDEN", "drivers make no shipments")]).await;
    let error = server.client().await.post_json::<Value>(&POST).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused POST /shipments/batch: drivers make no shipments (403 FORBIDDEN)"
    );
    assert!(!format!("{error:?}").contains("secret"));
    assert_eq!(server.end().await.len(), 1);
}

#[tokio::test]
async fn a_conflict_without_a_key_is_a_refusal() {
    let server = Scripted::start([problem(409, "CONFLICT", "no")]).await;
    let post = Post {
        idempotency_key: None,
        wait_s: Some(30),
        ..POST.clone()
    };
    let error = server.client().await.post_json::<Value>(&post).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { .. }), "{error:?}");
    let seen = server.end().await;
    assert_eq!((seen.len(), seen[0].header("prefer")), (1, Some("wait=30")));
}

#[tokio::test]
async fn an_answer_that_is_not_waybills_is_said_to_be_none() {
    let server = Scripted::start([ok(json!("hello"))]).await;
    let error = server
        .client()
        .await
        .post_json::<Vec<u8>>(&POST)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is this a Waybill server?"), "{error}");
    server.end().await;
}

#[tokio::test]
async fn without_a_token_it_signs_in_and_again_when_its_session_has_ended() {
    let server = Scripted::start([
        ok(json!({"token": "first", "expires_in": 86_400, "token_type": "Bearer"})),
        problem(401, "UNAUTHENTICATED", "the session has ended"),
        ok(json!({"token": "second"})),
        ok(json!(1)),
        ok(json!(2)),
    ])
    .await;
    let client = Client::connect(server.url(), Access::SeededOperator)
        .await
        .unwrap();
    let first: Answered<u8> = client.post_json(&POST).await.unwrap();
    let second: Answered<u8> = client.post_json(&POST).await.unwrap();
    assert_eq!(
        ((first.body, first.tries), (second.body, second.tries)),
        ((1, 2), (2, 1))
    );
    let seen = server.end().await;
    let asked: Vec<_> = seen
        .iter()
        .map(|request| (request.path.as_str(), request.header("authorization")))
        .collect();
    let batch = "/shipments/batch";
    assert_eq!(
        asked,
        [
            ("/auth/login", None),
            (batch, Some("Bearer first")),
            ("/auth/login", None),
            (batch, Some("Bearer second")),
            (batch, Some("Bearer second")),
        ]
    );
    let login: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(
        login,
        json!({"username": "operator_user", "password": "password123"})
    );
}

#[tokio::test]
async fn a_server_that_does_not_know_the_seeded_operator_asks_for_a_token() {
    let server = Scripted::start([problem(401, "UNAUTHENTICATED", "no such user or password")]).await;
    let Err(error) = Client::connect(server.url(), Access::SeededOperator).await else {
        panic!("it signed in");
    };
    assert_eq!(
        error.to_string(),
        "signing in as operator_user was refused: no such user or password (401 UNAUTHENTICATED). \
         Set WAYBILL_TOKEN to an API key or a token of an operator"
    );
    server.end().await;
}

#[tokio::test]
async fn a_token_that_was_given_is_not_replaced_by_signing_in() {
    let server = Scripted::start([problem(401, "UNAUTHENTICATED", "revoked")]).await;
    let error = server.client().await.post_json::<Value>(&POST).await.unwrap_err();
    assert!(
        error.to_string().contains("revoked (401 UNAUTHENTICATED)"),
        "{error}"
    );
    assert_eq!(server.end().await.len(), 1);
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect() {
    let server =
        Scripted::start([(307, vec![("location", "http://127.0.0.1:1/elsewhere")], json!({}))]).await;
    let error = server.client().await.post_json::<Value>(&POST).await.unwrap_err();
    assert!(error.to_string().contains("(307)"), "{error}");
    assert_eq!(server.end().await.len(), 1);
}
