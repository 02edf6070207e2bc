//! `waybill lifecycle`.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::Lifecycle;
use model::lifecycle::{delay_text, shipped};

use super::output::{complain, point_out, say};
use super::{Ended, Problem};

/// Read of a file at most: a definition of the most states has a few dozen KiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Checks and shows lifecycles
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill lifecycle show shipment")]
pub(super) struct LifecycleCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Checks lifecycle files: what is wrong is told with file, line, column and cure
    #[command(after_help = "Example:\n  waybill lifecycle check lifecycles/returns.toml")]
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Shows a lifecycle: its states, its arrows and who may follow them
    #[command(after_help = "Example:\n  waybill lifecycle show shipment")]
    Show {
        /// A shipped lifecycle's name, or a file. All shipped ones are listed without it.
        lifecycle: Option<String>,
    },
}

impl LifecycleCommand {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        match &self.what {
            What::Check { files } => check(files),
            What::Show {
                lifecycle: Some(lifecycle),
            } => show(lifecycle),
            What::Show { lifecycle: None } => {
                for lifecycle in shipped() {
                    say(&format!("{:<10} {}", lifecycle.name(), lifecycle.description()));
                }
                Ok(Ended::Well)
            }
        }
    }
}

fn check(files: &[PathBuf]) -> Result<Ended, Problem> {
    let mut ended = Ended::Well;
    for file in files {
        let name = file.display().to_string();
        // One file that cannot be read keeps no other from being checked.
        let text = match read(file) {
            Ok(text) => text,
            Err(problem) => {
                complain(&problem.to_string());
                ended = Ended::NotDone;
                continue;
            }
        };
        match Lifecycle::from_toml(&name, &text) {
            Ok(lifecycle) => {
                say(&format!(
                    "{name}: {} version {} is sound",
                    lifecycle.name(),
                    lifecycle.version()
                ));
            }
            Err(errors) => {
                point_out(&errors.to_string());
                if matches!(ended, Ended::Well) {
                    ended = Ended::WithFindings;
                }
            }
        }
    }
    Ok(ended)
}

fn show(wanted: &str) -> Result<Ended, Problem> {
    let shipped = shipped();
    let lifecycle = match shipped.iter().find(|lifecycle| lifecycle.name() == wanted) {
        Some(lifecycle) => lifecycle.clone(),
        None if PathBuf::from(wanted).exists() => {
            Lifecycle::from_toml(wanted, &read(&PathBuf::from(wanted))?)?
        }
        None => {
            let names: Vec<&str> = shipped.iter().map(Lifecycle::name).collect();
            return Err(format!("{wanted} is neither a file nor one of {}", names.join(", ")).into());
        }
    };
    say(&table(&lifecycle));
    Ok(Ended::Well)
}

fn read(file: &std::path::Path) -> Result<String, Problem> {
    let failed = |error: std::io::Error| format!("{}: {}", file.display(), error.kind());
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn table(lifecycle: &Lifecycle) -> String {
    let mut lines = vec![
        format!(
            "{} version {} · {}",
            lifecycle.name(),
            lifecycle.version(),
            lifecycle.description()
        ),
        format!("definition {}", lifecycle.hash()),
        String::new(),
    ];
    for (id, state) in lifecycle.state_ids().zip(lifecycle.states()) {
        let begins = if id == lifecycle.initial() {
            " · begins here"
        } else {
            ""
        };
        lines.push(format!("{} ({}){begins}", state.name, state.phase.name()));
        for arrow in lifecycle.arrows().iter().filter(|arrow| arrow.from == id) {
            let by: Vec<&str> = arrow.by.iter().map(model::role::Role::name).collect();
            let after = arrow.after.map_or_else(String::new, |after| {
                format!(" · by itself after {}", delay_text(after))
            });
            let effects: Vec<&str> = arrow.effects.iter().map(|effect| effect.name()).collect();
            let effects = if effects.is_empty() {
                String::new()
            } else {
                format!(" · {}", effects.join(", "))
            };
            lines.push(format!(
                "  → {:<18} {}{after}{effects}",
                lifecycle.state_name(arrow.to),
                by.join(", ")
            ));
        }
    }
    lines.join("\n")
}
