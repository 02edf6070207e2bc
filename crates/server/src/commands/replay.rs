//! `waybill replay`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{complain, grouped, per_second, progress_bar, say, short};
use super::{Ended, Problem, StoreArgs};
use crate::app::App;
use crate::client::{Access, Client, ServerUrl, TOKEN_VARIABLE};
use crate::latencies::{CommitLatencies, Percentiles};
use crate::replay::olist::{Dataset, Plan, RowProblem};
use crate::replay::{CONNECTIONS, InProcess, OverHttp, Speed, Summary, replay};

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
///
/// With --url they are sent to a running server, as the operator or admin whose API key or token stands in the environment
/// variable `WAYBILL_TOKEN`; without one, as the operator of a server with demo data. Otherwise they go into the store.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  waybill replay olist path/to/olist --data-dir waybill-data --limit 1000\n  \
                        waybill replay olist path/to/olist --url http://127.0.0.1:8080 --speed 86400"
)]
struct Olist {
    /// The folder with the data set.
    dir: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// A running server to send to; no store is opened then
    #[arg(long, value_name = "URL", conflicts_with_all = ["data_dir", "pg_dsn"])]
    url: Option<ServerUrl>,
    /// How many times as fast as it happened; 86400 is a day a second.
    #[arg(long, value_name = "N|max", default_value_t = Speed::Max)]
    speed: Speed,
    /// Only the first shipments, by their creation.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A replay that came to its end.
struct Played {
    summary: Summary,
    /// What was timed, and how long it took.
    times: Option<(&'static str, Percentiles)>,
    /// The command that shows a shipment, but for its number.
    look: Box<dyn Fn(&str) -> String>,
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
        complain_of_rows(&problems);
        let mut plan = Plan::of(&data);
        if let Some(limit) = self.limit {
            plan = plan.limit(limit);
        }
        let steps = u64::try_from(plan.steps.len()).unwrap_or_default();
        let bar = progress_bar(steps, "{bar:40} {pos}/{len} steps, {per_sec}, {eta} left");
        let progress = |done| bar.inc(done);
        let played = match &self.url {
            None => self.in_process(&plan, &progress).await,
            Some(url) => self.over_http(url, &plan, &progress).await,
        };
        bar.finish_and_clear();
        let Played { summary, times, look } = played?;
        say(&report(&plan, problems.len(), &summary, times));
        if let Some(example) = summary.example.as_ref().filter(|_| !summary.changed_nothing()) {
            say(&format!("look at one: {}", look(example.as_str())));
        }
        Ok(Ended::Well)
    }

    async fn in_process(&self, plan: &Plan, progress: &dyn Fn(u64)) -> Result<Played, Problem> {
        let latencies = CommitLatencies::default();
        let place = self.store.place()?;
        let look = StoreArgs::look(&place);
        let app = App::start(place, Some(latencies.observer()))?;
        let summary = async {
            let target = InProcess::new(app.engine().handle(), plan).await?;
            replay(&mut [target], plan, self.speed, progress).await
        };
        let summary = summary.await;
        let stopped = app.stop().await;
        let summary = summary?;
        stopped?;
        Ok(Played {
            summary,
            times: latencies.percentiles().map(|times| ("commits", times)),
            look,
        })
    }

    async fn over_http(
        &self,
        url: &ServerUrl,
        plan: &Plan,
        progress: &dyn Fn(u64),
    ) -> Result<Played, Problem> {
        let access = Access::from_environment()?;
        let client = Client::connect(url.clone(), access).await?;
        let mut targets = [(); CONNECTIONS].map(|()| OverHttp::new(client.clone(), plan));
        let summary = replay(&mut targets, plan, self.speed, progress).await?;
        let url = url.clone();
        Ok(Played {
            summary,
            times: client.latencies().map(|times| ("requests", times)),
            look: Box::new(move |number| {
                format!("curl -H \"Authorization: Bearer ${TOKEN_VARIABLE}\" {url}/shipments/{number}")
            }),
        })
    }
}

fn complain_of_rows(problems: &[RowProblem]) {
    for problem in problems.iter().take(LISTED_PROBLEMS) {
        complain(&problem.to_string());
    }
    if problems.len() > LISTED_PROBLEMS {
        complain(&format!(
            "… and {} more broken rows",
            problems.len() - LISTED_PROBLEMS
        ));
    }
}

fn report(plan: &Plan, broken_rows: usize, summary: &Summary, times: Option<(&str, Percentiles)>) -> String {
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
    if summary.retries > 0 {
        lines.push(format!(
            "batches sent again     {:>8}   because the other side was busy or away",
            grouped(summary.retries)
        ));
    }
    let rate = per_second(summary.sent, summary.took);
    lines.push(format!(
        "{} commands in {}, {rate} a second",
        grouped(summary.sent),
        short(summary.took)
    ));
    if let Some((what, times)) = times {
        let [p50, p90, p99, max] = [times.p50, times.p90, times.p99, times.max].map(short);
        lines.push(format!(
            "{} {what}: p50 {p50}, p90 {p90}, p99 {p99}, max {max}",
            times.count
        ));
    }
    if summary.changed_nothing() {
        lines.push("nothing was changed".to_owned());
    }
    lines.join("\n")
}
