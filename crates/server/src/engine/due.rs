//! Orders whose time has come.
//!
//! What is due is taken in the transaction that does it: nothing is leased, and a node that dies has taken nothing. It is a group of its
//! own, between those of callers, and holds nothing but what it was given, without having waited for it.
//!
//! An order on which the server fails must neither keep the others waiting nor be tried all the time: it is found in the way in which a
//! caller's command is, and left alone for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::command::{Actor, Change, OrderRef};
use model::ids::OrderKey;
use model::time::Timestamp;
use store::{Error, Store};
use tokio::sync::oneshot;

use super::Observe;
use super::answer::{Answer, Failure, OnceAnswer, Outcome};
use super::commands::{Command, Submission};
use super::group::Unit;
use super::handle::failure_of;
use super::limits::{LEFT_OUT_FOR, LEFT_OUT_ORDERS};
use super::units::{Batch, Pending};
use super::writer::WriterLoop;

/// For a writer: to do what is due.
pub(super) struct DueWork {
    /// Of at most so many orders.
    pub(super) limit: u32,
    /// Of how many it was.
    pub(super) reply: oneshot::Sender<Result<usize, Failure>>,
}

/// What is due of an order, and since when.
type Due = (OrderKey, Timestamp);

/// Orders that are not advanced for now, and until when.
#[derive(Clone, Default)]
pub(super) struct LeftOut(Arc<Mutex<HashMap<OrderKey, Timestamp>>>);

impl LeftOut {
    /// Whether there is anything to do for a writer.
    pub(super) fn is_any_due(&self, store: &dyn Store, now: Timestamp) -> Result<bool, Error> {
        let limit = self.ask_for(1, now);
        let due = store.reading(|reader| reader.due(now, limit))?;
        Ok(!self.without(due, 1).is_empty())
    }

    /// How many are to be asked for, so that as many are left as are wanted.
    fn ask_for(&self, wanted: u32, now: Timestamp) -> u32 {
        let mut orders = self.lock();
        orders.retain(|_, until| *until > now);
        wanted.saturating_add(u32::try_from(orders.len()).unwrap_or(u32::MAX))
    }

    /// Those that are not left out, as many as are wanted.
    fn without(&self, mut due: Vec<Due>, wanted: u32) -> Vec<Due> {
        let orders = self.lock();
        due.retain(|(order, _)| !orders.contains_key(order));
        due.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        due
    }

