//! Why a command was refused: what happened, not how it is told.

use crate::ids::Version;
use crate::limits::{MAX_ENTRIES, MAX_PARKED};
use crate::role::Role;

/// A decision against a command. It changes nothing; the submission is kept as a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No order has that id.
    #[error("there is no such order")]
    UnknownOrder,
    /// The order is another party's.
    #[error("the order belongs to someone else")]
    NotYours,
    /// The role may not do this.
    #[error("the role {} may not do this", .0.name())]
    Forbidden(Role),
    /// The order's lifecycle has no such status.
    #[error("unknown status '{status}': this order knows {}", .known.join(", "))]
    UnknownStatus {
        /// As given.
        status: Box<str>,
        /// What the lifecycle has.
        known: Vec<Box<str>>,
    },
    /// There is no arrow.
    #[error("Cannot transition from '{from}' to '{to}'")]
    InvalidTransition {
        /// The order's status.
        from: Box<str>,
        /// The status wished for.
        to: Box<str>,
        /// What this role could ask for now.
        allowed: Vec<Box<str>>,
    },
    /// More than 24 h ahead, or before 2000.
    #[error("occurred_at must lie between 2000-01-01 and 24 hours from now")]
    OccurredAtOutOfRange,
    /// The client's event id was used for something else on this order.
    #[error("event_id was used before with other content")]
    EventIdReused,
    /// The order has moved on since the caller looked.
    #[error("the order is at version {current}, not {expected}")]
    VersionMismatch {
        /// What the order has.
        current: Version,
        /// What the caller expected.
        expected: Version,
    },
    /// The order holds as many entries as an order may.
    #[error("an order holds at most {MAX_ENTRIES} entries")]
    OrderFull,
    /// As many reports wait as may.
    #[error("at most {MAX_PARKED} reports of an order may wait for a step in between")]
    TooManyParked,
    /// The lifecycle has no cancellation.
    #[error("orders of this lifecycle cannot be cancelled")]
    NotCancellable,
    /// An id that was to be kept belongs to an order of someone else or another lifecycle.
    #[error("an order with this id exists already and is another one")]
    IdTaken,
    /// The order has come to its end, and its entries are archived.
    #[error("the order has ended and its history is archived: nothing can be added to it")]
    Archived,
    /// The correction cannot be made.
    #[error(transparent)]
    Correction(#[from] CorrectionRefusal),
}

/// Why an entry cannot be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionRefusal {
    /// The order has no entry of that version.
    #[error("the order has no such event")]
    NoSuchEntry,
    /// A creation, a correction or a giving-up.
    #[error("a creation, a correction or a report given up cannot be corrected")]
    NotCorrectable,
    /// A parked report that was applied since.
    #[error("this report was applied later: correct the event that applied it")]
    ReleasedSince,
    /// The order would leave a final status and the lifecycle names no compensation.
    #[error("the order has ended, and its lifecycle does not say how to take that back")]
    LeavesFinal,
    /// The step took stock or money and the lifecycle names no compensation.
    #[error("this step moved stock or money, and the lifecycle does not say how to take that back")]
    MovedStockOrMoney,
}

impl Refusal {
    /// A short name for counting and storing; never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownOrder => "unknown_order",
            Self::NotYours => "not_yours",
            Self::Forbidden(_) => "forbidden",
            Self::UnknownStatus { .. } => "unknown_status",
            Self::InvalidTransition { .. } => "invalid_transition",
            Self::OccurredAtOutOfRange => "occurred_at_out_of_range",
            Self::EventIdReused => "event_id_reused",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::OrderFull => "order_full",
            Self::TooManyParked => "too_many_parked",
            Self::NotCancellable => "not_cancellable",
            Self::IdTaken => "id_taken",
            Self::Archived => "archived",
            Self::Correction(_) => "correction_refused",
        }
    }
}
