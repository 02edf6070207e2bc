//! The writer thread: drain, decide, commit, answer.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::head::DelayScale;
use model::ids::{LifecycleId, Position};
use model::{Lifecycle, StateId};
use rand::rngs::StdRng;
use store::{CommitId, Committed, Error, Trouble, Writer};
use tokio::sync::{mpsc, oneshot, watch};

use super::Observer;
use super::answer::{Answer, Failure, OnceAnswer};
use super::commands::Submission;
use super::group::{self, Decided, Deciding};
use super::handle::Work;
use super::limits::{COMMIT_PAUSE, COMMIT_TRIES, GROUP_COMMANDS};
use crate::clock::Clock;

/// What one committed group cost, and what came of it.
#[derive(Clone, Debug)]
pub struct GroupObservation {
    /// Commands decided in it.
    pub commands: usize,
    /// Entries it added to the log.
    pub entries: usize,
    /// Waiting of the submission that waited longest.
    pub queued: Duration,
    /// Loading and deciding.
    pub decide: Duration,
    /// Writing and making durable.
    pub commit: Duration,
    /// Steps that orders took, whose statuses they are between, and how many did.
    pub transitions: Vec<(Arc<Lifecycle>, Transition, u64)>,
    /// Reports that were repetitions.
    pub duplicates: usize,
}

/// A step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// Whose statuses these are.
    pub lifecycle: LifecycleId,
    /// Where it came from; `None`: it was created.
    pub from: Option<StateId>,
    /// Where it came to.
    pub to: StateId,
}

pub(super) struct WriterLoop {
    pub(super) writer: Box<dyn Writer>,
    pub(super) lifecycles: Arc<HashMap<LifecycleId, Arc<Lifecycle>>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: StdRng,
    pub(super) scale: DelayScale,
    pub(super) dead_letters_per_principal: u64,
    pub(super) committed: Arc<watch::Sender<Position>>,
    pub(super) observer: Option<Observer>,
    pub(super) unsettled: Option<Unsettled>,
}

/// A commit that may be durable or not: found out before anything else is committed.
#[derive(Clone, Copy)]
pub(super) struct Unsettled {
    commit: CommitId,
    entries: i64,
}

/// A submission on its way through the writer.
struct Pending {
    submission: Submission,
    reply: oneshot::Sender<OnceAnswer>,
    answers: Vec<Option<Answer>>,
    /// What its key says, if it is not decided now.
    before: Option<OnceAnswer>,
    /// Why what is to be stored of its answers was not.
    failure: Option<Failure>,
    /// The place in the queue, free again when the caller is answered.
    place: tokio::sync::OwnedSemaphorePermit,
    queued_at: Instant,
}

/// Commands that stand or fall together.
#[derive(Clone)]
struct Unit {
    /// Their submission.
    submission: usize,
    /// Their places in it.
    range: Range<usize>,
    /// Whether what is to be stored of the submission's answers is stored with them.
    records: bool,
}

