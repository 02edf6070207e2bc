//! Copying the write-ahead log back into the database, beside the writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::SqliteOptions;
use super::connect::Database;
use super::held::Held;
use crate::error::{Error, OpenError, Trouble};
use crate::limits::{BUSY_WAIT, CHECKPOINT_IDLE, GIVE_WAY_PAUSE, MAX_GIVE_WAY, PAGE_BYTES};

/// Bytes of a frame of the log beside its page.
const FRAME_HEADER_BYTES: u64 = 24;

/// The checkpoint thread and what it says to the writer.
pub(super) struct Checkpointer {
    state: Mutex<State>,
    changed: Condvar,
    /// The log is over its bound: the writer stands back before its next group.
    must_give_way: AtomicBool,
    held: Held,
    checkpoint_frames: u64,
    max_frames: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    written: bool,
    stop: bool,
}

/// What SQLite answers to `wal_checkpoint`: whether somebody was in the way, frames in the log, and frames copied.
struct Progress {
    busy: bool,
    frames: u64,
    copied: u64,
}

impl Progress {
    const fn is_complete(&self) -> bool {
        self.copied == self.frames
    }

    const fn left(&self) -> u64 {
        self.frames.saturating_sub(self.copied)
    }
}

impl Checkpointer {
    pub(super) fn start(database: &Database, options: &SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let checkpointer = Self::idle(options);
        let connection = database
            .connect_writer()
            .map_err(|error| database.open_error(error))?;
        let shared = checkpointer.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || shared.run(&connection))
            .map_err(|error| {
                database.open_error(Error::Unavailable {
                    trouble: Trouble::Failed,
                    detail: error.to_string(),
                })
            })?;
        *lock(&checkpointer.thread) = Some(thread);
        Ok(checkpointer)
    }

    /// Without a thread: for a store that is only read.
    pub(super) fn idle(options: &SqliteOptions) -> Arc<Self> {
        let frames = |bytes: u64| (bytes / (u64::from(PAGE_BYTES) + FRAME_HEADER_BYTES)).max(1);
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            must_give_way: AtomicBool::new(false),
            held: Held::default(),
            checkpoint_frames: frames(options.checkpoint_bytes),
            max_frames: frames(options.max_wal_bytes),
            thread: Mutex::default(),
        })
    }

    /// A group was committed.
    pub(super) fn wrote(&self) {
        lock(&self.state).written = true;
        self.changed.notify_one();
    }

    /// Before a group: where the log is over its bound, copies the rest and begins it anew. The thread has copied most of it.
    ///
    /// While nothing is written, readers that come see the whole log and are in nobody's way, and those that came before
    /// are soon gone. One that is not, of another process, is not waited for: the log grows until that one ends.
    pub(super) fn give_way(&self, writer: &Connection) {
        if !self.must_give_way.swap(false, Ordering::AcqRel) {
            return;
        }
        // `RESTART` by itself would wait for a moment without readers, which may never come.
        if writer.busy_timeout(Duration::ZERO).is_err() {
            return;
        }
        let began = Instant::now();
        while began.elapsed() < MAX_GIVE_WAY && !self.held.for_long() && !self.begins_anew(writer) {
            std::thread::sleep(GIVE_WAY_PAUSE);
        }
        // Cannot fail where the same call has just succeeded.
        drop(writer.busy_timeout(BUSY_WAIT));
    }

    fn begins_anew(&self, writer: &Connection) -> bool {
        let Ok(done) = run_checkpoint(writer, "PASSIVE") else {
            return false;
        };
        // Should it fail, the log grows on and the next round tries again.
        let begun = done.is_complete() && !run_checkpoint(writer, "RESTART").is_ok_and(|done| done.busy);
        self.held.note(done.copied, !begun);
        begun
    }

    /// Ends the thread after a last checkpoint.
    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.changed.notify_one();
        if let Some(thread) = lock(&self.thread).take() {
            drop(thread.join());
        }
    }

    fn run(&self, connection: &Connection) {
        let mut pending = false;
        loop {
            let (written, stop) = self.wait(pending);
            if stop {
                drop(run_checkpoint(connection, "TRUNCATE"));
                return;
            }
            let idle = pending && !written;
            pending = written || pending;
            if let Ok(complete) = self.round(connection, idle) {
                pending = pending && !complete;
            }
        }
    }

    /// Copies the log if it is time. Whether all of it is copied.
    fn round(&self, connection: &Connection, idle: bool) -> Result<bool, Error> {
        if self.held.is_to_be_left() {
            return Ok(false);
        }
        let (mut progress, mut complete) = (run_checkpoint(connection, "NOOP")?, false);
        while idle || progress.left() >= self.checkpoint_frames {
            let before = progress.left();
            let done = run_checkpoint(connection, "PASSIVE")?;
            complete = done.is_complete();
            self.held.note(done.copied, !complete);
            progress = run_checkpoint(connection, "NOOP")?;
            // A log that a long reader has left is worked off here, not by the writer, as long as it gets shorter.
            if idle || !complete || progress.left() > before / 2 {
                break;
            }
        }
        if progress.frames >= self.max_frames && !self.held.for_long() {
            self.must_give_way.store(true, Ordering::Release);
        }
        Ok(complete)
    }

    /// Waits for a commit, an end, or, where something is pending, for nothing to have come for a while.
    fn wait(&self, pending: bool) -> (bool, bool) {
        let state = lock(&self.state);
        let asleep = |state: &mut State| !state.written && !state.stop;
        let mut state = if pending {
            let waited = self.changed.wait_timeout_while(state, CHECKPOINT_IDLE, asleep);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.changed
                .wait_while(state, asleep)
                .unwrap_or_else(PoisonError::into_inner)
        };
        (std::mem::take(&mut state.written), state.stop)
    }
}

/// Runs a checkpoint, as far as readers let it. Fails where another is running.
fn run_checkpoint(connection: &Connection, mode: &str) -> Result<Progress, Error> {
    let (busy, frames, copied): (i64, i64, i64) =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    match (u64::try_from(frames), u64::try_from(copied)) {
        (Ok(frames), Ok(copied)) => Ok(Progress {
            busy: busy != 0,
            frames,
            copied,
        }),
        (_, _) => Err(Error::Unavailable {
            trouble: Trouble::Busy,
            detail: "another checkpoint is running".to_owned(),
        }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
