//! `waybill config`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::say;
use super::{Ended, Problem};
use crate::settings::{SettingFlags, Settings, Sources};

/// Shows the settings
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill config show")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Show(Show),
}

/// Shows every setting, its value, and where that comes from
///
/// The first of these that names a setting holds: flag, environment, .env in the working directory, settings file, default.
/// The name of a setting is that of its environment variable; its key in the file is the same in lower case.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  APP_PORT=9000 waybill config show --config waybill.toml --log-format json"
)]
struct Show {
    /// Print JSON: an array of objects with `name`, `value` and `source`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ConfigCommand {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let What::Show(show) = &self.what;
        let (_, sources) = Settings::of_process(&show.settings)?;
        say(&if show.json {
            as_json(&sources)
        } else {
            as_table(&sources)
        });
        Ok(Ended::Well)
    }
}

fn as_json(sources: &Sources) -> String {
    let all: Vec<_> = sources
        .iter()
        .map(|shown| json!({"name": shown.name, "value": shown.value, "source": shown.source.to_string()}))
        .collect();
    format!("{:#}", json!(all))
}

fn as_table(sources: &Sources) -> String {
    let widest =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let names = widest(&mut sources.iter().map(|shown| shown.name));
    let values = widest(&mut sources.iter().map(|shown| shown.value)).min(WIDEST_VALUE);
    let lines: Vec<String> = sources
        .iter()
        .map(|shown| {
            format!(
                "{:<names$}  {:<values$}  {}",
                shown.name, shown.value, shown.source
            )
        })
        .collect();
    lines.join("\n")
}

/// A value that is wider pushes its own line's source to the right, and no other's.
const WIDEST_VALUE: usize = 40;
