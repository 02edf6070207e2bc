//! Connections that are taken over from the HTTP library once their answer is known: for answers without an end, and for WebSocket.
//!
//! The library keeps some 16 KiB of buffers for a connection, whatever happens on it, and as much as 64 KiB more once it had much to say. Of ten thousand
//! streams that is most of what they cost. Taken over, a connection keeps none: what an answer says is written as it comes, some
//! messages at once, and no more is asked for before that has gone out. It is then served by [other threads](super::stream_threads), while its task waits and keeps its place.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use hyper::body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::bare_errors::BareErrors;
use super::limits::{READ_AND_DROPPED_AT_ONCE, SAID_AT_ONCE_BYTES};
use super::unread::Unread;
use crate::clock::{Clock, SystemClock};

/// A connection, as the HTTP library reads and writes it.
pub(super) type Io = Unread<BareErrors>;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Next = Box<dyn FnOnce(Io, Bytes) -> Work + Send>;

/// Goes with an answer: what becomes of its connection.
#[derive(Clone)]
pub(super) struct TakeOver(Arc<Mutex<Option<Next>>>);

impl TakeOver {
    /// The answer has no end: its body is written as it comes, and then the connection ends.
    pub(super) fn without_end() -> Self {
        Self(Arc::default())
    }

    /// Behind the answer's head the connection is something else's. It is given what came already.
    pub(super) fn by<F: Future<Output = ()> + Send + 'static>(
        next: impl FnOnce(Io, Bytes) -> F + Send + 'static,
    ) -> Self {
        let next: Next = Box::new(move |io, came| Box::pin(next(io, came)));
        Self(Arc::new(Mutex::new(Some(next))))
    }
}

/// Where the answer is left by which a connection is taken over.
#[derive(Clone, Default)]
pub(super) struct Left(Arc<Place>);

#[derive(Default)]
struct Place {
    left: Mutex<Option<(Response<Body>, TakeOver)>>,
    told: Notify,
}

impl Left {
    /// Leaves an answer if its connection is to be taken over; gives it back if not.
    pub(super) fn take(&self, mut response: Response<Body>) -> Option<Response<Body>> {
        let Some(take_over) = response.extensions_mut().remove::<TakeOver>() else {
            return Some(response);
        };
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = Some((response, take_over));
        self.0.told.notify_one();
        None
    }

    /// Waits until an answer is left.
    pub(super) async fn wait(&self) {
        self.0.told.notified().await;
    }

    /// Goes on with the connection.
    pub(super) async fn go_on(&self, io: Io, came: Bytes) {
        let left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What the library had not written yet is lost with it: who asks for a stream before having read an earlier answer gets neither.
        let Some((response, take_over)) = left.filter(|_| !io.is_blocked()) else {
            return;
        };
        let next = take_over.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What came is next to nothing, and lies in the library's buffer.
        let came = Bytes::copy_from_slice(&{ came });
        let head = head(&response, next.is_none());
        let body = match &next {
            Some(_) => Body::empty(),
            None => response.into_body(),
        };
        let written = Unending::new(io, head, body, next.is_none()).await;
        if let (Some(next), Some(io)) = (next, written) {
            next(io, came).await;
        }
    }
}

/// The head of an answer (RFC 9112). One without an end is known to be over when the connection is.
fn head(response: &Response<Body>, closes: bool) -> Vec<u8> {
    let status = response.status();
    let mut head = String::with_capacity(512);
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing into a text does not fail.
    write!(head, "HTTP/1.1 {} {reason}\r\n", status.as_u16()).ok();
    let mut head = head.into_bytes();
    let close = HeaderValue::from_static("close");
    let connection = closes.then_some((&header::CONNECTION, &close));
    let date = date();
    let date = date.as_ref().map(|date| (&header::DATE, date));
    for (name, value) in response.headers().iter().chain(connection).chain(date) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn date() -> Option<HeaderValue> {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let now = jiff::Timestamp::from_nanosecond(SystemClock.now().as_nanos().into()).ok()?;
    let date = printer.timestamp_to_rfc9110_string(&now).ok()?;
    HeaderValue::from_str(&date).ok()
}

/// Writes a head and what comes behind it. Gives the connection back unless it has ended.
struct Unending {
    io: Option<Io>,
    body: Body,
    /// What is to go out, and how much of it has.
    out: Vec<u8>,
    gone: usize,
    has_ended: bool,
    /// Whether the connection ends with the body.
    closes: bool,
}

impl Unending {
    const fn new(io: Io, head: Vec<u8>, body: Body, closes: bool) -> Self {
        Self {
            io: Some(io),
            body,
            out: head,
            gone: 0,
            has_ended: false,
            closes,
        }
    }

    /// Whether the other side has gone. What it sends is dropped: it has asked already.
    fn has_gone(io: &mut Io, context: &mut Context<'_>) -> bool {
        let mut dropped = [0; 256];
        for _ in 0..READ_AND_DROPPED_AT_ONCE {
            let mut buffer = ReadBuf::new(&mut dropped);
            match Pin::new(&mut *io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return true,
                Poll::Pending => return false,
            }
        }
        // It says more than anybody has to say here.
        true
    }

    /// Takes as much of the body as is there, up to what is said at once.
    fn gather(&mut self, context: &mut Context<'_>) {
        while self.out.len() < SAID_AT_ONCE_BYTES && !self.has_ended {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.out
                        .extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                }
                Poll::Ready(Some(Err(_)) | None) => self.has_ended = true,
                Poll::Pending => return,
            }
        }
    }
}

impl Future for Unending {
    type Output = Option<Io>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Io>> {
        let this = &mut *self;
        loop {
            let Some(io) = &mut this.io else {
                return Poll::Ready(None);
            };
            if this.closes && Self::has_gone(io, context) {
                return Poll::Ready(None);
            }
            while let Some(rest) = this.out.get(this.gone..).filter(|rest| !rest.is_empty()) {
                match ready!(Pin::new(&mut *io).poll_write(context, rest)) {
                    Ok(bytes @ 1..) => this.gone += bytes,
                    Ok(0) | Err(_) => return Poll::Ready(None),
                }
            }
            // Nothing is kept between one message and the next.
            this.out = Vec::new();
            this.gone = 0;
            if this.has_ended {
                if !this.closes {
                    return Poll::Ready(this.io.take());
                }
                ready!(Pin::new(io).poll_shutdown(context)).ok();
                return Poll::Ready(None);
            }
            this.gather(context);
            if this.out.is_empty() && !this.has_ended {
                return Poll::Pending;
            }
        }
    }
}
