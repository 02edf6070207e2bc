//! A way to the server that can be cut at the one moment that counts, while a commit is under way; and that can be a long one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What happens to the next session that is about to end its first group.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// The server gets the commit and carries it out; its answer never comes.
    Answer = 1,
    /// The server never gets the commit, nor hears that its client is gone.
    Commit = 2,
    /// As [`Cut::Answer`], of the transaction that ends the copy of a store.
    EndOfCopy = 3,
}

const NOTHING: u8 = 0;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    armed: Arc<AtomicU8>,
    /// How many milliseconds an answer takes on its way.
    delay: Arc<AtomicU64>,
}

impl Proxy {
    /// Stands until the process ends.
    pub(crate) fn to(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            armed: Arc::default(),
            delay: Arc::default(),
        };
        let (host, armed, delay) = (host.to_owned(), proxy.armed.clone(), proxy.delay.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect((&*host, port)).unwrap());
                let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let cut = Arc::new(AtomicU8::new(NOTHING));
                let (seen, armed, delay) = (cut.clone(), armed.clone(), delay.clone());
                std::thread::spawn(move || answers(from_server, to_client, &cut, &delay));
                std::thread::spawn(move || requests(client, server, &armed, &seen));
            }
        });
        proxy
    }

    pub(crate) fn arm(&self, cut: Cut) {
        self.armed.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether nobody came yet who is cut off.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst) != NOTHING
    }

    /// From now on each answer takes so long.
    pub(crate) fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap();
        self.delay.store(millis, Ordering::SeqCst);
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// A session prepares `COMMIT` in a message of its own, just before it sends it for the first time.
fn requests(mut client: TcpStream, mut server: TcpStream, armed: &AtomicU8, cut: &AtomicU8) {
    let mut bytes = vec![0; 1 << 16];
    let (mut is_next, mut ends_copy) = (false, false);
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        if armed.load(Ordering::SeqCst) == Cut::EndOfCopy as u8 {
            ends_copy |= contains(&bytes[..read], b"DROP TABLE store_copy\0");
            if ends_copy && contains(&bytes[..read], b"COMMIT\0") {
                armed.store(NOTHING, Ordering::SeqCst);
                cut.store(Cut::Answer as u8, Ordering::SeqCst);
            }
        } else if is_next {
            let armed = armed.swap(NOTHING, Ordering::SeqCst);
            cut.store(armed, Ordering::SeqCst);
            if armed == Cut::Commit as u8 {
                client.shutdown(Shutdown::Both).unwrap();
                // Held open: the server is to believe that its client only thinks.
                let _held = server.peek(&mut bytes);
                return;
            }
        }
        is_next = contains(&bytes[..read], b"COMMIT\0");
        if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    drop(server.shutdown(Shutdown::Both));
}

fn answers(mut server: TcpStream, mut client: TcpStream, cut: &AtomicU8, delay: &AtomicU64) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut bytes) {
        std::thread::sleep(Duration::from_millis(delay.load(Ordering::SeqCst)));
        if cut.load(Ordering::SeqCst) == Cut::Answer as u8 {
            if contains(&bytes[..read], b"COMMIT\0") {
                break;
            }
            continue;
        }
        if client.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}
