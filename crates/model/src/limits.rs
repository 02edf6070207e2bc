//! Every limit of the model, with the reason for its number. Texts are counted in characters.

use crate::time::Span;

/// Entries of one order. A shipment has five; ten thousand is a device gone wild, and what a walk of one history
/// may cost (10 ms) stays bounded. Fits the 14 bits a [`Fingerprint`](crate::fingerprint::Fingerprint) gives a version.
pub const MAX_ENTRIES: u32 = 10_000;
/// Reports of one order waiting for a step in between; each lies in the head, which must stay narrow.
pub const MAX_PARKED: usize = 16;
/// Fingerprints kept in the head itself; older ones lie beside it.
pub const RECENT_FINGERPRINTS: usize = 64;
/// How far ahead of the server's clock an event may say it happened (wire contract §1).
pub const MAX_AHEAD: Span = Span::from_seconds(24 * 3600);
/// Notes and reasons (wire contract §1, "address, description, reason").
pub const MAX_TEXT_CHARS: usize = 500;
/// Names and sources (wire contract §1).
pub const MAX_SOURCE_CHARS: usize = 200;
/// How a customer can be reached (wire contract §1): the longest e-mail address.
pub const MAX_CONTACT_CHARS: usize = 320;
/// A client's own event id: the same bound as a name.
pub const MAX_EVENT_ID_CHARS: usize = 200;
/// Free-form metadata (wire contract §1).
pub const MAX_METADATA_BYTES: usize = 16 * 1024;
/// What was told at an order's creation: a body's bound (wire contract §1).
pub const MAX_DETAILS_BYTES: usize = 1024 * 1024;
/// A public id: `ORD-` and 16 symbols, or a tracking prefix of up to 16 and 9 symbols, with room for foreign ids.
pub const MAX_PUBLIC_ID_BYTES: usize = 64;
