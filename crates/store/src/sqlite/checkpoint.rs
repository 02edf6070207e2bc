//! Copying the write-ahead log back into the database, beside the writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::SqliteOptions;
use super::connect::Database;
use crate::error::{Error, OpenError, Trouble};
use crate::limits::{CHECKPOINT_IDLE, GIVE_WAY_PAUSE, MAX_GIVE_WAY, PAGE_BYTES};

/// Bytes of a frame of the log beside its page.
const FRAME_HEADER_BYTES: u64 = 24;

/// The checkpoint thread and what it says to the writer.
pub(super) struct Checkpointer {
    state: Mutex<State>,
    changed: Condvar,
    /// The log is over its bound: the writer stands back before its next group.
    must_give_way: AtomicBool,
    checkpoint_frames: u64,
    max_frames: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    written: bool,
    stop: bool,
}

/// What SQLite answers to `wal_checkpoint`: frames in the log, and frames copied.
struct Progress {
    frames: u64,
    copied: u64,
}

impl Progress {
    const fn is_complete(&self) -> bool {
        self.copied == self.frames
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
    /// are soon gone. `RESTART` by itself would wait for a moment without readers, which may never come.
    pub(super) fn give_way(&self, writer: &Connection) {
        if !self.must_give_way.swap(false, Ordering::AcqRel) {
            return;
        }
        let began = Instant::now();
        while began.elapsed() < MAX_GIVE_WAY {
            if run_checkpoint(writer, "PASSIVE").is_ok_and(|done| done.is_complete()) {
                // Should it fail, the log grows on and the next round tries again.
                drop(run_checkpoint(writer, "RESTART"));
                return;
            }
            std::thread::sleep(GIVE_WAY_PAUSE);
        }
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
            let Ok(progress) = run_checkpoint(connection, "NOOP") else {
                continue;
            };
            if idle || progress.frames.saturating_sub(progress.copied) >= self.checkpoint_frames {
                let done = run_checkpoint(connection, "PASSIVE");
                pending = !done.is_ok_and(|done| done.is_complete());
            }
            if progress.frames >= self.max_frames {
                self.must_give_way.store(true, Ordering::Release);
            }
        }
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
    let (frames, copied): (i64, i64) =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })?;
    match (u64::try_from(frames), u64::try_from(copied)) {
        (Ok(frames), Ok(copied)) => Ok(Progress { frames, copied }),
        (_, _) => Err(Error::Unavailable {
            trouble: Trouble::Busy,
            detail: "another checkpoint is running".to_owned(),
        }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
