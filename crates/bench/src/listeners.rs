//! Many live streams at once, as light as they can be: a socket each, one buffer for all, and of each message only what is looked at.
//!
//! The server sends an event as one chunk, so that lines are never broken by the framing, and chunk heads are lines that say nothing.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::time::Timestamp;
use server::clock::{Clock, SystemClock};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Problem;

/// Streams that are being opened at the same time.
const OPENED_AT_ONCE: usize = 256;
const BUFFER_BYTES: usize = 64 * 1024;
/// Longest that all of them may take to open, or to be told something.
const PATIENCE: Duration = Duration::from_secs(120);

thread_local! {
    /// All run on one thread, and none keeps it over a wait.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

/// A stream to be opened.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) token: Arc<str>,
    /// With its `?`.
    pub(crate) query: Arc<str>,
    /// Where it goes on.
    pub(crate) after: Option<Arc<str>>,
}

/// What was heard on all streams.
#[derive(Default)]
pub(crate) struct Heard {
    /// Streams that have said hello.
    pub(crate) open: AtomicUsize,
    /// Messages.
    pub(crate) messages: AtomicU64,
    /// Streams that ended.
    pub(crate) ended: AtomicUsize,
    /// How long after it was decided each message came, in seconds: of every `sample`th.
    latencies: Mutex<Vec<f64>>,
    sample: u64,
    watched: Mutex<Watched>,
}

/// When orders were told to have come to a status.
#[derive(Default)]
struct Watched {
    orders: HashSet<String>,
    told: HashMap<(String, String), Instant>,
}

/// Open streams. Dropped, they are closed.
pub(crate) struct Listeners {
    pub(crate) heard: Arc<Heard>,
    tasks: JoinSet<Result<(), Problem>>,
    /// The cursors of their hellos.
    cursors: Arc<Mutex<Vec<Arc<str>>>>,
}

impl Listeners {
    /// Opens streams, and waits until each has said hello. Of every `sample`th message it is noted when it came.
    pub(crate) async fn open(address: SocketAddr, wishes: &[Wish], sample: u64) -> Result<Self, Problem> {
        let listeners = Self::begin(address, wishes, sample);
        let wanted = wishes.len();
        listeners
            .until(|heard| heard.open.load(Ordering::Relaxed) >= wanted)
            .await?;
        Ok(listeners)
    }

    /// Begins to open streams.
    pub(crate) fn begin(address: SocketAddr, wishes: &[Wish], sample: u64) -> Self {
        let heard = Arc::new(Heard {
            sample,
            ..Heard::default()
        });
        let cursors: Arc<Mutex<Vec<Arc<str>>>> = Arc::default();
        let places = Arc::new(Semaphore::new(OPENED_AT_ONCE));
        let mut tasks = JoinSet::new();
        for wish in wishes {
            let listener = Listener {
                heard: heard.clone(),
                cursors: cursors.clone(),
                line: Vec::new(),
                has_said_hello: false,
            };
            tasks.spawn(listener.listen(address, wish.clone(), places.clone()));
        }
        Self {
            heard,
            tasks,
            cursors,
        }
    }

