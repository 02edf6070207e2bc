//! Adding up what became of many events.

use std::sync::Arc;

use axum::http::StatusCode;
use model::ids::PartyId;
use model::time::Timestamp;
use serde::Serialize;
use store::BatchReceipt;
use utoipa::ToSchema;

use super::super::idempotency::JsonAnswer;
use super::super::limits::LISTED_REJECTED;
use super::super::problem::{Kind, Problem};
use super::super::state::{AppState, random};
use crate::engine::{Answer, Failure, Outcome};

/// Events that were taken in.
#[derive(Serialize, ToSchema)]
pub(super) struct AcceptedEvents<'a> {
    /// Entries of the batch.
    received: usize,
    /// Accepted for processing.
    queued: usize,
    message: String,
    /// By which `GET /events/batches/{batch_id}` says what became of them.
    batch_id: &'a str,
    /// Only where it is false: of a stream while which too many receipts of the caller came to be kept. Its events are in.
    #[serde(skip_serializing_if = "is_true")]
    #[schema(required = false)]
    receipt_kept: bool,
    /// The first 1,000 that are malformed.
    rejected: &'a [RejectedEvent],
    /// How many are.
    rejected_total: usize,
}

/// What became of a batch of events.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DecidedEvents<'a> {
    batch_id: &'a str,
    /// Only where it is false: of a stream while which too many receipts of the caller came to be kept. Its events are in.
    #[serde(skip_serializing_if = "is_true")]
    #[schema(required = false)]
    receipt_kept: bool,
    /// Entries of the batch.
    received: usize,
    /// In the history of their shipment now.
    applied: usize,
    /// Known before.
    duplicates: usize,
    /// The first 1,000 that are malformed or were decided against.
    rejected: &'a [RejectedEvent],
    /// How many are.
    rejected_total: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_true(value: &bool) -> bool {
    *value
}

/// An event that is not in.
#[derive(Clone, Serialize, ToSchema)]
pub(in crate::http) struct RejectedEvent {
    /// The place in the batch, from 0; of a stream it counts the lines that are not blank, from 0.
    index: usize,
    /// The problem's code.
    #[schema(value_type = String)]
    error: &'static str,
    message: String,
}

/// What became of the events so far.
#[derive(Clone)]
pub(super) struct Tally {
    batch_id: Arc<str>,
    receipt_kept: bool,
    received: usize,
    /// Malformed.
    bad: Rejections,
    /// Malformed or decided against.
    rejected: Rejections,
    applied: usize,
    duplicates: usize,
}

#[derive(Clone, Default)]
struct Rejections {
    /// The first ones, in the order of the batch.
    listed: Vec<RejectedEvent>,
    total: usize,
}

impl Rejections {
    fn add(&mut self, index: usize, problem: &Problem) {
        self.total += 1;
        // What is malformed is known before what is decided against, though it may stand behind it.
        let place = self.listed.partition_point(|listed| listed.index < index);
        if place == LISTED_REJECTED {
            return;
        }
        self.listed.truncate(LISTED_REJECTED - 1);
        self.listed.insert(
            place,
            RejectedEvent {
                index,
                error: problem.kind.code(),
                message: problem.detail.clone(),
            },
        );
    }
}

impl Tally {
    pub(super) fn begin() -> Result<Self, Problem> {
        let bits: u128 = random()?;
        Ok(Self {
            batch_id: format!("bat_{bits:032x}").into(),
            receipt_kept: true,
            received: 0,
            bad: Rejections::default(),
            rejected: Rejections::default(),
            applied: 0,
            duplicates: 0,
        })
    }

    pub(super) const fn received(&self) -> usize {
        self.received
    }

    /// Events that were not malformed.
    pub(super) const fn accepted(&self) -> usize {
        self.received - self.bad.total
    }

    /// Those of them that were decided against.
    pub(super) const fn decided_against(&self) -> usize {
        self.rejected.total - self.bad.total
    }

