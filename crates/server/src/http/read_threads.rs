//! Threads that read from the store, beside the async ones: a read may wait for the disk.
//!
//! They are as many as the store has readers, and go from one read to the next without sleeping while there are any: to wake a
//! thread for each costs more than most reads do. The queue needs no bound of its own: a request waits for its one
//! read, and requests are bounded by [`super::limits::CONNECTIONS`].

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when this is dropped.
pub(crate) struct ReadThreads(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    ended: bool,
}

impl ReadThreads {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        // Made first: if a thread cannot be started, those before it end with it.
        let all = Self(Arc::default());
        for _ in 0..threads {
            let shared = all.0.clone();
            std::thread::Builder::new()
                .name("reader".to_owned())
                .spawn(move || shared.work())?;
        }
        Ok(all)
    }

    /// Runs a job on one of them; `None` if it panicked. A job whose caller has gone away is left out.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !reply.is_closed() {
                reply.send(job()).ok();
            }
        });
        self.0.lock().jobs.push_back(job);
        self.0.changed.notify_one();
        answer.await.ok()
    }
}

impl Drop for ReadThreads {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            // The panic was reported when it happened, and its caller learns of it: the next job has nothing to do with it.
            catch_unwind(AssertUnwindSafe(job)).ok();
        }
    }

    fn next(&self) -> Option<Job> {
        let idle = |queue: &mut Queue| queue.jobs.is_empty() && !queue.ended;
        let waited = self.changed.wait_while(self.lock(), idle);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_is_told_so_and_those_after_it_are_done() {
        let threads = ReadThreads::start(1).unwrap();
        assert_eq!(threads.run(|| panic!("on purpose")).await, None::<u8>);
        assert_eq!(threads.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn more_reads_than_threads_are_all_answered() {
        let threads = ReadThreads::start(2).unwrap();
        let reads = (0..100).map(|number| threads.run(move || number));
        let answers = futures_util::future::join_all(reads).await;
        assert_eq!(answers, (0..100).map(Some).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_threads_end_with_their_owner() {
        let threads = ReadThreads::start(2).unwrap();
        let shared = Arc::downgrade(&threads.0);
        drop(threads);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
