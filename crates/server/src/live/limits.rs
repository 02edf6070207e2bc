//! The limits of live streams, with the reason for each number.

use std::time::Duration;

use crate::engine::FEED_ENTRIES;

/// Limits that tests set lower.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages that wait for one reader. At 2,000 a second to one stream, half a second: a client that collects its garbage, or a busy machine,
    /// is not slow yet.
    pub buffered_messages: usize,
    /// Bytes of messages that wait for one reader, but for one message that is longer by itself: as many of a usual size (some 450 bytes).
    pub buffered_bytes: usize,
    /// Bytes of messages in memory, over all streams, of which those that many streams share count once: one half for what is told as it comes, one for
    /// what is caught up. Above it a buffer has its equal share of them and no more. 150,000 of a usual size.
    pub messages_bytes: usize,
    /// How far behind the log a stream may begin, unless it is on one order: a second of reading on the embedded store, and some seconds over
    /// PostgreSQL. Who was away for longer reads its lists again, which is cheaper for both.
    pub behind_entries: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            buffered_messages: BUFFERED_MESSAGES,
            buffered_bytes: 512 * 1024,
            messages_bytes: 64 * 1024 * 1024,
            behind_entries: 1_000_000,
        }
    }
}

/// See [`Limits::buffered_messages`].
const BUFFERED_MESSAGES: usize = 1_024;
// What the writers leave for one look is handed out at once.
const _: () = assert!(FEED_ENTRIES <= BUFFERED_MESSAGES);
/// Places for messages that a stream keeps which has been read.
pub(super) const KEPT_PLACES: usize = 16;
/// Entries looked at in one read: some 3 ms of the embedded store's, as far as nobody wants them. What is live waits that long for a page of who catches up.
pub(super) const PAGE_ENTRIES: u32 = 10_000;
// The store cuts a page at this: one that was cut would be taken for the end of the log.
const _: () = assert!(PAGE_ENTRIES <= store::limits::MAX_PAGE);
/// Who is behind by no more than this is caught up at once, beside whoever is further behind.
pub(super) const NEAR_ENTRIES: i64 = 10_000;
/// Streams on one order whose histories are read at once, and entries of them from which on no further is read: some milliseconds.
pub(super) const REPLAYED_ORDERS: usize = 64;
/// See [`REPLAYED_ORDERS`].
pub(super) const REPLAYED_ENTRIES: u32 = 2_000;
/// Between two looks at what is new: what is written meanwhile is told at once. A twenty-fifth of what a message may take, and 100 looks a second at
/// most: each wakes a thread, and some read the log.
pub(super) const GATHER: Duration = Duration::from_millis(10);
/// Who goes and has left a message waiting for so long was slow: far more than a reader needs that takes what comes, far less than one is waited for.
pub(super) const SLOW_TIME: Duration = Duration::from_secs(1);
/// Before the log is read again where that has failed.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Orders whose public ids are remembered, twice this at most: some 10 MB.
pub(super) const LABELS: usize = 32_768;
