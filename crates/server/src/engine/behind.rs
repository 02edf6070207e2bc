//! Large groups, written behind by the store while the next one is decided on top of them. Should one fail, what was decided on top is void
//! and decided anew.

use std::time::Duration;

use store::{CommitId, Error, Trouble};

use super::answer::{Answer, Failure, OnceAnswer};
use super::feed::Copied;
use super::judge::{GroupObservation, Ready};
use super::units::{Batch, fail_each, queued_since, take_answers, to_decide};
use super::writer::WriterLoop;

/// A group that is being written while the next is decided.
pub(super) struct Flight {
    batch: Batch,
    commit: CommitId,
    answers: Vec<OnceAnswer>,
    observation: GroupObservation,
    /// For who follows the log.
    copied: Option<Copied>,
}

impl Flight {
    fn answer(mut self) {
        take_answers(&mut self.batch.submissions, &self.batch.units, self.answers);
        self.batch.answer();
    }
}

impl WriterLoop {
    /// Decides, on top of the group that is under way if there is one, and commits behind. That one is answered when this one is on its way:
    /// the thread that commits is not kept waiting.
    pub(super) fn take_off(&mut self, batch: Batch) {
        let ready = self.decide_ahead(&batch);
        let (is_sound, landed) = self.finish();
        let left = match ready {
            Ok(ready) if is_sound => self.hand_over(batch, ready),
            Ok(_) => Some(batch),
            Err(error) => {
                // Often for what was on its way and failed, whose own error is told. If not, it comes again.
                tracing::debug!(error.detail = %error, "a group is decided again");
                Some(batch)
            }
        };
        if let Some(landed) = landed {
            landed.answer();
        }
        if let Some(batch) = left {
            self.write_now(batch);
        }
    }

    /// Commits a decided group behind, or answers it if there is nothing to commit. Gives it back if it cannot be.
    fn hand_over(&mut self, mut batch: Batch, ready: Ready) -> Option<Batch> {
        if ready.writes.is_empty() {
            self.observe_repeated(ready.observation.duplicates);
            take_answers(&mut batch.submissions, &batch.units, ready.answers);
            batch.answer();
            return None;
        }
        let copied = self.news.copy(&ready.writes);
        let began = self.writer.next_commit().and_then(|commit| {
            self.writer.commit_behind(commit, ready.at, ready.writes)?;
            Ok(commit)
        });
        match began {
            Ok(commit) => {
                self.flight = Some(Flight {
                    batch,
                    commit,
                    answers: ready.answers,
                    observation: ready.observation,
                    copied,
                });
                None
            }
            Err(error) => {
                tracing::debug!(error.detail = %error, "a group is written at once");
                Some(batch)
            }
        }
    }

    fn decide_ahead(&mut self, batch: &Batch) -> Result<Ready, Error> {
        if self.flight.is_none() {
            self.settle()?;
        }
        let earlier: Vec<Vec<Answer>> = vec![Vec::new(); batch.units.len()];
        let deciding = to_decide(&batch.submissions, &batch.units, &earlier);
        let queued_at = queued_since(&batch.submissions, &batch.units);
        let mut group = self.writer.begin()?;
        self.judge.decide(&mut *group, &deciding, queued_at)
    }

    /// Waits for the group that is under way and answers it.
    pub(super) fn land(&mut self) {
        if let (_, Some(landed)) = self.finish() {
            landed.answer();
        }
    }

    /// Waits for the group that is under way. Whether what was decided on top of it holds, and the group, to be answered; not if it failed:
    /// then it is seen to here.
    fn finish(&mut self) -> (bool, Option<Flight>) {
        let Some(mut flight) = self.flight.take() else {
            return (true, None);
        };
        let landed = self.writer.finish().ok().flatten();
        let took = landed.as_ref().map_or(Duration::ZERO, |landed| landed.took);
        let result = landed.map(|landed| landed.result);
        if let Some(Err(error)) = &result {
            // Perhaps it goes well the second time: then nothing else tells of it.
            tracing::warn!(error.detail = %error, "storage is unavailable to a group that was written behind: it is tried again");
        }
        match result {
            Some(Ok(committed)) => {
                self.news.stored(flight.copied.take(), committed.last_position);
                flight.observation.commit = took;
                self.observe(&flight.observation);
                return (true, Some(flight));
            }
            None | Some(Err(Error::OutcomeUnknown { .. })) => {
                self.unsettled = Some(flight.commit);
                match self.settle() {
                    Ok(true) => return (false, Some(flight)),
                    Ok(false) => self.write_now(flight.batch),
                    Err(error) => self.give_up(flight.batch, &error),
                }
            }
            // Nothing of it is stored: once more, in the way that finds out whom to blame.
            Some(Err(_)) => self.write_now(flight.batch),
        }
        (false, None)
    }

    /// Nobody knows whether it is stored, and asking fails.
    fn give_up(&mut self, mut batch: Batch, error: &Error) {
        self.observe_failure();
        tracing::error!(error.detail = %error, "the outcome of a commit is unknown");
        let trouble = match error {
            Error::Unavailable { trouble, .. } | Error::OutcomeUnknown { trouble, .. } => *trouble,
            Error::Statement(_)
            | Error::Damaged(_)
            | Error::ReadTooLong
            | Error::Archived
            | Error::Contended(_) => Trouble::Failed,
        };
        fail_each(
            &mut batch.submissions,
            &batch.units,
            Failure::Unavailable(trouble),
        );
        batch.answer();
    }
}
