//! Tickets: for one WebSocket each.

use reqwest::Method;
use serde_json::{Value, json};
use server::server::Limits;

use super::standing::signed_up;
use crate::harness::front::{Front, admin, client, operator, token};
use crate::harness::home::Home;
use crate::harness::live::{Events, Socket};

pub(super) async fn ticket(front: &Front, token: &str) -> String {
    let request = front
        .request(Method::POST, "/api/v1/stream/tickets")
        .bearer_auth(token);
    let made = front.send(request).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.is(200);
    assert_eq!(made["expires_in"], 30);
    made["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_stream_as_who_asked_for_it() {
    let front = Front::start().await;
    let ticket = ticket(&front, &client("client_001")).await;
    let query = format!("?ticket={ticket}");
    let mut socket = Socket::open(&front, "", &query).await;
    assert_eq!(socket.next().await["type"], "hello");
    front.shipment_of("client_002").await;
    let own = front.shipment_of("client_001").await;
    assert_eq!(socket.next().await["order_id"], own.as_str());
    let again = Socket::try_open(&front, "", &query).await.err().unwrap();
    again.is_problem(401, "UNAUTHENTICATED");
    drop(socket);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_no_token_and_no_token_a_ticket() {
    let front = Front::start().await;
    let made = ticket(&front, &operator()).await;
    front
        .get(&made, "/shipments")
        .await
        .is_problem(401, "UNAUTHENTICATED");
    let (said, signature) = made.split_once('.').unwrap();
    let altered = format!("{}A.{signature}", &said[..said.len() - 1]);
    for bad in [
        operator(),
        altered,
        said.to_owned(),
        "x".to_owned(),
        format!("{said}."),
    ] {
        let refused = Socket::try_open(&front, "", &format!("?ticket={bad}"))
            .await
            .err()
            .unwrap();
        refused.is_problem(401, "UNAUTHENTICATED");
    }
    let both = Socket::try_open(&front, &operator(), &format!("?ticket={made}")).await;
    both.err().unwrap().blames("ticket");
    let nobody = front.request(Method::POST, "/api/v1/stream/tickets");
    front.send(nobody).await.is_problem(401, "UNAUTHENTICATED");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_worth_no_more_than_the_token_behind_it() {
    let front = Front::start().await;
    let (user, token) = signed_up(&front, "anna").await;
    let (void, open) = (ticket(&front, &token).await, ticket(&front, &token).await);
    let mut socket = Socket::open(&front, "", &format!("?ticket={open}")).await;
    assert_eq!(socket.next().await["type"], "hello");
    let request = front.request(Method::PUT, &format!("/api/v1/users/{user}"));
    let disable: Value = json!({"disabled": true});
    front
        .send(request.bearer_auth(admin()).json(&disable))
        .await
        .is(200);
    assert_eq!(socket.closed().await, (1008, "unauthenticated".to_owned()));
    let refused = Socket::try_open(&front, "", &format!("?ticket={void}"))
        .await
        .err()
        .unwrap();
    refused.is_problem(401, "UNAUTHENTICATED");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_for_whoever_asked_whatever_the_name() {
    let front = Front::start().await;
    for subject in ["CORP\\ann", "ann \"the one\"", "\u{1f980}\n"] {
        let made = ticket(&front, &token(subject, "operator", None)).await;
        let mut socket = Socket::open(&front, "", &format!("?ticket={made}")).await;
        assert_eq!(socket.next().await["type"], "hello", "{subject}");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_not_used_up_by_a_wish_that_is_refused_nor_where_there_is_no_place_nor_by_head() {
    let mut limits = Limits::default();
    limits.streams.per_principal = 1;
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let made = ticket(&front, &operator()).await;
    let wrong = Socket::try_open(&front, "", &format!("?ticket={made}&phase=nope")).await;
    wrong.err().unwrap().blames("phase");
    let head = front
        .request(Method::HEAD, &format!("/api/v1/ws?ticket={made}"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert!(front.send(head).await.status.is_client_error());
    let one = Events::open(&front, &operator(), "").await;
    let full = Socket::try_open(&front, "", &format!("?ticket={made}")).await;
    full.err().unwrap().is_problem(429, "RATE_LIMITED");
    drop(one);
    let began = std::time::Instant::now();
    let mut socket = loop {
        match Socket::try_open(&front, "", &format!("?ticket={made}")).await {
            Ok(socket) => break socket,
            Err(refused) => drop(refused.is_problem(429, "RATE_LIMITED")),
        }
        assert!(began.elapsed().as_secs() < 10, "its place is free again");
    };
    assert_eq!(socket.next().await["type"], "hello");
    drop(socket);
    front.end().await;
}
