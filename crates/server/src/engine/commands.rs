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

impl Submission {
    /// Places it takes in the queue: one a command, and one more for each KiB of free content it carries.
    pub(super) fn places(&self) -> usize {
        self.commands
            .iter()
            .map(|command| 1 + command.content_bytes() / 1024)
            .sum()
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
