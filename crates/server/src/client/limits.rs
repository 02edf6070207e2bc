//! The client's limits, with the reason for each number.

use std::time::Duration;

/// How long a request is sent again while nothing at all gets through: a server that restarts is back in a few seconds.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before the first try again; doubled for each further one.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause: a server that is back should not be kept waiting.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest that a server's `Retry-After` is believed: a third of the patience, so that it is asked more than once.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
/// How much longer than told a pause may become, in parts of one: so that several connections do not come back at once.
pub(super) const RETRY_AFTER_JITTER: f64 = 0.1;
/// Longest wait for a connection: the server is near, or it is not there.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer: twice the longest `Prefer: wait` that is asked for.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read: the answer to 10,000 refused entries is below it.
pub(super) const ANSWER_BYTES: usize = 16 << 20;
/// Characters of a server's own words that are shown.
pub(super) const SHOWN_CHARS: usize = 500;
/// Broken fields of a problem that are shown.
pub(super) const SHOWN_FIELDS: usize = 3;
