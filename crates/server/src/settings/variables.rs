//! Variables: those of the process's environment, and those of a `.env` file, which is only read and changes no environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::Source;
use super::file::{Reading, read_bounded};
use super::problem::{nearest, quoted};
use super::table::{Setting, TABLE};

/// The file that names the settings file.
pub(super) const CONFIG_VARIABLE: &str = "WAYBILL_CONFIG";
/// The token that commands with `--url` send.
pub const TOKEN_VARIABLE: &str = "WAYBILL_TOKEN";
/// The beginning by which a variable is meant for Waybill.
const OURS: &str = "WAYBILL_";
/// Variables of Waybill's commands that are no settings of a server.
const OF_COMMANDS: [&str; 2] = [CONFIG_VARIABLE, TOKEN_VARIABLE];
/// Variables of Waybill's tests, which run the binary with their own environment.
const OF_TESTS: [&str; 7] = [
    "WAYBILL_CRASH_ROUNDS",
    "WAYBILL_CRASH_SEED",
    "WAYBILL_OLIST_DIR",
    "WAYBILL_REQUIRE_ALL",
    "WAYBILL_TEST_IN_OWN_MOUNTS",
    "WAYBILL_TEST_PG_DSN",
    "WAYBILL_TEST_STORE",
];

/// The name of the file in the working directory.
pub(super) const DOT_ENV: &str = ".env";

/// Every environment variable that a start looks at.
pub fn environment_names() -> impl Iterator<Item = &'static str> {
    let settings = TABLE.iter().flat_map(|setting| setting.environment);
    settings.copied().chain(OF_COMMANDS)
}

/// Variables that have a value and are Waybill's.
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    source: fn(&'static str) -> Source,
}

impl Variables {
    pub(super) fn of_process(
        environment: impl Iterator<Item = (OsString, OsString)>,
        problems: &mut Vec<String>,
    ) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| concerns(name)) else {
                continue;
            };
            check_name(name, "the environment", problems);
            match value.into_string() {
                Ok(value) => {
                    values.insert(name.to_owned(), value);
                }
                Err(_) => problems.push(format!("{name} (from the environment): its value is not UTF-8")),
            }
        }
        Self {
            values,
            source: Source::Environment,
        }
    }

    /// In a value without single quotes, `$NAME` stands for what the lines above or the process's environment say.
    pub(super) fn of_dot_env(working_dir: &Path, problems: &mut Vec<String>) -> Self {
        let mut variables = Self {
            values: BTreeMap::new(),
            source: |_| Source::DotEnv,
        };
        let text = match read_bounded(&working_dir.join(DOT_ENV)) {
            Reading::Read(text) => text,
            Reading::NotThere => return variables,
            Reading::Failed(why) => {
                problems.push(format!("{DOT_ENV}: {why}"));
                return variables;
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for line in dotenvy::from_read_iter(text.as_bytes()) {
            match line {
                Ok((name, value)) if concerns(&name) => {
                    check_name(&name, DOT_ENV, problems);
                    variables.values.insert(name, value);
                }
                Ok(_) => {}
                Err(error) => {
                    problems.push(unreadable(text, &error));
                    return variables;
                }
            }
        }
        variables
    }

    /// The value of a variable; an empty one counts as unset.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, setting: &Setting) -> Option<(String, Source)> {
        setting.environment.iter().find_map(|name| {
            let value = self.value(name)?;
            Some((value.to_owned(), (self.source)(name)))
        })
    }
}

fn concerns(name: &str) -> bool {
    name.starts_with(OURS) || environment_names().any(|known| known == name)
}

fn check_name(name: &str, place: &str, problems: &mut Vec<String>) {
    if environment_names().chain(OF_TESTS).any(|known| known == name) {
        return;
    }
    // Somebody may have put the beginning before the name of a setting that has none.
    let bare = name.strip_prefix(OURS).unwrap_or(name);
    let nearest = nearest(&[name, bare], environment_names());
    let name = quoted(name);
    problems.push(format!(
        "unknown variable {name} (from {place}): did you mean {nearest}?"
    ));
}

/// Says where the file cannot be read. The line itself may hold a secret.
fn unreadable(text: &str, error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(part, _) = error else {
        return format!("{DOT_ENV}: cannot be read");
    };
    let mut places = text.match_indices(part.as_str()).map(|(at, _)| &text[..at]);
    let before = places.find(|before| before.is_empty() || before.ends_with('\n'));
    let line = before.map_or_else(String::new, |before| {
        format!(":{}", before.matches('\n').count() + 1)
    });
    format!("{DOT_ENV}{line}: not a line of the form NAME=value, or a quote is not closed")
}
