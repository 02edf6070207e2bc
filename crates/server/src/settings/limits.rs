//! The bounds of what a setting may be, with the reason for each number.

use std::ops::RangeInclusive;

/// A signing secret: as long as the digest of HS256 (RFC 7518 §3.2), and the wire contract §7.
pub(super) const MIN_SECRET_BYTES: usize = 32;
/// The first admin's password: as for every user (wire contract §6).
pub(super) const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;
/// The first admin's username: a name (wire contract §1).
pub(super) const MAX_USERNAME_CHARS: usize = 200;
/// A tracking prefix: with 9 symbols behind it, well within [`model::limits::MAX_PUBLIC_ID_BYTES`], and still read aloud.
pub(super) const MAX_TRACKING_PREFIX_BYTES: usize = 16;
/// The name of an environment stands in log lines.
pub(super) const MAX_ENV_CHARS: usize = 64;
/// A grace time of more than an hour is a slip: every supervisor would have killed the process long before.
pub(super) const SHUTDOWN_GRACE_S: RangeInclusive<u64> = 1..=3_600;
/// Ten years of dead letters are a slip.
pub(super) const DEAD_LETTER_KEEP_DAYS: RangeInclusive<u32> = 1..=3_650;
/// Decimal places of the delay scale: it is kept in parts per million.
pub(super) const DELAY_SCALE_PLACES: usize = 6;
/// Read of a settings file or `.env` at most: both are written by hand.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;
/// Shown of a value that is not allowed: enough to know it again.
pub(super) const MAX_SHOWN_CHARS: usize = 100;
