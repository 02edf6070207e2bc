//! The queues before the writers, one each.
//!
//! What one command changes goes by its order, so that two reports on an order do not wait for each other in the database. Several
//! commands go together, whole, to the writer that has most room: what is stored of their answers is stored with them. Where two
//! writers meet at an order after all, the database's locks keep them apart.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::Arc;

use foldhash::fast::FixedState;
use futures_util::future::select_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::answer::SubmitError;
use super::commands::{Command, Submission};
use super::handle::Work;

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LaneIndex(usize);

struct Lane {
    sender: mpsc::Sender<Work>,
    places: Arc<Semaphore>,
}

impl Lane {
    /// Free places: none where nobody takes them any more.
    fn room(&self) -> usize {
        if self.sender.is_closed() {
            0
        } else {
            self.places.available_permits()
        }
    }
}

/// All queues.
pub(super) struct Lanes {
    first: Lane,
    others: Vec<Lane>,
    /// Places of each one.
    queue_commands: usize,
}

impl Lanes {
    /// So many, with what their writers take from. The places are shared out among them: memory is bounded by their sum.
    pub(super) fn new(writers: NonZeroUsize, queue_commands: usize) -> (Self, Vec<mpsc::Receiver<Work>>) {
        let queue_commands = queue_commands.div_ceil(writers.get());
        let lane = || {
            let (sender, receiver) = mpsc::channel(queue_commands);
            let places = Arc::new(Semaphore::new(queue_commands));
            (Lane { sender, places }, receiver)
        };
        let (first, receiver) = lane();
        let (others, receivers): (Vec<Lane>, Vec<_>) = (1..writers.get()).map(|_| lane()).unzip();
        let lanes = Self {
            first,
            others,
            queue_commands,
        };
        (lanes, std::iter::once(receiver).chain(receivers).collect())
    }

    /// Where a submission goes that need not follow another.
    pub(super) fn choose(&self, submission: &Submission) -> LaneIndex {
        match &*submission.commands {
            [Command::Change { order, .. }] => {
                let hash = FixedState::default().hash_one(order);
                let lanes = u64::try_from(1 + self.others.len()).unwrap_or(1);
                LaneIndex(usize::try_from(hash % lanes).unwrap_or_default())
            }
            _ => self.idlest(),
        }
    }

    /// The queue that has most room; of several the first, so that few callers share their commits.
    pub(super) fn idlest(&self) -> LaneIndex {
        let mut idlest = (LaneIndex(0), self.first.room());
        for (index, lane) in (1..).zip(&self.others) {
            let room = lane.room();
            if room > idlest.1 {
                idlest = (LaneIndex(index), room);
            }
        }
        idlest.0
    }

    /// Waits until a writer has ended.
    pub(super) async fn one_has_closed(&self) {
        let closed = self.all().map(|lane| Box::pin(lane.sender.closed()));
        select_all(closed).await;
    }

    /// Waits for as many places as a submission takes; one that is larger than the queue takes all of it.
    pub(super) async fn places(
        &self,
        lane: LaneIndex,
        submission: &Submission,
    ) -> Result<OwnedSemaphorePermit, SubmitError> {
        let wanted = submission.places().clamp(1, self.queue_commands);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let places = self.lane(lane).places.clone();
        places
            .acquire_many_owned(wanted)
            .await
            .map_err(|_| SubmitError::Stopping)
    }

    pub(super) async fn send(&self, lane: LaneIndex, work: Work) -> Result<(), SubmitError> {
        let sent = self.lane(lane).sender.send(work).await;
        sent.map_err(|_| SubmitError::Stopping)
    }

    /// Sends what is no command: to the first writer, behind what waits there.
    pub(super) async fn send_task(&self, work: Work) -> Result<(), SubmitError> {
        self.send(LaneIndex(0), work).await
    }

    /// Whether every writer takes work.
    pub(super) fn are_open(&self) -> bool {
        self.all().all(|lane| !lane.sender.is_closed())
    }

    /// Takes no more; what was taken is finished.
    pub(super) async fn close(&self) {
        for lane in self.all() {
            lane.places.close();
        }
        for lane in self.all() {
            // No receiver means that the writer has ended already.
            drop(lane.sender.send(Work::Close).await);
        }
    }

    fn lane(&self, index: LaneIndex) -> &Lane {
        let other = index.0.checked_sub(1).and_then(|other| self.others.get(other));
        other.unwrap_or(&self.first)
    }

    fn all(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
