//! WebSocket: the same messages, and what comes before and behind them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use server::server::Limits;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::messages::with_heartbeat;
use crate::harness::front::{Front, client, operator};
use crate::harness::home::Home;
use crate::harness::live::{Events, Socket, step};

fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_told_what_an_event_stream_is() {
    let front = Front::start().await;
    let mut socket = Socket::open(&front, &operator(), "?status=picked_up").await;
    let mut events = Events::open(&front, &operator(), "?status=picked_up").await;
    let hello = socket.next().await;
    assert_eq!(hello["type"], "hello");
    assert_eq!(hello["epoch"].as_str().unwrap().len(), 32);
    let number = front.shipment_of("client_001").await;
    step(&front, &number, 0).await;
    let message = socket.next().await;
    assert_eq!(message, events.message().await.data);
    step(&front, &number, 1).await;
    let after = format!("?after={}&order_id={number}", message["cursor"].as_str().unwrap());
    let mut resumed = Socket::open(&front, &operator(), &after).await;
    assert_eq!(resumed.next().await["type"], "hello");
    assert_eq!(resumed.next().await["version"], 3);
    let mut reset = Socket::open(&front, &operator(), "?after=garbage").await;
    let head = reset.next().await["cursor"].clone();
    assert_eq!(
        reset.next().await,
        json!({"type": "reset", "reason": "unknown", "cursor": head})
    );
    drop((socket, events, resumed, reset));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_may_say_who_is_there() {
    let front = Front::start().await;
    let own = front.shipment_of("client_001").await;
    let mut socket = Socket::open(&front, "", "?lifecycle=shipment").await;
    let first =
        json!({"token": client("client_001"), "status": "picked_up", "order_id": own, "active": true});
    socket.send(text(&first)).await;
    let hello = socket.next().await;
    assert_eq!(hello["type"], "hello");
    step(&front, &own, 0).await;
    let told = socket.next().await;
    assert_eq!((&told["order_id"], &told["version"]), (&json!(own), &json!(2)));
    drop(socket);
    step(&front, &own, 1).await;
    let mut socket = Socket::open(&front, "", "").await;
    let first = json!({"token": client("client_001"), "after": told["cursor"]});
    socket.send(text(&first)).await;
    assert_eq!(socket.next().await["type"], "hello");
    assert_eq!(socket.next().await["version"], 3);
    drop(socket);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_first_message_is_answered_by_a_close_that_says_why() {
    let mut limits = Limits::default();
    limits.streams.first_message_time = Duration::from_millis(300);
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let of_another = front.shipment_of("client_002").await;
    let one = client("client_001");
    let cases: [(Message, u16, &str); 12] = [
        (Message::Text("garbage".into()), 1008, "MALFORMED_JSON"),
        (text(&json!([])), 1008, "MALFORMED_JSON"),
        (text(&json!({"after": "x"})), 1008, "MALFORMED_JSON"),
        (text(&json!({"token": 5})), 1008, "MALFORMED_JSON"),
        (text(&json!({"token": "nobody's"})), 1008, "UNAUTHENTICATED"),
        (
            text(&json!({"token": "x".repeat(10_000)})),
            1008,
            "UNAUTHENTICATED",
        ),
        (
            text(&json!({"token": one, "colour": "red"})),
            1008,
            "VALIDATION_FAILED: colour",
        ),
        (
            text(&json!({"token": one, "status": "no such"})),
            1008,
            "VALIDATION_FAILED: status",
        ),
        (
            text(&json!({"token": one, "order_id": of_another})),
            1008,
            "FORBIDDEN",
        ),
        (
            text(&json!({"token": one, "order_id": "99M-NOSUCH000"})),
            1008,
            "NOT_FOUND",
        ),
        (Message::Binary(vec![1, 2, 3].into()), 1008, "a text"),
        (Message::Text("x".repeat(1_000_000).into()), 1009, "16 KiB"),
    ];
    for (message, code, reason) in cases {
        let mut socket = Socket::open(&front, "", "").await;
        let shown = format!("{message:?}").chars().take(80).collect::<String>();
        socket.send(message).await;
        let (found, why) = socket.closed().await;
        assert_eq!(found, code, "{shown}: {why}");
        assert!(why.contains(reason), "{shown}: {why}");
    }
    let mut silent = Socket::open(&front, "", "").await;
    assert_eq!(silent.closed().await.0, 1008);
    let mut binary = Socket::open(&front, &operator(), "").await;
    assert_eq!(binary.next().await["type"], "hello");
    binary.send(Message::Binary(vec![1, 2, 3].into())).await;
    assert_eq!(binary.closed().await.0, 1003);
    let mut talkative = Socket::open(&front, &operator(), "").await;
    assert_eq!(talkative.next().await["type"], "hello");
    talkative.send(Message::Text("and another thing".into())).await;
    assert_eq!(talkative.closed().await.0, 1008);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_is_answered_before_and_after_it_has_said_who_it_is() {
    let front = Front::start().await;
    let goodbye = || {
        Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "enough".into(),
        }))
    };
    let mut early = Socket::open(&front, "", "").await;
    early.send(goodbye()).await;
    assert_eq!(early.closed().await.0, 1000);
    let mut late = Socket::open(&front, "", "").await;
    // A browser's first time: there is nothing to go on from.
    let first = json!({"token": operator(), "after": null});
    late.send(Message::Text(first.to_string().into())).await;
    assert_eq!(late.next().await["type"], "hello");
    late.send(goodbye()).await;
    assert_eq!(late.closed().await.0, 1000);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_websocket_is_refused_before_it_begins() {
    let front = Front::start().await;
    front.get(&operator(), "/api/v1/ws").await.blames("Upgrade");
    let head = front.request(Method::HEAD, "/api/v1/ws").bearer_auth(operator());
    assert_eq!(front.send(head).await.status.as_u16(), 400);
    let upgrade = front.request(Method::HEAD, "/api/v1/ws").bearer_auth(operator());
    let upgrade = upgrade
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(front.send(upgrade).await.status.as_u16(), 400);
    for query in ["?token=x", "?access_token=x"] {
        for token in ["", &operator()] {
            let refused = Socket::try_open(&front, token, query).await.err().unwrap();
            refused.is_problem(401, "UNAUTHENTICATED");
        }
    }
    let refused = Socket::try_open(&front, "not.a.token", "").await.err().unwrap();
    refused.is_problem(401, "UNAUTHENTICATED");
    let refused = Socket::try_open(&front, &operator(), "?colour=red")
        .await
        .err()
        .unwrap();
    refused.blames("colour");
    let bad_frames = format!(
        "GET /api/v1/ws HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\u{7f}\u{7f}\u{7f}\u{7f}",
        operator()
    );
    let address = front.address;
    let answer = tokio::task::block_in_place(|| front.raw(bad_frames.as_bytes(), Duration::from_secs(5)));
    assert!(answer.starts_with("HTTP/1.1 101"), "{address}: {answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_socket_is_pinged_and_learns_newer_cursors() {
    let front = with_heartbeat(Duration::from_millis(100)).await;
    let mut socket = Socket::open(&front, &client("client_001"), "").await;
    let hello = socket.next().await;
    socket.ping().await;
    front.shipment_of("client_002").await;
    let newer = socket.next().await;
    assert_eq!(newer["type"], "cursor");
    assert_ne!(newer["cursor"], hello["cursor"]);
    drop(socket);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_closes_sockets_and_tells_them_where_to_go_on() {
    let mut front = Front::start().await;
    let mut socket = Socket::open(&front, &operator(), "").await;
    let mut waiting = Socket::open(&front, "", "").await;
    let hello = socket.next().await;
    let reading = async {
        let closed = socket.next().await;
        // All are sent away at once, and must not all come back at once.
        let after = closed["retry_after_ms"].as_u64().unwrap();
        assert!(after >= 1_000, "{closed}");
        assert_eq!(
            closed,
            json!({"type": "closed", "reason": "shutdown", "cursor": hello["cursor"], "retry_after_ms": after})
        );
        assert_eq!(socket.closed().await.0, 1001);
    };
    let began = std::time::Instant::now();
    let waiting = async { waiting.closed().await };
    let ((), _, ()) = tokio::join!(reading, waiting, front.stop());
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}
