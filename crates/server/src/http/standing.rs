//! Where an order stands: with what never changes of it, all that an answer shows.

use model::ids::Version;
use model::time::Timestamp;
use model::{Head, Refusal, StateId};

use super::problem::Problem;
use crate::engine::{Accepted, Answer, Known, Outcome};

/// Where an order stands.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) status: StateId,
    pub(crate) version: Version,
    pub(crate) updated_at: Timestamp,
}

impl From<&Head> for Standing {
    fn from(head: &Head) -> Self {
        Self {
            status: head.status,
            version: head.version,
            updated_at: head.recorded_at,
        }
    }
}

impl From<&Accepted> for Standing {
    fn from(accepted: &Accepted) -> Self {
        Self {
            status: accepted.status,
            version: accepted.last_version,
            updated_at: accepted.updated_at,
        }
    }
}

impl From<&Known> for Standing {
    fn from(known: &Known) -> Self {
        Self {
            status: known.status,
            version: known.last_version,
            updated_at: known.updated_at,
        }
    }
}

impl Standing {
    /// As a change, or its repetition, has left it.
    pub(crate) fn after(
        answer: Option<&Answer>,
        refused: impl FnOnce(&Refusal) -> Problem,
    ) -> Result<Self, Problem> {
        match answer {
            Some(Ok(Outcome::Accepted(accepted))) => Ok(accepted.into()),
            Some(Ok(Outcome::Duplicate(known) | Outcome::Unchanged(known))) => Ok(known.into()),
            Some(Ok(Outcome::Refused(refusal, _))) => Err(refused(refusal)),
            Some(Err(failure)) => Err((*failure).into()),
            None => Err(Problem::internal()),
        }
    }
}
