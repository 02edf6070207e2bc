//! Every limit of the HTTP front, with the reason for its number.

use std::time::Duration;

/// A body (wire contract §1).
pub const BODY_BYTES: usize = 1024 * 1024;
/// The body of a batch (wire contract §1).
pub const BATCH_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Entries of a batch (wire contract §2).
pub const BATCH_ENTRIES: usize = 10_000;
/// One line of an NDJSON stream (wire contract §1).
pub const LINE_BYTES: usize = 64 * 1024;
/// Nesting of JSON (wire contract §1).
pub const JSON_DEPTH: usize = 64;
/// Bodies and lines in memory at once, over all requests: eight batches of the largest size.
pub const BODIES_IN_MEMORY_BYTES: usize = 128 * 1024 * 1024;
/// Slower than [`SLOWEST_BYTES`] in this time, and the sender is given up (wire contract §2).
pub const SLOWEST_TIME: Duration = Duration::from_secs(10);
/// See [`SLOWEST_TIME`].
pub const SLOWEST_BYTES: usize = 1024;
/// An answer given before its request had come is followed by silence of this length before the connection is cut.
pub const LINGER_PAUSE: Duration = Duration::from_millis(500);
/// And by at most this, if the sender goes on: at 1 Gbit/s, more than the largest batch.
pub const LINGER_TIME: Duration = Duration::from_secs(2);
/// The request line and all headers: a token of 8 KiB and a URL of as much, and ample room.
pub const HEADER_BYTES: usize = 64 * 1024;
/// Headers of a request.
pub const HEADERS: usize = 100;
/// The headers of a request must have come by then; also how long a connection may be idle.
pub const HEADER_TIME: Duration = Duration::from_secs(30);
/// Connections at once: each costs some 20 KiB, and one more waits to be accepted. Fewer where the process may not open as many files.
pub const CONNECTIONS: usize = 20_000;
/// Files that are not for connections: some 30 of the store, the listeners, the log and the runtime, [`METRICS_CONNECTIONS`], and as many
/// again for what is open for a moment only.
pub const FILES_RESERVED: usize = 128;
/// Connections at once to the metrics' own address: a few scrapers and whoever looks by hand.
pub const METRICS_CONNECTIONS: usize = 32;
/// A token (wire contract §1).
pub const TOKEN_BYTES: usize = 8 * 1024;
/// An idempotency key (wire contract §1).
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How long the answer to a request with a key is kept (wire contract §1).
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long the receipt of a batch is kept (wire contract §2).
pub const BATCH_RECEIPTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// When to come again with a batch for whose receipt there was no room: some will have gone by then.
pub const BATCH_RECEIPTS_WAIT: Duration = Duration::from_secs(3600);
/// A request id that is taken over from the caller: longer or stranger ones are replaced.
pub const REQUEST_ID_CHARS: usize = 128;
/// Field problems listed in one error.
pub const LISTED_FIELD_PROBLEMS: usize = 100;
/// Rejected entries of a batch that are listed (wire contract §2).
pub const LISTED_REJECTED: usize = 1_000;
/// Checks of passwords that may wait for their turn; at two a time and ≈ 20 ms each, under a second.
pub const PASSWORDS_WAITING: usize = 64;
/// Passwords checked at once: each takes 19 MiB and a core.
pub const PASSWORDS_AT_ONCE: usize = 2;
/// Wrong passwords for one name that cost no waiting: who has forgotten the own one tries a handful, and a hundred in a row are too many (NIST SP
/// 800-63B, 5.2.2).
pub const LOGIN_FREE_BY_NAME: u32 = 20;
/// The same from one address, for all names: an office behind one address has more people than one.
pub const LOGIN_FREE_BY_ADDRESS: u32 = 100;
/// The longest that a further try has to wait: an attacker keeps the owner out for no longer, and guesses twelve times an hour from each
/// address.
pub const LOGIN_LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The same for an address: the many who may share it are let in one after the other, and whoever tries one password on many names still
/// does so three thousand times a day at most.
pub const LOGIN_LONGEST_WAIT_BY_ADDRESS: Duration = Duration::from_secs(30);
/// Without another wrong one for so long, those before count no more.
pub const LOGIN_FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// Names, addresses, and pairs of them of which wrong passwords are remembered, at least; at most twice as many, some 15 MB.
pub const LOGINS_REMEMBERED: usize = 25_000;
/// How long a token is valid (wire contract §2).
pub const TOKEN_LIFE: Duration = Duration::from_secs(86_400);
/// Between two signs of life on a live stream that has nothing to say (wire contract §5).
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// What an answer without an end says at once before that goes out: some messages.
pub const SAID_AT_ONCE_BYTES: usize = 4 * 1024;
/// Cores for each thread that serves live streams: half of them may be busy with streams, and requests find as many. 200,000 messages a
/// second to a hundred streams take a third of one.
pub const CORES_PER_STREAM_THREAD: usize = 2;
/// Pieces of 256 bytes that are read at once, and dropped, of a client that is being told something.
pub const READ_AND_DROPPED_AT_ONCE: usize = 16;
/// Live streams of one principal: a twentieth of all connections. A service that tells many others needs one; a person has a few tabs.
pub const STREAMS_PER_PRINCIPAL: usize = 1_000;
/// How long a ticket for a WebSocket is good (wire contract §5).
pub const TICKET_LIFE: Duration = Duration::from_secs(30);
/// How long the first message of a WebSocket may take that says who is there (wire contract §5).
pub const FIRST_MESSAGE_TIME: Duration = Duration::from_secs(5);
/// A message that comes over a WebSocket: the first, with a token of 8 KiB and every filter there is.
pub const SOCKET_MESSAGE_BYTES: usize = 16 * 1024;
/// What a WebSocket reads into, and gathers before it writes: some messages of a usual size. Each socket has both.
pub const SOCKET_BUFFER_BYTES: usize = 2 * 1024;
/// What may wait to be written to a WebSocket that takes no more at the moment: the longest message, with 16 KiB of metadata, and some more.
pub const SOCKET_WAITING_BYTES: usize = 64 * 1024;
/// Messages written to a WebSocket at once before it is looked at what came from it.
pub const SOCKET_TOLD_AT_ONCE: usize = 32;
/// How long the last words to a WebSocket may take.
pub const SOCKET_CLOSE_TIME: Duration = Duration::from_secs(2);
/// Heartbeats that may go unanswered before a WebSocket is given up: a minute.
pub const SOCKET_SILENT_BEATS: u32 = 4;
/// Between two looks, while there are live streams, whether another node has changed anything about accounts: with what is then asked,
/// within the second that a revocation may take (wire contract §1).
pub const ACCOUNTS_POLL: Duration = Duration::from_millis(400);
/// Lines of the trail looked at each time: one is usual. Where all are new, everybody is asked for.
pub const TRAIL_LOOK: u32 = 32;
/// Lines of the trail that are known to have been seen.
pub const TRAIL_SEEN: usize = 1_024;
/// Principals asked for in one read: some 5 ms.
pub const ASKED_AT_ONCE: usize = 200;
/// Over how long those come back who are sent away because the server stops, from a second on.
pub const COME_BACK: Duration = Duration::from_secs(4);
/// A name that is asked for.
pub const NAME_CHARS: usize = 320;
/// How much longer than its token a revocation is kept: a node whose clock is behind takes the token for a valid one as long.
pub const REVOCATIONS_KEPT: Duration = Duration::from_secs(3_600);
/// What is known of a token is asked anew after this time: a revocation on another node holds then (wire contract §1).
pub const SESSION_FRESH: Duration = Duration::from_millis(900);
/// Tokens of which that is remembered.
pub const SESSIONS: usize = 20_000;
/// A page of `/shipments` (wire contract §2), and how many it has if nothing is said.
pub const SHIPMENTS_PAGE: u32 = 100;
/// See [`SHIPMENTS_PAGE`].
pub const SHIPMENTS_PAGE_DEFAULT: u32 = 10;
/// A page of every other list (wire contract §1), and how many it has if nothing is said.
pub const PAGE: u32 = 500;
/// See [`PAGE`].
pub const PAGE_DEFAULT: u32 = 50;
/// Events of a stream that are handed to the engine at once: enough to fill a commit, and 10 ms of its work.
pub const STREAM_GROUP: usize = 1_000;
/// Bytes of such a group, over which it is handed in with fewer events: some 1,000 events of a usual size.
pub const STREAM_GROUP_BYTES: usize = 1024 * 1024;
/// Groups of one stream under way: so many that a group of the writer's is written, one decided, and one waits, while those that were
/// just answered are followed by others. They leave an eighth of the queue for everybody else at once; a second stream waits its turn.
pub const STREAM_GROUPS: usize = 28;
/// Addresses and descriptions (wire contract §1).
pub const ADDRESS_CHARS: usize = 500;
/// Items of one order: more is a warehouse's list, and each is shown wherever the order is.
pub const ORDER_ITEMS: usize = 1_000;
/// Of one item: a slip of the finger is far above it, and sums over an order's items fit 32 bits.
pub const ITEM_QUANTITY: u32 = 1_000_000;
/// Orders read from the store at a time for a page: each may have details of a body's size.
pub const ORDERS_AT_ONCE: usize = 50;
/// Details over which a page of orders ends before its limit: far more than orders of a usual size come to.
pub const ORDERS_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Records of the trail looked at for one page that is filtered: some 20 ms, far from the longest read. A page may have fewer
/// than it could, and still a next one.
pub const AUDIT_SCAN: u32 = 10_000;
/// Records of the trail read at a time.
pub const AUDIT_CHUNK: u32 = 500;
/// The trail is in the order of its records, and so of their times but for a clock that was set back; by up to so much, no record is
/// missed.
pub const AUDIT_CLOCK_SLACK: Duration = Duration::from_secs(24 * 3600);
