//! A message with what decides whom it is for, made once and shared by all streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use model::cursor::CursorCodec;
use model::entry::FormatError;
use model::ids::Position;
use model::{Entry, Lifecycle};
use store::{LogEntry, OrderLabel};

use super::message::{Message, MessageType};

/// An entry that somebody may want to be told of.
pub(super) struct Candidate<'a> {
    pub(super) position: Position,
    pub(super) entry: &'a Entry,
    pub(super) kind: MessageType,
    pub(super) lifecycle: &'a Lifecycle,
    pub(super) label: &'a OrderLabel,
}

impl<'a> Candidate<'a> {
    /// `None` for an entry that is not told.
    pub(super) fn of(found: &'a LogEntry, lifecycle: &'a Lifecycle, label: &'a OrderLabel) -> Option<Self> {
        Some(Self {
            position: found.position,
            entry: &found.entry,
            kind: MessageType::of(&found.entry, lifecycle)?,
            lifecycle,
            label,
        })
    }

    pub(super) fn render(&self, cursors: &CursorCodec, held: &Held) -> Result<Rendered, FormatError> {
        let cursor = cursors.encode(self.position);
        let public_id = self.label.public_id.as_str();
        let json = Message::render(self.kind, self.entry, self.lifecycle, public_id, &cursor)?;
        let head = format!("id: {cursor}\nevent: {}\ndata: ", self.kind.name());
        let mut event = Vec::with_capacity(head.len() + json.len() + 2);
        event.extend_from_slice(head.as_bytes());
        event.extend_from_slice(&json);
        event.extend_from_slice(b"\n\n");
        held.0.fetch_add(event.len(), Ordering::Relaxed);
        Ok(Rendered {
            position: self.position,
            json: head.len()..head.len() + json.len(),
            event: event.into(),
            held: held.clone(),
        })
    }
}

/// A message as it is sent.
pub struct Rendered {
    pub(super) position: Position,
    event: Bytes,
    json: std::ops::Range<usize>,
    held: Held,
}

impl Rendered {
    /// As an event of a `text/event-stream` (WHATWG HTML, 9.2), to its end.
    #[must_use]
    pub fn event(&self) -> Bytes {
        self.event.clone()
    }

    /// The message alone, JSON on one line.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.event.slice(self.json.clone())
    }

    pub(super) fn bytes(&self) -> usize {
        self.event.len()
    }
}

impl Drop for Rendered {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.event.len(), Ordering::Relaxed);
    }
}

/// How many bytes of messages there are.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<AtomicUsize>);

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
