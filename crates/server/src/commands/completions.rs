//! `waybill completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::output::say;
use super::{Cli, Ended, Problem};

/// Prints what a shell needs to complete commands and flags
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  waybill completions bash > ~/.local/share/bash-completion/completions/waybill"
)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "waybill", &mut script);
        say(String::from_utf8(script)?.trim_end());
        Ok(Ended::Well)
    }
}
