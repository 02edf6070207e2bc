//! The front door: the wire contract over HTTP/1.1.
//!
//! One file per resource, its routes beside its handlers. A handler reads a request, calls the engine or reads the store, and
//! says what came of it; `error` alone turns what happened inside into what callers are told. Nothing here writes to the store.

mod accounts;
mod auth;
mod bare_errors;
mod body;
mod dead_letters;
mod docs;
mod error;
mod event_time;
mod events;
mod fields;
mod food;
mod found;
mod front;
mod health;
mod home;
mod idempotency;
pub mod limits;
mod lingering;
mod measuring;
mod metrics;
mod openapi;
mod order_filter;
pub(crate) mod orders;
mod page;
mod places;
mod precondition;
mod problem;
mod query;
mod rate_limit;
mod raw_metadata;
mod read_threads;
mod serve;
mod shipments;
mod standing;
mod state;
mod stream;
mod stream_threads;
mod taken_over;
mod unread;

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::middleware;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;

use crate::engine::{Handle, Observer};
use crate::settings::{CorsOrigins, IpBlock};
use serve::Door;
use state::{AppState, Parts};
use stream_threads::StreamThreads;

pub use stream::StreamLimits;

/// Answers smaller than this are sent as they are: they fit into one packet.
const COMPRESSED_FROM_BYTES: u64 = 1_024;

/// What the front door is made of.
pub struct Options {
    /// Secrets of tokens, each at least 32 bytes: the first signs, all verify.
    pub jwt_secrets: Vec<String>,
    /// Reads that the store does side by side.
    pub readers: usize,
    /// Tokens of outside issuers count only for users known here.
    pub known_users_only: bool,
    /// Requests a minute and principal, or address; 0: no limit.
    pub rate_limit_per_minute: u32,
    /// What tracking numbers begin with.
    pub tracking_prefix: String,
    /// Food orders take no token.
    pub open_orders: bool,
    /// Proxies whose word on the caller's address is taken.
    pub trusted_proxies: Vec<IpBlock>,
    /// Origins that browsers may call from.
    pub cors_origins: CorsOrigins,
    /// Counters, made beforehand as the engine counts too.
    pub metrics: Metrics,
    /// Whether `/metrics` is served here.
    pub serve_metrics: bool,
    /// See [`limits::SLOWEST_TIME`], which is what it is but in tests.
    pub slowest_time: Duration,
    /// See [`limits::BODIES_IN_MEMORY_BYTES`]; the same.
    pub bodies_in_memory_bytes: usize,
    /// The same.
    pub streams: StreamLimits,
}

/// The server's counters.
#[derive(Clone)]
pub struct Metrics(metrics::Metrics);

/// The front door is built wrongly: a mistake in the code or in an option.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Counters that contradict each other.
    #[error("counters cannot be made: {0}")]
    Metrics(#[from] prometheus::Error),
    /// There is no secret to sign with.
    #[error("no secret to sign tokens with")]
    NoSecret,
    /// The system gives no threads to read with.
    #[error("the system gives no threads: {0}")]
    Threads(std::io::Error),
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// [`BuildError::Metrics`].
    pub fn new() -> Result<Self, BuildError> {
        Ok(Self(metrics::Metrics::new()?))
    }

    /// Counts what the engine does.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Box::new(self.0.clone())
    }
}

/// The front door.
pub struct Http {
    router: Router,
    state: AppState,
    stream_threads: StreamThreads,
}

impl Http {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(engine: Handle, options: Options) -> Result<Self, BuildError> {
        Self::build(engine, options, Router::new())
    }

