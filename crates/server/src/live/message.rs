//! Messages: what is told of an entry to those outside, on live streams and to a broker.

use model::entry::{FormatError, Location};
use model::{Entry, EntryKind, Lifecycle};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// An order began.
    OrderCreated,
    /// It has another status.
    OrderStatusChanged,
    /// It was cancelled.
    OrderCancelled,
    /// A status was set against the lifecycle's arrows.
    OrderOverridden,
    /// An entry was struck, and the status is what the others say.
    OrderCorrected,
}

impl MessageType {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::OrderStatusChanged => "order.status_changed",
            Self::OrderCancelled => "order.cancelled",
            Self::OrderOverridden => "order.overridden",
            Self::OrderCorrected => "order.corrected",
        }
    }

    /// What an entry is told as. Reports that were kept and do not move the order (late ones, parked ones, parked ones that were given up) are not told:
    /// the history has them, and versions count them.
    #[must_use]
    pub fn of(entry: &Entry, lifecycle: &Lifecycle) -> Option<Self> {
        match entry.kind {
            EntryKind::Created => Some(Self::OrderCreated),
            EntryKind::StatusApplied | EntryKind::Released if Some(entry.status) == lifecycle.cancelled() => {
                Some(Self::OrderCancelled)
            }
            EntryKind::StatusApplied | EntryKind::Released => Some(Self::OrderStatusChanged),
            EntryKind::Override => Some(Self::OrderOverridden),
            EntryKind::Correction => Some(Self::OrderCorrected),
            EntryKind::Recorded | EntryKind::Parked | EntryKind::Abandoned => None,
        }
    }
}

impl Serialize for MessageType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A message.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    /// Where a reader stands who has read it.
    pub cursor: &'a str,
    /// The order's public id.
    pub order_id: &'a str,
    /// The lifecycle's name.
    pub lifecycle: &'a str,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The status of the order, by the definition that it lives by.
    pub status: &'a str,
    /// The one before.
    pub previous_status: Option<&'a str>,
    /// What the status means in any lifecycle.
    pub phase: &'a str,
    /// When, in the world.
    pub occurred_at: String,
    /// When the server learned of it.
    pub recorded_at: String,
    /// The device or system that said so.
    pub source: Option<&'a str>,
    /// Where.
    #[serde(serialize_with = "location")]
    pub location: Option<Location>,
    /// As it was received.
    pub metadata: Option<&'a RawValue>,
    /// The order's.
    pub version: u32,
}

fn location<S: Serializer>(at: &Option<Location>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Degrees {
        lat: f64,
        lng: f64,
    }
    at.map(|at| Degrees {
        lat: at.lat,
        lng: at.lng,
    })
    .serialize(serializer)
}

impl Message<'_> {
    /// An entry as a message, in JSON on one line.
    ///
    /// # Errors
    /// [`FormatError`] for an entry that cannot be read here.
    pub fn render(
        kind: MessageType,
        entry: &Entry,
        lifecycle: &Lifecycle,
        public_id: &str,
        cursor: &str,
    ) -> Result<Vec<u8>, FormatError> {
        let (body, private) = (entry.body()?, entry.private()?);
        let metadata = private
            .metadata
            .and_then(|metadata| serde_json::from_slice(metadata).ok());
        let message = Message {
            cursor,
            order_id: public_id,
            lifecycle: lifecycle.name(),
            kind,
            status: lifecycle.state_name(entry.status),
            previous_status: body.previous.map(|status| lifecycle.state_name(status)),
            phase: lifecycle
                .state(entry.status)
                .map_or("", |state| state.phase.name()),
            occurred_at: entry.occurred_at.to_string(),
            recorded_at: entry.recorded_at.to_string(),
            source: body.source,
            location: private.location,
            metadata,
            version: entry.version.get(),
        };
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, &message)
            .map_err(|error| FormatError::Damaged(format!("it cannot be told: {error}")))?;
        // As received, metadata may have line ends between its parts: within its texts JSON has none.
        for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        Ok(json)
    }
}
