//! Every limit of the store, with the reason for its number.

use std::time::Duration;

use model::time::Span;

/// A page of the database. With 8 KiB its trees stay three pages deep up to some ten million entries; with 4 KiB they are four
/// there, and every look-up pays for it. See `docs/adr/0002-storage.md`.
pub const PAGE_BYTES: u32 = 8_192;
/// Longest life of a read transaction: older ones would keep the write-ahead log from being reused.
pub const MAX_READ: Duration = Duration::from_secs(1);
/// Reading connections: enough to keep two cores busy, each holds a few pages.
pub const READERS: usize = 4;
/// A checkpoint is begun when the write-ahead log has grown by this: a page that many groups touch is copied once.
pub const CHECKPOINT_BYTES: u64 = 32 << 20;
/// Above this the writer waits for a checkpoint: bounds disk, and the time a start needs after a crash.
pub const MAX_WAL_BYTES: u64 = 128 << 20;
/// What is kept of a log file that has grown longer, once the log begins anew: twice the bound, so that only a log that a
/// long reader, such as a backup, has let grow is cut.
pub const KEPT_WAL_BYTES: u64 = 2 * MAX_WAL_BYTES;
/// How far the log may grow while a backup is copied, unless another bound is named: the backup gives up then, before it
/// fills the server's disk. Thirty times what the log held when 600 MB were copied beside ingest at full speed.
pub const BACKUP_LOG_BYTES: u64 = 4 << 30;
/// Pages that a backup copies between two looks at the log: 4 MiB.
pub const BACKUP_STEP_PAGES: i32 = 512;
/// Bytes that a restore copies at once.
pub const RESTORE_STEP_BYTES: usize = 1 << 20;
/// A log with nothing new for this long is checkpointed whatever its size, so that the next start is quick.
pub const CHECKPOINT_IDLE: Duration = Duration::from_millis(500);
/// Longest that a group waits for the log to be copied: readers that came before are gone by then.
pub const MAX_GIVE_WAY: Duration = Duration::from_millis(1_500);
/// Between two looks at whether they are: well below a group's own time on a slow disk.
pub const GIVE_WAY_PAUSE: Duration = Duration::from_millis(2);
/// The latest orders whose heads the writer keeps in memory for certain; at most twice as many, of ≈ 330 bytes each.
pub const CACHED_HEADS: usize = 128 * 1024;
/// Principals of whom the writer remembers how many receipts are kept: some 200 KiB. Those forgotten are asked for again.
pub const CACHED_RECEIPT_COUNTS: usize = 4_096;
/// Heads of a group that may be on its way while the next one is decided, and names that this one may have to look up: memory
/// then holds what both have touched.
pub const HEADS_ON_THEIR_WAY: usize = CACHED_HEADS / 4;
/// Heads that are not in their table yet, at most by two groups': readers look through them, and a start reads them.
pub const DEFERRED_HEADS: usize = 128 * 1024;
/// Within so many changes of heads every deferred head is written: bounds what is stored of them to twice as many, of ≈ 80
/// bytes each (up to 560, of orders with many reports).
pub const DEFERRED_ROUND: usize = 256 * 1024;
/// Deferred heads written at once when a store is closed.
pub const DEFERRED_AT_ONCE: usize = 4_096;
/// How long a folder's lock is waited for before it counts as another's.
pub const LOCK_WAIT: Duration = Duration::from_millis(300);
/// Between two tries to take it.
pub const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How long a connection waits for another process that holds a lock for a moment.
pub const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Page cache of the writer, and of each reader: grows with use only.
pub const WRITER_CACHE_KIB: i64 = 64 * 1024;
/// How much of the database a reader maps instead of copying its pages: address space, and memory that the system can
/// take back. Reading any of two million orders is half as fast again. The writer maps nothing: its errors must be errors.
pub const READER_MAP_BYTES: i64 = 16 << 30;
/// See [`WRITER_CACHE_KIB`].
pub const READER_CACHE_KIB: i64 = 8 * 1024;
/// Rows that a paged read returns at most.
pub const MAX_PAGE: u32 = 10_000;
/// Orders that a page by key looks at, at most, before it says where to go on: with a look-up or two each, well below
/// [`MAX_READ`] also where none is in memory.
pub const PAGE_SCAN: u32 = 10_000;
/// How far the times of creations may be out of the order of keys: by the clocks of nodes, and by the blocks of keys that
/// writers take. A page of some time looks at so much more on both sides.
pub const CREATION_SLACK: Span = Span::from_seconds(10 * 60);
/// Keys at which it is asked at once when orders were made, to find those of some time: in 2^32 orders that is five times.
pub const CREATION_PROBES: i64 = 63;
/// Entries that a read of the wanted part of the log gives at most: 17 MB, were each as long as one may be.
pub const FOLLOWED_ENTRIES: u32 = 1_000;
/// Keys in a block, within which orders are counted by status: a page of a list looks at no more heads than this for an
/// order that it shows, and a group of young orders touches a row or two a status. Stored: it never changes.
pub const BLOCK_ORDERS: i64 = 4_096;

