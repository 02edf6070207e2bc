//! Log entries: what was accepted, as it is stored for ever.
//!
//! An entry is a header of fixed fields and a body in CBOR (RFC 8949) with integer keys; personal data and free text lie in a
//! second, sealed body that can be erased. The header names the body's format; this module reads every format ever
//! written and gives today's view of it, so nothing above ever sees an old one.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::fingerprint::{FingerprintHash, ReportHashes};
use crate::ids::{LifecycleId, OrderKey, Owner, PartyId, Version};
use crate::lifecycle::{Lifecycle, StateId};
use crate::role::Role;
use crate::sealed::{Salt, SealDigest, Sealed};
use crate::time::{Span, Timestamp};

/// The body format that this version writes.
pub const ENTRY_FORMAT: u8 = 1;

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

    /// The name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::StatusApplied => "status applied",
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

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location {
    /// −90 to 90.
    pub lat: f64,
    /// −180 to 180.
    pub lng: f64,
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

/// What an entry says besides its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Body<'a> {
    /// Who reported it: a device or system.
    pub source: Option<&'a str>,
    /// The principal that submitted it.
    pub actor: Option<PartyId>,
    /// The role in which it was submitted.
    pub role: Option<Role>,
    /// How long it had been received when it was recorded.
    pub queued_for: Option<Span>,
    /// The client's own id of the event.
    pub client_event_id: Option<&'a str>,
    /// The status reported, where the order does not have it after this entry (recorded, parked).
    pub reported: Option<StateId>,
    /// The status before.
    pub previous: Option<StateId>,
    /// The entry this one is about: released, abandoned or struck.
    pub about: Option<Version>,
    /// Stands for [`Entry::private`].
    pub private_digest: Option<SealDigest>,
    /// Stands for the order's details (on its first entry).
    pub details_digest: Option<SealDigest>,
    /// Until when a parked report waits.
    pub wait_until: Option<Timestamp>,
}

/// The sealed part of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PrivateBody<'a> {
    /// Where it happened.
    pub location: Option<Location>,
    /// The reporter's words.
    pub notes: Option<&'a str>,
    /// Free-form JSON, the bytes as received.
    pub metadata: Option<&'a [u8]>,
    /// Why: of a cancellation, correction or override.
    pub reason: Option<&'a str>,
}

/// A stored entry that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Written by a newer version.
    #[error("entry format {0} is not known here: it was written by a newer version")]
    Unknown(u8),
    /// Not what the format says.
    #[error("damaged entry body: {0}")]
    Damaged(String),
}

/// Format 1 as it is on disk. Keys are never reused; a member may be added, never change its meaning.
#[derive(Debug, Default, Encode, Decode)]
#[cbor(map)]
struct BodyV1<'a> {
    #[b(0)]
    source: Option<&'a str>,
    #[n(1)]
    actor: Option<u32>,
    #[n(2)]
    role: Option<u8>,
    #[n(3)]
    queued_for_ns: Option<i64>,
    #[b(4)]
    client_event_id: Option<&'a str>,
    #[n(5)]
    reported: Option<u8>,
    #[n(6)]
    previous: Option<u8>,
    #[n(7)]
    about: Option<u32>,
    #[cbor(b(8), with = "minicbor::bytes")]
    private_digest: Option<&'a [u8]>,
    #[cbor(b(9), with = "minicbor::bytes")]
    details_digest: Option<&'a [u8]>,
    #[n(10)]
    wait_until_ns: Option<i64>,
}

/// Format 1 of the sealed part. A coordinate is kept as an integer of 10⁻⁷ degrees where that is exact, else as it came.
#[derive(Debug, Default, Encode, Decode)]
#[cbor(map)]
struct PrivateV1<'a> {
    #[n(0)]
    lat_e7: Option<i32>,
    #[n(1)]
    lng_e7: Option<i32>,
    #[n(2)]
    lat: Option<f64>,
    #[n(3)]
    lng: Option<f64>,
    #[b(4)]
    notes: Option<&'a str>,
    #[cbor(b(5), with = "minicbor::bytes")]
    metadata: Option<&'a [u8]>,
    #[b(6)]
    reason: Option<&'a str>,
}

