//! Threads for connections that were taken over, beside those of requests.
//!
//! Thousands of streams may have something to say at the same time. A request would wait behind all of them in one queue; with threads of their own
//! they share the cores with requests by the system's own measure of fairness.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

use super::limits::CORES_PER_STREAM_THREAD;

/// The threads. They end when this is dropped, and with them whatever still runs on them.
pub(super) struct StreamThreads {
    handle: Handle,
    /// `None` once they end.
    runtime: Option<Runtime>,
}

impl StreamThreads {
    /// See [`CORES_PER_STREAM_THREAD`].
    pub(super) fn start() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.div_ceil(CORES_PER_STREAM_THREAD))
            .thread_name("stream")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for StreamThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not waited for: this may be dropped where nothing may block.
            runtime.shutdown_background();
        }
    }
}

/// Has these threads do the work, and waits for its end. Dropped meanwhile, the work is given up.
pub(super) async fn run_on(threads: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, threads);
    let ended = tasks.join_next().await;
    if matches!(ended, Some(Err(error)) if error.is_panic()) {
        tracing::error!("a live stream failed and was cut");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_that_fails_is_over_and_what_waits_for_it_goes_on() {
        let threads = StreamThreads::start().unwrap();
        run_on(threads.handle(), async { panic!("made up") }).await;
        let (tell, told) = tokio::sync::oneshot::channel();
        run_on(threads.handle(), async { tell.send(()).unwrap() }).await;
        told.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_given_up() {
        let threads = StreamThreads::start().unwrap();
        let held = Arc::new(());
        let of_work = held.clone();
        let work = async move {
            let _held = of_work;
            pending::<()>().await;
        };
        let waited = tokio::time::timeout(Duration::from_millis(20), run_on(threads.handle(), work)).await;
        assert!(waited.is_err(), "it has no end");
        let is_gone = async {
            while Arc::strong_count(&held) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_gone)
            .await
            .unwrap();
    }
}
