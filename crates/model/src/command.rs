//! Commands: what somebody wishes to happen. A command that exists is well-formed; whether it is granted is
//! [`decide`](crate::decide)'s to say.

use crate::entry::Location;
use crate::fingerprint::{FingerprintHash, ReportHashes};
use crate::ids::{LifecycleId, OrderKey, Owner, PartyId, Version};
use crate::limits::{
    MAX_CONTACT_CHARS, MAX_DETAILS_BYTES, MAX_EVENT_ID_CHARS, MAX_METADATA_BYTES, MAX_SOURCE_CHARS,
    MAX_TEXT_CHARS,
};
use crate::public_id::PublicId;
use crate::role::Role;
use crate::time::Timestamp;

/// What is wrong with one field, and so with the command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What it must be.
    pub message: String,
}

/// Whose orders an actor may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one client.
    Client(PartyId),
    /// Those of one customer.
    Customer(PartyId),
}

impl Scope {
    /// Whether an order of this owner is within.
    #[must_use]
    pub fn covers(self, owner: &Owner) -> bool {
        match self {
            Self::All => true,
            Self::Client(client) => owner.client == client && client != PartyId::NOBODY,
            Self::Customer(customer) => owner.customer == customer && customer != PartyId::NOBODY,
        }
    }
}

/// Who wishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The principal.
    pub party: PartyId,
    /// Its role.
    pub role: Role,
    /// Whose orders it may touch.
    pub scope: Scope,
}

impl Actor {
    /// The server itself.
    pub const SYSTEM: Self = Self {
        party: PartyId::NOBODY,
        role: Role::System,
        scope: Scope::All,
    };
}

/// The order a command is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrderRef {
    /// As clients name it.
    Public(PublicId),
    /// As the server names it: timers.
    Key(OrderKey),
}

/// A new order's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewId {
    /// Made up just now from random bits: should it be taken, another is made.
    Random(PublicId),
    /// Given from outside and kept: an order that has it already is the same order.
    Given(PublicId),
}

impl NewId {
    /// The id itself.
    #[must_use]
    pub const fn id(&self) -> &PublicId {
        match self {
            Self::Random(id) | Self::Given(id) => id,
        }
    }
}

/// The wish for a new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The id it will have.
    pub id: NewId,
    /// The lifecycle it will be pinned to.
    pub lifecycle: LifecycleId,
    /// Whose it will be.
    pub owner: Owner,
    /// Who wishes it.
    pub actor: Actor,
    /// The customer's own reference, to search by.
    pub reference: Option<Box<str>>,
    /// How the customer can be reached, to search by: it is told in the details as well, and kept nowhere else.
    pub contact: Option<Box<str>>,
    /// What was told of the order: JSON, the bytes as received.
    pub details: Box<[u8]>,
    /// When it began in the world; now, if not said.
    pub occurred_at: Option<Timestamp>,
    /// Where the wish came from, such as `api`.
    pub source: Box<str>,
    /// When it was received.
    pub received_at: Timestamp,
}

impl Create {
    /// Checks the sizes of its texts.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, FieldError> {
        at_most_chars("source", Some(&self.source), MAX_SOURCE_CHARS)?;
        at_most_chars("customer_reference", self.reference.as_deref(), MAX_SOURCE_CHARS)?;
        at_most_chars("customer.contact", self.contact.as_deref(), MAX_CONTACT_CHARS)?;
        at_most_bytes("details", Some(&self.details), MAX_DETAILS_BYTES)?;
        Ok(self)
    }
}

/// A report that an order has come to a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    what: ReportFields,
    hashes: ReportHashes,
}

/// The fields of a [`Report`].
#[derive(Clone, Debug, PartialEq)]
pub struct ReportFields {
    /// The status.
    pub status: Box<str>,
    /// The device or system that says so.
    pub source: Box<str>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The client's own id of the event.
    pub client_event_id: Option<Box<str>>,
    /// Where.
    pub location: Option<Location>,
    /// The reporter's words.
    pub notes: Option<Box<str>>,
    /// Free-form JSON, the bytes as received.
    pub metadata: Option<Box<[u8]>>,
    /// When it reached the server.
    pub received_at: Timestamp,
}

