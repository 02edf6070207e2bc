//! The flags of a command that has settings: `--config FILE`, and one for each setting of the table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::table::{Setting, TABLE};
use super::{Secret, Source};

const CONFIG: &str = "config";
const PG_DSN: &str = "pg-dsn";
const HEADING: &str = "Settings";

/// What was said by flags, still as text. A command takes it by `#[command(flatten)]`.
#[derive(Clone, Default)]
pub struct SettingFlags {
    config: Option<PathBuf>,
    given: BTreeMap<&'static str, String>,
}

impl SettingFlags {
    /// With the flag that names a database.
    #[must_use]
    pub(crate) fn with_pg_dsn(mut self, dsn: &Secret) -> Self {
        self.given.insert(PG_DSN, dsn.expose().to_owned());
        self
    }

    /// The file that `--config` names.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    pub(super) fn text(&self, setting: &Setting) -> Option<(String, Source)> {
        let text = self.given.get(setting.flag())?;
        Some((text.clone(), Source::Flag))
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for SettingFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set()
            .entries(&self.config)
            .entries(self.given.keys())
            .finish()
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help_heading(HEADING)
            .help("File of settings (TOML); waybill.toml if it is there [env: WAYBILL_CONFIG]");
        command.arg(config).args(TABLE.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let mut help = format!(
        "{} [env: {}]",
        setting.help.trim(),
        setting.environment.join(", ")
    );
    if !setting.default.is_empty() {
        help.push_str(&format!(" [default: {}]", setting.default));
    }
    if setting.secret {
        help.push_str("; safer by environment, since every process of the machine sees a flag");
    }
    Arg::new(setting.flag())
        .long(setting.flag())
        .visible_aliases(setting.flags[1..].iter().copied())
        .value_name(setting.placeholder)
        // So that a number below zero is refused by name, and a secret may begin with a hyphen.
        .allow_negative_numbers(true)
        .allow_hyphen_values(setting.secret)
        .help_heading(HEADING)
        .help(help)
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        if let Some(file) = matches.get_one::<PathBuf>(CONFIG) {
            self.config = Some(file.clone());
        }
        for setting in TABLE {
            if let Some(text) = matches.get_one::<String>(setting.flag()) {
                self.given.insert(setting.flag(), text.clone());
            }
        }
        Ok(())
    }
}
