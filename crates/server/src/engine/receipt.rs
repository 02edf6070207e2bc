//! Receipts: what became of an event, looked up by its id.

use model::command::{Change, OrderRef};
use model::event_id::EventRef;
use model::ids::{OrderKey, Owner, PartyId, Version};
use model::time::Timestamp;
use model::{Entry, EntryKind};
use serde_json::{Map, Value, json};
use store::{DeadLetter, Error, KeptDeadLetter, Reader};

use super::handle::Handle;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// It is in the order's history and counts.
    Applied,
    /// It is in the history and waits for a step in between.
    Parked,
    /// Refused, and kept as a dead letter.
    Rejected,
    /// It waited, and was given up.
    Dead,
}

impl ReceiptOutcome {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Rejected => "rejected",
            Self::Dead => "dead",
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order, by the id it was named by.
    pub public_id: String,
    /// The order's key, if there is such an order.
    pub order: Option<OrderKey>,
    /// Whose order it is; nobody's, if there is none.
    pub owner: Owner,
    /// Who submitted it, where that is told: of refusals.
    pub actor: Option<PartyId>,
    /// The code of the refusal, if it is one.
    pub refusal: Option<Box<str>>,
    /// What became of it.
    pub outcome: ReceiptOutcome,
    /// Why, where it was not simply applied.
    pub reason: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
}

impl Handle {
    /// The receipt of an event; `None` for an id that is not of this store. Reads: not for an async thread.
    ///
    /// # Errors
    /// What reading gives.
    pub fn receipt(&self, event_id: &str) -> Result<Option<Receipt>, Error> {
        self.store().reading(|reader| self.receipt_from(reader, event_id))
    }

    /// As [`Handle::receipt`], from a reader that is at hand.
    ///
    /// # Errors
    /// What reading gives.
    pub fn receipt_from(&self, reader: &mut dyn Reader, event_id: &str) -> Result<Option<Receipt>, Error> {
        match self.event_ids().decode(event_id) {
            None => Ok(None),
            Some(EventRef::DeadLetter(id)) => match reader.dead_letter(id)? {
                Some(KeptDeadLetter {
                    redriven: Some(redriven),
                    letter,
                    ..
                }) => {
                    let receipt = entry_receipt(reader, &OrderRef::Key(redriven.order), redriven.version)?;
                    Ok(receipt.map(|receipt| Receipt {
                        actor: Some(letter.actor),
                        ..receipt
                    }))
                }
                Some(KeptDeadLetter { letter, .. }) => Ok(Some(refusal_receipt(letter))),
                None => Ok(None),
            },
            Some(EventRef::Entry(order, version)) => entry_receipt(reader, &OrderRef::Key(order), version),
        }
    }
}

fn refusal_receipt(letter: DeadLetter) -> Receipt {
    Receipt {
        public_id: letter.public_id.into(),
        order: letter.order,
        owner: letter.owner,
        actor: Some(letter.actor),
        refusal: Some(letter.code),
        outcome: ReceiptOutcome::Rejected,
        reason: Some(letter.detail.into()),
        received_at: letter.received_at,
        decided_at: letter.decided_at,
    }
}

fn entry_receipt(
    reader: &mut dyn Reader,
    order: &OrderRef,
    version: Version,
) -> Result<Option<Receipt>, Error> {
    let Some(order) = reader.order(order)? else {
        return Ok(None);
    };
    let history = reader.history(&order)?;
    let Some(entry) = history
        .iter()
        .map(|found| &found.entry)
        .find(|entry| entry.version == version)
    else {
        return Ok(None);
    };
    let later = |kind| {
        let mut later = history
            .iter()
            .map(|found| &found.entry)
            .filter(move |entry| entry.kind == kind);
        later.find(|later| later.body().is_ok_and(|body| body.about == Some(version)))
    };
    let (outcome, decided_by): (ReceiptOutcome, &Entry) = if entry.kind != EntryKind::Parked {
        (ReceiptOutcome::Applied, entry)
    } else if let Some(released) = later(EntryKind::Released) {
        (ReceiptOutcome::Applied, released)
    } else if let Some(abandoned) = later(EntryKind::Abandoned) {
        (ReceiptOutcome::Dead, abandoned)
    } else {
        (ReceiptOutcome::Parked, entry)
    };
    let reason = match (later(EntryKind::Correction), entry.kind, outcome) {
        (Some(_), _, _) => Some("struck by a correction"),
        (None, EntryKind::Recorded, _) => Some("recorded: the order has another status"),
        (None, _, ReceiptOutcome::Parked) => Some("waits for a step in between"),
        (None, _, ReceiptOutcome::Dead) => Some("the step in between did not come"),
        (None, _, ReceiptOutcome::Applied | ReceiptOutcome::Rejected) => None,
    };
    let queued_for = entry
        .body()
        .ok()
        .and_then(|body| body.queued_for)
        .unwrap_or_default();
    Ok(Some(Receipt {
        public_id: order.public_id.as_str().to_owned(),
        order: Some(order.head.order),
        owner: order.head.owner,
        actor: None,
        refusal: None,
        outcome,
        reason: reason.map(str::to_owned),
        received_at: Timestamp::from_nanos(entry.recorded_at.as_nanos() - queued_for.as_nanos()),
        decided_at: decided_by.recorded_at,
    }))
}

/// A refused change as it would stand on the wire, for changes that did not come over it.
pub(super) fn dead_letter_content(order: &OrderRef, change: &Change) -> Box<[u8]> {
    let mut content = Map::new();
    match order {
        OrderRef::Public(id) => content.insert("order_id".to_owned(), json!(id.as_str())),
        OrderRef::Key(key) => content.insert("order_key".to_owned(), json!(key.get())),
    };
    match change {
        Change::Report(report) => {
            let what = report.what();
            content.insert("status".to_owned(), json!(what.status));
            content.insert("source".to_owned(), json!(what.source));
            content.insert("timestamp".to_owned(), json!(what.occurred_at.to_exact_text()));
            content.insert("event_id".to_owned(), json!(what.client_event_id));
            content.insert(
                "location".to_owned(),
                json!(what.location.map(|at| json!({"lat": at.lat, "lng": at.lng}))),
            );
            content.insert("notes".to_owned(), json!(what.notes));
            // As text, whatever it is: parsed and written again it might not be the same.
            let metadata = what
                .metadata
                .as_deref()
                .map(|bytes| match std::str::from_utf8(bytes) {
                    Ok(text) => json!(text),
                    Err(_) => json!(bytes),
                });
            content.insert("metadata".to_owned(), json!(metadata));
        }
        Change::Cancel { reason, source } => {
            content.insert("cancel".to_owned(), json!({"reason": reason, "source": source}));
        }
        Change::Override {
            status,
            reason,
            force,
        } => {
            content.insert(
                "override".to_owned(),
                json!({"status": status, "reason": reason, "force": force}),
            );
        }
        Change::Correct { strike, reason } => {
            content.insert(
                "correct".to_owned(),
                json!({"version": strike.get(), "reason": reason}),
            );
        }
        Change::Due { due_at } => {
            content.insert("due_at".to_owned(), json!(due_at.to_string()));
        }
    }
    content.retain(|_, value| !value.is_null());
    Value::Object(content).to_string().into_bytes().into()
}
