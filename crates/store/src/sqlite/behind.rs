//! The thread that writes a group while the next one is decided. The core is handed over to it and comes back with what came of it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::core::{Core, Placed};
use crate::error::{Error, Trouble};

/// The core as it comes back.
pub(super) struct Done {
    pub(super) core: Box<Core>,
    pub(super) result: Result<(), Error>,
    /// What the commit took.
    pub(super) took: Duration,
}

pub(super) struct Behind {
    /// `None` once the thread is to end.
    jobs: Option<SyncSender<(Box<Core>, Placed)>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    pub(super) fn start() -> Result<Self, Error> {
        let (jobs, taken) = sync_channel::<(Box<Core>, Placed)>(1);
        let (give, done) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || {
                while let Ok((mut core, group)) = taken.recv() {
                    let began = Instant::now();
                    let result = core.commit(&group);
                    let took = began.elapsed();
                    // What it was made of goes while the next one is on its way.
                    if give.send(Done { core, result, took }).is_err() {
                        return;
                    }
                    drop(group);
                }
            })
            .map_err(|error| Error::Unavailable {
                trouble: Trouble::Failed,
                detail: error.to_string(),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            done,
            thread: Some(thread),
        })
    }

    pub(super) fn commit(&self, core: Box<Core>, group: Placed) -> Result<(), Error> {
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send((core, group)).map_err(|_| gone())
    }

    /// Waits for what was handed over. A panic of the thread goes on here: whoever watches this one is to see it.
    pub(super) fn wait(&mut self) -> Result<Done, Error> {
        let done = self.done.recv();
        if done.is_err()
            && let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
        done.map_err(|_| gone())
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Only a panic ends the thread before its time.
fn gone() -> Error {
    Error::Unavailable {
        trouble: Trouble::Failed,
        detail: "the thread that commits has ended".to_owned(),
    }
}
