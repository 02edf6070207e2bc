//! Settings of a start whose environment and working directory are the test's own.

mod bounds;
mod files;
mod precedence;

use std::ffi::OsString;
use std::fs;

use clap::{Args, Command, FromArgMatches};
use tempfile::TempDir;

use super::{SettingFlags, Settings, SettingsError, Sources};

/// What a process is started with.
struct Start {
    flags: Vec<String>,
    environment: Vec<(OsString, OsString)>,
    working_dir: TempDir,
}

impl Start {
    fn new() -> Self {
        Self {
            flags: Vec::new(),
            environment: Vec::new(),
            working_dir: TempDir::new().unwrap(),
        }
    }

    fn flag(mut self, flag: &str, value: &str) -> Self {
        self.flags.push(format!("{flag}={value}"));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.working_dir.path().join(name), text).unwrap();
        self
    }

    fn flags(&self) -> SettingFlags {
        let words = ["waybill".to_owned()].into_iter().chain(self.flags.clone());
        let matches = SettingFlags::augment_args(Command::new("waybill")).get_matches_from(words);
        SettingFlags::from_arg_matches(&matches).unwrap()
    }

    fn load(&self) -> Result<(Settings, Sources), SettingsError> {
        Settings::load(
            &self.flags(),
            self.environment.clone().into_iter(),
            self.working_dir.path(),
        )
    }

    fn settings(&self) -> Settings {
        self.load().map(|(settings, _)| settings).unwrap()
    }

    /// Value and source of a setting, as they are shown.
    fn shown(&self, name: &str) -> (String, String) {
        let (_, sources) = self.load().unwrap();
        let mut all = sources.iter();
        let shown = all.find(|shown| shown.name == name).unwrap();
        (shown.value.to_owned(), shown.source.to_string())
    }

    /// The lines that tell what is wrong.
    fn problems(&self) -> Vec<String> {
        let Err(error) = self.load() else {
            panic!("nothing is wrong");
        };
        error.to_string().lines().map(str::to_owned).collect()
    }
}
