//! HTTP as a load generator speaks it: requests are bytes made beforehand, of an answer only the status and the body are looked at.

use std::io::Write;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Problem;

/// Room for an answer at first; it grows with the first larger one.
const ANSWER_BYTES: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// An answer of another status is a failure, told with its body.
    pub(crate) fn must_be(&self, status: u16) -> Result<(), Problem> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body);
        Err(format!("answered {} where {status} was expected: {body}", self.status).into())
    }

    /// An answer without these words is a failure, told with its body.
    pub(crate) fn must_say(&self, words: &str) -> Result<(), Problem> {
        let body = String::from_utf8_lossy(self.body);
        if body.contains(words) {
            return Ok(());
        }
        Err(format!("answered without {words}: {body}").into())
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; ANSWER_BYTES],
        })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Problem> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head_bytes = loop {
            filled += self.read(filled).await?;
            let found = self
                .buffer
                .get(..filled)
                .and_then(|came| position(came, HEAD_END));
            if let Some(found) = found {
                break found + HEAD_END.len();
            }
        };
        let (status, body_bytes) = read_head(self.buffer.get(..head_bytes).unwrap_or_default())?;
        while filled < head_bytes + body_bytes {
            filled += self.read(filled).await?;
        }
        Ok(Answer {
            status,
            body: self
                .buffer
                .get(head_bytes..head_bytes + body_bytes)
                .unwrap_or_default(),
        })
    }

    async fn read(&mut self, filled: usize) -> Result<usize, Problem> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        let room = self.buffer.get_mut(filled..).unwrap_or_default();
        match self.stream.read(room).await? {
            0 => Err("the server closed the connection".into()),
            came => Ok(came),
        }
    }
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The status, and the length of the body.
fn read_head(head: &[u8]) -> Result<(u16, usize), Problem> {
    let head = std::str::from_utf8(head)?;
    let status = head.get(9..12).ok_or("an answer without a status")?.parse()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .ok_or("an answer without Content-Length")?;
    Ok((status, length.parse()?))
}

/// A request without a body.
pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// A request with a body.
pub(crate) fn post(path: &str, token: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(body.len() + 512);
    // Writing into memory does not fail.
    write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .ok();
    request.extend_from_slice(body);
    request
}
