//! `GET /api/v1/ws`: how a WebSocket (RFC 6455) begins, and who is at its other end.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::auth::{Asking, Principal, nobody};
use super::super::limits::{SOCKET_BUFFER_BYTES, SOCKET_MESSAGE_BYTES, SOCKET_WAITING_BYTES};
use super::super::order_filter::OrderFilterSchema;
use super::super::problem::{Kind, Problem};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::super::taken_over::{Io, TakeOver};
use super::opened::Opened;
use super::socket::{FirstMessage, Socket};
use super::tickets::Shown;
use super::wish::{Wish, must_have_no_token};

/// The one version there is.
const VERSION: &str = "13";

/// A live stream over a WebSocket
///
/// What `/api/v1/stream` tells, in text messages, with the same filters. Who is asking is said by `Authorization`, by a `ticket`, or by the first message,
/// `{"token", "after"?}` and filters, which has to come within five seconds. The first message back is `{"type":"hello", "cursor", "epoch"}`; `reset` and `closed` are
/// messages as well, and so is `cursor`, every 15 seconds if there is a newer one. Close codes: 1008 not (or no longer) allowed or not understood, 1009 a message too
/// long, 1013 not read fast enough (come back with the cursor of `closed`), 1001 the server stops.
#[utoipa::path(get, path = "/api/v1/ws", tag = "live",
    params(
        ("ticket" = Option<String>, Query, description = "Of `POST /api/v1/stream/tickets`"),
        ("order_id" = Option<String>, Query, description = "As of `/api/v1/stream`"),
        OrderFilterSchema,
        ("after" = Option<String>, Query, description = "A cursor: goes on behind it")),
    responses((status = 101, description = "A WebSocket from now on")))]
pub(super) async fn socket(
    State(state): State<AppState>,
    Extension(Asking(asking)): Extension<Asking>,
    method: Method,
    mut parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    must_have_no_token(&parameters, &["token", "access_token"])?;
    let accept = accept_key(&method, &headers);
    let ticket = parameters.text("ticket");
    let asker = asking?;
    let accept = match accept {
        Err(_) if asker.is_none() => return Err(nobody()),
        accept => accept?,
    };
    let begun = match (asker, ticket) {
        (Some(_), Some(_)) => return Err(Problem::field("ticket", "value", "goes without Authorization")),
        (Some(principal), None) => {
            let wish = Wish::of_all(&state, parameters)?;
            Begun::By(Box::new(opened(&state, &principal, wish).await?))
        }
        (None, Some(ticket)) => {
            let wish = Wish::of_all(&state, parameters)?;
            Begun::By(Box::new(opened_by_ticket(&state, &ticket, wish).await?))
        }
        (None, None) => Begun::Waiting(parameters),
    };
    let mut response = switching(&accept)?;
    let take_over = TakeOver::by(move |io: Io, came| async move {
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_BUFFER_BYTES)
            .write_buffer_size(SOCKET_BUFFER_BYTES)
            .max_write_buffer_size(SOCKET_WAITING_BYTES)
            .max_message_size(Some(SOCKET_MESSAGE_BYTES))
            .max_frame_size(Some(SOCKET_MESSAGE_BYTES));
        let came = came.to_vec();
        let socket = WebSocketStream::from_partially_read(io, came, Role::Server, Some(config)).await;
        begun
            .serve(&state, Socket::over(socket, state.stream_limits.heartbeat))
            .await;
    });
    response.extensions_mut().insert(take_over);
    Ok(response)
}

/// How a socket begins.
enum Begun {
    /// It is known who is at its other end.
    By(Box<Opened>),
    /// The first message says so; these were said before.
    Waiting(Parameters),
}

impl Begun {
    async fn serve(self, state: &AppState, mut socket: Socket) {
        let opened = match self {
            Self::By(opened) => Ok(*opened),
            Self::Waiting(parameters) => {
                let first = tokio::select! {
                    first = socket.first(state.stream_limits.first_message_time) => first,
                    () = state.live.shutting_down() => return socket.go_away().await,
                };
                match first {
                    FirstMessage::Text(text) => by_message(state, &text, parameters).await,
                    FirstMessage::Nothing => {
                        Err(Problem::unauthenticated("no first message came with a token"))
                    }
                    FirstMessage::Ended => return,
                }
            }
        };
        match opened {
            Ok(opened) => socket.tell(opened).await,
            Err(problem) => socket.refuse(&problem).await,
        }
    }
}

async fn opened(state: &AppState, principal: &Arc<Principal>, wish: Wish) -> Result<Opened, Problem> {
    let place = state.watch.place(principal)?;
    let beginning = wish.begin(state, principal).await?;
    Ok(Opened::open(state, place, beginning))
}

/// A ticket is used up when there is a place and nothing wrong with the wish: who mends it comes again with the same.
async fn opened_by_ticket(state: &AppState, ticket: &str, wish: Wish) -> Result<Opened, Problem> {
    let ticket = Shown::read(state, ticket)?;
    let place = state.watch.place(ticket.principal())?;
    let principal = ticket.use_up(state).await?;
    let beginning = wish.begin(state, &principal).await?;
    Ok(Opened::open(state, place, beginning))
}

/// Opens a stream as a first message says.
async fn by_message(state: &AppState, text: &str, mut parameters: Parameters) -> Result<Opened, Problem> {
    let not_one = || {
        Problem::new(
            Kind::MalformedJson,
            "the first message must be {\"token\", \"after\"?} and filters, each a text",
        )
    };
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
        return Err(not_one());
    };
    let Some(Value::String(token)) = members.remove("token") else {
        return Err(not_one());
    };
    let principal = state.authenticate_by(&token).await?;
    let texts = members.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some(Ok((name, text))),
        Value::Bool(flag) => Some(Ok((name, flag.to_string()))),
        // As if it were not there.
        Value::Null => None,
        Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(Err(not_one())),
    });
    parameters.extend(texts.collect::<Result<Vec<_>, _>>()?);
    opened(state, &principal, Wish::of_all(state, parameters)?).await
}

/// What proves to the client that it is understood (RFC 6455, 4.2).
fn accept_key(method: &Method, headers: &HeaderMap) -> Result<String, Problem> {
    if method != Method::GET {
        return Err(Problem::field("Upgrade", "value", "goes with GET"));
    }
    let says = |name: header::HeaderName, word: &str| {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut words = values.flat_map(|value| value.split(','));
        words.any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    let is_upgrade = says(header::CONNECTION, "upgrade") && says(header::UPGRADE, "websocket");
    if !is_upgrade || !says(header::SEC_WEBSOCKET_VERSION, VERSION) {
        let problem = Problem::field("Upgrade", "value", "must ask for a WebSocket of version 13");
        return Err(problem.with_header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24);
    let missing = || Problem::field("Sec-WebSocket-Key", "required", "must be 16 bytes in base64");
    Ok(derive_accept_key(key.ok_or_else(missing)?.as_bytes()))
}

fn switching(accept: &str) -> Result<Response<Body>, Problem> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(accept).map_err(|_| Problem::internal())?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}
