//! The figures of `docs/PERFORMANCE.md`.
//!
//! `cargo run --release -p bench -- SCENARIO [--quick]` prints one JSON line per figure and, at the end, a table. Every figure
//! is taken several times, interleaved with its baseline in the same run; the median counts. The load generator shares the
//! machine's cores with what it loads.

mod cohort;
mod connection;
mod figure;
mod home;
mod listeners;
mod measured;
mod scenarios;
mod served;
mod system;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use figure::Figures;
use home::Ground;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Waybill.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo run --release -p bench -- engine")]
struct Cli {
    /// What to measure.
    scenario: Scenario,
    /// Small numbers: shows that all of it runs, the figures mean little.
    #[arg(long)]
    quick: bool,
    /// The folder of a server in a process of its own.
    #[arg(long, hide = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// Handle to durable, without HTTP.
    Engine,
    /// Batches over HTTP to durable.
    IngestBatch,
    /// One event a request, over HTTP to durable.
    IngestSingle,
    /// One long stream of lines over HTTP to durable.
    IngestNdjson,
    /// From the 202 to the status seen, at a steady pace.
    Visible,
    /// 10,000 live streams, and what they cost.
    Live,
    /// Ingest beside 1,000 live streams.
    LiveIngest,
    /// Shipments over HTTP.
    Read,
    /// Ingest and read over HTTP in a store of 10⁵, 10⁶ and 10⁷ entries.
    Growth,
    /// Start, memory, disk.
    Footprint,
    /// Orders that advance by themselves: waiting, and due all at once.
    Timers,
    /// Batches over HTTP to durable, over PostgreSQL.
    Postgres,
    /// The same by two nodes over one database.
    PostgresTwoNodes,
    /// Shipments over HTTP, over PostgreSQL.
    PostgresRead,
    /// Ingest and read over HTTP in a store of 10⁵, 10⁶ and 10⁷ entries, over PostgreSQL.
    PostgresGrowth,
    /// Ways to lay the log out, behind the decisions in docs/adr.
    Storage,
    /// The server of the others, in a process of its own.
    #[value(hide = true)]
    ServeForMeasuring,
    /// Everything.
    All,
}

impl Scenario {
    const fn needs_postgres(self) -> bool {
        matches!(
            self,
            Self::Postgres | Self::PostgresTwoNodes | Self::PostgresRead | Self::PostgresGrowth
        )
    }
}

/// In the order of the table.
const ALL: [Scenario; 16] = [
    Scenario::IngestBatch,
    Scenario::IngestSingle,
    Scenario::IngestNdjson,
    Scenario::Engine,
    Scenario::Visible,
    Scenario::Live,
    Scenario::LiveIngest,
    Scenario::Read,
    Scenario::Growth,
    Scenario::Footprint,
    Scenario::Timers,
    Scenario::Postgres,
    Scenario::PostgresTwoNodes,
    Scenario::PostgresRead,
    Scenario::PostgresGrowth,
    Scenario::Storage,
];

/// Why a measurement did not happen.
type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.scenario, Scenario::ServeForMeasuring) {
        return serve(&cli);
    }
    let mut figures = Figures::default();
    match run(cli.scenario, cli.quick, &mut figures) {
        Ok(()) => {
            figures.print_table();
            ExitCode::SUCCESS
        }
        Err(problem) => {
            figure::print(&format!("bench: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Is the server under measurement.
fn serve(cli: &Cli) -> ExitCode {
    let served = match (&cli.data_dir, std::env::var(served::SECRET_VARIABLE)) {
        (Some(data_dir), Ok(secret)) => measured::serve(data_dir, secret),
        _ => Err("only the bench itself starts this".into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            figure::print(&format!("bench: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run(scenario: Scenario, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    match scenario {
        Scenario::IngestBatch => scenarios::ingest_batch::run(quick, figures),
        Scenario::IngestSingle => scenarios::ingest_single::run(quick, figures),
        Scenario::IngestNdjson => scenarios::ingest_ndjson::run(quick, figures),
        Scenario::Engine => scenarios::engine::run(quick, figures),
        Scenario::Visible => scenarios::visible::run(quick, figures),
        Scenario::Live => scenarios::live::run(quick, figures),
        Scenario::LiveIngest => scenarios::live_ingest::run(quick, figures),
        Scenario::Read => scenarios::read::run(quick, Ground::Embedded, figures),
        Scenario::Growth => scenarios::growth::run(quick, Ground::Embedded, figures),
        Scenario::Footprint => scenarios::footprint::run(quick, figures),
        Scenario::Timers => scenarios::timers::run(quick, figures),
        Scenario::Postgres => scenarios::postgres::run(quick, figures),
        Scenario::PostgresTwoNodes => scenarios::postgres::run_two_nodes(quick, figures),
        Scenario::PostgresRead => scenarios::read::run(quick, Ground::Postgres, figures),
        Scenario::PostgresGrowth => scenarios::growth::run(quick, Ground::Postgres, figures),
        Scenario::Storage => scenarios::storage::run(quick, figures),
        Scenario::ServeForMeasuring => Err("it measures nothing".into()),
        Scenario::All => all(quick, figures),
    }
}

/// Everything; what needs PostgreSQL, where it is.
fn all(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    for scenario in ALL {
        if scenario.needs_postgres() && !home::has_postgres() {
            let left_out = format!("{scenario:?} left out: {} names no server", home::SERVER_VARIABLE);
            figure::print(&left_out);
            continue;
        }
        run(scenario, quick, figures)?;
    }
    Ok(())
}