    /// Waits until this is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Heard) -> bool) -> Result<(), Problem> {
        let began = Instant::now();
        while !is_so(&self.heard) {
            if began.elapsed() > PATIENCE {
                let heard = &self.heard;
                return Err(format!(
                    "streams were not told in {PATIENCE:?}: {} open, {} ended, {} messages",
                    heard.open.load(Ordering::Relaxed),
                    heard.ended.load(Ordering::Relaxed),
                    heard.messages.load(Ordering::Relaxed)
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until so many messages have come, and fails if more come.
    pub(crate) async fn hear(&self, messages: u64) -> Result<(), Problem> {
        self.until(|heard| heard.messages.load(Ordering::Relaxed) >= messages)
            .await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let came = self.heard.messages.load(Ordering::Relaxed);
        if came == messages {
            Ok(())
        } else {
            Err(format!("{came} messages came where {messages} belong").into())
        }
    }

    /// Notes from now on when these orders are told to have come to a status. What was noted before is forgotten.
    pub(crate) fn watch(&self, orders: impl Iterator<Item = String>) {
        *lock(&self.heard.watched) = Watched {
            orders: orders.collect(),
            told: HashMap::new(),
        };
    }

    /// When a watched order was told to have come to a status.
    pub(crate) fn told_at(&self, order: &str, status: &str) -> Option<Instant> {
        let key = (order.to_owned(), status.to_owned());
        lock(&self.heard.watched).told.get(&key).copied()
    }

    /// How long messages took, sorted; forgotten with that.
    pub(crate) fn take_latencies(&self) -> Vec<f64> {
        let mut latencies = std::mem::take(&mut *lock(&self.heard.latencies));
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    /// A cursor from before everything that was told.
    pub(crate) fn first_cursor(&self) -> Option<Arc<str>> {
        lock(&self.cursors).first().cloned()
    }

    /// Fails if a stream has failed.
    pub(crate) fn must_be_well(&mut self) -> Result<(), Problem> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                Err("a stream ended by itself".into())
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Listener {
    heard: Arc<Heard>,
    cursors: Arc<Mutex<Vec<Arc<str>>>>,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    has_said_hello: bool,
}

impl Listener {
    async fn listen(
        mut self,
        address: SocketAddr,
        wish: Wish,
        places: Arc<Semaphore>,
    ) -> Result<(), Problem> {
        let place = places.acquire().await?;
        let mut stream = TcpStream::connect(address).await?;
        let after = wish.after.as_ref();
        let after = after.map_or_else(String::new, |cursor| format!("last-event-id: {cursor}\r\n"));
        let request = format!(
            "GET /api/v1/stream{} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n{after}\r\n",
            wish.query, wish.token
        );
        stream.write_all(request.as_bytes()).await?;
        drop(request);
        let mut place = Some(place);
        loop {
            stream.readable().await?;
            let ended = BUFFER.with_borrow_mut(|buffer| match stream.try_read(buffer) {
                Ok(0) => Ok(true),
                Ok(came) => self.take(buffer.get(..came).unwrap_or_default()).map(|()| false),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error.into()),
            })?;
            if self.has_said_hello {
                place = None;
            }
            if ended {
                drop(place);
                self.heard.ended.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    fn take(&mut self, came: &[u8]) -> Result<(), Problem> {
        let mut rest = came;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take_line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole)?;
            }
        }
        self.line.extend_from_slice(rest);
        Ok(())
    }

    fn note(&self, data: &[u8]) -> Result<(), Problem> {
        let mut watched = lock(&self.heard.watched);
        if watched.orders.is_empty() {
            return Ok(());
        }
        if let Some(order) = text_behind(data, "\"order_id\":\"")?
            && watched.orders.contains(order)
            && let Some(status) = text_behind(data, "\"status\":\"")?
        {
            let key = (order.to_owned(), status.to_owned());
            watched.told.insert(key, Instant::now());
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Problem> {
        if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 200") {
            return Err(format!("a stream was answered {}", String::from_utf8_lossy(line)).into());
        }
        let Some(data) = line.strip_prefix(b"data: ") else {
            return Ok(());
        };
        if !self.has_said_hello {
            self.has_said_hello = true;
            if let Some(cursor) = text_behind(data, "\"cursor\":\"")? {
                lock(&self.cursors).push(cursor.into());
            }
            self.heard.open.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        // `closed` and `reset` have none.
        if !data.windows(12).any(|part| part == b"\"order_id\":\"") {
            return Ok(());
        }
        self.note(data)?;
        let number = self.heard.messages.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(self.heard.sample)
            && let Some(recorded_at) = text_behind(data, "\"recorded_at\":\"")?
        {
            let recorded_at = Timestamp::parse(recorded_at)?;
            let nanos = SystemClock.now().as_nanos() - recorded_at.as_nanos();
            lock(&self.heard.latencies).push(Duration::from_nanos(nanos.unsigned_abs()).as_secs_f64());
        }
        Ok(())
    }
}

/// The text behind these words, up to a quotation mark.
fn text_behind<'a>(data: &'a [u8], words: &str) -> Result<Option<&'a str>, Problem> {
    let text = std::str::from_utf8(data)?;
    let behind = text.split_once(words).map(|(_, behind)| behind);
    Ok(behind.and_then(|behind| behind.split('"').next()))
}
