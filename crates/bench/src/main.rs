//! The figures of `docs/PERFORMANCE.md`.
//!
//! `cargo run --release -p bench -- SCENARIO [--quick]` prints one JSON line per figure and, at the end, a table. Every figure
//! is taken several times, interleaved with its baseline in the same run; the median counts. The load generator shares the
//! machine's cores with what it loads.

mod cohort;
mod figure;
mod scenarios;
mod system;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use figure::Figures;

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
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// Handle to durable, without HTTP.
    Engine,
    /// Ingest and read in a store of 10⁵, 10⁶ and 10⁷ entries.
    Growth,
    /// Start, memory, disk.
    Footprint,
    /// Ways to lay the log out, behind the decisions in docs/adr.
    Storage,
    /// A part of `footprint`, in a process of its own.
    #[value(hide = true)]
    QueuedMemory,
    /// Everything.
    All,
}

/// Why a measurement did not happen.
type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut figures = Figures::default();
    match run(&cli, &mut figures) {
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

fn run(cli: &Cli, figures: &mut Figures) -> Result<(), Problem> {
    let quick = cli.quick;
    match cli.scenario {
        Scenario::Engine => scenarios::engine::run(quick, figures),
        Scenario::Growth => scenarios::growth::run(quick, figures),
        Scenario::Footprint => scenarios::footprint::run(quick, figures),
        Scenario::Storage => scenarios::storage::run(quick, figures),
        Scenario::QueuedMemory => scenarios::footprint::print_queued_memory(),
        Scenario::All => {
            scenarios::engine::run(quick, figures)?;
            scenarios::growth::run(quick, figures)?;
            scenarios::footprint::run(quick, figures)?;
            scenarios::storage::run(quick, figures)
        }
    }
}
