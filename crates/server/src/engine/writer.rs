//! The writer thread: drain, decide, commit, answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Lifecycle;
use model::head::DelayScale;
use model::ids::{LifecycleId, Position};
use rand::rngs::StdRng;
use store::{CommitId, Committed, Error, Trouble, Writer};
use tokio::sync::{mpsc, oneshot, watch};

use super::Observer;
use super::answer::{Answer, Failure};
use super::commands::{Command, Submission};
use super::group::{self, Deciding};
use super::handle::Work;
use super::limits::{COMMIT_PAUSE, COMMIT_TRIES, GROUP_COMMANDS};
use crate::clock::Clock;

/// What one committed group cost.
#[derive(Clone, Copy, Debug)]
pub struct GroupObservation {
    /// Commands decided in it.
    pub commands: usize,
    /// Entries it added to the log.
    pub entries: usize,
    /// Loading and deciding.
    pub decide: Duration,
    /// Writing and making durable.
    pub commit: Duration,
}

pub(super) struct WriterLoop {
    pub(super) writer: Box<dyn Writer>,
    pub(super) lifecycles: Arc<HashMap<LifecycleId, Arc<Lifecycle>>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: StdRng,
    pub(super) scale: DelayScale,
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
    reply: oneshot::Sender<Vec<Answer>>,
    answers: Vec<Option<Answer>>,
    /// The place in the queue, free again when the caller is answered.
    place: tokio::sync::OwnedSemaphorePermit,
}

/// Commands that stand or fall together: their submission, and their places in it.
type Unit = (usize, std::ops::Range<usize>);

impl WriterLoop {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        let mut gathered = Vec::new();
        while let Some(work) = queue.blocking_recv() {
            let mut next = Some(work);
            let mut commands = 0;
            while let Some(work) = next {
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
            } => {
                let (commands, places) = (submission.commands.len(), submission.places());
                gathered.push(Pending {
                    answers: vec![None; commands],
                    submission,
                    reply,
                    place,
                });
                places
            }
            Work::Parties { kind, names, reply } => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let party = self.writer.parties(kind, &names).map_err(|error| failure(&error));
                // A caller that went away needs no answer, here and below.
                reply.send(party).ok();
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
            let answers = pending
                .answers
                .into_iter()
                .map(|answer| answer.unwrap_or(Err(Failure::Internal)))
                .collect();
            // First the place: whoever is answered finds it free.
            drop(pending.place);
            pending.reply.send(answers).ok();
        }
    }

    /// Decides and commits; where the database refuses a value, each half by itself, until only the command to blame fails.
    ///
    /// Gives the trouble if storage failed: then nothing after it is tried, so that no later report of an order overtakes it.
    fn decide(&mut self, group: &mut [Pending], units: &[Unit]) -> Option<Trouble> {
        match self.attempt(group, units) {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                each_command(group, units, |_| answers.next().unwrap_or(Err(Failure::Internal)));
                None
            }
            Err(Error::Unavailable { trouble, detail } | Error::OutcomeUnknown { trouble, detail }) => {
                tracing::error!(error.kind = %trouble, error.detail = detail, "storage is unavailable");
                each_command(group, units, |_| Err(Failure::Unavailable(trouble)));
                Some(trouble)
            }
            Err(error @ (Error::Statement(_) | Error::Damaged(_) | Error::ReadTooLong)) => match units {
                [] => None,
                [_] => {
                    tracing::error!(error.detail = %error, "a command failed");
                    each_command(group, units, |_| Err(Failure::Internal));
                    None
                }
                [_, _, ..] => {
                    let (front, back) = units.split_at(units.len() / 2);
                    let trouble = self.decide(group, front);
                    match trouble {
                        Some(trouble) => each_command(group, back, |_| Err(Failure::Unavailable(trouble))),
                        None => return self.decide(group, back),
                    }
                    trouble
                }
            },
        }
    }

    /// One transaction. An unknown outcome is settled by the commit's id: either it is there, or the same is done again.
    fn attempt(&mut self, group: &[Pending], units: &[Unit]) -> Result<Vec<Answer>, Error> {
        let commands: Vec<(&Command, bool)> = units
            .iter()
            .filter_map(|(place, range)| {
                let submission = &group.get(*place)?.submission;
                let commands = submission.commands.get(range.clone())?;
                Some(
                    commands
                        .iter()
                        .map(move |command| (command, submission.keep_refusals)),
                )
            })
            .flatten()
            .collect();
        self.settle()?;
        let mut pause = COMMIT_PAUSE;
        let mut tries = 1;
        loop {
            let commit = self.writer.next_commit()?;
            let (answers, result) = self.attempt_once(&commands, commit)?;
            match result {
                Ok(()) => return Ok(answers),
                Err(Error::OutcomeUnknown { .. }) if self.settle()? => return Ok(answers),
                Err(Error::OutcomeUnknown { .. }) if tries < COMMIT_TRIES => {
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
        commands: &[(&Command, bool)],
        commit: CommitId,
    ) -> Result<(Vec<Answer>, Result<(), Error>), Error> {
        let began = Instant::now();
        let now = self.clock.now();
        let deciding = Deciding {
            lifecycles: &self.lifecycles,
            now,
            scale: self.scale,
            random: &mut self.random,
        };
        let mut transaction = self.writer.begin()?;
        let (answers, writes) = group::decide(deciding, &mut *transaction, commands)?;
        let (decided, entries) = (Instant::now(), writes.entries.len());
        if writes.is_empty() {
            // Only repetitions and the like: what they repeat is durable, there is nothing to commit.
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
            observer(&GroupObservation {
                commands: commands.len(),
                entries,
                decide: decided - began,
                commit: decided.elapsed(),
            });
        }
        Ok((answers, result))
    }
}

fn units((place, pending): (usize, &Pending)) -> Vec<Unit> {
    let commands = pending.submission.commands.len();
    if pending.submission.atomic {
        vec![(place, 0..commands)]
    } else {
        (0..commands)
            .map(|command| (place, command..command + 1))
            .collect()
    }
}

fn each_command(group: &mut [Pending], units: &[Unit], mut answer: impl FnMut(usize) -> Answer) {
    for (place, range) in units {
        for command in range.clone() {
            if let Some(slot) = group
                .get_mut(*place)
                .and_then(|pending| pending.answers.get_mut(command))
            {
                *slot = Some(answer(command));
            }
        }
    }
}

fn failure(error: &Error) -> Failure {
    tracing::error!(error.detail = %error, "a party was not stored");
    match error {
        Error::Unavailable { trouble, .. } | Error::OutcomeUnknown { trouble, .. } => {
            Failure::Unavailable(*trouble)
        }
        Error::Statement(_) | Error::Damaged(_) | Error::ReadTooLong => Failure::Internal,
    }
}
