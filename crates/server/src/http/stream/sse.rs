//! `GET /api/v1/stream`: server-sent events (WHATWG HTML, 9.2).

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;

use super::super::auth::Asker;
use super::super::order_filter::OrderFilterSchema;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::super::taken_over::TakeOver;
use super::opened::{self, Opened, Said};
use super::wish::{Wish, must_have_no_token};

/// A live stream
///
/// Server-sent events, one for each message. `hello` comes first and has the cursor of the head of the log and the epoch, then the messages that the caller may
/// see and the filters let through, each under its type, with its cursor as `id`. `Last-Event-ID` or `after` goes on behind a cursor with nothing lost and nothing twice;
/// `reset` says that this is not possible, and the stream goes on from the cursor that it names. `closed` is the last event, with `reason`, the
/// cursor to come back with and, when the server stops, `retry_after_ms`. A comment comes every 15 seconds, with an `id` that moves on.
#[utoipa::path(get, path = "/api/v1/stream", tag = "live",
    params(
        ("order_id" = Option<String>, Query, description = "Only of this order; another party's: 403, none: 404"),
        OrderFilterSchema,
        ("after" = Option<String>, Query, description = "A cursor: goes on behind it"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same, as browsers send it that come back: counts in place of `after`")),
    responses(
        (status = 200, description = "Events until either side ends it", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no such order", body = ProblemSchema)))]
pub(super) async fn stream(
    State(state): State<AppState>,
    method: Method,
    asker: Asker,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response<Body>, Problem> {
    must_have_no_token(&parameters, &["token", "access_token", "ticket"])?;
    let mut wish = Wish::of_all(&state, parameters)?;
    wish.resume_by(&headers)?;
    let body = if method == Method::HEAD {
        wish.is_allowed(&state, asker.principal()).await?;
        Body::empty()
    } else {
        let place = state.watch.place(asker.principal())?;
        let beginning = wish.begin(&state, &asker).await?;
        Body::new(Events(Opened::open(&state, place, beginning)))
    };
    let mut response = Response::new(body);
    if method != Method::HEAD {
        response.extensions_mut().insert(TakeOver::without_end());
    }
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Or a proxy of this kind would gather what is to come at once.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// A stream as the body of an answer.
struct Events(Opened);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let said = std::task::ready!(self.0.poll_next(context));
        Poll::Ready(said.map(|said| Ok(Frame::data(event(said, &self.0)))))
    }
}

fn event(said: Said, opened: &Opened) -> Bytes {
    match said {
        Said::Message(message) => message.event(),
        Said::Hello { head, at } => {
            let data = json!({"cursor": head, "epoch": opened.epoch()});
            format!("id: {at}\nevent: hello\ndata: {data}\n\n").into()
        }
        Said::Reset { cursor, why } => {
            let data = opened::reset(why, &cursor);
            format!("id: {cursor}\nevent: reset\ndata: {data}\n\n").into()
        }
        // An event without data is none, but its id counts.
        Said::Heartbeat { at } => format!(": heartbeat\nid: {at}\n\n").into(),
        Said::Closed(ending) => {
            let retry = ending.retry_after_ms.map(|after| format!("retry: {after}\n"));
            let (retry, cursor, data) = (retry.unwrap_or_default(), &ending.cursor, ending.said());
            format!("{retry}id: {cursor}\nevent: closed\ndata: {data}\n\n").into()
        }
    }
}
