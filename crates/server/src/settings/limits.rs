//! The bounds of what a setting may be, with the reason for each number.

use std::num::NonZeroUsize;
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
/// Writing, or reading, connections of one node: a server of PostgreSQL has a hundred in all unless told otherwise, and a node keeps
/// few cores busy.
pub(super) const PG_CONNECTIONS: RangeInclusive<NonZeroUsize> =
    NonZeroUsize::MIN..=NonZeroUsize::new(64).expect("is not 0");
/// A statement that writes: a second or two for the largest group on a busy server; after ten minutes nobody waits any more.
pub(super) const PG_WRITE_TIMEOUT_S: RangeInclusive<u64> = 1..=600;
/// A read: what takes longer than a minute keeps the database from cleaning up.
pub(super) const PG_READ_TIMEOUT_MS: RangeInclusive<u64> = 100..=60_000;
/// A start that waits for more than an hour is forgotten.
pub(super) const PG_CONNECT_WAIT_S: RangeInclusive<u64> = 0..=3_600;
/// A replica that is behind by more than an hour is broken.
pub(super) const PG_REPLICA_MAX_STALENESS_S: RangeInclusive<u64> = 1..=3_600;
/// The name of a node stands in every commit's row, and PostgreSQL shows 63 bytes of a connection's name.
pub(super) const MAX_NODE_NAME_CHARS: usize = 40;
