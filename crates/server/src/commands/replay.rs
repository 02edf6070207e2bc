//! `waybill replay`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{complain, grouped, per_second, progress_bar, say, short};
use super::{DataDir, Ended, Problem};
use crate::app::App;
use crate::latencies::{CommitLatencies, Percentiles};
use crate::replay::olist::{Dataset, Plan};
use crate::replay::{Summary, replay};

/// Row problems that are listed; more are counted.
const LISTED_PROBLEMS: usize = 20;

/// Replays recorded orders
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill replay olist path/to/olist --data-dir waybill-data")]
pub(super) struct Replay {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Olist(Olist),
}

/// Real marketplace orders as shipments and scan events
///
/// Reads orders, items, customers, sellers, products and geo as CSV files, plain or gzipped, from one folder; see
/// docs/REPLAY.md for how they become shipments. Run again, it changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill replay olist path/to/olist --data-dir waybill-data --limit 1000")]
struct Olist {
    /// The folder with the data set.
    dir: PathBuf,
    #[command(flatten)]
    data: DataDir,
    /// Only the first shipments, by their creation.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Replay {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let What::Olist(olist) = &self.what;
        olist.run().await
    }
}

impl Olist {
    async fn run(&self) -> Result<Ended, Problem> {
        let (data, problems) = Dataset::read(&self.dir)?;
        for problem in problems.iter().take(LISTED_PROBLEMS) {
            complain(&problem.to_string());
        }
        if problems.len() > LISTED_PROBLEMS {
            complain(&format!(
                "… and {} more broken rows",
                problems.len() - LISTED_PROBLEMS
            ));
        }
        let mut plan = Plan::of(&data);
        if let Some(limit) = self.limit {
            plan = plan.limit(limit);
        }
        let latencies = CommitLatencies::default();
        let app = App::start(&self.data.data_dir, Some(latencies.observer()))?;
        let steps = u64::try_from(plan.steps.len()).unwrap_or_default();
        let bar = progress_bar(steps, "{bar:40} {pos}/{len} steps, {per_sec}, {eta} left");
        let summary = replay(app.engine().handle(), &plan, &|done| bar.inc(done)).await;
        bar.finish_and_clear();
        let stopped = app.stop().await;
        let summary = summary?;
        stopped?;
        say(&report(&plan, problems.len(), &summary, latencies.percentiles()));
        if let Some(example) = summary.example.as_ref().filter(|_| !summary.changed_nothing()) {
            say(&format!(
                "look at one: waybill history {example} --data-dir {}",
                self.data.data_dir.display()
            ));
        }
        Ok(Ended::Well)
    }
}

fn report(plan: &Plan, broken_rows: usize, summary: &Summary, latencies: Option<Percentiles>) -> String {
    let mut lines = vec![
        format!("shipments made         {:>8}", grouped(summary.made)),
        format!("shipments there before {:>8}", grouped(summary.known)),
        format!(
            "events applied         {:>8}   of these {} refused at first, applied when sent again",
            grouped(summary.applied),
            grouped(summary.applied_later)
        ),
        format!("duplicates             {:>8}", grouped(summary.duplicates)),
        format!(
            "events rejected        {:>8}",
            grouped(summary.rejected.values().sum())
        ),
    ];
    lines.extend(
        summary
            .rejected
            .iter()
            .map(|(reason, count)| format!("  {count:>6}  {reason}")),
    );
    for (reason, count) in &plan.skipped {
        lines.push(format!(
            "left out               {:>8}   {reason}",
            grouped(*count)
        ));
    }
    let notes = &plan.notes;
    let guessed_places = notes.origins_from_city
        + notes.origins_from_state
        + notes.destinations_from_city
        + notes.destinations_from_state;
    for (count, what) in [
        (
            notes.invented_cancellations,
            "cancellations at an invented time: the data have none",
        ),
        (notes.reports_before_creation, "reports older than their shipment"),
        (guessed_places, "places guessed from their city or state"),
    ] {
        lines.push(format!("in the data            {:>8}   {what}", grouped(count)));
    }
    if broken_rows > 0 {
        lines.push(format!("broken rows            {broken_rows:>8}"));
    }
    let rate = per_second(summary.sent, summary.took);
    lines.push(format!(
        "{} commands in {}, {rate} a second",
        grouped(summary.sent),
        short(summary.took)
    ));
    if let Some(times) = latencies {
        let [p50, p90, p99, max] = [times.p50, times.p90, times.p99, times.max].map(short);
        lines.push(format!(
            "{} commits: p50 {p50}, p90 {p90}, p99 {p99}, max {max}",
            times.count
        ));
    }
    if summary.changed_nothing() {
        lines.push("nothing was changed".to_owned());
    }
    lines.join("\n")
}
