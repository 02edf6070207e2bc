//! A PostgreSQL server of one test, for the test to kill, stop and start: `dev/services` with notes of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::skip;

/// A running server. It ends with this, with all that it holds.
pub(crate) struct OwnPostgres {
    notes: TempDir,
    dsn: String,
}

impl OwnPostgres {
    /// `None`, and the test is left out, where there are no binaries of a server.
    pub(crate) fn start() -> Option<Self> {
        let notes = TempDir::new().unwrap();
        let is_there = services(notes.path(), "check").output().unwrap();
        if !is_there.status.success() {
            skip("no PostgreSQL binaries: see dev/services check");
            return None;
        }
        let started = services(notes.path(), "start").output().unwrap();
        let told = String::from_utf8(started.stdout).unwrap();
        let dsn = told
            .trim()
            .strip_prefix("export WAYBILL_TEST_PG_DSN='")
            .and_then(|rest| rest.strip_suffix('\''));
        let Some(dsn) = dsn else {
            panic!("{told}{}", String::from_utf8_lossy(&started.stderr));
        };
        Some(Self {
            dsn: dsn.to_owned(),
            notes,
        })
    }

    /// The address of its first database.
    pub(crate) fn dsn(&self) -> &str {
        &self.dsn
    }

    /// Kills it, and starts it again on the same data.
    pub(crate) fn crash(&self) {
        self.must("crash");
    }

    /// Stops all its processes where they are.
    pub(crate) fn pause(&self) {
        self.must("pause");
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        self.must("resume");
    }

    fn must(&self, what: &str) {
        let done = services(self.notes.path(), what).output().unwrap();
        assert!(done.status.success(), "{what}: {done:?}");
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // A test that fails may have left it standing.
        for what in ["resume", "stop"] {
            drop(services(self.notes.path(), what).output());
        }
    }
}

fn services(notes: &Path, what: &str) -> Command {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect();
    let mut command = Command::new(root.join("dev/services"));
    command.arg(what).env("CARGO_TARGET_DIR", notes);
    command.stdin(Stdio::null());
    command
}
