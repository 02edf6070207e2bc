//! Threads for connections that were taken over, beside those of requests.
//!
//! Thousands of streams may have something to say at the same time. A request would wait behind all of them in one queue; with threads of their own
//! they take their share of the cores, and no more.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// The threads. They end when this is dropped, and with them whatever still runs on them.
pub(super) struct StreamThreads {
    handle: Handle,
    /// `None` once they end.
    runtime: Option<Runtime>,
}

impl StreamThreads {
    /// Half as many as there are cores.
    pub(super) fn start() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.div_ceil(2))
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
    if let Some(Err(error)) = tasks.join_next().await {
        tracing::error!(error.detail = %error, "a live stream failed");
    }
}
