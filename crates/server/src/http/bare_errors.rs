//! Gives the answers that the HTTP library makes by itself (a head that cannot be read or is too large) the body that every
//! error has. It writes them without one, before there is a request that could be routed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::front::new_request_id;
use super::lingering::Lingering;
use super::problem::{Kind, Problem};
use crate::clock::{Clock, SystemClock};

/// How such an answer begins, and what no answer of ours has.
const BARE: [(&[u8], Kind, &str); 3] = [
    (
        b"HTTP/1.1 400 ",
        Kind::ValidationFailed,
        "the request's head is not HTTP",
    ),
    (
        b"HTTP/1.1 431 ",
        Kind::HeadersTooLarge,
        "the request's headers are over the limit",
    ),
    (
        b"HTTP/1.1 414 ",
        Kind::HeadersTooLarge,
        "the request's path is over the limit",
    ),
];
const NO_BODY: &[u8] = b"\r\ncontent-length: 0\r\n";

/// A connection whose bare errors are dressed.
pub(super) struct BareErrors {
    stream: Lingering,
    /// What stands for a bare error, as far as it is not written yet.
    dressed: Option<(Vec<u8>, usize)>,
}

impl BareErrors {
    pub(super) const fn over(stream: Lingering) -> Self {
        Self {
            stream,
            dressed: None,
        }
    }

    /// Writes on what stands for a bare error; ready when all of it is written.
    fn poll_dressed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.dressed {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                self.dressed = None;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(some)) => *written += some,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The answer in full for one that is bare.
fn dress(answer: &[u8]) -> Option<Vec<u8>> {
    let (_, kind, detail) = BARE.into_iter().find(|(start, _, _)| answer.starts_with(start))?;
    let bare = answer.windows(NO_BODY.len()).any(|found| found == NO_BODY);
    if !bare || answer.windows(13).any(|found| found == b"content-type:") {
        return None;
    }
    let request_id = new_request_id();
    let body = Problem::new(kind, detail)
        .to_json("", &request_id, SystemClock.now())
        .to_string();
    let status = kind.status();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\nx-request-id: {request_id}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len()
    );
    Some([head.into_bytes(), body.into_bytes()].concat())
}

impl AsyncRead for BareErrors {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for BareErrors {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.dressed.is_none()
            && bytes.starts_with(b"HTTP/1.1 4")
            && let Some(dressed) = dress(bytes)
        {
            self.dressed = Some((dressed, 0));
            // Taken; what stands for it is written now and with the flush that follows.
            return match self.poll_dressed(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
            };
        }
        match self.poll_dressed(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write(context, bytes),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_dressed(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(context),
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_dressed(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_shutdown(context),
            other => other,
        }
    }
}
