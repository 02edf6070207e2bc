//! The commands of the `waybill` binary. Each prints to standard output what was asked for; progress, logs and errors go
//! to standard error. Exit code 0: done; 1: done, and what was looked for is wrong; 2: not done.

mod archive;
mod backup;
mod completions;
mod config;
mod copy;
mod demo;
mod healthcheck;
mod history;
mod lifecycle;
mod migrate;
mod openapi;
mod output;
mod replay;
mod restore;
mod serve;
mod simulate;
mod user;
mod verify;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::output::complain;
use crate::logging::{self, LogFormat};
use crate::place::StorePlace;
use crate::settings::{Secret, SettingFlags, Settings};

/// Takes orders and shipments through their life, and lets everyone concerned watch it happen.
#[derive(Debug, Parser)]
#[command(name = "waybill", version, max_term_width = 110)]
#[command(after_help = "Example:\n  waybill demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Replay(replay::Replay),
    History(history::History),
    Verify(verify::Verify),
    Migrate(migrate::Migrate),
    Copy(copy::Copy),
    Archive(archive::Archive),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Simulate(simulate::Simulate),
    Lifecycle(lifecycle::LifecycleCommand),
    User(user::UserCommand),
    Config(config::ConfigCommand),
    Healthcheck(healthcheck::Healthcheck),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
    Completions(completions::Completions),
}

impl Command {
    /// Whether all of it goes by [`Settings`], and not only where the store is: it then begins the log itself, by them, or has none.
    const fn has_settings(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Demo(_) | Self::Config(_) | Self::Healthcheck(_) => true,
            Self::Replay(_)
            | Self::History(_)
            | Self::Verify(_)
            | Self::Migrate(_)
            | Self::Copy(_)
            | Self::Archive(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Simulate(_)
            | Self::Lifecycle(_)
            | Self::User(_)
            | Self::OpenApi(_)
            | Self::Completions(_) => false,
        }
    }
}

/// Where the data are.
#[derive(Debug, Args)]
struct StoreArgs {
    /// The data folder; if neither is given, what the settings `PG_DSN` and `WAYBILL_DATA_DIR` say: see `waybill config show`.
    #[arg(long, value_name = "DIR", conflicts_with = "pg_dsn")]
    data_dir: Option<PathBuf>,
    /// The database of PostgreSQL. Others on this machine can see it: better set `PG_DSN` (or `DATABASE_URL`).
    #[arg(long, value_name = "DSN", value_parser = secret)]
    pg_dsn: Option<Secret>,
}

impl StoreArgs {
    /// What the flags say; if they say nothing, the settings.
    fn place(&self) -> Result<StorePlace, Problem> {
        if let Some(dir) = &self.data_dir {
            return Ok(StorePlace::Folder(dir.clone()));
        }
        let flags = SettingFlags::default();
        let flags = match &self.pg_dsn {
            Some(dsn) => flags.with_pg_dsn(dsn),
            None => flags,
        };
        let (settings, _) = Settings::of_process(&flags)?;
        let mut place = StorePlace::of(&settings);
        if let StorePlace::Postgres(postgres) = &mut place {
            postgres.writers = NonZeroUsize::MIN;
            // What is asked is the store, not what has come over from it so far.
            postgres.options.replica = None;
        }
        Ok(place)
    }

    /// The command that shows an order of this store, by its number.
    fn look(place: &StorePlace) -> Box<dyn Fn(&str) -> String> {
        let place = match place {
            StorePlace::Folder(dir) => format!("--data-dir {}", dir.display()),
            // Its address may have a password.
            StorePlace::Postgres(_) => "--pg-dsn …".to_owned(),
        };
        Box::new(move |number| format!("waybill history {number} {place}"))
    }
}

/// How a command ended.
enum Ended {
    /// Done.
    Well,
    /// Done, and something is wrong: the command has said what.
    WithFindings,
    /// Not done, or not wholly: the command has said why.
    NotDone,
}

/// Why a command was not done, in words for whoever ran it.
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// SIGINT and SIGTERM, from when they are caught.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Catches them from now on.
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of either.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Leaves at once with the next of either: what was answered is durable.
    fn leave_with_the_next() {
        let thread = std::thread::Builder::new().name("second-signal".to_owned());
        let watch = || {
            // A runtime of its own: the first one may be what hangs.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(told_to_stop());
            complain("stopped at once; everything that was answered is kept");
            std::process::exit(130);
        };
        // Without it, the grace time ends the process.
        thread.spawn(watch).ok();
    }
}

/// Waits for the first SIGINT or SIGTERM from now on.
async fn told_to_stop() {
    match StopSignals::catch() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Reads a number that a rate can be.
fn above_zero(text: &str) -> Result<f64, String> {
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "is not a number above 0".to_owned())
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.command.has_settings() {
        logging::init(tracing::Level::INFO, LogFormat::Text);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the system gives no threads: {error}"));
            return ExitCode::from(2);
        }
    };
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => Box::pin(serve.run()).await,
            Command::Demo(demo) => Box::pin(demo.run()).await,
            Command::OpenApi(openapi) => openapi.run(),
            Command::Replay(replay) => replay.run().await,
            Command::History(history) => history.run(),
            Command::Verify(verify) => verify.run(),
            Command::Migrate(migrate) => migrate.run(),
            Command::Copy(copy) => copy.run(),
            Command::Archive(archive) => archive.run(),
            Command::Backup(backup) => backup.run(),
            Command::Restore(restore) => restore.run(),
            Command::Simulate(simulate) => simulate.run().await,
            Command::Lifecycle(lifecycle) => lifecycle.run(),
            Command::User(user) => user.run().await,
            Command::Config(config) => config.run(),
            Command::Healthcheck(healthcheck) => healthcheck.run().await,
            Command::Completions(completions) => completions.run(),
        }
    });
    // What still blocks then, does so on storage that does not answer.
    runtime.shutdown_background();
    match ended {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::WithFindings) => ExitCode::from(1),
        Ok(Ended::NotDone) => ExitCode::from(2),
        Err(problem) => {
            for line in problem.to_string().lines() {
                complain(line);
            }
            ExitCode::from(2)
        }
    }
}
