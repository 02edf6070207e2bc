//! The engine's front: cheap to clone, and the only way to write.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use model::Lifecycle;
use model::event_id::EventIdCodec;
use model::ids::{LifecycleId, PartyId, Position};
use store::{PartyKind, Reader, Store, Writer};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::Quotas;
use super::answer::{Answer, Failure, OnceAnswer, SubmitError};
use super::catalogue::Catalogue;
use super::commands::Submission;
use super::due::{DueWork, LeftOut};
use super::feed::Feed;
use super::lanes::{LaneIndex, Lanes};
use super::limits::KNOWN_PARTIES;
use super::news::News;
use super::units::{Pending, Row};
use crate::clock::Clock;

/// Work of the writer that is no group.
pub(super) type Task = Box<dyn FnOnce(&mut dyn Writer) + Send>;

/// Answers that are on their way.
pub struct Answers(oneshot::Receiver<OnceAnswer>);

impl Answers {
    /// Waits for them.
    ///
    /// # Errors
    /// [`SubmitError::Stopping`] if the engine ended without an answer.
    pub async fn wait(self) -> Result<Vec<Answer>, SubmitError> {
        match self.wait_once().await? {
            OnceAnswer::Decided(answers) => Ok(answers),
            OnceAnswer::Before(_)
            | OnceAnswer::KeyReused
            | OnceAnswer::UnderWay
            | OnceAnswer::TooManyReceipts => Ok(Vec::new()),
        }
    }

    /// Waits for what became of a submission that is done once: without a key it is always decided.
    ///
    /// # Errors
    /// As [`Answers::wait`].
    pub async fn wait_once(self) -> Result<OnceAnswer, SubmitError> {
        self.0.await.map_err(|_| SubmitError::Stopping)
    }
}

/// What reaches the writer.
pub(super) enum Work {
    /// Commands to be decided.
    Submission(Box<Pending>),
    /// Something else for the writer to do, between groups.
    Task(Task),
    /// Orders whose time has come, in a group of their own.
    Due(DueWork),
    /// Take no more.
    Close,
}

/// What a handle is made of.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) lanes: Lanes,
    pub(super) queue_wait: Duration,
    pub(super) quotas: Quotas,
    pub(super) news: News,
    pub(super) left_out: LeftOut,
}

/// Submits commands and answers questions about what became of them.
#[derive(Clone)]
pub struct Handle {
    parts: Arc<Parts>,
    event_ids: EventIdCodec,
    parties: Arc<RwLock<HashMap<(PartyKind, String), PartyId>>>,
    /// The queue of what follows each other; `None`: whichever suits.
    lane: Option<LaneIndex>,
    /// What of it must not be overtaken.
    row: Option<Arc<Row>>,
}

impl Handle {
    pub(super) fn new(parts: Parts) -> Self {
        let event_ids = EventIdCodec::new(&parts.store.identity().event_id_key);
        Self {
            parts: Arc::new(parts),
            event_ids,
            parties: Arc::default(),
            lane: None,
            row: None,
        }
    }

