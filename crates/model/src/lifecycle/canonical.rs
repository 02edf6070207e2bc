//! The one text that stands for all files that mean the same, and its hash.
//!
//! The hash is stored with every order for ever, so the text of a definition must never change: what has its
//! default is left out, and a key that a later version adds is to be written only where it is used.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Arrow, DEFAULT_PARK_FOR, EarlyPolicy, Effect, LatePolicy, Lifecycle, delay};
use crate::role::{Role, RoleSet};

/// SHA-256 of a definition's canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// A hash as stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// Lower-case hex, 64 digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The canonical text: TOML that reads back to an equal lifecycle.
pub(super) fn text(lifecycle: &Lifecycle) -> String {
    let mut out = Writer(String::new());
    out.string("name", &lifecycle.name);
    out.line("version", &lifecycle.version.to_string());
    out.string("description", &lifecycle.description);
    out.string("initial", lifecycle.state_name(lifecycle.initial));
    if let Some(cancelled) = lifecycle.cancelled {
        out.string("cancelled", lifecycle.state_name(cancelled));
    }
    out.roles("created_by", lifecycle.created_by);
    if lifecycle.jitter_percent != 0 {
        out.line("jitter_percent", &lifecycle.jitter_percent.to_string());
    }
    reports(lifecycle, &mut out);
    for state in &lifecycle.states {
        out.header("[[state]]");
        out.string("name", &state.name);
        out.string("phase", state.phase.name());
    }
    for each in &lifecycle.arrows {
        arrow(lifecycle, each, &mut out);
    }
    out.0
}

fn reports(lifecycle: &Lifecycle, out: &mut Writer) {
    let late = (lifecycle.late != LatePolicy::default()).then_some(lifecycle.late);
    let early = (lifecycle.early != EarlyPolicy::default()).then_some(lifecycle.early);
    if late.is_some() || early.is_some() {
        out.header("[reports]");
    }
    if let Some(late) = late {
        out.string("late", late.name());
    }
    if let Some(early) = early {
        out.string("early", early.name());
    }
    if lifecycle.park_for != DEFAULT_PARK_FOR {
        out.string("park_for", &delay::write(lifecycle.park_for));
    }
}

fn arrow(lifecycle: &Lifecycle, arrow: &Arrow, out: &mut Writer) {
    out.header("[[arrow]]");
    out.string("from", lifecycle.state_name(arrow.from));
    out.string("to", lifecycle.state_name(arrow.to));
    // A delay says `system` already.
    let implied = arrow.after.map(|_| Role::System);
    let by: Vec<Role> = arrow.by.iter().filter(|role| Some(*role) != implied).collect();
    if !by.is_empty() {
        out.roles("by", RoleSet::of(&by));
    }
    if let Some(after) = arrow.after {
        out.string("after", &delay::write(after));
    }
    if !arrow.effects.is_empty() {
        out.effects("effects", &arrow.effects);
    }
    if let Some(compensation) = &arrow.compensation {
        out.effects("compensation", compensation);
    }
}

/// Writes lines of TOML.
struct Writer(String);

impl Writer {
    fn header(&mut self, header: &str) {
        self.0 += "\n";
        self.0 += header;
        self.0 += "\n";
    }

    fn line(&mut self, key: &str, value: &str) {
        self.0 += key;
        self.0 += " = ";
        self.0 += value;
        self.0 += "\n";
    }

    fn string(&mut self, key: &str, value: &str) {
        self.line(key, &quoted(value));
    }

    fn roles(&mut self, key: &str, roles: RoleSet) {
        self.list(key, roles.iter().map(Role::name));
    }

    fn effects(&mut self, key: &str, effects: &[Effect]) {
        self.list(key, effects.iter().map(|effect| effect.name()));
    }

    fn list<'a>(&mut self, key: &str, words: impl Iterator<Item = &'a str>) {
        let words: Vec<String> = words.map(quoted).collect();
        self.line(key, &format!("[{}]", words.join(", ")));
    }
}

/// A basic string. Control characters, the only others that TOML wants escaped, are refused by validation.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}