    /// Builds it with the bench's baselines beside its own routes: `POST /measuring/parse` parses what `POST /events/batch` takes,
    /// `GET` and `POST /measuring/nothing` do nothing but ask who it is. For the bench alone.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn for_measuring(engine: Handle, options: Options) -> Result<Self, BuildError> {
        Self::build(engine, options, measuring::router())
    }

    /// Builds it with routes of the caller's beside its own, behind the same front.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_routes(engine: Handle, options: Options, more: Router) -> Result<Self, BuildError> {
        Self::build(engine, options, more.with_state(()))
    }

    fn build(engine: Handle, options: Options, more: Router<AppState>) -> Result<Self, BuildError> {
        let tokens = auth::Tokens::new(&options.jwt_secrets).ok_or(BuildError::NoSecret)?;
        let stream_threads = StreamThreads::start().map_err(BuildError::Threads)?;
        let read_threads = read_threads::ReadThreads::start(options.readers).map_err(BuildError::Threads)?;
        let state = AppState::new(Parts {
            readers: options.readers,
            engine,
            read_threads,
            auth: auth::Auth::new(tokens, options.known_users_only),
            rate_limit: rate_limit::RateLimit::per_minute(options.rate_limit_per_minute),
            metrics: options.metrics.0,
            tracking_prefix: options.tracking_prefix,
            open_orders: options.open_orders,
            trusted_proxies: options.trusted_proxies,
            stream_limits: options.streams,
            room: body::Room::of_bytes(options.bodies_in_memory_bytes, options.slowest_time),
        });
        let mut routes = routes();
        if options.serve_metrics {
            routes = routes.merge(metrics::router());
        }
        let (routes, openapi) = routes.split_for_parts();
        let openapi = openapi::finished(openapi);
        // Set here and nowhere else.
        state.openapi.set(openapi.into()).ok();
        let router = routes
            .merge(more)
            .fallback(front::unknown_path)
            .method_not_allowed_fallback(front::unknown_method)
            .with_state(state.clone())
            .layer(middleware::from_fn_with_state(state.clone(), front::front))
            .layer(CompressionLayer::new().compress_when(what_is_compressed()));
        let router = match cors(&options.cors_origins) {
            Some(cors) => router.layer(cors),
            None => router,
        };
        Ok(Self {
            router,
            state,
            stream_threads,
        })
    }

    /// Begins to follow the log for live streams, within a runtime, until it has served.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn follow_log(&self) -> std::io::Result<()> {
        self.state.live.start()
    }

    /// Serves until `shutdown` ends, then finishes what is under way. Whether that was done within `grace`.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
        grace: Duration,
    ) -> bool {
        let door = Door {
            limit: places::connections(),
            taken: self.state.metrics.connections.clone(),
            unread_time: self.state.room.slowest_time(),
            stream_threads: self.stream_threads.handle().clone(),
        };
        let live = self.state.live.clone();
        if let Err(error) = self.follow_log() {
            tracing::error!(error.detail = %error, "the system gives no thread to follow the log: live streams are not told of anything");
        }
        let shutdown = {
            let live = live.clone();
            async move {
                shutdown.await;
                live.shut_down();
            }
        };
        let tidy = async {
            loop {
                tokio::time::sleep(Duration::from_secs(60)).await;
                self.state.rate_limit.tidy();
            }
        };
        let finished = tokio::select! {
            finished = serve::serve(listener, self.router, door, shutdown, grace) => finished,
            () = tidy => true,
            () = self.state.watch.run(&self.state) => true,
        };
        // It reads from the store, which is closed next.
        tokio::task::spawn_blocking(move || live.end()).await.ok();
        finished
    }

    /// Only the metrics, for an address of their own, behind the same front: errors are told there as everywhere.
    pub fn metrics_router(&self) -> Router {
        let (routes, _) = metrics::router().split_for_parts();
        let state = &self.state;
        routes
            .fallback(metrics::elsewhere)
            .method_not_allowed_fallback(front::unknown_method)
            .with_state(state.clone())
            .layer(middleware::from_fn_with_state(state.clone(), front::front))
    }
}

/// Serves a router by itself: for the metrics' own address.
pub async fn serve_plain(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    if let Ok(taken) = prometheus::IntGauge::new("unused", "unused") {
        let door = Door {
            limit: limits::METRICS_CONNECTIONS,
            taken,
            unread_time: limits::SLOWEST_TIME,
            // There are no streams.
            stream_threads: tokio::runtime::Handle::current(),
        };
        serve::serve(listener, router, door, shutdown, Duration::from_secs(1)).await;
    }
}

/// The `OpenAPI` document of everything that is served.
#[must_use]
pub fn openapi_json() -> String {
    let (_, openapi) = routes().merge(metrics::router()).split_for_parts();
    openapi::finished(openapi)
}

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(home::router())
        .merge(docs::router())
        .merge(health::router())
        .merge(accounts::router())
        .merge(shipments::router())
        .merge(events::router())
        .merge(food::router())
        .merge(dead_letters::router())
        .merge(orders::router())
        .merge(stream::router())
}

/// Whatever is worth it, and does not come bit by bit.
fn what_is_compressed() -> impl Predicate {
    SizeAbove::new(COMPRESSED_FROM_BYTES).and(NotForContentType::SSE)
}

/// Closed where no origin is named.
fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    let allowed = match origins {
        CorsOrigins::Closed => return None,
        CorsOrigins::Any => AllowOrigin::any(),
        CorsOrigins::Listed(origins) => AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        ),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::HeaderName::from_static("idempotency-key"),
            header::HeaderName::from_static("last-event-id"),
            header::HeaderName::from_static("prefer"),
            header::HeaderName::from_static("x-request-id"),
            header::HeaderName::from_static("traceparent"),
            header::HeaderName::from_static("tracestate"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::LINK,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            header::HeaderName::from_static("preference-applied"),
            header::HeaderName::from_static("x-request-id"),
            header::HeaderName::from_static("ratelimit"),
            header::HeaderName::from_static("ratelimit-policy"),
            header::HeaderName::from_static("idempotent-replayed"),
        ])
        .max_age(Duration::from_secs(600));
    Some(layer)
}
