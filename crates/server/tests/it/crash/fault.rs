//! A disk that fails on request: a small library laid over the system's calls of the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::skip;

/// Longest that failures may be waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The library, compiled, and where it reports.
pub(crate) struct Shim {
    library: PathBuf,
    faulty_dir: PathBuf,
    count: PathBuf,
    control: PathBuf,
}

impl Shim {
    /// Compiles it into a folder, for a disk that is `faulty_dir`. `None`, said by name, without a C compiler.
    pub(crate) fn compile(folder: &Path, faulty_dir: &Path) -> Option<Self> {
        let library = folder.join("fault.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fault/fault.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status();
        match compiled {
            Ok(status) => assert!(status.success(), "{source} does not compile"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                skip("no C compiler");
                return None;
            }
            Err(error) => panic!("cc: {error}"),
        }
        Some(Self {
            library,
            faulty_dir: faulty_dir.to_owned(),
            count: folder.join("faults"),
            control: folder.join("control"),
        })
    }

    /// Lays it over a command; nothing fails yet.
    pub(crate) fn over<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULT_DIR", &self.faulty_dir)
            .env("FAULT_COUNT", &self.count)
            .env("FAULT_CONTROL", &self.control)
    }

    /// Of a million calls, how many fail at random, and after how many the first may.
    pub(crate) fn at_random(command: &mut Command, per_million: u32, after: u32, seed: u32) {
        command
            .env("FAULT_PER_MILLION", per_million.to_string())
            .env("FAULT_AFTER", after.to_string())
            .env("FAULT_SEED", seed.to_string());
    }

    /// From now on every write fails with this error, until [`Shim::heal`].
    pub(crate) fn fail_writes(&self, error: &str) {
        // Renamed into place, so that it is never seen half-written.
        let written = self.control.with_extension("new");
        std::fs::write(&written, error).unwrap();
        std::fs::rename(written, &self.control).unwrap();
    }

    /// Writes go through again.
    pub(crate) fn heal(&self) {
        std::fs::remove_file(&self.control).unwrap();
    }

    /// How many calls were made to fail so far, over all processes.
    pub(crate) fn faults(&self) -> u64 {
        std::fs::metadata(&self.count).map_or(0, |found| found.len())
    }

    /// Waits until so many calls were made to fail.
    pub(crate) fn awaits(&self, faults: u64) {
        let began = std::time::Instant::now();
        while self.faults() < faults {
            assert!(
                began.elapsed() < PATIENCE,
                "{} calls failed, not {faults}",
                self.faults()
            );
            std::thread::yield_now();
        }
    }
}
