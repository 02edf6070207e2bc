//! The engine: commands in, durable decisions out.
//!
//! Whoever has commands hands them to a [`Handle`], which waits for a place in a bounded queue. The writer thread behind it drains what is
//! queued, loads the orders it is about, decides each command in its order in memory and commits all results in one
//! transaction; only then are the callers answered. While one group commits the next one gathers, and is decided already if it is large,
//! so there is no timer and nobody waits for company, and the price of a command falls as load rises.
//!
//! A refusal fails only its caller. A value that the database refuses, or another writer that stays in the way, splits the group until
//! only the command to blame fails. Only when storage itself fails does a whole group fail, and the next one tries again by itself.

mod answer;
mod behind;
mod catalogue;
mod commands;
mod due;
mod feed;
mod group;
mod handle;
mod judge;
mod lanes;
mod limits;
mod news;
mod receipt;
mod units;
mod writer;

pub use answer::{Accepted, Answer, Failure, Known, OnceAnswer, Outcome, SubmitError};
pub use commands::{Command, Contents, Once, Records, Submission};
pub use feed::{Feed, Part};
pub use handle::{Answers, Handle};
pub use judge::{GroupObservation, Transition};
pub use limits::{
    BATCH_RECEIPTS_PER_PRINCIPAL, DEAD_LETTERS_PER_PRINCIPAL, FEED_ENTRIES, GROUP_COMMANDS, QUEUE_COMMANDS,
    QUEUE_WAIT, RETRY_AFTER,
};
pub use receipt::{Receipt, ReceiptOutcome};

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use model::head::DelayScale;
use rand::SeedableRng;
use rand::rngs::StdRng;
use store::Store;

use crate::clock::Clock;
use catalogue::Catalogue;
use due::LeftOut;
use judge::Judge;
use lanes::Lanes;
use news::{Follower, News};
use writer::WriterLoop;

/// Told of what the writers do, on the thread of the one that does it: it must be quick.
pub trait Observe: Send {
    /// A group was committed.
    fn committed(&mut self, group: &GroupObservation);
    /// A group had nothing to commit; so many reports in it were repetitions.
    fn repeated(&mut self, _duplicates: usize) {}
    /// Storage failed.
    fn failed(&mut self) {}
    /// Orders did what was due of them, each so much later than it was.
    fn advanced(&mut self, _late: &[Duration]) {}
}

impl<F: FnMut(&GroupObservation) + Send> Observe for F {
    fn committed(&mut self, group: &GroupObservation) {
        self(group);
    }
}

/// See [`Observe`].
pub type Observer = Box<dyn Observe>;

/// An observer that several writers tell, one at a time.
#[derive(Clone)]
pub struct SharedObserver(Arc<Mutex<Observer>>);

impl SharedObserver {
    /// Shares an observer.
    #[must_use]
    pub fn new(observer: Observer) -> Self {
        Self(Arc::new(Mutex::new(observer)))
    }

    fn lock(&self) -> MutexGuard<'_, Observer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observe for SharedObserver {
    fn committed(&mut self, group: &GroupObservation) {
        self.lock().committed(group);
    }

    fn repeated(&mut self, duplicates: usize) {
        self.lock().repeated(duplicates);
    }

    fn failed(&mut self) {
        self.lock().failed();
    }

    fn advanced(&mut self, late: &[Duration]) {
        self.lock().advanced(late);
    }
}

/// What is kept of one principal at most.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Refusals: see [`DEAD_LETTERS_PER_PRINCIPAL`].
    pub dead_letters: u64,
    /// Receipts of batches: see [`BATCH_RECEIPTS_PER_PRINCIPAL`].
    pub batch_receipts: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            dead_letters: DEAD_LETTERS_PER_PRINCIPAL,
            batch_receipts: BATCH_RECEIPTS_PER_PRINCIPAL,
        }
    }
}

/// What an engine is made of.
pub struct Options {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for salts and ids.
    pub random: StdRng,
    /// How automatic delays are stretched.
    pub scale: DelayScale,
    /// Writers side by side: one where the store has one.
    pub writers: NonZeroUsize,
    /// Commands that may wait before each of them: see [`QUEUE_COMMANDS`].
    pub queue_commands: usize,
    /// Places that a group gathers: see [`GROUP_COMMANDS`].
    pub group_commands: usize,
    /// How long a caller waits for a place: see [`QUEUE_WAIT`].
    pub queue_wait: Duration,
    /// What is kept of one principal at most.
    pub quotas: Quotas,
    /// Told of every group.
    pub observer: Option<SharedObserver>,
}

/// A running engine.
pub struct Engine {
    handle: Handle,
    writers: Vec<JoinHandle<()>>,
    follower: Option<Follower>,
}

impl Engine {
    /// Starts the writers.
    ///
    /// # Errors
    /// What the store says when it cannot be written or its definitions cannot be read.
    pub fn start(options: Options) -> Result<Self, store::Error> {
        let catalogue = Arc::new(Catalogue::read(&options.store)?);
        // Before the end of the log is read: nothing that is written between the two is missed.
        let listener = options.store.listener()?;
        let news = News::new(options.store.reading(|reader| reader.last_position())?);
        let (lanes, queues) = Lanes::new(options.writers, options.queue_commands);
        let left_out = LeftOut::default();
        let mut random = options.random;
        let mut writers = Vec::with_capacity(queues.len());
        for queue in queues {
            let writer = WriterLoop {
                writer: options.store.writer()?,
                store: options.store.clone(),
                judge: Judge {
                    catalogue: catalogue.clone(),
                    clock: options.clock.clone(),
                    random: StdRng::from_rng(&mut random),
                    scale: options.scale,
                    quotas: options.quotas,
                },
                group_commands: options.group_commands,
                news: news.clone(),
                observer: options.observer.clone(),
                unsettled: None,
                flight: None,
                left_out: left_out.clone(),
                taking_apart_until: None,
            };
            let thread = std::thread::Builder::new().name("writer".to_owned());
            writers.push(
                thread
                    .spawn(move || writer.run(queue))
                    .map_err(|error| no_thread(&error))?,
            );
        }
        let follow = |listener| {
            Follower::start(&options.store, listener, &news, &catalogue).map_err(|error| no_thread(&error))
        };
        let follower = listener.map(follow).transpose()?;
        let handle = Handle::new(handle::Parts {
            store: options.store,
            clock: options.clock,
            catalogue,
            lanes,
            queue_wait: options.queue_wait,
            quotas: options.quotas,
            news,
            left_out,
        });
        Ok(Self {
            handle,
            writers,
            follower,
        })
    }

    /// A handle, to keep and to clone.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Takes no more, finishes what was taken, and ends. Whether the writers ended well: false if one panicked, then
    /// whatever it had not answered is not decided.
    pub async fn stop(self) -> bool {
        self.handle.close().await;
        let threads = (self.writers, self.follower);
        let joined = tokio::task::spawn_blocking(move || {
            let (writers, follower) = threads;
            let ended: Vec<bool> = writers.into_iter().map(|thread| thread.join().is_ok()).collect();
            follower.is_none_or(Follower::end) && ended.iter().all(|well| *well)
        });
        matches!(joined.await, Ok(true))
    }
}

fn no_thread(error: &std::io::Error) -> store::Error {
    store::Error::Unavailable {
        trouble: store::Trouble::Failed,
        detail: error.to_string(),
    }
}