/// Rows that are copied to another database at once: enough that a sync each is nothing, and a second at most that is done anew.
pub const COPIED_ROWS: usize = 20_000;
/// About how many bytes of them, as a receipt or a refused submission may be long: they are in memory meanwhile.
pub const COPIED_BYTES: usize = 16 << 20;

/// PostgreSQL: how long logging in may take before the server counts as out of reach.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Longest that a writer's statement may run: the largest group takes a second or two on a busy server.
pub const WRITE_STATEMENT: Duration = Duration::from_secs(30);
/// Longest that a writer waits for rows that another writer has locked: longer than a node that stands still can hold them, see
/// [`IDLE_IN_GROUP`].
pub const LOCK_PATIENCE: Duration = Duration::from_secs(8);
/// Longest that a session may stand idle within a transaction before the server ends it. It bounds how long a node that is
/// stopped or cut off in the middle of a group keeps others from its orders, and from the end of the log.
pub const IDLE_IN_GROUP: Duration = Duration::from_secs(5);
/// How much longer than the server's own bound an answer is waited for, before the connection counts as dead.
pub const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// Silence on a connection after which the other side is asked for a sign of life, and given up.
pub const KEEPALIVE: Duration = Duration::from_secs(15);
/// Between two times that a node tells the others that it has written: a person notices nothing, and a node that commits
/// without pause costs the server a hundred short transactions a second at most.
pub const ANNOUNCE_PAUSE: Duration = Duration::from_millis(10);
/// Before a node tells the others again after it could not.
pub const ANNOUNCE_AGAIN: Duration = Duration::from_secs(1);
/// Before a listener's lost connection is made again, and between two tries: a server that restarts is back within a second or so.
pub const LISTEN_PAUSE: Duration = Duration::from_millis(100);
/// Longest that a listener waits, whatever it was told: nobody waits without an end.
pub const LONGEST_LISTENING: Duration = Duration::from_secs(60 * 60);
/// Longest that telling others, and beginning to listen, may take: neither touches a table.
pub const NEWS_STATEMENT: Duration = Duration::from_secs(2);
/// How long a replica may take to let us in, or to say how far it is, before the primary is read instead: what the one reader pays
/// who finds out that a replica is lost.
pub const REPLICA_PATIENCE: Duration = Duration::from_secs(1);
/// Before a replica that was lost is asked again: one read in so long a time may be slower by [`REPLICA_PATIENCE`].
pub const REPLICA_PAUSE: Duration = Duration::from_secs(10);
/// How long the end of a lost session is waited for: only then it is known whether its last commit is there.
pub const SESSION_END_WAIT: Duration = Duration::from_secs(3);
/// Between two looks at whether it has ended.
pub const SESSION_END_PAUSE: Duration = Duration::from_millis(20);
/// Longest that a caller waits for a reading connection when all are lent: longer than any read.
pub const READER_WAIT: Duration = Duration::from_secs(4);
/// How long nodes that start at once wait for the one that brings the schema up to date.
pub const MIGRATION_WAIT: Duration = Duration::from_secs(60);
/// Writers of all nodes together. Each is a connection, of which a server has a few hundred.
pub const MAX_WRITERS: i32 = 1_024;
/// Keys taken from the database at once: little for a group that makes one order, and more each time it is not enough, so
/// that the largest needs four round trips.
pub const FIRST_BLOCK: i64 = 64;
/// See [`FIRST_BLOCK`].
pub const LARGEST_BLOCK: i64 = 4_096;
/// How long a migration may take, which reads and writes what it must.
pub const MIGRATION: Duration = Duration::from_secs(24 * 60 * 60);
/// How long proving a whole table may take.
pub const WHOLE_TABLE: Duration = Duration::from_secs(24 * 60 * 60);
/// Entries of a partition that are read for its archive at once: more than one order can have, which is read whole, and some
/// 10 MB.
pub const ARCHIVED_ENTRIES: u32 = 20_000;
/// Longest that a partition that is detached may keep writers and readers waiting: it gives up its place in the queue then, and comes
/// again. Longer than a read (see [`MAX_READ`]), and than a server waits by default before it ends a vacuum that is in the way (1 s).
pub const ARCHIVE_STALL: Duration = Duration::from_millis(2_500);
/// Before a partition is tried to be detached again: those who waited are through by then.
pub const ARCHIVE_PAUSE: Duration = Duration::from_secs(3);
/// How often that is tried, some two minutes in all: what reads for longer (a dump, `waybill verify`) is for the operator to wait for.
pub const ARCHIVE_TRIES: u32 = 20;
/// Longest that who archives may do something else between two pages: the file of a whole partition is read back meanwhile, minutes
/// on a slow disk.
pub const ARCHIVE_IDLE: Duration = Duration::from_secs(60 * 60);
/// Orders that are named as the reason why a partition stays.
pub const ARCHIVE_NAMED: u32 = 20;
/// Places left in the log's last partition but one before another is made: half of a partition, minutes at any rate.
pub const PARTITION_AHEAD: i64 = 32 << 20;