const E7: f64 = 1e7;

fn exact_e7(degrees: f64) -> Option<i32> {
    let scaled = (degrees * E7).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a coordinate is within ±180, so ±1.8e9, and the result is compared"
    )]
    let fixed = scaled as i32;
    (f64::from(fixed) / E7 == degrees && !(fixed == 0 && degrees.is_sign_negative())).then_some(fixed)
}

impl<'a> Body<'a> {
    /// Encodes in the current format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let stored = BodyV1 {
            source: self.source,
            actor: self.actor.map(PartyId::get),
            role: self.role.map(Role::number),
            queued_for_ns: self.queued_for.map(Span::as_nanos),
            client_event_id: self.client_event_id,
            reported: self.reported.map(StateId::number),
            previous: self.previous.map(StateId::number),
            about: self.about.map(Version::get),
            private_digest: self.private_digest.as_ref().map(SealDigest::as_bytes),
            details_digest: self.details_digest.as_ref().map(SealDigest::as_bytes),
            wait_until_ns: self.wait_until.map(Timestamp::as_nanos),
        };
        let mut bytes = Vec::with_capacity(64);
        minicbor::encode(&stored, &mut bytes).expect("a Vec takes every write");
        bytes
    }

    fn decode(format: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let stored: BodyV1<'a> = decode(format, bytes)?;
        let digest = |bytes: Option<&[u8]>| {
            bytes
                .map(|bytes| SealDigest::from_bytes(bytes).ok_or_else(|| damaged("a digest is not 16 bytes")))
                .transpose()
        };
        Ok(Self {
            source: stored.source,
            actor: stored.actor.map(PartyId::new),
            role: stored
                .role
                .map(|n| Role::from_number(n).ok_or_else(|| damaged("unknown role")))
                .transpose()?,
            queued_for: stored.queued_for_ns.map(Span::from_nanos),
            client_event_id: stored.client_event_id,
            reported: stored.reported.map(StateId::new),
            previous: stored.previous.map(StateId::new),
            about: stored.about.map(Version::new),
            private_digest: digest(stored.private_digest)?,
            details_digest: digest(stored.details_digest)?,
            wait_until: stored.wait_until_ns.map(Timestamp::from_nanos),
        })
    }
}

impl<'a> PrivateBody<'a> {
    /// Encodes in the current format and seals; `None` if there is nothing to keep.
    #[must_use]
    pub fn seal(&self, salt: &Salt) -> Option<Sealed> {
        if *self == Self::default() {
            return None;
        }
        let e7 = self
            .location
            .and_then(|at| Some((exact_e7(at.lat)?, exact_e7(at.lng)?)));
        let as_given = self.location.filter(|_| e7.is_none());
        let stored = PrivateV1 {
            lat_e7: e7.map(|(lat, _)| lat),
            lng_e7: e7.map(|(_, lng)| lng),
            lat: as_given.map(|at| at.lat),
            lng: as_given.map(|at| at.lng),
            notes: self.notes,
            metadata: self.metadata,
            reason: self.reason,
        };
        let mut bytes = Vec::with_capacity(64);
        minicbor::encode(&stored, &mut bytes).expect("a Vec takes every write");
        Some(Sealed::new(salt, &bytes))
    }

    fn decode(format: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let stored: PrivateV1<'a> = decode(format, bytes)?;
        let fixed = stored
            .lat_e7
            .zip(stored.lng_e7)
            .map(|(lat, lng)| (f64::from(lat) / E7, f64::from(lng) / E7));
        let location = fixed
            .or(stored.lat.zip(stored.lng))
            .map(|(lat, lng)| Location { lat, lng });
        Ok(Self {
            location,
            notes: stored.notes,
            metadata: stored.metadata,
            reason: stored.reason,
        })
    }
}

fn decode<'a, T: Decode<'a, ()>>(format: u8, bytes: &'a [u8]) -> Result<T, FormatError> {
    match format {
        1 => minicbor::decode(bytes).map_err(|error| FormatError::Damaged(error.to_string())),
        newer => Err(FormatError::Unknown(newer)),
    }
}

fn damaged(what: &str) -> FormatError {
    FormatError::Damaged(what.to_owned())
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
