//! What is wrong with the settings of a start, in words: one line a problem, and never a secret's value.

use std::fmt;

use super::Source;
use super::limits::MAX_SHOWN_CHARS;
use super::table::Setting;

/// Why there are no settings: one line a problem.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    pub(super) const fn new(problems: Vec<String>) -> Self {
        Self { problems }
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.problems.join("\n"))
    }
}

/// A value that is not allowed.
pub(super) fn not_allowed(setting: &Setting, source: &Source, text: &str) -> String {
    let value = if setting.secret {
        "its value (not shown)".to_owned()
    } else {
        quoted(text)
    };
    let (name, allowed) = (setting.name(), (setting.allowed)());
    format!("{name} (from {source}): {value} is not allowed: {allowed}")
}

/// A text from outside on one line.
pub(super) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

/// Of the known names the one that one of these spellings takes the fewest changes to become, whatever the case.
pub(super) fn nearest<'n>(spellings: &[&str], known: impl Iterator<Item = &'n str>) -> &'n str {
    let changes = |name: &&str| {
        let each = spellings
            .iter()
            .map(|spelling| distance(&spelling.to_lowercase(), &name.to_lowercase()));
        each.min()
    };
    known.min_by_key(changes).unwrap_or_default()
}

/// Symbols to change, add or leave out until both are the same (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, symbol) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(symbol != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, quoted};

    #[test]
    fn distances_count_single_symbols() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
        assert_eq!(
            nearest(&["APP_PROT"], ["app_host", "app_port"].into_iter()),
            "app_port"
        );
    }

    #[test]
    fn a_text_from_outside_stays_on_one_line_and_short() {
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted(&"x".repeat(101)), format!("\"{}\"…", "x".repeat(100)));
    }
}
