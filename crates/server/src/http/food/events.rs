//! What happened to a food order, in the words of the relation `order_events`, which says the same to SQL: see
//! `docs/adr/0025-relational-mapping.md`. A test compares.

use model::{EntryKind, Lifecycle};
use serde::Serialize;
use store::LogEntry;
use utoipa::ToSchema;

/// An event of a food order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct OrderEvent {
    /// The order's id and a number, from 1.
    id: String,
    order_id: String,
    /// `CREATED`, a status that the order came to, or `CORRECTED`: an earlier event was wrong.
    event: String,
    /// When it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    meta: EventMeta,
}

/// What else is known of an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct EventMeta {
    /// The order's version then.
    version: u32,
    /// What kind of entry it is in the order's log.
    #[schema(value_type = String)]
    kind: &'static str,
    /// When the server learned of it.
    #[schema(format = DateTime)]
    recorded_at: String,
}

/// The events of a history, oldest first. The creation is two: the order is there, and it has its first status.
pub(super) fn events(order_id: &str, lifecycle: &Lifecycle, history: &[LogEntry]) -> Vec<OrderEvent> {
    let mut events = Vec::with_capacity(history.len() + 1);
    for LogEntry { entry, .. } in history {
        let version = entry.version.get();
        let mut push = |number: u32, event: &str| {
            events.push(OrderEvent {
                id: format!("{order_id}-{number}"),
                order_id: order_id.to_owned(),
                event: event.to_owned(),
                timestamp: entry.occurred_at.to_string(),
                meta: EventMeta {
                    version,
                    kind: entry.kind.name(),
                    recorded_at: entry.recorded_at.to_string(),
                },
            });
        };
        if entry.kind == EntryKind::Created {
            push(version, "CREATED");
        }
        if entry.kind.bears_status() {
            push(version + 1, lifecycle.state_name(entry.status));
        } else if entry.kind == EntryKind::Correction {
            push(version + 1, "CORRECTED");
        }
    }
    events
}
