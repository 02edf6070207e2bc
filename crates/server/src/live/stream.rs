//! One stream: a bounded buffer between the follower and whoever writes to the socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use model::command::Scope;
use model::ids::{PartyId, Position};

use super::filter::{Filter, Route};
use super::hub::Hub;
use super::limits::{KEPT_PLACES, Limits, SLOW_TIME};
use super::rendered::{Candidate, Rendered};

/// Why a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was not read fast enough.
    Slow,
    /// The server stops.
    Shutdown,
    /// Who opened it may not read on.
    Unauthenticated,
}

impl Closed {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Shutdown, Self::Unauthenticated];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Shutdown => "shutdown",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// Why a stream goes on from elsewhere than where it was to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The cursor is none of this store and epoch.
    Unknown,
    /// More was written since than is read again.
    TooOld,
    /// What was written since is archived.
    Archived,
    /// What was written since is damaged, or takes too long to read.
    Unreadable,
}

impl Reset {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::TooOld => "too_old",
            Self::Archived => "archived",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What comes next of a stream.
pub enum Item {
    /// A message.
    Message(Arc<Rendered>),
    /// What lies between is missing: it goes on behind this position.
    Reset(Position, Reset),
    /// It has ended. Whoever goes on behind this position misses nothing.
    Closed(Closed, Position),
}

/// What becomes of a stream whose buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// It does not keep up: it is closed.
    Close,
    /// It is being caught up: it waits until it is read.
    Stall,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// The stream has it, or had it before.
    Has,
    /// The stream takes nothing from now on.
    Filled,
    /// The stream has taken nothing for some time.
    Left,
}

/// A stream, as the follower and its reader share it.
pub(super) struct Shared {
    route: Route,
    /// The number of the newcomer that it waits for.
    arrived: OnceLock<PartyId>,
    scope: Scope,
    filter: Filter,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Queued>,
    /// Of the messages in the queue.
    bytes: usize,
    /// Everything up to here was handed over, or does not concern it.
    has: Position,
    /// Everything up to here was read.
    read: Position,
    /// Whether what is written is handed over as it comes.
    is_live: bool,
    stall: Stall,
    /// Since when its reader has taken nothing, if there is something to be taken.
    waits_since: Instant,
    closed: Option<Closed>,
    reader: Option<Waker>,
}

/// Whether a stream was full while it was caught up. From then on it takes nothing before it is begun anew where it was: what it would take
/// meanwhile would lie behind what it lacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stall {
    No,
    Full,
    /// The follower knows that there is room again.
    Told,
}

enum Queued {
    Message(Arc<Rendered>),
    Reset(Position, Reset),
}

