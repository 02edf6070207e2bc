//! `waybill demo`.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use rand::TryRng;
use rand::rngs::SysRng;
use store::Store;

use super::history::timeline;
use super::output::{grouped, per_second, progress_bar, say, short};
use super::{Ended, Problem, above_zero, told_to_stop};
use crate::app::App;
use crate::engine::Handle;
use crate::latencies::CommitLatencies;
use crate::traffic::{Acknowledged, Counters, Listener, Traffic, TrafficOptions};

/// Events shown at a time.
const SHOWN_EVENTS: usize = 8;
/// How often the picture is drawn on a terminal, and how often a line is printed elsewhere.
const DRAW_EVERY: Duration = Duration::from_millis(500);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows made-up shipments moving through the engine, for a minute
///
/// A throw-away store, unless a data folder is named. Nothing has to be installed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill demo --seconds 20 --data-dir waybill-data")]
pub(super) struct Demo {
    /// Keep the data in this folder.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How long.
    #[arg(long, default_value = "60", value_name = "S", allow_negative_numbers = true)]
    seconds: f64,
    /// Commands a second.
    #[arg(long, default_value = "200", value_name = "N", value_parser = above_zero, allow_negative_numbers = true)]
    rate: f64,
}

/// The latest events, and one shipment that came home.
#[derive(Default)]
struct Seen {
    latest: VecDeque<String>,
    delivered: Option<String>,
}

impl Demo {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let seconds =
            Duration::try_from_secs_f64(self.seconds).map_err(|error| format!("--seconds: {error}"))?;
        let throw_away = if self.data_dir.is_none() {
            Some(tempfile::tempdir()?)
        } else {
            None
        };
        let made = throw_away.as_ref().map(|folder| folder.path().join("data"));
        let data_dir = self.data_dir.clone().or(made).ok_or("no data folder")?;
        let latencies = CommitLatencies::default();
        let app = App::start(&data_dir, Some(latencies.observer()))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let counters = Arc::new(Counters::default());
        let traffic = Traffic {
            handle: app.engine().handle().clone(),
            options: TrafficOptions {
                submitters: 4,
                batch: 5,
                under_way: 50,
                rate: Some(self.rate),
                seed: SysRng.try_next_u64()?,
            },
            counters: counters.clone(),
            listener: Some(listener(seen.clone())),
        };
        let screen = Screen {
            handle: app.engine().handle().clone(),
            counters,
            latencies,
            seen: seen.clone(),
        };
        let draw = async {
            tokio::select! {
                () = screen.draw(seconds) => {}
                () = told_to_stop() => {}
            }
        };
        traffic.run(draw).await?;
        say(&screen.text(seconds)?);
        let delivered = seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .delivered
            .clone();
        if let Some(shipment) = delivered {
            say("\nOne of them, from its log:\n");
            say(&timeline(&**screen.handle.store(), &shipment)?);
        }
        app.stop().await?;
        if self.data_dir.is_some() {
            let dir = data_dir.display();
            say(&format!(
                "\nThe data are kept: `waybill verify --data-dir {dir}` proves them."
            ));
        }
        Ok(Ended::Well)
    }
}

fn listener(seen: Arc<Mutex<Seen>>) -> Listener {
    Arc::new(move |news: &[Acknowledged]| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for acknowledged in news {
            let Acknowledged::Event {
                shipment,
                status,
                source,
                ..
            } = acknowledged
            else {
                continue;
            };
            if &**status == "delivered" {
                seen.delivered = Some(shipment.to_string());
            }
            if seen.latest.len() == SHOWN_EVENTS {
                seen.latest.pop_front();
            }
            seen.latest
                .push_back(format!("  {shipment}  {status:<14} {source}"));
        }
    })
}

/// What is drawn.
struct Screen {
    handle: Handle,
    counters: Arc<Counters>,
    latencies: CommitLatencies,
    seen: Arc<Mutex<Seen>>,
}

impl Screen {
    async fn draw(&self, length: Duration) {
        let bar = progress_bar(
            length.as_secs(),
            "{msg}\n\n{bar:40} {pos} of {len} s (Ctrl-C ends it)",
        );
        let every = if bar.is_hidden() { LINE_EVERY } else { DRAW_EVERY };
        let began = Instant::now();
        loop {
            let left = length.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(every.min(left)).await;
            let text = self
                .text(began.elapsed())
                .unwrap_or_else(|problem| problem.to_string());
            if bar.is_hidden() {
                say(text.lines().next().unwrap_or_default());
            }
            let latest: Vec<String> = self
                .seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .latest
                .iter()
                .cloned()
                .collect();
            bar.set_message(format!("{text}\n\n{}", latest.join("\n")));
            bar.set_position(began.elapsed().as_secs());
        }
        bar.finish_and_clear();
    }

    /// One line of totals, one of commits, one of statuses.
    fn text(&self, elapsed: Duration) -> Result<String, Problem> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let accepted = read(&counters.created) + read(&counters.applied);
        let mut text = format!(
            "{} shipments, {} events applied, {} duplicates, {} refused · {} a second",
            grouped(read(&counters.created)),
            grouped(read(&counters.applied)),
            grouped(read(&counters.duplicates)),
            grouped(read(&counters.refused)),
            per_second(accepted, elapsed)
        );
        if let Some(times) = self.latencies.percentiles() {
            let [p50, p99] = [times.p50, times.p99].map(short);
            text.push_str(&format!(
                "\n{} durable commits, p50 {p50}, p99 {p99}",
                times.count
            ));
        }
        let store: &dyn Store = &**self.handle.store();
        let counts = store.reading(|reader| reader.status_counts())?;
        let mut by_status: BTreeMap<_, u64> = BTreeMap::new();
        for count in counts {
            *by_status.entry((count.lifecycle, count.status)).or_default() += count.orders;
        }
        let statuses: Vec<String> = by_status
            .into_iter()
            .filter_map(|((lifecycle, status), orders)| {
                let lifecycle = self.handle.lifecycle(lifecycle)?;
                Some(format!("{} {}", lifecycle.state_name(status), grouped(orders)))
            })
            .collect();
        text.push_str(&format!("\n{}", statuses.join(" · ")));
        Ok(text)
    }
}
