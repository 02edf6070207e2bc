//! `waybill simulate`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;

use super::output::{grouped, per_second, say, short};
use super::{Ended, Problem, StoreArgs, above_zero, told_to_stop};
use crate::app::App;
use crate::latencies::CommitLatencies;
use crate::traffic::{Acknowledged, Counters, Listener, Traffic, TrafficOptions};

/// Loads the engine with made-up shipments
///
/// Several senders make shipments and report their steps, also twice and too early. With --acknowledge every command that was
/// accepted is printed once it is durable, so that another program can kill this one and check that nothing is lost.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill simulate --data-dir waybill-data --submitters 4 --seconds 10")]
pub(super) struct Simulate {
    #[command(flatten)]
    store: StoreArgs,
    /// Senders working side by side.
    #[arg(long, default_value = "4", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    submitters: u16,
    /// Commands in one submission.
    #[arg(long, default_value = "100", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Commands a second, over all senders; as many as go if not said.
    #[arg(long, value_name = "N", value_parser = above_zero, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// How long; 0 only opens the store, says that it is ready, and ends.
    #[arg(long, default_value = "10", value_name = "S", allow_negative_numbers = true)]
    seconds: f64,
    /// The same seed makes the same choices.
    #[arg(long, default_value = "1", value_name = "N")]
    seed: u64,
    /// Print what was accepted: `created TRACKING` or `event TRACKING VERSION STATUS NANOSECONDS SOURCE`.
    #[arg(long)]
    acknowledge: bool,
}

impl Simulate {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let seconds =
            Duration::try_from_secs_f64(self.seconds).map_err(|error| format!("--seconds: {error}"))?;
        let latencies = CommitLatencies::default();
        let app = App::start(self.store.place()?, Some(latencies.observer()))?;
        say("ready");
        let counters = Arc::new(Counters::default());
        let began = Instant::now();
        if !seconds.is_zero() {
            let traffic = Traffic {
                handle: app.engine().handle().clone(),
                options: TrafficOptions {
                    submitters: usize::from(self.submitters),
                    batch: usize::from(self.batch),
                    under_way: 1_000,
                    rate: self.rate,
                    rest_ms: None,
                    seed: self.seed,
                },
                counters: counters.clone(),
                listener: self.acknowledge.then(acknowledge),
            };
            let end = async {
                tokio::select! {
                    () = tokio::time::sleep(seconds) => {}
                    () = told_to_stop() => {}
                }
            };
            traffic.run(end).await?;
        }
        let took = began.elapsed();
        app.stop().await?;
        say(&summary(&counters, took, &latencies));
        Ok(Ended::Well)
    }
}

/// Prints what was accepted. A line that is out is durable.
fn acknowledge() -> Listener {
    Arc::new(|news: &[Acknowledged]| {
        let mut lines = String::new();
        for acknowledged in news {
            lines.push_str(&match acknowledged {
                Acknowledged::Created(shipment) => format!("created {shipment}\n"),
                Acknowledged::Event {
                    shipment,
                    version,
                    status,
                    occurred_at,
                    source,
                } => {
                    format!(
                        "event {shipment} {version} {status} {} {source}\n",
                        occurred_at.as_nanos()
                    )
                }
            });
        }
        let mut output = std::io::stdout().lock();
        output
            .write_all(lines.as_bytes())
            .and_then(|()| output.flush())
            .ok();
    })
}

fn summary(counters: &Counters, took: Duration, latencies: &CommitLatencies) -> String {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (created, applied) = (read(&counters.created), read(&counters.applied));
    let mut text = format!(
        "made {}, applied {}, duplicates {}, refused {}, failed and sent again {}\n{} accepted a second over {}",
        grouped(created),
        grouped(applied),
        grouped(read(&counters.duplicates)),
        grouped(read(&counters.refused)),
        grouped(read(&counters.failed)),
        per_second(created + applied, took),
        short(took),
    );
    if let Some(times) = latencies.percentiles() {
        let [p50, p90, p99, max] = [times.p50, times.p90, times.p99, times.max].map(short);
        text.push_str(&format!(
            "\n{} commits: p50 {p50}, p90 {p90}, p99 {p99}, max {max}",
            times.count
        ));
    }
    text
}