impl Shared {
    pub(super) fn new(scope: Scope, filter: Filter, after: Position, limits: Limits) -> Self {
        Self {
            route: Route::of(scope, &filter),
            arrived: OnceLock::new(),
            scope,
            filter,
            limits,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                bytes: 0,
                has: after,
                read: after,
                is_live: false,
                stall: Stall::No,
                waits_since: Instant::now(),
                closed: None,
                reader: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By what it is found.
    pub(super) fn route(&self) -> Route {
        self.arrived
            .get()
            .map_or(self.route, |client| Route::Client(*client))
    }

    /// The name of the client that it waits for, of whom nothing is known yet.
    pub(super) fn awaits(&self) -> Option<&str> {
        let newcomer = self.filter.newcomer.as_deref();
        newcomer.filter(|_| self.arrived.get().is_none())
    }

    /// The client that it waited for has a number. From now on it is found by that.
    pub(super) fn arrives(&self, client: PartyId) {
        // Set here and nowhere else, once.
        self.arrived.set(client).ok();
    }

    /// Whether it may be told of an entry, and wants to be.
    pub(super) fn wants(&self, candidate: &Candidate<'_>) -> bool {
        self.scope.covers(&candidate.entry.owner) && self.awaits().is_none() && self.filter.admits(candidate)
    }

    /// Hands a message over. `room`: bytes that one buffer may have now; an empty one takes whatever comes.
    pub(super) fn offer(&self, message: &Arc<Rendered>, room: usize, when_full: WhenFull) -> Offered {
        let mut state = self.lock();
        if !state.takes() {
            return Offered::Left;
        }
        if message.position <= state.has {
            return Offered::Has;
        }
        let fits = state.queue.len() < self.limits.buffered_messages && state.bytes + message.bytes() <= room;
        if !fits && !state.queue.is_empty() {
            match when_full {
                WhenFull::Close => state.close(Closed::Slow),
                WhenFull::Stall => {
                    state.stall = Stall::Full;
                    state.has = Position::new(message.position.get() - 1);
                }
            }
            return Offered::Filled;
        }
        state.has = message.position;
        state.bytes += message.bytes();
        if state.queue.is_empty() {
            state.waits_since = Instant::now();
        }
        state.queue.push_back(Queued::Message(message.clone()));
        wake(state);
        Offered::Has
    }

    /// Everything up to here was handed over. False if it takes nothing now, and so lacks some of it.
    pub(super) fn has_all(&self, through: Position) -> bool {
        let mut state = self.lock();
        if !state.takes() {
            return false;
        }
        state.has = state.has.max(through);
        true
    }

    /// It is caught up anew, from where it was.
    pub(super) fn takes_again(&self) {
        self.lock().stall = Stall::No;
    }

    /// From here on it is handed what is written as it comes.
    pub(super) fn is_live(&self) {
        self.lock().is_live = true;
    }

    /// Up to where it has everything.
    pub(super) fn has(&self) -> Position {
        self.lock().has
    }

    /// It goes on behind this position, and is told so.
    pub(super) fn reset(&self, position: Position, why: Reset) {
        let mut state = self.lock();
        state.has = position;
        state.queue.push_back(Queued::Reset(position, why));
        wake(state);
    }

    pub(super) fn close(&self, why: Closed) {
        let mut state = self.lock();
        state.close(why);
    }
}

impl State {
    fn takes(&self) -> bool {
        self.closed.is_none() && self.stall == Stall::No
    }

    /// What was not read is dropped: nobody may want it any more, and who goes on reads it again.
    fn close(&mut self, why: Closed) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(why);
        self.queue = VecDeque::new();
        self.bytes = 0;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Wakes the reader, once the lock is free: it would only wait for it.
fn wake(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// Closes a stream from elsewhere.
#[derive(Clone)]
pub struct Closer(Arc<Shared>);

impl Closer {
    /// Ends it. Of one that has ended the first reason stays.
    pub fn close(&self, why: Closed) {
        self.0.close(why);
    }
}

/// The reader's end of a stream. Dropped, the stream ends.
pub struct Stream {
    shared: Arc<Shared>,
    hub: Hub,
}

impl Stream {
    pub(super) const fn new(shared: Arc<Shared>, hub: Hub) -> Self {
        Self { shared, hub }
    }

    /// What comes next. After [`Item::Closed`] there is nothing.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Item> {
        let mut state = self.shared.lock();
        if let Some(why) = state.closed {
            return Poll::Ready(Item::Closed(why, state.read));
        }
        let Some(queued) = state.queue.pop_front() else {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.waits_since = Instant::now();
        let item = match queued {
            Queued::Message(message) => {
                state.bytes -= message.bytes();
                state.read = message.position;
                self.hub.counters().sent();
                Item::Message(message)
            }
            Queued::Reset(position, why) => {
                state.read = position;
                Item::Reset(position, why)
            }
        };
        if state.queue.is_empty() && state.queue.capacity() > KEPT_PLACES {
            // It had much to say once.
            state.queue = VecDeque::new();
        }
        // Whichever was full: with room for one more message it would be full again at once, and a page read for each.
        let limits = &self.shared.limits;
        let has_room =
            state.queue.len() <= limits.buffered_messages / 2 && state.bytes <= limits.buffered_bytes / 2;
        if state.stall == Stall::Full && has_room {
            state.stall = Stall::Told;
            drop(state);
            self.hub.has_room_again(&self.shared);
        }
        Poll::Ready(item)
    }

    /// As [`Stream::poll_next`].
    pub async fn next(&self) -> Item {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Behind which position its reader may go on: what has been read, and, where nothing waits to be, what was written since and does not concern it.
    #[must_use]
    pub fn position(&self) -> Position {
        // Before the look at the buffer: everything up to there is in it or was read.
        let told = self.hub.told();
        let mut state = self.shared.lock();
        if state.is_live && state.queue.is_empty() && state.closed.is_none() {
            state.read = state.read.max(told);
        }
        state.read
    }

    /// By which it can be closed from elsewhere.
    #[must_use]
    pub fn closer(&self) -> Closer {
        Closer(self.shared.clone())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let state = self.shared.lock();
        // Who takes nothing for long is cut off by whoever writes to the socket.
        let is_slow = !state.queue.is_empty() && state.waits_since.elapsed() >= SLOW_TIME;
        let why = state.closed.or_else(|| is_slow.then_some(Closed::Slow));
        drop(state);
        self.hub.left(&self.shared, why);
    }
}
