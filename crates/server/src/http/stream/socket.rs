//! What goes over a WebSocket once it stands.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::super::limits::{SOCKET_CLOSE_TIME, SOCKET_SILENT_BEATS, SOCKET_TOLD_AT_ONCE};
use super::super::problem::{Kind, Problem};
use super::super::taken_over::Io;
use super::opened::{self, Ending, Opened, Said};
use crate::live::Closed;

/// Bytes of the words in a close frame (RFC 6455, 5.5), the code taken off.
const REASON_BYTES: usize = 123;

/// One of them.
pub(super) struct Socket {
    socket: WebSocketStream<Io>,
    heartbeat: Duration,
    heard_at: Instant,
    /// The cursor that the other side was told last.
    at: String,
}

/// What comes first.
pub(super) enum FirstMessage {
    Text(String),
    /// Nothing in time.
    Nothing,
    /// The socket is closed, and if there was a reason, it was told.
    Ended,
}

/// What happens next.
enum Next {
    Said(Option<Said>),
    Came(Option<Result<Message, Error>>),
}

impl Socket {
    pub(super) fn over(socket: WebSocketStream<Io>, heartbeat: Duration) -> Self {
        Self {
            socket,
            heartbeat,
            heard_at: Instant::now(),
            at: String::new(),
        }
    }

    /// Waits for the first message.
    pub(super) async fn first(&mut self, patience: Duration) -> FirstMessage {
        let until = Instant::now() + patience;
        loop {
            match tokio::time::timeout_at(until, self.socket.next()).await {
                Err(_) => return FirstMessage::Nothing,
                Ok(Some(Ok(Message::Text(text)))) => return FirstMessage::Text(text.as_str().to_owned()),
                Ok(Some(Ok(Message::Binary(_)))) => {
                    self.part(CloseCode::Policy, "the first message is a text with a token")
                        .await;
                    return FirstMessage::Ended;
                }
                Ok(came) => {
                    if !self.bears(came).await {
                        return FirstMessage::Ended;
                    }
                }
            }
        }
    }

    /// Tells a stream to its end.
    pub(super) async fn tell(mut self, mut opened: Opened) {
        loop {
            let next = poll_fn(|context| {
                if let Poll::Ready(came) = self.socket.poll_next_unpin(context) {
                    return Poll::Ready(Next::Came(came));
                }
                opened.poll_next(context).map(Next::Said)
            });
            match next.await {
                Next::Came(Some(Ok(Message::Text(_)))) => {
                    return self.close(CloseCode::Policy, "a stream takes no messages").await;
                }
                Next::Came(came) => {
                    if !self.bears(came).await {
                        return;
                    }
                }
                Next::Said(None) => return,
                Next::Said(Some(said)) => {
                    if !self.say_all(said, &mut opened).await {
                        return;
                    }
                }
            }
        }
    }

    /// Ends before it has begun, as the server stops.
    pub(super) async fn go_away(self) {
        self.close(CloseCode::Away, Closed::Shutdown.name()).await;
    }

    /// Refuses to begin.
    pub(super) async fn refuse(self, problem: &Problem) {
        let code = match problem.kind {
            Kind::Unavailable | Kind::RateLimited => CloseCode::Again,
            Kind::Internal => CloseCode::Error,
            _ => CloseCode::Policy,
        };
        let reason = format!("{}: {}", problem.kind.code(), problem.detail);
        self.close(code, &reason).await;
    }

    /// Says something and what else is to be said by now, and sends it. False at the end.
    async fn say_all(&mut self, first: Said, opened: &mut Opened) -> bool {
        let mut said = Some(first);
        for _ in 0..SOCKET_TOLD_AT_ONCE {
            let Some(saying) = said.take() else { break };
            if let Said::Closed(ending) = saying {
                self.end(&ending).await;
                return false;
            }
            if self.say(saying, opened).await.is_err() {
                return false;
            }
            said = poll_fn(|context| opened.poll_next(context))
                .now_or_never()
                .flatten();
        }
        if let Some(saying) = said {
            // What was taken is said.
            if let Said::Closed(ending) = saying {
                self.end(&ending).await;
                return false;
            }
            if self.say(saying, opened).await.is_err() {
                return false;
            }
        }
        self.socket.flush().await.is_ok()
    }