impl WriterLoop {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        let mut gathered = Vec::new();
        while let Some(work) = queue.blocking_recv() {
            // Whoever was answered just now and has more is let in first. With nobody about this takes no time.
            std::thread::yield_now();
            let mut next = Some(work);
            let mut commands = 0;
            while let Some(work) = next {
                if matches!(work, Work::Task(_)) {
                    // What came before it is done before it: no number of tasks keeps a group waiting.
                    self.run_group(std::mem::take(&mut gathered));
                    commands = 0;
                }
                commands += self.take(work, &mut gathered, &mut queue);
                next = if commands < GROUP_COMMANDS {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            self.run_group(std::mem::take(&mut gathered));
        }
    }

    /// Adds a submission to the group, or does at once what is none. Gives the places it took.
    fn take(&mut self, work: Work, gathered: &mut Vec<Pending>, queue: &mut mpsc::Receiver<Work>) -> usize {
        match work {
            Work::Submission {
                submission,
                reply,
                place,
                queued_at,
            } => {
                let (commands, places) = (submission.commands.len(), submission.places());
                gathered.push(Pending {
                    answers: vec![None; commands],
                    before: None,
                    failure: None,
                    submission,
                    reply,
                    place,
                    queued_at,
                });
                places
            }
            Work::Task(task) => {
                task(&mut *self.writer);
                0
            }
            Work::Close => {
                queue.close();
                0
            }
        }
    }

    fn run_group(&mut self, mut group: Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        let units: Vec<Unit> = group.iter().enumerate().flat_map(units).collect();
        self.decide(&mut group, &units);
        for pending in group {
            let answers = match pending.failure {
                // Without the rest, none of it counts: not even a submission of no commands.
                Some(failure) => vec![Err(failure); pending.answers.len().max(1)],
                None => pending
                    .answers
                    .into_iter()
                    .map(|answer| answer.unwrap_or(Err(Failure::Internal)))
                    .collect(),
            };
            // First the place: whoever is answered finds it free. A caller that went away needs no answer.
            drop(pending.place);
            let answer = pending.before.unwrap_or(OnceAnswer::Decided(answers));
            pending.reply.send(answer).ok();
        }
    }

    /// Decides and commits; where the database refuses a value, each half by itself, until only the command to blame fails.
    ///
    /// Gives the trouble if storage failed: then nothing after it is tried, so that no later report of an order overtakes it.
    fn decide(&mut self, group: &mut [Pending], units: &[Unit]) -> Option<Trouble> {
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
                self.observe_failure();
                tracing::warn!(error.detail = detail, "another writer stays in the way");
                fail_each(group, units, Failure::Unavailable(Trouble::Busy));
                Some(Trouble::Busy)
            }
            Err(error @ (Error::Statement(_) | Error::Damaged(_) | Error::ReadTooLong)) => match units {
                [] => None,
                [unit] if self.can_be_parted(group, unit) => {
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
                [_, _, ..] => {
                    let (front, back) = units.split_at(units.len() / 2);
                    let trouble = self.decide(group, front);
                    match trouble {
                        Some(trouble) => fail_each(group, back, Failure::Unavailable(trouble)),
                        None => return self.decide(group, back),
                    }
                    trouble
                }
            },
        }
    }

    fn can_be_parted(&self, group: &[Pending], unit: &Unit) -> bool {
        let submission = group.get(unit.submission).map(|pending| &pending.submission);
        unit.range.len() > 1 && submission.is_some_and(|submission| !submission.atomic)
    }

