//! The writer thread: drain, decide, commit, answer.
//!
//! A large group is written behind: see [`behind`](super::behind). Few commands are committed at once: there is nothing to be done meanwhile,
//! and the callers wait.

use std::sync::Arc;
use std::time::Instant;

use store::{CommitId, Error, Group, Store, Trouble, Writer};
use tokio::sync::mpsc;

use super::answer::{Answer, Failure, OnceAnswer};
use super::behind::Flight;
use super::due::LeftOut;
use super::handle::Work;
use super::judge::{GroupObservation, Judge, Ready};
use super::limits::{BEHIND_COMMANDS, COMMIT_PAUSE, COMMIT_TRIES, CONTENDED_WAIT};
use super::news::News;
use super::units::{
    Batch, Gathered, Pending, Unit, can_be_parted, earlier_answers, fail_each, parted, queued_since,
    take_answers, to_decide, without_overtakers,
};
use super::{Observe, SharedObserver};

pub(super) struct WriterLoop {
    pub(super) writer: Box<dyn Writer>,
    pub(super) store: Arc<dyn Store>,
    pub(super) judge: Judge,
    pub(super) group_commands: usize,
    pub(super) news: News,
    pub(super) observer: Option<SharedObserver>,
    /// A commit that may be durable or not: found out before anything else is committed.
    pub(super) unsettled: Option<CommitId>,
    pub(super) flight: Option<Flight>,
    /// Orders that are not advanced for now.
    pub(super) left_out: LeftOut,
    /// Another writer stays in the way of the group: until when it is taken apart for it.
    pub(super) taking_apart_until: Option<Instant>,
}