    async fn say(&mut self, said: Said, opened: &Opened) -> Result<(), Error> {
        match said {
            Said::Message(message) => {
                let text = Utf8Bytes::try_from(message.json())?;
                self.socket.feed(Message::Text(text)).await
            }
            Said::Hello { head, at } => {
                self.at = at;
                let text = json!({"type": "hello", "cursor": head, "epoch": opened.epoch()});
                self.feed(&text).await
            }
            Said::Reset { cursor, why } => {
                let mut text = opened::reset(why, &cursor);
                text["type"] = "reset".into();
                self.feed(&text).await
            }
            Said::Heartbeat { at } => {
                if self.heard_at.elapsed() > self.heartbeat * SOCKET_SILENT_BEATS {
                    // Nobody answers any more.
                    return Err(Error::ConnectionClosed);
                }
                if at != self.at {
                    self.feed(&json!({"type": "cursor", "cursor": at})).await?;
                    self.at = at;
                }
                self.socket.feed(Message::Ping(Bytes::new())).await
            }
            Said::Closed(_) => Ok(()),
        }
    }

    async fn feed(&mut self, value: &serde_json::Value) -> Result<(), Error> {
        self.socket.feed(Message::Text(value.to_string().into())).await
    }

    /// The last message, and why.
    async fn end(&mut self, ending: &Ending) {
        let mut text = ending.said();
        text["type"] = "closed".into();
        let code = match ending.why {
            Closed::Slow => CloseCode::Again,
            Closed::Shutdown => CloseCode::Away,
            Closed::Unauthenticated => CloseCode::Policy,
        };
        // Who is slow may not take it in time.
        let said = async {
            self.feed(&text).await.ok();
            self.say_goodbye(code, ending.why.name()).await;
        };
        tokio::time::timeout(SOCKET_CLOSE_TIME, said).await.ok();
    }

    /// Whether the socket goes on after what came: all but texts. If not, it is closed.
    async fn bears(&mut self, came: Option<Result<Message, Error>>) -> bool {
        let (code, reason) = match came {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.heard_at = Instant::now();
                // What answers a ping waits to be sent.
                return self.socket.flush().await.is_ok();
            }
            None | Some(Ok(Message::Close(_))) => {
                // What answers a close (RFC 6455, 5.5.1) waits to be sent.
                tokio::time::timeout(SOCKET_CLOSE_TIME, self.socket.flush())
                    .await
                    .ok();
                return false;
            }
            Some(Ok(Message::Binary(_))) => (CloseCode::Unsupported, "messages are texts here"),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => (CloseCode::Policy, "not now"),
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                (CloseCode::Size, "a message may have 16 KiB")
            }
            Some(Err(Error::Utf8(_))) => (CloseCode::Invalid, "a text is UTF-8"),
            Some(Err(
                Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed,
            )) => {
                return false;
            }
            Some(Err(Error::Protocol(_))) => (CloseCode::Protocol, "these are no frames"),
            Some(Err(_)) => return false,
        };
        self.part(code, reason).await;
        false
    }

    async fn close(mut self, code: CloseCode, reason: &str) {
        self.part(code, reason).await;
    }

    /// Says why it closes, in the time that there is for it.
    async fn part(&mut self, code: CloseCode, reason: &str) {
        let said = self.say_goodbye(code, reason);
        tokio::time::timeout(SOCKET_CLOSE_TIME, said).await.ok();
    }

    /// Closes, and waits for the other side to do so: what it still sends would otherwise cost it what was said last.
    async fn say_goodbye(&mut self, code: CloseCode, reason: &str) {
        let reason: Cow<'_, str> = at_most(reason, REASON_BYTES).into();
        let frame = CloseFrame {
            code,
            reason: reason.as_ref().into(),
        };
        if self.socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

fn at_most(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