    /// Leaves an order out from now on. The one that was left out first is forgotten for it, if there are too many.
    fn add(&self, order: OrderKey, now: Timestamp) {
        let mut orders = self.lock();
        if orders.len() >= LEFT_OUT_ORDERS
            && let Some(first) = orders
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(order, _)| *order)
        {
            orders.remove(&first);
        }
        orders.insert(order, now + LEFT_OUT_FOR);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderKey, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriterLoop {
    /// Does what is due, in a group of its own.
    pub(super) fn advance_due(&mut self, work: DueWork) {
        let taken = self.take_due(work.limit);
        // Whoever asked may have gone: then it is done all the same.
        work.reply.send(taken).ok();
    }

    fn take_due(&mut self, limit: u32) -> Result<usize, Failure> {
        let mut due = Vec::new();
        let answers = match self.attempt_due(limit, &mut due) {
            Ok(answers) => {
                self.leave_out_idle(&due, &answers);
                answers
            }
            Err(error @ (Error::Statement(_) | Error::Damaged(_) | Error::ReadTooLong | Error::Archived))
                if !due.is_empty() =>
            {
                tracing::debug!(error.detail = %error, "what is due is taken apart");
                self.advance_each(&due)
            }
            Err(error) => {
                self.observe_failure();
                tracing::debug!(error.detail = %error, "what is due is not done");
                return Err(failure_of(&error));
            }
        };
        self.conclude(&due, &answers)
    }

    /// All of it, in one transaction. `due` is then what was taken.
    fn attempt_due(&mut self, limit: u32, due: &mut Vec<Due>) -> Result<Vec<Answer>, Error> {
        let left_out = self.left_out.clone();
        let answers = self.attempt_by(false, |judge, group| {
            let now = judge.clock.now();
            *due = left_out.without(group.due(now, left_out.ask_for(limit, now))?, limit);
            let submission = Submission {
                commands: due.iter().map(|due| advance(*due)).collect(),
                ..Submission::default()
            };
            let unit = Unit {
                commands: &submission.commands,
                submission: &submission,
                first: 0,
                records: None,
            };
            judge.decide(group, &[unit], None)
        })?;
        Ok(answers.into_iter().flat_map(decided).collect())
    }

    /// Each by itself, as callers' commands are when a group of them fails: the log names each that fails. By now some may have moved.
    fn advance_each(&mut self, due: &[Due]) -> Vec<Answer> {
        let (submissions, answers): (Vec<Pending>, Vec<_>) = due
            .iter()
            .map(|due| {
                let submission = Submission {
                    commands: vec![advance(*due)],
                    label: Some(format!("timer of order {}", due.0).into()),
                    ..Submission::default()
                };
                let (reply, answer) = oneshot::channel();
                (Pending::new(submission, reply, None, None), answer)
            })
            .unzip();
        self.write_now(Batch::of(submissions));
        let answer = |mut answer: oneshot::Receiver<OnceAnswer>| {
            let answered = answer.try_recv().ok().and_then(|answer| decided(answer).pop());
            answered.unwrap_or(Err(Failure::Internal))
        };
        answers.into_iter().map(answer).collect()
    }

    /// An order that was taken as due, locked, and did nothing is not what its head says.
    fn leave_out_idle(&self, due: &[Due], answers: &[Answer]) {
        for ((order, _), answer) in due.iter().zip(answers) {
            if !matches!(answer, Ok(Outcome::Accepted(_))) {
                tracing::error!(
                    order.key = order.get(),
                    "an order is due and has nothing to do: run `waybill verify`"
                );
                self.left_out.add(*order, self.judge.clock.now());
            }
        }
    }

    /// Counts what was done and leaves out what failed. How many were taken, unless storage failed on some.
    fn conclude(&mut self, due: &[Due], answers: &[Answer]) -> Result<usize, Failure> {
        let now = self.judge.clock.now();
        let mut late = Vec::with_capacity(due.len());
        let mut trouble = None;
        for ((order, due_at), answer) in due.iter().zip(answers) {
            match answer {
                Ok(Outcome::Accepted(_)) => {
                    let nanos = u64::try_from(now.since(*due_at).as_nanos()).unwrap_or_default();
                    late.push(Duration::from_nanos(nanos));
                }
                Ok(Outcome::Unchanged(_) | Outcome::Duplicate(_) | Outcome::Refused(..)) => {}
                Err(Failure::Internal) => self.left_out.add(*order, now),
                Err(failure @ (Failure::Unavailable(_) | Failure::Stopping)) => trouble = Some(*failure),
            }
        }
        if let Some(observer) = &mut self.observer {
            observer.advanced(&late);
        }
        trouble.map_or(Ok(due.len()), Err)
    }
}

/// Has an order do what is due of it. If it has moved since, nothing.
const fn advance((order, due_at): Due) -> Command {
    Command::Change {
        order: OrderRef::Key(order),
        actor: Actor::SYSTEM,
        expected: None,
        change: Change::Due { due_at },
    }
}

fn decided(answer: OnceAnswer) -> Vec<Answer> {
    match answer {
        OnceAnswer::Decided(answers) => answers,
        // It has no key, and makes no receipt.
        OnceAnswer::Before(_)
        | OnceAnswer::KeyReused
        | OnceAnswer::UnderWay
        | OnceAnswer::TooManyReceipts => Vec::new(),
    }
}
