//! What a process is told: by flag, environment, `.env` in the working directory, settings file, or default, in that order.
//!
//! Guarantees: a start with a bad value, an unknown key or an unknown `WAYBILL_*` variable gets no settings at all, but a line
//! for each problem; no secret's value is in any of them. Environment and working directory are parameters: nothing here
//! asks the process for them but [`Settings::of_process`]. What a setting does is left to whoever reads it.

mod cors_origins;
mod file;
mod flags;
mod ip_block;
mod kinds;
mod limits;
mod problem;
mod secret;
mod table;
#[cfg(test)]
mod tests;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

pub use self::cors_origins::CorsOrigins;
pub use self::flags::SettingFlags;
pub use self::ip_block::IpBlock;
pub use self::problem::SettingsError;
pub use self::secret::Secret;
pub use self::table::Settings;
pub use self::variables::{TOKEN_VARIABLE, environment_names};

use self::file::SettingsFile;
use self::table::{Setting, TABLE};
use self::variables::{CONFIG_VARIABLE, Variables};

/// What a first start puts into its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// The users of the demo, whose passwords everybody knows.
    Demo,
}

/// Where a setting's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag.
    Flag,
    /// This environment variable of the process.
    Environment(&'static str),
    /// The file `.env` in the working directory.
    DotEnv,
    /// The settings file, as it was named.
    File(String),
    /// Nobody said.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => out.write_str("flag"),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::DotEnv => out.write_str(variables::DOT_ENV),
            Self::File(name) => out.write_str(name),
            Self::Default => out.write_str("default"),
        }
    }
}

/// A setting's text and its source.
struct Given {
    setting: &'static Setting,
    text: String,
    source: Source,
}

/// Where the value of each setting comes from.
pub struct Sources(Vec<Given>);

/// A setting as it may be shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'s> {
    /// Its name: that of its environment variable.
    pub name: &'static str,
    /// Its value as it was written, `***` for a secret, empty for what is unset.
    pub value: &'s str,
    /// Where the value comes from.
    pub source: &'s Source,
}

impl Sources {
    /// All settings in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = Shown<'_>> {
        self.0.iter().map(|given| Shown {
            name: given.setting.name(),
            value: match given.text.as_str() {
                text if text.is_empty() || !given.setting.secret => text,
                _ => "***",
            },
            source: &given.source,
        })
    }

    /// Whether somebody set the setting of this environment name, such as `WAYBILL_DATA_DIR`.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        let mut all = self.0.iter();
        all.any(|given| given.setting.name() == name && given.source != Source::Default)
    }
}

impl Settings {
    /// The settings of a process: `environment` are its variables; `working_dir` has its `.env` and `waybill.toml`, and a
    /// relative path of a settings file begins there.
    ///
    /// # Errors
    /// [`SettingsError`], with a line for each thing that is wrong.
    pub fn load(
        flags: &SettingFlags,
        environment: impl Iterator<Item = (OsString, OsString)>,
        working_dir: &Path,
    ) -> Result<(Self, Sources), SettingsError> {
        let mut problems = Vec::new();
        let of_process = Variables::of_process(environment, &mut problems);
        let of_dot_env = Variables::of_dot_env(working_dir, &mut problems);
        let by_variable = || {
            of_process
                .value(CONFIG_VARIABLE)
                .or_else(|| of_dot_env.value(CONFIG_VARIABLE))
        };
        let named = flags
            .config()
            .map(Path::to_owned)
            .or_else(|| by_variable().map(PathBuf::from));
        let file = SettingsFile::read(named.as_deref(), working_dir, &mut problems);
        let given: Vec<Given> = TABLE
            .iter()
            .map(|setting| {
                let (text, source) = flags
                    .text(setting)
                    .or_else(|| of_process.text(setting))
                    .or_else(|| of_dot_env.text(setting))
                    .or_else(|| file.text(setting))
                    .unwrap_or_else(|| (setting.default.to_owned(), Source::Default));
                Given {
                    setting,
                    text,
                    source,
                }
            })
            .collect();
        match Self::from_texts(&given, &mut problems) {
            Some(settings) if problems.is_empty() => Ok((settings, Sources(given))),
            _ => Err(SettingsError::new(problems)),
        }
    }

    /// The settings of this process.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn of_process(flags: &SettingFlags) -> Result<(Self, Sources), SettingsError> {
        Self::load(flags, std::env::vars_os(), Path::new(""))
    }
}
