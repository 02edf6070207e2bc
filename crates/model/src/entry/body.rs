//! What entries say, and the formats in which it is stored.

use minicbor::{Decode, Encode};

use crate::ids::{PartyId, Version};
use crate::lifecycle::StateId;
use crate::role::Role;
use crate::sealed::{Salt, SealDigest, Sealed};
use crate::time::{Span, Timestamp};

/// The body format that this version writes.
pub const ENTRY_FORMAT: u8 = 1;

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location {
    /// −90 to 90.
    pub lat: f64,
    /// −180 to 180.
    pub lng: f64,
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
    /// Stands for [`Entry::private`](crate::Entry::private).
    pub private_digest: Option<SealDigest>,
    /// Stands for the order's details and reference (on its first entry): see [`Sealed::digest_with`].
    pub details_digest: Option<SealDigest>,
    /// Until when a parked report waits.
    pub wait_until: Option<Timestamp>,
    /// The order's public id (on its first entry): a log that is read from its beginning needs no other table.
    pub public_id: Option<&'a str>,
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
    #[b(11)]
    public_id: Option<&'a str>,
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
            public_id: self.public_id,
        };
        let mut bytes = Vec::with_capacity(64);
        minicbor::encode(&stored, &mut bytes).expect("a Vec takes every write");
        bytes
    }

    pub(super) fn decode(format: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
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
            public_id: stored.public_id,
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

    pub(super) fn decode(format: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
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
