//! Log entries: what was accepted, as it is stored for ever.
//!
//! An entry is a header of fixed fields and a body in CBOR (RFC 8949) with integer keys; personal data and free text lie in a
//! second, sealed body that can be erased. The header names the body's format; this module reads every format ever
//! written and gives today's view of it, so nothing above ever sees an old one.

mod body;

use sha2::{Digest, Sha256};

use crate::fingerprint::{FingerprintHash, ReportHashes};
use crate::ids::{LifecycleId, OrderKey, Owner, Version};
use crate::lifecycle::{Lifecycle, StateId};
use crate::sealed::Sealed;
use crate::time::Timestamp;

pub use body::{Body, ENTRY_FORMAT, FormatError, Location, PrivateBody};

/// What kind of fact an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The order began.
    Created,
    /// An arrow was followed.
    StatusApplied,
    /// A report was kept that does not move the order.
    Recorded,
    /// A report waits for a step in between.
    Parked,
    /// A parked report was applied.
    Released,
    /// A parked report was given up.
    Abandoned,
    /// An entry was struck.
    Correction,
    /// A status was set against the lifecycle's arrows.
    Override,
}

impl EntryKind {
    /// Every kind, in the order of the stored numbers.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::StatusApplied,
        Self::Recorded,
        Self::Parked,
        Self::Released,
        Self::Abandoned,
        Self::Correction,
        Self::Override,
    ];

    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Created => 1,
            Self::StatusApplied => 2,
            Self::Recorded => 3,
            Self::Parked => 4,
            Self::Released => 5,
            Self::Abandoned => 6,
            Self::Correction => 7,
            Self::Override => 8,
        }
    }

    /// The kind of a stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::StatusApplied => "status_applied",
            Self::Recorded => "recorded",
            Self::Parked => "parked",
            Self::Released => "released",
            Self::Abandoned => "abandoned",
            Self::Correction => "correction",
            Self::Override => "override",
        }
    }

    /// Whether an unstruck entry of this kind says what the status is.
    #[must_use]
    pub const fn bears_status(self) -> bool {
        match self {
            Self::Created | Self::StatusApplied | Self::Released | Self::Override => true,
            Self::Recorded | Self::Parked | Self::Abandoned | Self::Correction => false,
        }
    }

    /// Whether a correction may ever strike an entry of this kind.
    #[must_use]
    pub const fn can_be_struck(self) -> bool {
        match self {
            Self::StatusApplied | Self::Recorded | Self::Parked | Self::Released | Self::Override => true,
            Self::Created | Self::Abandoned | Self::Correction => false,
        }
    }
}

/// One fact in an order's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The order.
    pub order: OrderKey,
    /// The place in the order.
    pub version: Version,
    /// What kind of fact.
    pub kind: EntryKind,
    /// The format of the bodies.
    pub format: u8,
    /// The order's lifecycle.
    pub lifecycle: LifecycleId,
    /// Whose order it is.
    pub owner: Owner,
    /// The order's status once this entry is in.
    pub status: StateId,
    /// When it happened in the world.
    pub occurred_at: Timestamp,
    /// When this server learned of it: strictly growing within an order.
    pub recorded_at: Timestamp,
    /// The body, encoded.
    pub body: Vec<u8>,
    /// Personal data and free text, encoded and sealed; absent if there is none or it was erased.
    pub private: Option<Sealed>,
}

impl Entry {
    /// The body.
    ///
    /// # Errors
    /// [`FormatError`] for bytes of a newer version or damaged ones.
    pub fn body(&self) -> Result<Body<'_>, FormatError> {
        Body::decode(self.format, &self.body)
    }

    /// The sealed part; empty if there is none or it was erased.
    ///
    /// # Errors
    /// As [`Entry::body`].
    pub fn private(&self) -> Result<PrivateBody<'_>, FormatError> {
        self.private
            .as_ref()
            .map_or(Ok(PrivateBody::default()), |sealed| {
                PrivateBody::decode(self.format, sealed.content())
            })
    }

    /// The status that was reported: the order's after this entry, or the one it was asked to take.
    ///
    /// # Errors
    /// As [`Entry::body`].
    pub fn reported_status(&self) -> Result<StateId, FormatError> {
        Ok(self.body()?.reported.unwrap_or(self.status))
    }

    /// The hashes by which a repeated report is found: of reports, and of cancellations that name a source, as a report of the
    /// same would. None for other entries.
    ///
    /// # Errors
    /// As [`Entry::body`].
    pub fn report_hashes(&self, lifecycle: &Lifecycle) -> Result<ReportHashes, FormatError> {
        let body = self.body()?;
        let is_report = match self.kind {
            EntryKind::StatusApplied | EntryKind::Recorded | EntryKind::Parked => true,
            EntryKind::Created
            | EntryKind::Released
            | EntryKind::Abandoned
            | EntryKind::Correction
            | EntryKind::Override => false,
        };
        let Some(source) = body.source.filter(|_| is_report) else {
            return Ok(ReportHashes::default());
        };
        let status = lifecycle.state_name(body.reported.unwrap_or(self.status));
        Ok(ReportHashes {
            report: Some(FingerprintHash::of_report(source, self.occurred_at, status)),
            client_event_id: body.client_event_id.map(FingerprintHash::of_client_event_id),
        })
    }

    /// Takes the entry into a digest over its whole group: header and body, never the sealed part itself, and not its
    /// position, which a group may get after it is durable.
    pub fn digest_into(&self, digest: &mut Sha256) {
        let mut header = [0u8; 51];
        let fields: [&[u8]; 12] = [
            &self.order.get().to_be_bytes(),
            &self.version.get().to_be_bytes(),
            &[self.kind.number()],
            &[self.format],
            &self.lifecycle.get().to_be_bytes(),
            &self.owner.tenant.get().to_be_bytes(),
            &self.owner.client.get().to_be_bytes(),
            &self.owner.customer.get().to_be_bytes(),
            &[self.status.number()],
            &self.occurred_at.as_nanos().to_be_bytes(),
            &self.recorded_at.as_nanos().to_be_bytes(),
            &u32::try_from(self.body.len()).unwrap_or(u32::MAX).to_be_bytes(),
        ];
        let bytes = fields.into_iter().flatten();
        for (to, from) in header.iter_mut().zip(bytes) {
            *to = *from;
        }
        digest.update(header);
        digest.update(&self.body);
    }
}
