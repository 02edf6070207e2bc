//! Taking in a body: bounded in size, in all memory used at once, and in how slowly it may come.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::fields::{self, Fields};
use super::limits::SLOWEST_BYTES;
use super::problem::{Kind, Problem};
use crate::engine::RETRY_AFTER;

/// What bodies are given: memory, and time.
#[derive(Clone)]
pub(crate) struct Room {
    /// Places of 1 KiB.
    places: Arc<Semaphore>,
    /// In this time [`SLOWEST_BYTES`] must come.
    slowest_time: Duration,
}

impl Room {
    pub(crate) fn of_bytes(bytes: usize, slowest_time: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(bytes / 1024)),
            slowest_time,
        }
    }

    /// The time that a slow client is given.
    pub(crate) const fn slowest_time(&self) -> Duration {
        self.slowest_time
    }

    /// The chunks of a body as they come.
    pub(crate) fn chunks(&self, body: Body) -> Chunks {
        Chunks {
            stream: body.into_data_stream(),
            slowest_time: self.slowest_time,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    /// Waits for room for so many bytes. Only for who holds none.
    pub(crate) async fn wait_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room = self.places.clone().acquire_many_owned(places_of(bytes)).await;
        room.map_err(|_| Problem::internal())
    }

    /// Takes room for so many bytes more, at once or not at all: whoever waited here would hold what others wait for.
    pub(crate) fn take(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Problem> {
        let more = self
            .places
            .clone()
            .try_acquire_many_owned(places_of(bytes))
            .map_err(|_| {
                Problem::unavailable(
                    "too many large bodies at once: try again in a second",
                    RETRY_AFTER,
                )
            })?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

fn places_of(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// A body, and the room it takes until it is dropped.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// That a body is JSON, by its header.
pub(crate) fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers) {
        Some(kind) if kind == "application/json" => Ok(()),
        other => Err(unsupported(other.as_deref(), "application/json")),
    }
}

/// The media type of a body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default();
    Some(kind.trim().to_ascii_lowercase())
}

pub(crate) fn unsupported(found: Option<&str>, wanted: &str) -> Problem {
    let found = match found {
        Some(found) => format!("`{}`", found.chars().take(100).collect::<String>()),
        None => "missing".to_owned(),
    };
    Problem::new(
        Kind::UnsupportedMediaType,
        format!("Content-Type is {found}: send `{wanted}`"),
    )
}

/// The whole body, if it is at most so large.
pub(crate) async fn whole(room: &Room, body: Body, limit: usize) -> Result<Received, Problem> {
    let told = body.size_hint();
    if told.lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(limit));
    }
    let mut held = None;
    let mut chunks = room.chunks(body);
    let Some(first) = chunks.next().await? else {
        return Ok(Received {
            bytes: Bytes::new(),
            _room: None,
        });
    };
    room.take(&mut held, first.len())?;
    if told
        .exact()
        .is_some_and(|all| usize::try_from(all) == Ok(first.len()))
    {
        return Ok(Received {
            bytes: first,
            _room: held,
        });
    }
    let mut all = BytesMut::from(first);
    while let Some(chunk) = chunks.next().await? {
        if all.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        room.take(&mut held, chunk.len())?;
        all.extend_from_slice(&chunk);
    }
    if all.len() > limit {
        return Err(too_large(limit));
    }
    Ok(Received {
        bytes: all.freeze(),
        _room: held,
    })
}

/// That a request whose path says everything says no more.
pub(crate) async fn none(room: &Room, body: Body, limit: usize) -> Result<(), Problem> {
    let received = whole(room, body, limit).await?;
    if received.bytes.trim_ascii().is_empty() {
        return Ok(());
    }
    // There are no fields: each that is there is named.
    Fields::of(&fields::parse(&received.bytes)?).finish()
}

pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(
        Kind::PayloadTooLarge,
        format!("the body is over {limit} bytes: send it in parts"),
    )
}

/// The chunks of a body as they come. A sender that keeps us waiting for less than [`SLOWEST_BYTES`] in the time it is given
/// is given up; time in which nobody asks for more does not count.
pub(crate) struct Chunks {
    stream: axum::body::BodyDataStream,
    slowest_time: Duration,
    /// Of the present stretch of time: how much of it was spent waiting, and what came.
    waited: Duration,
    came: usize,
}

impl Chunks {
    /// The next chunk; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let asked_at = Instant::now();
        let left = self.slowest_time.saturating_sub(self.waited);
        let Ok(chunk) = tokio::time::timeout(left, self.stream.next()).await else {
            return Err(Problem::new(
                Kind::RequestTimeout,
                format!(
                    "less than {SLOWEST_BYTES} bytes came in {:?}: send faster, or less at once",
                    self.slowest_time
                ),
            ));
        };
        match chunk {
            None => Ok(None),
            Some(Ok(chunk)) => {
                self.waited += asked_at.elapsed();
                self.came += chunk.len();
                if self.came >= SLOWEST_BYTES {
                    (self.waited, self.came) = (Duration::ZERO, 0);
                }
                Ok(Some(chunk))
            }
            Some(Err(_)) => Err(Problem::new(
                Kind::MalformedJson,
                "the connection ended within the body",
            )),
        }
    }
}