    /// A handle whose submissions are decided in the order in which they are handed in, also by those that wait for no answer. Once
    /// storage has failed on one, all later ones fail as it did: what was reported later must not be there before what was reported first.
    /// So it is for one source, which then begins again with another handle.
    #[must_use]
    pub fn in_order(&self) -> Self {
        Self {
            lane: Some(self.parts.lanes.idlest()),
            row: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Submits commands; waits at most [`super::QUEUE_WAIT`] for a place.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was decided then.
    pub async fn submit(&self, submission: Submission) -> Result<Vec<Answer>, SubmitError> {
        self.enqueue(submission).await?.wait().await
    }

    /// Submits commands that may have a key: see [`Handle::submit`].
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was decided then.
    pub async fn submit_once(&self, submission: Submission) -> Result<OnceAnswer, SubmitError> {
        self.enqueue(submission).await?.wait_once().await
    }

    /// Submits commands, however long a place takes: for a source that is simply read no further.
    ///
    /// # Errors
    /// [`SubmitError::Stopping`].
    pub async fn submit_patiently(&self, submission: Submission) -> Result<Vec<Answer>, SubmitError> {
        self.enqueue_patiently(submission).await?.wait().await
    }

    /// Hands commands in, however long a place takes, and does not wait for the answers. For what follows to be decided after it, see
    /// [`Handle::in_order`].
    ///
    /// # Errors
    /// [`SubmitError::Stopping`].
    pub async fn enqueue_patiently(&self, submission: Submission) -> Result<Answers, SubmitError> {
        let lane = self.lane(&submission);
        let place = self.parts.lanes.places(lane, &submission).await?;
        self.send(lane, submission, place).await
    }

    /// Has the writer do something that is no command, in a transaction of its own, after what is queued.
    ///
    /// # Errors
    /// [`Failure`] of the store, or of an engine that has stopped.
    pub async fn with_writer<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn Writer) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let task: Task = Box::new(move |writer| {
            // A caller that went away needs no answer.
            reply.send(job(writer).map_err(|error| failure(&error))).ok();
        });
        let sent = self.parts.lanes.send_task(Work::Task(task)).await;
        sent.map_err(|_| Failure::Stopping)?;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Has orders do what is due of them by now, at most so many, in one transaction: the longest due first, and those that another node is
    /// about to advance left out. Gives how many were taken up: if as many as could be, there may be more.
    ///
    /// A reader looks first: while nothing is due, it costs the writers nothing.
    ///
    /// # Errors
    /// [`Failure`]; what was due still is.
    pub async fn advance_due(&self, limit: u32) -> Result<usize, Failure> {
        let (store, left_out) = (self.parts.store.clone(), self.parts.left_out.clone());
        let now = self.parts.clock.now();
        let look = tokio::task::spawn_blocking(move || left_out.is_any_due(&*store, now));
        let is_any_due = look.await.map_err(|_| Failure::Internal)?;
        if !is_any_due.map_err(|error| failure_of(&error))? {
            return Ok(0);
        }
        let (reply, answer) = oneshot::channel();
        let work = Work::Due(DueWork { limit, reply });
        let sent = self.parts.lanes.send(self.parts.lanes.idlest(), work).await;
        sent.map_err(|_| Failure::Stopping)?;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// The number of a client, customer or principal; a new name gets a new one.
    ///
    /// # Errors
    /// [`Failure`] if it is new and cannot be stored.
    pub async fn party(&self, kind: PartyKind, name: &str) -> Result<PartyId, Failure> {
        self.parties(kind, &[name])
            .await?
            .into_iter()
            .next()
            .ok_or(Failure::Internal)
    }

    /// The numbers of several parties, in their order; all that are new are stored at once.
    ///
    /// # Errors
    /// As [`Handle::party`].
    pub async fn parties(&self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Failure> {
        let keys: Vec<(PartyKind, String)> = names.iter().map(|name| (kind, (*name).to_owned())).collect();
        let known = |known: &HashMap<_, PartyId>| keys.iter().map(|key| known.get(key).copied()).collect();
        let found: Option<Vec<PartyId>> = known(&self.parties.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(found) = found {
            return Ok(found);
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let store = move |writer: &mut dyn Writer| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            writer.parties(kind, &names)
        };
        let numbers = self.with_writer(store).await?;
        let mut known = self.parties.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_PARTIES {
            known.clear();
        }
        known.extend(keys.into_iter().zip(numbers.iter().copied()));
        Ok(numbers)
    }

    /// Whether one more receipt of a principal's batches would be kept, as far as is stored.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn may_keep_receipt(
        &self,
        reader: &mut dyn Reader,
        principal: PartyId,
    ) -> Result<bool, store::Error> {
        Ok(reader.batch_receipts_of(principal)? < self.parts.quotas.batch_receipts)
    }

    /// Waits until a writer has ended, which one does by itself only if it fails.
    pub(crate) async fn writer_ended(&self) {
        self.parts.lanes.one_has_closed().await;
    }

    /// Whether all writers take commands.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.parts.lanes.are_open()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// The clock that the engine goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// A definition by its number. One that is not known yet is asked for, which may take a moment.
    #[must_use]
    pub fn lifecycle(&self, id: LifecycleId) -> Option<Arc<Lifecycle>> {
        self.parts.catalogue.find(id)
    }

    /// All definitions, in no order.
    #[must_use]
    pub fn lifecycles(&self) -> Vec<(LifecycleId, Arc<Lifecycle>)> {
        let known = self.parts.catalogue.known();
        known
            .iter()
            .map(|(id, lifecycle)| (*id, lifecycle.clone()))
            .collect()
    }

    /// All definitions of a name.
    #[must_use]
    pub fn lifecycles_named(&self, name: &str) -> Vec<(LifecycleId, Arc<Lifecycle>)> {
        let known = self.parts.catalogue.known();
        let named = known.iter().filter(|(_, lifecycle)| lifecycle.name() == name);
        named.map(|(id, lifecycle)| (*id, lifecycle.clone())).collect()
    }

    /// The newest definition of a name.
    #[must_use]
    pub fn lifecycle_named(&self, name: &str) -> Option<(LifecycleId, Arc<Lifecycle>)> {
        let known = self.parts.catalogue.known();
        let named = known.iter().filter(|(_, lifecycle)| lifecycle.name() == name);
        let newest = named.max_by_key(|(_, lifecycle)| lifecycle.version());
        newest.map(|(id, lifecycle)| (*id, lifecycle.clone()))
    }

    /// Makes and reads event ids.
    #[must_use]
    pub const fn event_ids(&self) -> &EventIdCodec {
        &self.event_ids
    }

    /// Wakes whoever reads the log when it has grown. A wake-up may stand for many commits.
    #[must_use]
    pub fn wake_ups(&self) -> watch::Receiver<Position> {
        self.parts.news.subscribe()
    }

    /// What this node writes, for the one who follows the log.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        self.parts.news.feed()
    }

    /// Takes no more submissions; what was taken is finished.
    pub(super) async fn close(&self) {
        self.parts.lanes.close().await;
    }

    fn lane(&self, submission: &Submission) -> LaneIndex {
        self.lane.unwrap_or_else(|| self.parts.lanes.choose(submission))
    }

    async fn enqueue(&self, submission: Submission) -> Result<Answers, SubmitError> {
        let lane = self.lane(&submission);
        let place = self.parts.lanes.places(lane, &submission);
        let place = tokio::time::timeout(self.parts.queue_wait, place).await;
        let place = place.map_err(|_| SubmitError::QueueFull)??;
        self.send(lane, submission, place).await
    }

    async fn send(
        &self,
        lane: LaneIndex,
        submission: Submission,
        place: OwnedSemaphorePermit,
    ) -> Result<Answers, SubmitError> {
        let (reply, answers) = oneshot::channel();
        let work = Work::Submission(Box::new(Pending::new(
            submission,
            reply,
            Some(place),
            self.row.clone(),
        )));
        self.parts.lanes.send(lane, work).await?;
        Ok(Answers(answers))
    }
}

fn failure(error: &store::Error) -> Failure {
    tracing::error!(error.detail = %error, "the writer failed on a task");
    failure_of(error)
}

pub(super) const fn failure_of(error: &store::Error) -> Failure {
    match error {
        store::Error::Unavailable { trouble, .. } | store::Error::OutcomeUnknown { trouble, .. } => {
            Failure::Unavailable(*trouble)
        }
        store::Error::Contended(_) => Failure::Unavailable(store::Trouble::Busy),
        store::Error::Statement(_)
        | store::Error::Damaged(_)
        | store::Error::ReadTooLong
        | store::Error::Archived => Failure::Internal,
    }
}
