//! The engine: commands in, durable decisions out.
//!
//! Whoever has commands hands them to a [`Handle`], which waits for a place in a bounded queue. A writer thread drains what is
//! queued, loads the orders it is about, decides each command in its order in memory and commits all results in one
//! transaction; only then are the callers answered. While one group commits the next one gathers, and is decided already if it is large,
//! so there is no timer and nobody waits for company, and the price of a command falls as load rises.
//!
//! A refusal fails only its caller. A value that the database refuses splits the group until only the command to
//! blame fails. Only when storage itself fails does a whole group fail, and the next one tries again by itself.

mod answer;
mod commands;
mod group;
mod handle;
mod judge;
mod limits;
mod receipt;
mod units;
mod writer;

pub use answer::{Accepted, Answer, Failure, Known, OnceAnswer, Outcome, SubmitError};
pub use commands::{Command, Contents, Once, Records, Submission};
pub use handle::{Answers, Handle};
pub use judge::{GroupObservation, Transition};
pub use limits::{
    BATCH_RECEIPTS_PER_PRINCIPAL, DEAD_LETTERS_PER_PRINCIPAL, GROUP_COMMANDS, QUEUE_COMMANDS, QUEUE_WAIT,
    RETRY_AFTER,
};
pub use receipt::{Receipt, ReceiptOutcome};

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use model::Lifecycle;
use model::head::DelayScale;
use model::ids::{LifecycleId, Position};
use rand::rngs::StdRng;
use store::Store;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::clock::Clock;
use handle::Work;
use judge::Judge;
use writer::WriterLoop;

/// Told of what the writer does, on its thread: it must be quick.
pub trait Observe: Send {
    /// A group was committed.
    fn committed(&mut self, group: &GroupObservation);
    /// A group had nothing to commit; so many reports in it were repetitions.
    fn repeated(&mut self, _duplicates: usize) {}
    /// Storage failed.
    fn failed(&mut self) {}
}

impl<F: FnMut(&GroupObservation) + Send> Observe for F {
    fn committed(&mut self, group: &GroupObservation) {
        self(group);
    }
}

/// See [`Observe`].
pub type Observer = Box<dyn Observe>;

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
    /// Commands that may wait: see [`QUEUE_COMMANDS`].
    pub queue_commands: usize,
    /// Places that a group gathers: see [`GROUP_COMMANDS`].
    pub group_commands: usize,
    /// How long a caller waits for a place: see [`QUEUE_WAIT`].
    pub queue_wait: Duration,
    /// What is kept of one principal at most.
    pub quotas: Quotas,
    /// Told of every group.
    pub observer: Option<Observer>,
}

/// A running engine.
pub struct Engine {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the writer.
    ///
    /// # Errors
    /// What the store says when it cannot be written or its definitions cannot be read.
    pub fn start(options: Options) -> Result<Self, store::Error> {
        let lifecycles: HashMap<LifecycleId, Arc<Lifecycle>> = options
            .store
            .lifecycles()?
            .into_iter()
            .map(|stored| (stored.id, Arc::new(stored.lifecycle)))
            .collect();
        let lifecycles = Arc::new(lifecycles);
        let last_position = options.store.reading(|reader| reader.totals())?.last_position;
        let (committed, _) = watch::channel::<Position>(last_position);
        let committed = Arc::new(committed);
        let (sender, receiver) = mpsc::channel::<Work>(options.queue_commands);
        let writer = WriterLoop {
            writer: options.store.writer()?,
            judge: Judge {
                lifecycles: lifecycles.clone(),
                clock: options.clock.clone(),
                random: options.random,
                scale: options.scale,
                quotas: options.quotas,
            },
            group_commands: options.group_commands,
            committed: committed.clone(),
            observer: options.observer,
            unsettled: None,
            flight: None,
        };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|error| store::Error::Unavailable {
                trouble: store::Trouble::Failed,
                detail: error.to_string(),
            })?;
        let handle = Handle::new(handle::Parts {
            store: options.store,
            clock: options.clock,
            lifecycles,
            sender,
            places: Arc::new(Semaphore::new(options.queue_commands)),
            queue_commands: options.queue_commands,
            queue_wait: options.queue_wait,
            quotas: options.quotas,
            committed,
        });
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }

    /// A handle, to keep and to clone.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Takes no more, finishes what was taken, and ends. Whether the writer ended well: false if it panicked, then
    /// whatever was not answered is not decided.
    pub async fn stop(mut self) -> bool {
        self.handle.close().await;
        let Some(thread) = self.thread.take() else {
            return true;
        };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        matches!(joined, Ok(Ok(())))
    }
}
