//! What callers hand in.

use std::sync::Arc;

use model::command::{Actor, Change, Create, OrderRef};
use model::ids::{PartyId, Version};
use model::time::Timestamp;
use store::Record;

use super::answer::Answer;

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
#[derive(Clone, Default)]
pub struct Submission {
    /// The commands.
    pub commands: Vec<Command>,
    /// All or none: one command that the database refuses fails all of them.
    pub atomic: bool,
    /// Whether refused changes are kept as dead letters, for callers that are answered before the decision.
    pub keep_refusals: bool,
    /// Each command as it was received, for refusals that are kept. Without it they are kept as the command says.
    pub contents: Option<Arc<dyn Contents>>,
    /// The key under which it is done once only.
    pub once: Option<Once>,
    /// By which the log names it, should the server fail on it.
    pub label: Option<Arc<str>>,
    /// Of whose batch the records have a receipt: one that has as many as it may is told so, and nothing is decided.
    pub receipt_of: Option<PartyId>,
    /// What else is to be stored, made of the answers, in the transaction of the commands.
    pub records: Option<Arc<dyn Records>>,
}

/// Commands as they were received.
pub trait Contents: Send + Sync {
    /// The bytes of one command, by its place in the submission.
    fn of(&self, command: usize) -> Option<Box<[u8]>>;
}

/// Makes what is to be stored of the answers to a submission. It is asked anew for every attempt.
pub trait Records: Send + Sync {
    /// What is to be stored.
    fn of(&self, answers: &[Answer]) -> Vec<Record>;
}

impl<F: Fn(&[Answer]) -> Vec<Record> + Send + Sync> Records for F {
    fn of(&self, answers: &[Answer]) -> Vec<Record> {
        self(answers)
    }
}

/// That a submission is done once: the answer stored under its key is given again. On one node the caller sees to it that a key is not
/// under way twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// SHA-256 of whose key it is, for what, and the key.
    pub key: [u8; 32],
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    /// An answer stored earlier counts no more.
    pub not_before: Timestamp,
}

impl Submission {
    /// Places it takes in the queue: one a command, and one more for each KiB of free content it carries.
    pub(super) fn places(&self) -> usize {
        self.commands
            .iter()
            .map(|command| 1 + command.content_bytes() / 1024)
            .sum()
    }

    /// Whether something is stored that depends on all of its answers.
    pub(super) const fn has_records(&self) -> bool {
        self.once.is_some() || self.records.is_some()
    }
}

impl Command {
    /// Bytes of the parts that may be large.
    fn content_bytes(&self) -> usize {
        match self {
            Self::Create(create) => create.details.len(),
            Self::Change {
                change: Change::Report(report),
                ..
            } => report.what().metadata.as_ref().map_or(0, |bytes| bytes.len()),
            Self::Change { .. } => 0,
        }
    }

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

#[cfg(test)]
mod tests {
    use model::command::ReportFields;
    use model::public_id::PublicId;

    use super::*;

    fn places(metadata_bytes: usize) -> usize {
        let report = model::command::Report::new(ReportFields {
            status: "picked_up".into(),
            source: "scanner".into(),
            occurred_at: Timestamp::EARLIEST_EVENT,
            client_event_id: None,
            location: None,
            notes: None,
            metadata: Some(vec![b' '; metadata_bytes].into()),
            received_at: Timestamp::EARLIEST_EVENT,
        });
        let command = Command::Change {
            order: OrderRef::Public(PublicId::new("A-1").unwrap()),
            actor: Actor::SYSTEM,
            expected: None,
            change: Change::Report(report.unwrap()),
        };
        Submission {
            commands: vec![command.clone(), command],
            ..Submission::default()
        }
        .places()
    }

    #[test]
    fn a_command_takes_a_place_and_one_more_for_each_kib() {
        assert_eq!(
            [places(0), places(1023), places(1024), places(16 * 1024)],
            [2, 2, 4, 34]
        );
    }
}
