//! The engine's limits, with the reason for each number.

use std::time::Duration;

/// Commands that wait for the writer: about a tenth of a second of its work, and at most ≈ 20 MB.
pub const QUEUE_COMMANDS: usize = 20_000;
/// How long a caller waits for a place in a full queue before it is told to come again.
pub const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// What a caller is told to wait when there was no place, or when storage fails.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Commands of one group: more would add latency and no longer speed.
pub const GROUP_COMMANDS: usize = 4_096;
/// How often a group whose outcome is unknown is tried again before its callers are told so.
pub(super) const COMMIT_TRIES: u32 = 3;
/// Pause before the first such try; doubled for each further one.
pub(super) const COMMIT_PAUSE: Duration = Duration::from_millis(20);
/// Random ids tried for a new order before it fails: the chance of one being taken is below 1 in 10,000.
pub(super) const ID_TRIES: u32 = 8;
