//! An open stream, whatever carries it: what is said at its beginning, its heartbeat, and its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::time::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep};

use super::super::limits::COME_BACK;
use super::super::state::{AppState, random};
use super::watch::{Place, Watched};
use super::wish::Beginning;
use crate::live::{Closed, Item, Rendered, Reset, Stream};

/// What is to be sent.
pub(super) enum Said {
    /// First of all: where the log ended, and where the reader stands.
    Hello { head: String, at: String },
    /// A message.
    Message(Arc<Rendered>),
    /// It goes on behind this cursor.
    Reset { cursor: String, why: Reset },
    /// Nothing happened; where the reader stands.
    Heartbeat { at: String },
    /// The end.
    Closed(Ending),
}

/// How a stream ends.
pub(super) struct Ending {
    pub(super) why: Closed,
    /// To come back with.
    pub(super) cursor: String,
    /// When to come back: where all are sent away at once, not all at once.
    pub(super) retry_after_ms: Option<u64>,
}

/// A stream, its reader and its clock.
pub(super) struct Opened {
    state: AppState,
    stream: Stream,
    /// What is said before anything else, the last first.
    before: Vec<Said>,
    expires_at: Option<Timestamp>,
    heartbeat: Duration,
    beats_at: Instant,
    timer: Pin<Box<Sleep>>,
    has_ended: bool,
    /// Counted, and closed when it may not be read on, until this is dropped.
    _watched: Watched,
}

impl Opened {
    pub(super) fn open(state: &AppState, place: Place, beginning: Beginning) -> Self {
        let cursors = state.live.cursors();
        let head = cursors.encode(beginning.opening.head);
        let mut before = Vec::new();
        if let Some(why) = beginning.reset {
            let cursor = head.clone();
            before.push(Said::Reset { cursor, why });
        }
        // Who comes back stands where it did until it has read on.
        let at = cursors.encode(beginning.opening.after);
        before.push(Said::Hello { head, at });
        let stream = state.live.open(beginning.opening);
        let heartbeat = state.stream_limits.heartbeat;
        let beats_at = Instant::now() + heartbeat;
        let expires_at = place.principal().expires_at();
        Self {
            _watched: state.watch.watch(place, stream.closer()),
            timer: Box::pin(tokio::time::sleep_until(due(state, beats_at, expires_at))),
            state: state.clone(),
            stream,
            before,
            expires_at,
            heartbeat,
            beats_at,
            has_ended: false,
        }
    }

    /// What is said next; `None` after the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Said>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(said) = self.before.pop() {
            return Poll::Ready(Some(said));
        }
        // First, or a stream on which much is said would never end.
        let beats = self.timer.as_mut().poll(context).is_ready();
        if beats && self.expires_at.is_some_and(|at| at <= self.state.now()) {
            self.stream.closer().close(Closed::Unauthenticated);
        }
        if let Poll::Ready(item) = self.stream.poll_next(context) {
            // A timer that has rung rings at once when it is asked again.
            return Poll::Ready(Some(self.said(item)));
        }
        if !beats {
            return Poll::Pending;
        }
        let now = Instant::now();
        let is_beat = now >= self.beats_at;
        if is_beat {
            self.beats_at = now + self.heartbeat;
        }
        let due = due(&self.state, self.beats_at, self.expires_at);
        self.timer.as_mut().reset(due);
        // Asked once more, or nobody would wake it.
        if self.timer.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        if is_beat {
            let at = self.state.live.cursors().encode(self.stream.position());
            return Poll::Ready(Some(Said::Heartbeat { at }));
        }
        Poll::Pending
    }

    fn said(&mut self, item: Item) -> Said {
        let cursors = self.state.live.cursors();
        match item {
            Item::Message(message) => Said::Message(message),
            Item::Reset(position, why) => Said::Reset {
                cursor: cursors.encode(position),
                why,
            },
            Item::Closed(why, position) => {
                self.has_ended = true;
                Said::Closed(Ending::of(why, cursors.encode(position)))
            }
        }
    }

    /// What the epoch is called.
    pub(super) fn epoch(&self) -> String {
        self.state.live.cursors().epoch()
    }
}

/// When there is something to do if nothing is said until then.
fn due(state: &AppState, beats_at: Instant, expires_at: Option<Timestamp>) -> Instant {
    let Some(expires_at) = expires_at else {
        return beats_at;
    };
    let left = expires_at.as_nanos().saturating_sub(state.now().as_nanos());
    // A clock that is read a little too early is read again a little later.
    let left = Duration::from_nanos(u64::try_from(left).unwrap_or_default()) + Duration::from_millis(1);
    beats_at.min(Instant::now() + left)
}

impl Ending {
    fn of(why: Closed, cursor: String) -> Self {
        let retry_after_ms = match why {
            Closed::Shutdown => {
                let spread = u64::try_from(COME_BACK.as_millis()).unwrap_or(u64::MAX);
                let random: u64 = random().unwrap_or_default();
                Some(1_000 + random % spread)
            }
            Closed::Slow | Closed::Unauthenticated => None,
        };
        Self {
            why,
            cursor,
            retry_after_ms,
        }
    }

    /// What a `closed` says.
    pub(super) fn said(&self) -> Value {
        let mut said = json!({"reason": self.why.name(), "cursor": self.cursor});
        if let Some(after) = self.retry_after_ms {
            said["retry_after_ms"] = after.into();
        }
        said
    }
}

/// What a `reset` says.
pub(super) fn reset(why: Reset, cursor: &str) -> Value {
    json!({"reason": why.name(), "cursor": cursor})
}
