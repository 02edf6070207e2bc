//! The engine's limits, with the reason for each number.

use std::time::Duration;

use model::time::Span;

/// Places in the queue before a writer: a command takes one, and one more for each KiB of details or metadata, until it is answered.
/// Four groups: about a tenth of a second of the writer's work, and ≈ 50 MB at most, but for one submission that is larger by itself.
pub const QUEUE_COMMANDS: usize = 32_768;
/// How long a caller waits for a place in a full queue before it is told to come again.
pub const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// What a caller is told to wait when there was no place, or when storage fails.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Places that a group gathers: what a group stores besides its entries costs less the more there are, and this is some 0.03 s of work. A
/// quarter of the queue: one group is written, one decided, one waits, and the last is on its way from the callers that were just
/// answered. One larger submission is a group by itself.
pub const GROUP_COMMANDS: usize = 8_192;
/// Places of a group that is written behind while the next is decided. A smaller one is not worth the two hand-overs between
/// threads, and its callers would wait for each other's groups.
pub(super) const BEHIND_COMMANDS: usize = 512;
/// How often a group whose outcome is unknown is tried again before its callers are told so.
pub(super) const COMMIT_TRIES: u32 = 3;
/// Pause before the first such try; doubled for each further one.
pub(super) const COMMIT_PAUSE: Duration = Duration::from_millis(20);
/// How long a group in whose way another writer stays is taken apart until only those who meet it fail: most are found in a few steps of
/// some milliseconds, and a client's patience is longer. Then what is left of it fails together.
pub(super) const CONTENDED_WAIT: Duration = Duration::from_secs(2);
/// Longest that it takes to see what another node has written when nobody tells of it: what a lost wake-up costs.
pub(super) const POLL: Duration = Duration::from_millis(200);
/// Entries that the feed holds for who follows the log: no more than a live stream's buffer takes at once, so that a reader who keeps up is not
/// filled by one look. At 2,000 wanted entries a second, fifty looks. What comes beyond is read from the log, a page as large at a time.
pub const FEED_ENTRIES: usize = 1_000;
/// Bytes of them: far more than as many of a usual size, and a bound for those that are as long as one may be. As much may be on its way
/// from each writer and to the follower.
pub(super) const FEED_BYTES: usize = 4 * 1024 * 1024;
/// Between two looks for definitions of lifecycles that are not known: whoever asks for one that nobody has costs a connection.
pub(super) const RENEW_PAUSE: Duration = Duration::from_secs(1);
/// How long an order is left alone that does not do what is due of it, as the server fails on it: finding it out costs a dozen commits, and
/// whoever mends the cause waits no longer than this.
pub(super) const LEFT_OUT_FOR: Span = Span::from_seconds(300);
/// Such orders remembered: more of them, and the store is to be mended first. With a page of what is due they are few enough to be read in
/// one query.
pub(super) const LEFT_OUT_ORDERS: usize = 4_096;
/// Random ids tried for a new order before it fails: the chance of one being taken is below 1 in 10,000.
pub(super) const ID_TRIES: u32 = 8;
/// Refused commands kept of one principal: enough for a device that reports wrongly for weeks to be looked into, and at most
/// ≈ 2 GB of a sender that means harm. Of several writers each may add a group's worth before it sees what the others kept.
pub const DEAD_LETTERS_PER_PRINCIPAL: u64 = 100_000;
/// Receipts of batches kept of one principal, one of many rejected events counting once more for each KiB: a batch every 2.6 seconds for
/// the thirty days that they are kept, and ≈ 1.5 GB of a sender that means harm. Of several writers, as above.
pub const BATCH_RECEIPTS_PER_PRINCIPAL: u64 = 1_000_000;
/// Numbers of parties remembered by their names: some 10 MB at most. Those forgotten are asked for again.
pub(super) const KNOWN_PARTIES: usize = 100_000;