    fn observe_failure(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.failed();
        }
    }

    /// One transaction. An unknown outcome is settled by the commit's id: either it is there, or the same is done again.
    fn attempt(&mut self, group: &[Pending], units: &[Unit]) -> Result<Vec<OnceAnswer>, Error> {
        let earlier: Vec<Vec<Answer>> = units.iter().map(|unit| earlier_answers(group, unit)).collect();
        let deciding: Vec<group::Unit<'_>> = units
            .iter()
            .zip(&earlier)
            .filter_map(|(unit, earlier)| {
                let submission = &group.get(unit.submission)?.submission;
                Some(group::Unit {
                    commands: submission.commands.get(unit.range.clone())?,
                    submission,
                    first: unit.range.start,
                    records: unit.records.then_some(earlier),
                })
            })
            .collect();
        let queued_at = units
            .iter()
            .filter_map(|unit| group.get(unit.submission))
            .map(|pending| pending.queued_at)
            .min();
        self.settle()?;
        let mut pause = COMMIT_PAUSE;
        let mut tries = 1;
        loop {
            let commit = self.writer.next_commit()?;
            let attempt = self.attempt_once(&deciding, commit, queued_at);
            let (answers, result) = attempt.unwrap_or_else(|error| (Vec::new(), Err(error)));
            match result {
                Ok(()) => return Ok(answers),
                Err(Error::OutcomeUnknown { .. }) if self.settle()? => return Ok(answers),
                // In the second case begun again, it finds what another writer has left.
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
    fn settle(&mut self) -> Result<bool, Error> {
        let Some(Unsettled { commit, entries }) = self.unsettled else {
            return Ok(false);
        };
        let durable = self.writer.is_committed(commit)?;
        self.unsettled = None;
        if durable {
            self.committed
                .send_modify(|position| *position = Position::new(position.get() + entries));
        }
        Ok(durable)
    }

    fn attempt_once(
        &mut self,
        units: &[group::Unit<'_>],
        commit: CommitId,
        queued_at: Option<Instant>,
    ) -> Result<(Vec<OnceAnswer>, Result<(), Error>), Error> {
        let began = Instant::now();
        let now = self.clock.now();
        let deciding = Deciding {
            lifecycles: &self.lifecycles,
            now,
            scale: self.scale,
            random: &mut self.random,
            dead_letters_per_principal: self.dead_letters_per_principal,
        };
        let mut transaction = self.writer.begin()?;
        let Decided {
            answers,
            writes,
            transitions,
            duplicates,
        } = group::decide(deciding, &mut *transaction, units)?;
        let (decided, entries) = (Instant::now(), writes.entries.len());
        if writes.is_empty() {
            // Only repetitions and the like: what they repeat is durable, there is nothing to commit.
            if let Some(observer) = &mut self.observer {
                observer.repeated(duplicates);
            }
            return Ok((answers, Ok(())));
        }
        let result = transaction
            .commit(commit, now, writes)
            .map(|committed: Committed| {
                self.committed.send_replace(committed.last_position);
            });
        if let Err(Error::OutcomeUnknown { .. }) = &result {
            let entries = i64::try_from(entries).unwrap_or_default();
            self.unsettled = Some(Unsettled { commit, entries });
        }
        if let (Ok(()), Some(observer)) = (&result, &mut self.observer) {
            observer.committed(&GroupObservation {
                commands: units.iter().map(|unit| unit.commands.len()).sum(),
                entries,
                queued: queued_at.map_or(Duration::ZERO, |at| began.saturating_duration_since(at)),
                decide: decided - began,
                commit: decided.elapsed(),
                transitions: transitions
                    .into_iter()
                    .filter_map(|(step, times)| {
                        Some((self.lifecycles.get(&step.lifecycle)?.clone(), step, times))
                    })
                    .collect(),
                duplicates,
            });
        }
        Ok((answers, result))
    }
}

fn units((place, pending): (usize, &Pending)) -> Vec<Unit> {
    let submission = &pending.submission;
    let unit = |range, records| Unit {
        submission: place,
        range,
        records,
    };
    let commands = submission.commands.len();
    if submission.atomic || submission.has_records() {
        vec![unit(0..commands, submission.has_records())]
    } else {
        (0..commands)
            .map(|command| unit(command..command + 1, false))
            .collect()
    }
}

/// A unit whose commands need not stand together: each by itself, and what is to be stored of all their answers after them.
fn parted(unit: &Unit) -> (Vec<Unit>, Unit) {
    let part = |range, records| Unit {
        submission: unit.submission,
        range,
        records,
    };
    let commands = unit
        .range
        .clone()
        .map(|command| part(command..command + 1, false));
    (commands.collect(), part(unit.range.end..unit.range.end, true))
}

/// The answers so far to the submission of a unit that has no commands itself.
fn earlier_answers(group: &[Pending], unit: &Unit) -> Vec<Answer> {
    if !unit.records || !unit.range.is_empty() {
        return Vec::new();
    }
    let answers = group.get(unit.submission).map(|pending| &*pending.answers);
    answers.unwrap_or_default().iter().flatten().cloned().collect()
}

/// Gives every unit's answer to its submission.
fn take_answers(group: &mut [Pending], units: &[Unit], answers: Vec<OnceAnswer>) {
    for (unit, answer) in units.iter().zip(answers) {
        let Some(pending) = group.get_mut(unit.submission) else {
            continue;
        };
        match answer {
            OnceAnswer::Decided(answers) => {
                let slots = pending.answers.get_mut(unit.range.clone()).unwrap_or_default();
                for (slot, answer) in slots.iter_mut().zip(answers) {
                    *slot = Some(answer);
                }
            }
            before @ (OnceAnswer::Before(_) | OnceAnswer::KeyReused) => pending.before = Some(before),
        }
    }
}

fn fail_each(group: &mut [Pending], units: &[Unit], failure: Failure) {
    for unit in units {
        let Some(pending) = group.get_mut(unit.submission) else {
            continue;
        };
        if unit.records {
            pending.failure = Some(failure);
        }
        let slots = pending.answers.get_mut(unit.range.clone());
        slots.unwrap_or_default().fill(Some(Err(failure)));
    }
}
