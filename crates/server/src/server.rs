//! A server: the engine, the front door and what goes on beside them, built, run and stopped in order.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{App, StartError};
use crate::clock::{Clock, SystemClock};
use crate::engine::{Handle, Quotas};
use crate::housekeeping::Housekeeping;
use crate::http::{self, Http, Metrics, StreamLimits};
use crate::place::StorePlace;
use crate::secret_file;
use crate::settings::{Secret, Settings};
use crate::timers::Timers;

/// The part of the grace time that connections have to end.
const CONNECTIONS_GRACE: f64 = 0.75;

/// What closing the store may take in any case.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store or the engine.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The front door.
    #[error(transparent)]
    Build(#[from] http::BuildError),
    /// An address that cannot be listened on.
    #[error("{setting} {address} cannot be listened on ({reason}): name another, or stop what listens there")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's words.
        reason: io::ErrorKind,
    },
    /// The secret in the data folder.
    #[error(transparent)]
    Secret(#[from] secret_file::SecretError),
    /// No data folder to keep a secret in.
    #[error(
        "JWT_SECRET is not set, and a store over PostgreSQL needs it, the same on every node: make one with `openssl rand -base64 48`"
    )]
    NoSecret,
}

/// Limits that are no settings. Tests set them lower.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// See [`http::limits::SLOWEST_TIME`].
    pub slowest_time: Duration,
    /// See [`http::limits::BODIES_IN_MEMORY_BYTES`].
    pub bodies_in_memory_bytes: usize,
    /// What is kept of one principal.
    pub quotas: Quotas,
    /// Of live streams.
    pub streams: StreamLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slowest_time: http::limits::SLOWEST_TIME,
            bodies_in_memory_bytes: http::limits::BODIES_IN_MEMORY_BYTES,
            quotas: Quotas::default(),
            streams: StreamLimits::default(),
        }
    }
}

/// A server that listens and does not serve yet.
pub struct Server {
    app: App,
    http: Http,
    housekeeping: Housekeeping,
    timers: Timers,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    address: SocketAddr,
    settings: Settings,
}

impl Server {
    /// Opens the store, starts the engine and takes the address.
    ///
    /// # Errors
    /// [`ServeError`]; each message names the cure.
    pub async fn start(settings: Settings, place: &StorePlace) -> Result<Self, ServeError> {
        Self::start_within(settings, place, Limits::default(), Arc::new(SystemClock)).await
    }

    /// As [`Server::start`], with other limits and by another clock.
    ///
    /// # Errors
    /// [`ServeError`]; each message names the cure.
    pub async fn start_within(
        settings: Settings,
        place: &StorePlace,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServeError> {
        // Before anything is opened.
        let secret_folder = match (&settings.jwt_secret, place) {
            (Some(_), _) => None,
            (None, StorePlace::Folder(folder)) => Some(folder),
            (None, StorePlace::Postgres(_)) => return Err(ServeError::NoSecret),
        };
        let metrics = Metrics::new()?;
        let app = App::start_scaled(
            place,
            settings.delay_scale,
            limits.quotas,
            &clock,
            Some(metrics.observer()),
        )?;
        let jwt_secrets = match secret_folder {
            Some(folder) => vec![secret_file::kept_in(folder)?],
            None => {
                let secrets = settings.jwt_secret.iter().flatten();
                secrets.map(|secret| Secret::expose(secret).to_owned()).collect()
            }
        };
        let options = http::Options {
            jwt_secrets,
            readers: place.readers(),
            known_users_only: settings.jwt_known_users_only,
            rate_limit_per_minute: settings.rate_limit_per_minute,
            tracking_prefix: settings.tracking_prefix.clone(),
            open_orders: settings.open_orders,
            trusted_proxies: settings.trusted_proxies.clone(),
            cors_origins: settings.cors_origins.clone(),
            metrics,
            serve_metrics: settings.metrics_addr.is_none(),
            slowest_time: limits.slowest_time,
            bodies_in_memory_bytes: limits.bodies_in_memory_bytes,
            streams: limits.streams,
        };
        let http = Http::new(app.engine().handle().clone(), options)?;
        let listener = listen(
            "APP_HOST and APP_PORT",
            (settings.app_host, settings.app_port).into(),
        )
        .await?;
        let metrics_listener = match settings.metrics_addr {
            Some(address) => Some(listen("METRICS_ADDR", address).await?),
            None => None,
        };
        let address = listener.local_addr().map_err(|error| ServeError::Listen {
            setting: "APP_HOST and APP_PORT",
            address: (settings.app_host, settings.app_port).into(),
            reason: error.kind(),
        })?;
        Ok(Self {
            housekeeping: Housekeeping {
                engine: app.engine().handle().clone(),
                dead_letters_kept_days: settings.dead_letter_keep_days,
            },
            timers: Timers {
                engine: app.engine().handle().clone(),
            },
            app,
            http,
            listener,
            metrics_listener,
            address,
            settings,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine, for what runs beside the front door.
    #[must_use]
    pub const fn engine(&self) -> &Handle {
        self.app.engine().handle()
    }

    /// Serves until `shutdown` ends; then takes no more, finishes what was accepted, and closes the store.
    ///
    /// # Errors
    /// [`StartError::Thread`], before anything is served; [`StartError::WriterDied`], [`StartError::Unfinished`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        if let Err(error) = self.http.follow_log() {
            self.app.stop().await?;
            return Err(StartError::Thread(error.kind()));
        }
        let (stop, stopped) = watch::channel(false);
        let until_stop = |mut stopped: watch::Receiver<bool>| async move {
            // The sender lives as long as this does.
            stopped.wait_for(|stopped| *stopped).await.ok();
        };
        // The rest of the time is for what was accepted, and for closing the store.
        let grace = self.settings.shutdown_grace.mul_f64(CONNECTIONS_GRACE);
        let metrics_router = self.http.metrics_router();
        let handle = self.engine().clone();
        let serve_metrics = {
            let (listener, stopped) = (self.metrics_listener, stopped.clone());
            async move {
                if let Some(listener) = listener {
                    http::serve_plain(listener, metrics_router, until_stop(stopped)).await;
                }
            }
        };
        let told_at = OnceLock::new();
        let announce = async {
            tokio::select! {
                () = shutdown => tracing::info!("stopping: what was accepted is finished first"),
                // Whoever supervises starts it again: what the writer had is found out then.
                () = handle.writer_ended() => tracing::error!("a writer failed: stopping"),
            }
            told_at.get_or_init(Instant::now);
            stop.send_replace(true);
        };
        let (finished, (), (), (), ()) = tokio::join!(
            self.http.serve(self.listener, until_stop(stopped.clone()), grace),
            serve_metrics,
            self.housekeeping.run(until_stop(stopped.clone())),
            self.timers.run(until_stop(stopped.clone())),
            announce,
        );
        if !finished {
            tracing::warn!("some connections did not end within {grace:?} and were cut");
        }
        let since = told_at.get().map(Instant::elapsed).unwrap_or_default();
        let left = self
            .settings
            .shutdown_grace
            .saturating_sub(since)
            .max(LAST_MOMENT);
        let stopped = tokio::time::timeout(left, self.app.stop()).await;
        stopped.map_err(|_| StartError::Unfinished)??;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ServeError::Listen {
            setting,
            address,
            reason: error.kind(),
        })
}
