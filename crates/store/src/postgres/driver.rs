//! The thread that reads and writes the sockets of a store's sessions, and how other threads wait for what comes.
//!
//! PostgreSQL's client is made for tokio: here is all of tokio that there is. Whoever asks hands a statement over and
//! blocks, without any runtime of its own: so a session may be used on any thread, also on one that itself runs
//! asynchronous tasks, and nothing of a session's end has to be waited for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::news::Bell;

/// Ends with its last owner: a store, or a session that outlives it.
pub(super) struct Driver {
    runtime: Handle,
    /// When it is dropped, the thread ends.
    _stop: oneshot::Sender<()>,
}

/// Why there is no connection.
pub(super) enum ConnectError {
    Said(tokio_postgres::Error),
    TooSlow,
}

impl Driver {
    pub(super) fn start() -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || runtime.block_on(stopped).unwrap_or_default())?;
        Ok(Arc::new(Self {
            runtime: handle,
            _stop: stop,
        }))
    }

    /// Logs in. The handle ends the connection, whatever is under way on it; the bell rings with each notification.
    pub(super) fn connect(
        &self,
        (config, tls): (Config, MakeRustlsConnect),
        patience: Duration,
        bell: Option<Arc<Bell>>,
    ) -> Result<(Client, AbortHandle), ConnectError> {
        let connecting = self.runtime.spawn(async move { config.connect(tls).await });
        let abort = connecting.abort_handle();
        let (client, connection) = match wait(connecting, patience) {
            Some(Ok(connected)) => connected.map_err(ConnectError::Said)?,
            Some(Err(_)) | None => {
                abort.abort();
                return Err(ConnectError::TooSlow);
            }
        };
        // What ends it, the next statement finds.
        let connection = self.runtime.spawn(carry(connection, bell));
        Ok((client, connection.abort_handle()))
    }
}

/// Reads and writes a connection's socket until it ends.
async fn carry<S, T>(mut connection: Connection<S, T>, bell: Option<Arc<Bell>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let (AsyncMessage::Notification(_), Some(bell)) = (message, &bell) {
            bell.ring();
        }
    }
    if let Some(bell) = bell {
        bell.end();
    }
}

/// Blocks until the future is done, or gives it up.
pub(super) fn wait<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let ends_at = Instant::now() + patience;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
        let left = ends_at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
