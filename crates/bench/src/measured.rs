//! The server that is measured, in a process of its own: put together as `waybill serve` does, with the baselines beside its own
//! routes. Whoever started it gives it orders by its standard input, and ends it by closing that.

use std::io::BufRead;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use server::app::App;
use server::engine::Handle;
use server::http::limits::{BODIES_IN_MEMORY_BYTES, SLOWEST_TIME};
use server::http::{Http, Metrics, Options, StreamLimits};
use server::logging::{self, LogFormat};
use server::place::StorePlace;
use server::settings::{CorsOrigins, Secret};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Problem;
use crate::figure::print;

/// What a server says before its address.
pub(crate) const LISTENING: &str = "waybill listening on http://";
/// The order to let nothing be written: what comes stays in the queue.
pub(crate) const HOLD: &str = "hold";
/// What it says once that is so.
pub(crate) const HELD: &str = "held";
/// The order to go on writing.
pub(crate) const RELEASE: &str = "release";
/// The database that it serves, in place of a folder.
pub(crate) const DATABASE_VARIABLE: &str = "BENCH_DATABASE";
/// How many writers it has there.
pub(crate) const WRITERS_VARIABLE: &str = "BENCH_WRITERS";
/// How long a read over PostgreSQL may take.
const READ_STATEMENT: Duration = Duration::from_secs(10);
/// How long it may take to end: the bench has no request under way then.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a data folder until standard input ends.
pub(crate) fn serve(data_dir: &Path, secret: String) -> Result<(), Problem> {
    logging::init(tracing::Level::WARN, LogFormat::Text);
    let orders = orders()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let metrics = Metrics::new()?;
        let place = place(data_dir)?;
        let app = App::start(place.clone(), Some(metrics.observer()))?;
        let options = Options {
            readers: place.readers(),
            jwt_secrets: vec![secret],
            known_users_only: false,
            rate_limit_per_minute: 0,
            tracking_prefix: "99M-".to_owned(),
            open_orders: false,
            trusted_proxies: Vec::new(),
            cors_origins: CorsOrigins::Closed,
            metrics,
            serve_metrics: true,
            slowest_time: SLOWEST_TIME,
            bodies_in_memory_bytes: BODIES_IN_MEMORY_BYTES,
            streams: StreamLimits::default(),
        };
        let handle = app.engine().handle().clone();
        let http = Http::for_measuring(handle.clone(), options)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        print(&format!("{LISTENING}{}", listener.local_addr()?));
        http.serve(listener, obey(handle, orders), GRACE).await;
        app.stop().await?;
        Ok(())
    })
}

/// Where its store is.
fn place(data_dir: &Path) -> Result<StorePlace, Problem> {
    let Ok(dsn) = std::env::var(DATABASE_VARIABLE) else {
        return Ok(data_dir.into());
    };
    let mut place = StorePlace::of_dsn(&Secret::new(&dsn));
    if let (StorePlace::Postgres(database), Ok(writers)) = (&mut place, std::env::var(WRITERS_VARIABLE)) {
        database.writers = writers.parse()?;
        // What is measured is how much is read, not whether each read keeps its bound on a machine shared with the load.
        database.options.read_statement = READ_STATEMENT;
    }
    Ok(place)
}

/// The lines of standard input.
fn orders() -> Result<mpsc::Receiver<String>, Problem> {
    let (sender, orders) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("orders".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        })?;
    Ok(orders)
}

/// Does as it is told, until nobody tells any more.
async fn obey(handle: Handle, mut orders: mpsc::Receiver<String>) {
    let mut held: Option<SyncSender<()>> = None;
    let mut holds = JoinSet::new();
    while let Some(order) = orders.recv().await {
        drop(held.take());
        if order == HOLD {
            let (release, released) = sync_channel::<()>(0);
            held = Some(release);
            let handle = handle.clone();
            holds.spawn(async move {
                let hold = handle.with_writer(move |_| {
                    print(HELD);
                    // Nothing is ever sent: it ends when the other end is dropped.
                    Ok(released.recv().is_ok())
                });
                hold.await.ok();
            });
        }
    }
    drop(held);
    while holds.join_next().await.is_some() {}
}