    /// One more was received, and is malformed if there is a problem. Gives its index.
    pub(super) fn receive(&mut self, problem: Option<&Problem>) -> usize {
        let index = self.received;
        self.received += 1;
        if let Some(problem) = problem {
            self.bad.add(index, problem);
            self.rejected.add(index, problem);
        }
        index
    }

    /// Some were decided; `indexes` are their places. Where storage failed nothing more can be said of the whole.
    pub(super) fn decide(&mut self, indexes: &[usize], answers: &[Answer]) -> Result<(), Problem> {
        if let Some(Err(failure)) = answers.first().filter(|_| indexes.is_empty()) {
            return Err((*failure).into());
        }
        for (index, answer) in indexes.iter().zip(answers) {
            match answer {
                Ok(Outcome::Accepted(_)) => self.applied += 1,
                Ok(Outcome::Duplicate(..) | Outcome::Unchanged(..)) => self.duplicates += 1,
                Ok(Outcome::Refused(_, None)) => {
                    // Neither applied nor kept: so it was not taken in.
                    let problem = too_many_dead_letters();
                    self.bad.add(*index, &problem);
                    self.rejected.add(*index, &problem);
                }
                Ok(Outcome::Refused(refusal, Some(_))) => self.rejected.add(*index, &refusal.into()),
                Err(failure @ (Failure::Unavailable(_) | Failure::Stopping)) => return Err((*failure).into()),
                Err(failure @ Failure::Internal) => {
                    let problem = (*failure).into();
                    self.bad.add(*index, &problem);
                    self.rejected.add(*index, &problem);
                }
            }
        }
        Ok(())
    }

    /// The answer to who does not wait for the outcome.
    pub(super) fn accepted_answer(&self) -> JsonAnswer {
        let queued = self.accepted();
        let message = if queued == self.received {
            "All events accepted for processing".to_owned()
        } else {
            format!("{queued} of {} events accepted for processing", self.received)
        };
        let body = AcceptedEvents {
            received: self.received,
            queued,
            message,
            batch_id: &self.batch_id,
            receipt_kept: self.receipt_kept,
            rejected: &self.bad.listed,
            rejected_total: self.bad.total,
        };
        let answer = JsonAnswer::new(StatusCode::ACCEPTED, &body);
        if self.receipt_kept {
            answer.with_location(format!("/events/batches/{}", self.batch_id))
        } else {
            answer
        }
    }

    /// The answer to who does.
    pub(super) fn decided_answer(&self) -> JsonAnswer {
        JsonAnswer::new(StatusCode::OK, &self.decided())
    }

    fn decided(&self) -> DecidedEvents<'_> {
        DecidedEvents {
            batch_id: &self.batch_id,
            receipt_kept: self.receipt_kept,
            received: self.received,
            applied: self.applied,
            duplicates: self.duplicates,
            rejected: &self.rejected.listed,
            rejected_total: self.rejected.total,
        }
    }

    /// What is kept of it.
    pub(super) fn receipt(&self, actor: PartyId, now: Timestamp) -> BatchReceipt {
        BatchReceipt {
            batch_id: (*self.batch_id).into(),
            actor,
            decided_at: now,
            content: serde_json::to_vec(&self.decided()).unwrap_or_default().into(),
        }
    }

    /// There is no receipt of it.
    pub(super) const fn leave_without_receipt(&mut self) {
        self.receipt_kept = false;
    }

    /// Adds what became of them to the counters.
    pub(super) fn count(&self, state: &AppState) {
        state.metrics.events(self.accepted(), self.decided_against());
    }
}

/// That a principal's refused events are not kept any more.
pub(super) fn too_many_dead_letters() -> Problem {
    Problem::new(
        Kind::RateLimited,
        "too many of your refused events are kept already: this one was refused too, and is not kept",
    )
    .retry_after(std::time::Duration::from_secs(3600))
}
