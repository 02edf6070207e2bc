//! A server that one test may do with as it likes.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::backend::skip;

/// A server of the test's own, stopped at the end.
pub(super) struct Server(TempDir);

impl Server {
    pub(super) fn start() -> Option<Self> {
        let server = Self(TempDir::new().unwrap());
        let started = server.run("check").status.success() && server.run("start").status.success();
        if !started {
            skip("no PostgreSQL server binaries");
        }
        started.then_some(server)
    }

    pub(super) fn run(&self, what: &str) -> std::process::Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/services");
        let run = Command::new(script)
            .arg(what)
            .env("CARGO_TARGET_DIR", self.0.path())
            .output();
        run.unwrap()
    }

    pub(super) fn dsn(&self) -> String {
        let environment = self.said("env").unwrap();
        environment.split('\'').nth(1).unwrap().to_owned()
    }

    /// What the script prints, if it does what it is asked for.
    pub(super) fn said(&self, what: &str) -> Option<String> {
        let run = self.run(what);
        let said = run.status.success().then_some(run.stdout)?;
        Some(String::from_utf8(said).unwrap().trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("stop");
    }
}
