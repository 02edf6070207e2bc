//! The one map from what happened inside to what callers are told.

use model::Refusal;
use model::command::FieldError;
use serde_json::json;

use super::limits::BATCH_RECEIPTS_WAIT;
use super::problem::{FieldProblem, Kind, Problem};
use crate::engine::{Failure, RETRY_AFTER, SubmitError};

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        Self::unavailable(error.to_string(), RETRY_AFTER)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(trouble) => {
                Self::unavailable(format!("storage is unavailable: {trouble}"), RETRY_AFTER)
            }
            Failure::Stopping => SubmitError::Stopping.into(),
            Failure::Internal => Self::internal(),
        }
    }
}

/// The log gets the reason; the caller learns only whether to come again.
impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let cause = error.to_string();
        let problem = match error {
            store::Error::Unavailable { trouble, .. } | store::Error::OutcomeUnknown { trouble, .. } => {
                Self::unavailable(format!("storage is unavailable: {trouble}"), RETRY_AFTER)
            }
            store::Error::Contended(_) => {
                let trouble = store::Trouble::Busy;
                Self::unavailable(format!("storage is unavailable: {trouble}"), RETRY_AFTER)
            }
            store::Error::ReadTooLong => Self::unavailable(
                "this took too long to read: narrow it down, or try again",
                RETRY_AFTER,
            ),
            store::Error::Archived => Self::not_found("its order has ended and its history is archived"),
            store::Error::Statement(_) | store::Error::Damaged(_) => Self::internal(),
        };
        problem.because(cause)
    }
}

impl From<FieldError> for FieldProblem {
    fn from(error: FieldError) -> Self {
        let code = if error.message.starts_with("must have at most") {
            "length"
        } else {
            "range"
        };
        Self::new(error.field, code, error.message)
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = Self::of_refusal(refusal.code(), &refusal.to_string());
        match refusal {
            Refusal::InvalidTransition { allowed, .. } => problem.with_member("allowed", json!(allowed)),
            Refusal::UnknownOrder
            | Refusal::NotYours
            | Refusal::Forbidden(_)
            | Refusal::UnknownStatus { .. }
            | Refusal::OccurredAtOutOfRange
            | Refusal::EventIdReused
            | Refusal::VersionMismatch { .. }
            | Refusal::OrderFull
            | Refusal::TooManyParked
            | Refusal::NotCancellable
            | Refusal::IdTaken
            | Refusal::Archived
            | Refusal::Correction(_) => problem,
        }
    }
}

impl Problem {
    /// That a principal's batches are not taken in any more: what became of them could not be kept.
    pub(crate) fn too_many_receipts() -> Self {
        Self::new(
            Kind::RateLimited,
            "too many receipts of your batches are kept already: nothing of this one was taken in. Each goes after 30 days; \
             meanwhile send larger batches, or events one by one to POST /events",
        )
        .retry_after(BATCH_RECEIPTS_WAIT)
    }

    /// What a refusal is told as, of which perhaps only code and words are kept.
    pub(crate) fn of_refusal(code: &str, detail: &str) -> Self {
        match code {
            "unknown_order" => Self::not_found(detail),
            "not_yours" | "forbidden" => Self::forbidden(detail),
            "unknown_status" => Self::field("status", "value", detail),
            "occurred_at_out_of_range" => Self::field(
                "timestamp",
                "range",
                detail.strip_prefix("occurred_at ").unwrap_or(detail),
            ),
            "invalid_transition" => Self::new(Kind::InvalidTransition, detail),
            "version_mismatch" => Self::new(Kind::PreconditionFailed, detail),
            _ => Self::new(Kind::Conflict, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn who_comes_while_the_server_stops_may_come_again() {
        for problem in [Problem::from(SubmitError::Stopping), Failure::Stopping.into()] {
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), 503);
            assert!(response.headers().contains_key("retry-after"));
        }
    }
}