impl Report {
    /// Checks the fields and takes their fingerprints, so that the writer need not.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn new(what: ReportFields) -> Result<Self, FieldError> {
        at_most_chars("status", Some(&what.status), MAX_SOURCE_CHARS)?;
        at_most_chars("source", Some(&what.source), MAX_SOURCE_CHARS)?;
        at_most_chars("event_id", what.client_event_id.as_deref(), MAX_EVENT_ID_CHARS)?;
        at_most_chars("notes", what.notes.as_deref(), MAX_TEXT_CHARS)?;
        at_most_bytes("metadata", what.metadata.as_deref(), MAX_METADATA_BYTES)?;
        if let Some(at) = what.location {
            within("location.lat", at.lat, 90.0)?;
            within("location.lng", at.lng, 180.0)?;
        }
        let hashes = ReportHashes {
            report: Some(FingerprintHash::of_report(
                &what.source,
                what.occurred_at,
                &what.status,
            )),
            client_event_id: what
                .client_event_id
                .as_deref()
                .map(FingerprintHash::of_client_event_id),
        };
        Ok(Self { what, hashes })
    }

    /// The fields.
    #[must_use]
    pub const fn what(&self) -> &ReportFields {
        &self.what
    }

    /// The hashes under which it, or an earlier one like it, is found.
    #[must_use]
    pub const fn hashes(&self) -> &ReportHashes {
        &self.hashes
    }
}

/// A wish to change an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It has come to a status.
    Report(Report),
    /// It is not wanted any more.
    Cancel {
        /// Why.
        reason: Option<Box<str>>,
        /// Where the wish came from.
        source: Box<str>,
    },
    /// An admin sets a status.
    Override {
        /// Which.
        status: Box<str>,
        /// Why.
        reason: Box<str>,
        /// Also against the arrows.
        force: bool,
    },
    /// An entry was wrong.
    Correct {
        /// Which.
        strike: Version,
        /// Why.
        reason: Box<str>,
    },
    /// The time has come that the head names.
    Due {
        /// The time that was due when the timer was set; another now means that the order has moved.
        due_at: Timestamp,
    },
}

impl Change {
    /// Checks the sizes of its texts.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, FieldError> {
        match &self {
            Self::Report(_) | Self::Due { .. } => {}
            Self::Cancel { reason, source } => {
                at_most_chars("reason", reason.as_deref(), MAX_TEXT_CHARS)?;
                at_most_chars("source", Some(source), MAX_SOURCE_CHARS)?;
            }
            Self::Override { reason, .. } | Self::Correct { reason, .. } => {
                at_most_chars("reason", Some(reason), MAX_TEXT_CHARS)?;
                if reason.trim().is_empty() {
                    return Err(FieldError {
                        field: "reason",
                        message: "must say why".to_owned(),
                    });
                }
            }
        }
        Ok(self)
    }
}

fn at_most_chars(field: &'static str, text: Option<&str>, max: usize) -> Result<(), FieldError> {
    // A text of `max` bytes has at most `max` characters: most are not counted.
    match text
        .filter(|text| text.len() > max)
        .map(|text| text.chars().count())
    {
        Some(found) if found > max => Err(FieldError {
            field,
            message: format!("must have at most {max} characters, this has {found}"),
        }),
        Some(_) | None => Ok(()),
    }
}

fn at_most_bytes(field: &'static str, bytes: Option<&[u8]>, max: usize) -> Result<(), FieldError> {
    match bytes.map(<[u8]>::len) {
        Some(found) if found > max => Err(FieldError {
            field,
            message: format!("must have at most {max} bytes, this has {found}"),
        }),
        Some(_) | None => Ok(()),
    }
}

fn within(field: &'static str, degrees: f64, bound: f64) -> Result<(), FieldError> {
    if degrees.abs() <= bound {
        Ok(())
    } else {
        Err(FieldError {
            field,
            message: format!("must lie between -{bound} and {bound} degrees"),
        })
    }
}
