//! What callers are told.

use model::ids::{DeadLetterId, OrderKey, Version};
use model::public_id::PublicId;
use model::time::Timestamp;
use model::{EntryKind, Refusal, StateId};
use store::{StoredAnswer, Trouble};

/// What became of one command.
pub type Answer = Result<Outcome, Failure>;

/// A decision, durable by the time it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted.
    Accepted(Accepted),
    /// Accepted before.
    Duplicate(Known),
    /// What was wished for is the case already.
    Unchanged(Known),
    /// Refused, and kept as a dead letter if that was asked for and the principal has not too many.
    Refused(Refusal, Option<DeadLetterId>),
}

/// What became of a submission that is done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnceAnswer {
    /// It was decided now.
    Decided(Vec<Answer>),
    /// It was answered before, so.
    Before(StoredAnswer),
    /// Its key was used for another one.
    KeyReused,
    /// It was not decided: another writer, perhaps another node's, is about to store an answer under its key.
    UnderWay,
    /// It was not decided: as many receipts are kept of its principal as may be.
    TooManyReceipts,
}

/// What a command that changed nothing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The order.
    pub order: OrderKey,
    /// The entry that it was accepted as before; of what was the case already, the order's last.
    pub version: Version,
    /// The order's version now.
    pub last_version: Version,
    /// The order's status now.
    pub status: StateId,
    /// When the order's last entry was recorded.
    pub updated_at: Timestamp,
}

/// An accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The order.
    pub order: OrderKey,
    /// The id of an order that this command created.
    pub created: Option<PublicId>,
    /// The entry that the command made; further ones may have followed from it.
    pub version: Version,
    /// What kind of entry that is.
    pub kind: EntryKind,
    /// The order's version once all that followed is in.
    pub last_version: Version,
    /// The order's status then.
    pub status: StateId,
    /// The order's status before; `None` of an order that this command created.
    pub previous: Option<StateId>,
    /// When the entry was recorded.
    pub recorded_at: Timestamp,
    /// When the last of all that followed was.
    pub updated_at: Timestamp,
}

/// A command that was not decided. It may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Storage does not take anything now.
    #[error("storage is unavailable: {0}")]
    Unavailable(Trouble),
    /// The engine has ended, or ends before it comes to this.
    #[error("the server is stopping")]
    Stopping,
    /// The database refused this command's data, though the model did not. The log has the reason.
    #[error("the server failed on this command")]
    Internal,
}

/// A submission that did not reach the writer, or was not answered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue stayed full.
    #[error("the queue is full: try again in a second")]
    QueueFull,
    /// The engine is stopping.
    #[error("the server is stopping")]
    Stopping,
}
