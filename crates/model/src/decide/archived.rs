//! Judging a change of an order whose history is archived: it has come to its end, and nothing is added to it.

use crate::command::{Actor, Change};
use crate::head::Head;
use crate::ids::Version;
use crate::lifecycle::Lifecycle;
use crate::refusal::Refusal;

use super::Decision;

/// Judges a change of an order of which there is nothing but the head. `earlier` is the version that has the report's hash, if one has.
///
/// A repetition is answered as ever; but the entry that it would be compared with is not at hand, so that the hash of source, time
/// and status has to do, of 50 bits. Nothing is lost by it that would have been kept: anything else that is said of the order is refused.
#[must_use]
pub fn decide_archived(
    lifecycle: &Lifecycle,
    head: &Head,
    actor: &Actor,
    change: &Change,
    earlier: Option<Version>,
) -> Decision {
    if !actor.scope.covers(&head.owner) {
        return Decision::Refused(Refusal::NotYours);
    }
    let repeated = match change {
        Change::Report(_) => earlier.map(Decision::Duplicate),
        Change::Cancel { .. } => (Some(head.status) == lifecycle.cancelled()).then_some(Decision::Unchanged),
        // Nothing is due any more.
        Change::Due { .. } => Some(Decision::Unchanged),
        Change::Override { .. } | Change::Correct { .. } => None,
    };
    repeated.unwrap_or(Decision::Refused(Refusal::Archived))
}
