//! A connection that speaks HTTP/1.1 by itself, so that a test knows whether an answer came whole, by half or not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest that an answer may take, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kept connection, and the token that goes with each request.
pub(crate) struct Wire {
    stream: TcpStream,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// An answer to its last byte.
    Whole(Told),
    /// The connection ended before the first byte of an answer.
    Closed,
    /// The connection ended within an answer.
    Half(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Told {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Whether the server ends the connection behind it.
    pub(crate) fn is_the_last(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Whether it says that the first request with its key is not answered yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.status == 409
            && self
                .body
                .contains("a request with this Idempotency-Key is under way")
    }

    /// Is this status. Gives the body.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }
}

impl Wire {
    /// Connects; without a token if it is empty.
    pub(crate) fn connect(address: SocketAddr, token: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let token = token.to_owned();
        Ok(Self { stream, token })
    }

    /// GET, of a server that is to answer.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Told {
        self.send(&self.head("GET", path, "", &[]));
        whole(self.answer())
    }

    /// GET, of a server that may go.
    pub(crate) fn try_get(&mut self, path: &str) -> Exchange {
        self.send(&self.head("GET", path, "", &[]));
        self.answer()
    }

    /// POST of JSON, to a server that is to answer.
    #[track_caller]
    pub(crate) fn must_post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        whole(self.post(path, headers, body))
    }

    /// POST of JSON.
    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        let more = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let head = self.head("POST", path, &more, headers);
        self.send(&format!("{head}{body}"));
        self.answer()
    }

    /// POST of lines that come piece by piece, so long apart.
    pub(crate) fn post_lines(&mut self, path: &str, pieces: &[&str], pause: Duration) -> Exchange {
        self.begin_lines(path);
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            self.more_lines(piece);
            std::thread::sleep(pause);
        }
        self.send("0\r\n\r\n");
        self.answer()
    }

    /// Begins a POST of lines.
    pub(crate) fn begin_lines(&mut self, path: &str) {
        let more = "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n";
        self.send(&self.head("POST", path, more, &[]));
    }

    /// Goes on with it.
    pub(crate) fn more_lines(&mut self, piece: &str) {
        self.send(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }

    fn head(&self, method: &str, path: &str, more: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: waybill\r\n{more}");
        if !self.token.is_empty() {
            head.push_str(&format!("Authorization: Bearer {}\r\n", self.token));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }

    fn send(&mut self, text: &str) {
        // A server that has gone is noticed when its answer is read.
        self.stream.write_all(text.as_bytes()).ok();
    }

    /// Waits for what comes back.
    pub(crate) fn answer(&mut self) -> Exchange {
        let mut came = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(told) = told(&came) {
                return Exchange::Whole(told);
            }
            match self.stream.read(&mut piece) {
                Ok(read @ 1..) => came.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("no answer in {PATIENCE:?}")
                }
                Ok(0) | Err(_) if came.is_empty() => return Exchange::Closed,
                Ok(_) | Err(_) => return Exchange::Half(String::from_utf8_lossy(&came).into_owned()),
            }
        }
    }
}

#[track_caller]
fn whole(exchange: Exchange) -> Told {
    match exchange {
        Exchange::Whole(told) => told,
        other => panic!("no answer of a running server: {other:?}"),
    }
}

/// The answer, if all of it has come.
fn told(came: &[u8]) -> Option<Told> {
    let head_end = came.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(came[..head_end].to_vec()).unwrap();
    let length = header(&head, "content-length").unwrap_or_else(|| panic!("of what length? {head}"));
    let end = head_end + length.parse::<usize>().unwrap();
    let body = came.get(head_end..end)?;
    assert_eq!(came.len(), end, "more than was asked for");
    Some(Told {
        status: head.split(' ').nth(1)?.parse().unwrap(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        head,
    })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
