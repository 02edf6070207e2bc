//! The hub: where streams are opened, and what the follower is told of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use model::command::Scope;
use model::cursor::CursorCodec;
use model::ids::Position;
use tokio::runtime;
use tokio::sync::{Notify, watch};

use super::counters::Counters;
use super::filter::Filter;
use super::follow::Follower;
use super::limits::{Limits, RETRY_PAUSE};
use super::rendered::Held;
use super::stream::{Closed, Shared, Stream, WhenFull};
use crate::engine::Handle;

/// A stream to be opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whose orders it may see.
    pub scope: Scope,
    /// What it wants of them.
    pub filter: Filter,
    /// It is told what comes behind this position.
    pub after: Position,
    /// Where the log ended, no earlier than when `after` was found out.
    pub head: Position,
}

/// Opens streams. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Core>);

/// What the hub's handles, its streams and the follower share.
pub(super) struct Core {
    pub(super) engine: Handle,
    pub(super) cursors: CursorCodec,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    /// By messages that were told as they came.
    held_live: Held,
    /// By messages that streams are caught up with, which few share: who reads those slowly takes no room from who reads on.
    held_behind: Held,
    /// Rung when there is something for the follower in the inbox.
    pub(super) bell: Notify,
    inbox: Mutex<Inbox>,
    /// Up to where live streams were told of everything.
    told: AtomicI64,
    shut: watch::Sender<bool>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// What the follower has not looked at yet.
#[derive(Default)]
pub(super) struct Inbox {
    /// Streams that begin, each with where the log ended then.
    pub(super) opened: Vec<(Arc<Shared>, Position)>,
    /// Streams whose reader has gone.
    pub(super) left: Vec<Arc<Shared>>,
    /// Streams that were full while they were caught up, and have room again.
    pub(super) have_room: Vec<Arc<Shared>>,
}

impl Hub {
    /// With nothing open. Nothing is told before [`Hub::start`].
    #[must_use]
    pub fn new(engine: Handle, limits: Limits, counters: Counters) -> Self {
        let identity = engine.store().identity();
        let cursors = CursorCodec::new(&identity.event_id_key, &identity.epoch);
        Self(Arc::new(Core {
            engine,
            cursors,
            limits,
            counters,
            held_live: Held::default(),
            held_behind: Held::default(),
            bell: Notify::new(),
            inbox: Mutex::default(),
            told: AtomicI64::new(0),
            shut: watch::Sender::new(false),
            follower: Mutex::default(),
        }))
    }

    /// Starts the follower, within a runtime, if it was not started. To be ended with [`Hub::end`].
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(&self) -> std::io::Result<()> {
        let mut follower = self.0.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if follower.is_some() {
            return Ok(());
        }
        let core = self.0.clone();
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || follow(&core, &runtime))?;
        *follower = Some(thread);
        Ok(())
    }

    /// Closes all streams, and those that are opened from now on.
    pub fn shut_down(&self) {
        self.0.shut.send_replace(true);
        self.0.bell.notify_one();
    }

    /// Waits until it is shut down.
    pub async fn shutting_down(&self) {
        // The sender lives as long as this does.
        self.0.shut.subscribe().wait_for(|shut| *shut).await.ok();
    }

    /// Shuts down and waits for the follower, which takes the time of one read. Blocks.
    pub fn end(&self) {
        self.shut_down();
        let follower = self
            .0
            .follower
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(follower) = follower
            && follower.join().is_err()
        {
            tracing::error!("the follower of the log failed: live streams stood still");
        }
    }

    /// Opens a stream.
    #[must_use]
    pub fn open(&self, opening: Opening) -> Stream {
        let Opening {
            scope,
            filter,
            after,
            head,
        } = opening;
        let shared = Arc::new(Shared::new(scope, filter, after, self.0.limits));
        self.0.counters.open.inc();
        self.0.inbox().opened.push((shared.clone(), head));
        if self.0.is_shut() {
            // Nobody may look into the inbox any more.
            shared.close(Closed::Shutdown);
        }
        self.0.bell.notify_one();
        Stream::new(shared, self.clone())
    }

    /// Makes and reads the cursors that stand for positions.
    #[must_use]
    pub fn cursors(&self) -> &CursorCodec {
        &self.0.cursors
    }

    /// How far behind a stream may begin that is not on one order.
    #[must_use]
    pub fn behind_entries(&self) -> i64 {
        self.0.limits.behind_entries
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(super) fn told(&self) -> Position {
        Position::new(self.0.told.load(Ordering::Acquire))
    }

    pub(super) fn has_room_again(&self, stream: &Arc<Shared>) {
        self.0.inbox().have_room.push(stream.clone());
        if self.0.is_shut() {
            // As in `open`.
            stream.close(Closed::Shutdown);
        }
        self.0.bell.notify_one();
    }

    pub(super) fn left(&self, stream: &Arc<Shared>, why: Option<Closed>) {
        self.0.counters.ended(why);
        // Whoever holds on to it tells it nothing more.
        stream.close(why.unwrap_or(Closed::Slow));
        self.0.inbox().left.push(stream.clone());
        self.0.bell.notify_one();
    }
}

/// Follows the log. Should that fail on something, its streams are closed, and come back.
fn follow(core: &Arc<Core>, runtime: &runtime::Handle) {
    while !core.is_shut() {
        let follower = Follower::new(core.clone());
        if catch_unwind(AssertUnwindSafe(|| follower.run(runtime))).is_err() {
            core.counters.failed();
            tracing::error!("the follower of the log failed and begins anew: its streams were closed");
            // Made within the runtime, whose clock it goes by.
            runtime.block_on(async { tokio::time::sleep(RETRY_PAUSE).await });
        }
    }
}

impl Core {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_inbox(&self) -> Inbox {
        std::mem::take(&mut *self.inbox())
    }

    pub(super) fn is_shut(&self) -> bool {
        *self.shut.borrow()
    }

    /// What messages are counted in.
    pub(super) const fn held(&self, when_full: WhenFull) -> &Held {
        match when_full {
            WhenFull::Close => &self.held_live,
            WhenFull::Stall => &self.held_behind,
        }
    }

    /// How many bytes one buffer may have: where there are too many over all, no more than its share. So only those are closed, or wait, who
    /// have more than that: the others have not brought it about.
    pub(super) fn room(&self, when_full: WhenFull) -> usize {
        let bound = self.limits.messages_bytes / 2;
        if self.held(when_full).bytes() <= bound {
            return self.limits.buffered_bytes;
        }
        let open = usize::try_from(self.counters.open.get()).unwrap_or_default();
        (bound / open.max(1)).min(self.limits.buffered_bytes)
    }

    /// Live streams have been handed everything up to here.
    pub(super) fn told_up_to(&self, position: Position) {
        self.told.store(position.get(), Ordering::Release);
    }
}
