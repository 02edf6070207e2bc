//! What callers hand in.

use model::command::{Actor, Change, Create, OrderRef};
use model::ids::Version;
use model::time::Timestamp;

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A new order.
    Create(Box<Create>),
    /// A change of an order.
    Change {
        /// Which order.
        order: OrderRef,
        /// Who wishes it.
        actor: Actor,
        /// The version the caller has seen, if the change is to be made only on that.
        expected: Option<Version>,
        /// What.
        change: Change,
    },
}

/// Commands that belong together: answered together, in their order, and decided in one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Submission {
    /// The commands.
    pub commands: Vec<Command>,
    /// All or none: one command that the database refuses fails all of them.
    pub atomic: bool,
    /// Whether refused changes are kept as dead letters, for callers that are answered before the decision.
    pub keep_refusals: bool,
}

impl Command {
    /// When it was received; `None` for what the server does by itself.
    pub(super) const fn received_at(&self) -> Option<Timestamp> {
        match self {
            Self::Create(create) => Some(create.received_at),
            Self::Change {
                change: Change::Report(report),
                ..
            } => Some(report.what().received_at),
            Self::Change { .. } => None,
        }
    }
}
