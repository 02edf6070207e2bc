//! Readers of live streams: server-sent events and WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use model::command::{Actor, Change, OrderRef};
use model::public_id::PublicId;
use reqwest::{Method, Response};
use serde_json::Value;
use server::engine::{Command, Submission};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::front::{Front, Reply, new_event, operator};

/// Longest that something may take that has to come, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing has to come for it to be taken for nothing.
const SILENCE: Duration = Duration::from_millis(400);

/// An event of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Empty for one that only has an id.
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: Value,
    /// The lines as they came.
    pub(crate) text: String,
}

/// A stream of server-sent events.
pub(crate) struct Events {
    response: Response,
    came: Vec<u8>,
}

impl Events {
    /// Opens one, and takes its `hello`.
    pub(crate) async fn open(front: &Front, token: &str, query: &str) -> Self {
        let mut events = Self::begin(front, token, query, None).await;
        let hello = events.next().await;
        assert_eq!(hello.kind, "hello", "{}", hello.text);
        events
    }

    /// Opens one behind an event, as a browser does that comes back.
    pub(crate) async fn resume(front: &Front, token: &str, query: &str, last: &str) -> Self {
        let mut events = Self::begin(front, token, query, Some(last)).await;
        let hello = events.next().await;
        assert_eq!(hello.kind, "hello", "{}", hello.text);
        assert_eq!(hello.id, last, "it stands where it did");
        events
    }

    /// Opens one, and takes nothing of it.
    pub(crate) async fn begin(front: &Front, token: &str, query: &str, last: Option<&str>) -> Self {
        let request = front.request(Method::GET, &format!("/api/v1/stream{query}"));
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let response = request.bearer_auth(token).send().await.unwrap();
        assert_eq!(
            response.status().as_u16(),
            200,
            "{}",
            response.text().await.unwrap()
        );
        Self {
            response,
            came: Vec::new(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// What comes next, be it only an id.
    pub(crate) async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.try_next()).await;
        next.expect("nothing came").expect("the stream ended")
    }

    /// The next one; `None` at the end of the stream.
    pub(crate) async fn try_next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.came.windows(2).position(|two| two == b"\n\n") {
                let text: Vec<u8> = self.came.drain(..end + 2).collect();
                return Some(event(String::from_utf8(text).unwrap()));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.came.extend_from_slice(&chunk),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next message, heartbeats left out.
    pub(crate) async fn message(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.kind.starts_with("order.") {
                return event;
            }
            assert_eq!(event.kind, "", "no message: {}", event.text);
        }
    }

    /// Order and version of so many messages.
    pub(crate) async fn versions(&mut self, count: usize) -> Vec<(String, u64)> {
        let mut versions = Vec::new();
        for _ in 0..count {
            versions.push(version(&self.message().await.data));
        }
        versions
    }

    /// Nothing comes for a while.
    pub(crate) async fn is_silent(&mut self) {
        if let Ok(event) = tokio::time::timeout(SILENCE, self.try_next()).await {
            panic!("it is not silent: {event:?}");
        }
    }

    /// The event `closed`, and the end. What comes before is left out.
    pub(crate) async fn closed(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.kind == "closed" {
                assert!(self.try_next().await.is_none(), "it is the last");
                return event;
            }
        }
    }
}

/// What tells one message from another.
pub(crate) fn version(message: &Value) -> (String, u64) {
    let order = message["order_id"].as_str().unwrap().to_owned();
    (order, message["version"].as_u64().unwrap())
}

fn event(text: String) -> Event {
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    Event {
        kind: field("event").unwrap_or_default().to_owned(),
        id: field("id").unwrap_or_default().to_owned(),
        data: field("data").map_or(Value::Null, |data| serde_json::from_str(data).unwrap()),
        text,
    }
}

/// A WebSocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens one; without a token if it is empty.
    pub(crate) async fn open(front: &Front, token: &str, query: &str) -> Self {
        match Self::try_open(front, token, query).await {
            Ok(socket) => socket,
            Err(reply) => panic!("{reply:?}"),
        }
    }

    /// The answer, where it is another.
    pub(crate) async fn try_open(front: &Front, token: &str, query: &str) -> Result<Self, Reply> {
        let url = format!("ws://{}/api/v1/ws{query}", front.address);
        let mut request = url.into_client_request().unwrap();
        if !token.is_empty() {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let stream = TcpStream::connect(front.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(Reply {
                status: response.status(),
                headers: response.headers().clone(),
                text: String::from_utf8(response.into_body().unwrap_or_default()).unwrap(),
            }),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next text.
    pub(crate) async fn next(&mut self) -> Value {
        match self.any().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// What comes next but pings.
    pub(crate) async fn any(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match next.expect("nothing came").expect("the socket ended").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }

    /// The next ping.
    pub(crate) async fn ping(&mut self) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            if let Message::Ping(_) = next.expect("nothing came").expect("the socket ended").unwrap() {
                return;
            }
        }
    }

    /// Code and reason of the close that comes, whatever comes before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.any().await {
                let frame = frame.expect("a close says why");
                return (frame.code.into(), frame.reason.as_str().to_owned());
            }
        }
    }
}

/// The steps of a shipment behind its creation.
pub(crate) const STEPS: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];

/// Has a shipment take a step.
pub(crate) async fn step(front: &Front, number: &str, step: usize) {
    let timestamp = format!("2026-01-31T1{step}:00:00Z");
    let told = front
        .report(&operator(), &new_event(number, STEPS[step], &timestamp))
        .await
        .is(200);
    assert_eq!(told["outcome"], "applied", "{told}");
}

/// Has an order changed as no request can yet.
pub(crate) async fn change(front: &Front, number: &str, change: Change) {
    let actor = Actor {
        role: model::role::Role::Admin,
        ..Actor::SYSTEM
    };
    let command = Command::Change {
        order: OrderRef::Public(PublicId::new(number).unwrap()),
        actor,
        expected: None,
        change,
    };
    let submission = Submission {
        commands: vec![command],
        ..Submission::default()
    };
    let answers = front.engine.submit(submission).await.unwrap();
    let accepted = matches!(&answers[0], Ok(server::engine::Outcome::Accepted(_)));
    assert!(accepted, "{answers:?}");
}