impl WriterLoop {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        while let Some(work) = self.next(&mut queue) {
            let mut gathered = Gathered::default();
            self.gather(Some(work), &mut queue, &mut gathered);
            if self.flight.is_some() && gathered.places < BEHIND_COMMANDS {
                // Not worth a group yet: whoever is answered now may have more.
                self.land();
                self.gather(None, &mut queue, &mut gathered);
            }
            self.run_group(gathered);
        }
        self.land();
    }

    /// The next work. Nobody waits for an answer while there is none.
    fn next(&mut self, queue: &mut mpsc::Receiver<Work>) -> Option<Work> {
        if self.flight.is_some() {
            if let Ok(work) = queue.try_recv() {
                return Some(work);
            }
            self.land();
        }
        queue.blocking_recv()
    }

    /// Adds what is there, up to a group's places, behind what was gathered before.
    fn gather(&mut self, first: Option<Work>, queue: &mut mpsc::Receiver<Work>, gathered: &mut Gathered) {
        // Whoever was answered just now and has more is let in first. With nobody about this takes no time.
        std::thread::yield_now();
        let mut next = first.or_else(|| queue.try_recv().ok());
        while let Some(work) = next {
            match work {
                Work::Submission(pending) => gathered.add(*pending),
                Work::Task(task) => {
                    // What came before it is done before it: no number of tasks keeps a group waiting.
                    self.run_group(std::mem::take(gathered));
                    self.land();
                    task(&mut *self.writer);
                }
                Work::Due(due) => {
                    self.run_group(std::mem::take(gathered));
                    self.land();
                    self.advance_due(due);
                }
                Work::Close => queue.close(),
            }
            next = if gathered.places < self.group_commands {
                queue.try_recv().ok()
            } else {
                None
            };
        }
    }

    fn run_group(&mut self, gathered: Gathered) {
        if gathered.submissions.is_empty() {
            return;
        }
        let places = gathered.places;
        let batch = Batch::of(gathered.submissions);
        // What must not be decided any more is seen to by `decide`: a group on its way may fail until then.
        if !batch.is_held_back() && places >= BEHIND_COMMANDS && self.writer.writes_behind() {
            self.take_off(batch);
        } else {
            self.land();
            self.write_now(batch);
        }
    }

    /// Decides, commits and answers.
    pub(super) fn write_now(&mut self, mut batch: Batch) {
        self.taking_apart_until = None;
        self.decide(&mut batch.submissions, &batch.units);
        batch.answer();
    }

    /// Decides and commits; where the database refuses a value or another writer stays in the way, each half by itself, until only the
    /// command to blame fails.
    ///
    /// Gives the trouble if storage failed: then nothing after it is tried, so that no later report of an order overtakes it.
    fn decide(&mut self, group: &mut [Pending], units: &[Unit]) -> Option<Trouble> {
        let units = &*without_overtakers(group, units);
        if units.is_empty() {
            return None;
        }
        match self.attempt(group, units) {
            Ok(answers) => {
                take_answers(group, units, answers);
                None
            }
            Err(Error::Unavailable { trouble, detail } | Error::OutcomeUnknown { trouble, detail }) => {
                self.observe_failure();
                tracing::error!(error.kind = %trouble, error.detail = detail, "storage is unavailable");
                fail_each(group, units, Failure::Unavailable(trouble));
                Some(trouble)
            }
            Err(Error::Contended(detail)) => {
                let now = Instant::now();
                let until = *self.taking_apart_until.get_or_insert(now + CONTENDED_WAIT);
                if units.len() > 1 && now < until {
                    return self.decide_halves(group, units);
                }
                self.observe_failure();
                tracing::warn!(error.detail = detail, "another writer stays in the way");
                fail_each(group, units, Failure::Unavailable(Trouble::Busy));
                None
            }
            Err(error @ (Error::Statement(_) | Error::Damaged(_) | Error::ReadTooLong | Error::Archived)) => {
                match units {
                    [] => None,
                    [unit] if can_be_parted(group, unit) => {
                        let (commands, records) = parted(unit);
                        let trouble = self.decide(group, &commands);
                        match trouble {
                            Some(_) => trouble,
                            None => self.decide(group, &[records]),
                        }
                    }
                    [unit] => {
                        let label = group
                            .get(unit.submission)
                            .and_then(|pending| pending.submission.label.as_deref());
                        tracing::error!(request.id = label, error.detail = %error, "a command failed");
                        fail_each(group, units, Failure::Internal);
                        None
                    }
                    [_, _, ..] => self.decide_halves(group, units),
                }
            }
        }
    }

    fn decide_halves(&mut self, group: &mut [Pending], units: &[Unit]) -> Option<Trouble> {
        let (front, back) = units.split_at(units.len() / 2);
        let trouble = self.decide(group, front);
        match trouble {
            Some(trouble) => fail_each(group, back, Failure::Unavailable(trouble)),
            None => return self.decide(group, back),
        }
        trouble
    }

    pub(super) fn observe(&mut self, group: &GroupObservation) {
        if let Some(observer) = &mut self.observer {
            observer.committed(group);
        }
    }

    pub(super) fn observe_repeated(&mut self, duplicates: usize) {
        if let Some(observer) = &mut self.observer {
            observer.repeated(duplicates);
        }
    }

    pub(super) fn observe_failure(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.failed();
        }
    }

    /// One transaction.
    fn attempt(&mut self, group: &[Pending], units: &[Unit]) -> Result<Vec<OnceAnswer>, Error> {
        let earlier: Vec<Vec<Answer>> = units.iter().map(|unit| earlier_answers(group, unit)).collect();
        let deciding = to_decide(group, units, &earlier);
        let queued_at = queued_since(group, units);
        // A half of what was tried so often already is not waited for again.
        let is_part = units.len() > 1 && self.taking_apart_until.is_some();
        self.attempt_by(is_part, |judge, group| judge.decide(group, &deciding, queued_at))
    }

    /// One transaction, with what is decided in it. An unknown outcome is settled by the commit's id: either it is there, or the same is
    /// done again.
    pub(super) fn attempt_by(
        &mut self,
        is_part: bool,
        mut decide: impl FnMut(&mut Judge, &mut dyn Group) -> Result<Ready, Error>,
    ) -> Result<Vec<OnceAnswer>, Error> {
        self.settle()?;
        let mut pause = COMMIT_PAUSE;
        let mut tries = 1;
        loop {
            let commit = self.writer.next_commit()?;
            let attempt = self.attempt_once(commit, &mut decide);
            let (answers, result) = attempt.unwrap_or_else(|error| (Vec::new(), Err(error)));
            match result {
                Ok(()) => return Ok(answers),
                Err(Error::OutcomeUnknown { .. }) if self.settle()? => return Ok(answers),
                // In the second case begun again, it finds what another writer has left.
                Err(Error::Contended(detail)) if is_part => return Err(Error::Contended(detail)),
                Err(Error::OutcomeUnknown { .. } | Error::Contended(_)) if tries < COMMIT_TRIES => {
                    std::thread::sleep(pause);
                    pause *= 2;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finds out about a commit of unknown outcome. Whether there was one and it is durable.
    pub(super) fn settle(&mut self) -> Result<bool, Error> {
        let Some(commit) = self.unsettled else {
            return Ok(false);
        };
        let durable = self.writer.is_committed(commit)?;
        self.unsettled = None;
        if durable && let Ok(position) = self.store.reading(|reader| reader.last_position()) {
            // Where this cannot be read, the next commit tells.
            self.news.grown_to(position);
        }
        Ok(durable)
    }

    fn attempt_once(
        &mut self,
        commit: CommitId,
        decide: impl FnOnce(&mut Judge, &mut dyn Group) -> Result<Ready, Error>,
    ) -> Result<(Vec<OnceAnswer>, Result<(), Error>), Error> {
        let mut transaction = self.writer.begin()?;
        let Ready {
            answers,
            writes,
            at,
            mut observation,
        } = decide(&mut self.judge, &mut *transaction)?;
        if writes.is_empty() {
            // Only repetitions and the like: what they repeat is durable, there is nothing to commit.
            drop(transaction);
            self.observe_repeated(observation.duplicates);
            return Ok((answers, Ok(())));
        }
        let copied = self.news.copy(&writes);
        let decided = Instant::now();
        let result = transaction.commit(commit, at, writes);
        observation.commit = decided.elapsed();
        match &result {
            Ok(committed) => {
                self.news.stored(copied, committed.last_position);
                self.observe(&observation);
            }
            Err(Error::OutcomeUnknown { .. }) => self.unsettled = Some(commit),
            Err(_) => {}
        }
        Ok((answers, result.map(drop)))
    }
}
