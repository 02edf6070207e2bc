//! Ends a connection so that the last answer arrives.
//!
//! Who is answered before all was sent (a body that is too large, a token that does not count) is still sending. Closed at once, the
//! connection would be reset by what comes then, and the answer be lost with it (RFC 9112, 9.6). So our side is ended, and what comes is
//! read and dropped, for a while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::limits::{LINGER_PAUSE, LINGER_TIME};

/// A connection that ends that way.
pub(super) struct Lingering {
    stream: TcpStream,
    /// The other side has ended: there is nothing to wait for.
    peer_ended: bool,
    ending: Option<Ending>,
}

/// Our side has ended.
struct Ending {
    pause: Pin<Box<Sleep>>,
    latest: Instant,
}

impl Lingering {
    pub(super) const fn over(stream: TcpStream) -> Self {
        Self {
            stream,
            peer_ended: false,
            ending: None,
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Err(_)))
            || read.is_ready() && buffer.filled().len() == before && buffer.remaining() > 0
        {
            self.peer_ended = true;
        }
        read
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_none() {
            match Pin::new(&mut self.stream).poll_shutdown(context) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
            self.ending = Some(Ending {
                pause: Box::pin(tokio::time::sleep(LINGER_PAUSE)),
                latest: Instant::now() + LINGER_TIME,
            });
        }
        let mut dropped = [0; 8 * 1024];
        while !self.peer_ended {
            let mut buffer = ReadBuf::new(&mut dropped);
            if self.as_mut().poll_read(context, &mut buffer)?.is_ready() {
                let now = Instant::now();
                let Some(ending) = self.ending.as_mut().filter(|ending| now < ending.latest) else {
                    break;
                };
                ending.pause.as_mut().reset(now + LINGER_PAUSE);
            } else if let Some(ending) = &mut self.ending
                && ending.pause.as_mut().poll(context).is_pending()
            {
                return Poll::Pending;
            } else {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
