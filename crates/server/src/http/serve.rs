//! Connections: accepted in bounded number, read at a bounded pace, and ended in an orderly way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntGauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::bare_errors::BareErrors;
use super::limits::{HEADER_BYTES, HEADER_TIME, HEADERS};
use super::lingering::Lingering;
use super::stream_threads::run_on;
use super::taken_over::Left;
use super::unread::Unread;

/// Pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How connections are let in.
pub(super) struct Door {
    /// As many there may be at once.
    pub(super) limit: usize,
    /// As many there are.
    pub(super) taken: IntGauge,
    /// A client that takes nothing of its answer for so long is given up.
    pub(super) unread_time: Duration,
    /// What serves connections that are taken over.
    pub(super) stream_threads: Handle,
}

/// Serves until `shutdown` ends, then finishes what is under way, for at most `grace`. Whether all of it was finished.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    door: Door,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> bool {
    let places = Arc::new(Semaphore::new(door.limit));
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        // Those that ended, so that their remains do not pile up.
        while tasks.try_join_next().is_some() {}
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let stream_threads = door.stream_threads.clone();
        let connection = connection(
            stream,
            peer,
            router.clone(),
            door.unread_time,
            stream_threads,
            stopped.clone(),
        );
        door.taken.inc();
        let taken = door.taken.clone();
        tasks.spawn(async move {
            connection.await;
            taken.dec();
            drop(place);
        });
    }
    drop(listener);
    stop.send_replace(true);
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(grace, ended).await.is_ok()
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // An answer is written whole: waiting for more to send would only delay it.
            stream.set_nodelay(true).ok();
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(error.detail = %error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Serves a connection, and then what it is taken over for.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    unread_time: Duration,
    stream_threads: Handle,
    mut stopped: watch::Receiver<bool>,
) {
    let left = Left::default();
    let answers = left.clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (router, left) = (router.clone(), answers.clone());
        async move {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            match left.take(router.oneshot(request).await?) {
                Some(response) => Ok::<_, Infallible>(response),
                // The library is asked for nothing more.
                None => std::future::pending().await,
            }
        }
    });
    let stream = Unread::over(BareErrors::over(Lingering::over(stream)), unread_time);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // On the heap, and gone before what it is taken over for begins.
    let mut connection = Box::new(connection);
    let stop = async {
        stopped.wait_for(|stopped| *stopped).await.ok();
    };
    // What a client does wrong with its own connection is its own affair.
    let is_stopping = tokio::select! {
        _ = &mut connection => return,
        () = left.wait() => false,
        () = stop => true,
    };
    if is_stopping {
        Pin::new(&mut *connection).graceful_shutdown();
        tokio::select! {
            _ = &mut connection => return,
            () = left.wait() => {}
        }
    }
    let parts = connection.into_parts();
    let (io, came) = (parts.io.into_inner(), parts.read_buf);
    drop(parts.service);
    run_on(&stream_threads, async move { left.go_on(io, came).await }).await;
}
