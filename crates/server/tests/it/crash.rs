//! What was acknowledged survives: the process killed at any moment, and a disk that fails.

mod caller;
mod fault;
mod faults;
mod front_door;
mod kill;
mod nodes;
mod notes;

use std::path::{Path, PathBuf};

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::harness::acknowledged::{Acknowledged, Losses};
use crate::harness::process::{Ended, run, waybill_on};
use crate::harness::tell;

/// Rounds, where the environment names no number.
const ROUNDS: u32 = 10;

/// A store that is killed again and again, and everything it acknowledged.
struct Ordeal {
    dir: TempDir,
    random: StdRng,
    all: Acknowledged,
    last: Acknowledged,
}

impl Ordeal {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            random: StdRng::seed_from_u64(seed()),
            all: Acknowledged::default(),
            last: Acknowledged::default(),
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The load, with acknowledgements.
    fn simulate(&mut self) -> std::process::Command {
        let mut command = waybill_on("simulate", &self.data_dir());
        command.args([
            "--acknowledge",
            "--submitters",
            "4",
            "--batch",
            // Of some rounds so many that they are written while the next are decided.
            if self.random.random_ratio(1, 3) {
                "700"
            } else {
                "20"
            },
            "--seconds",
            "30",
        ]);
        command.args(["--seed", &self.random.random_range(0..1_000_000u32).to_string()]);
        command
    }

    /// Proves the store and looks for what the round acknowledged.
    fn check(&mut self, round: Acknowledged) {
        if self.all.len() == 0 && round.len() == 0 {
            // Killed before the store was born, perhaps, or between two of its migrations: then nothing may be lost, and the
            // next start makes the rest.
            let verified = run(&mut waybill_on("verify", &self.data_dir()));
            let half_born = ["holds no Waybill store", "was written by an older version"];
            let half_born = half_born.iter().any(|said| verified.stderr.contains(said));
            let unborn = verified.code() == Some(2) && half_born;
            assert!(unborn || verified.code() == Some(0), "{verified:?}");
            return;
        }
        prove(&self.data_dir());
        assert_eq!(round.compare(&self.data_dir()), Losses::default());
        self.all.add(&round);
        self.last = round;
    }

    /// Looks for what all rounds acknowledged, and tells the figures.
    fn check_all(&self, rounds: u32, further: &str) {
        let losses = self.all.compare(&self.data_dir());
        tell(&format!(
            "{rounds} rounds: {} acknowledged, lost {}, doubled {}{further}",
            self.all.len(),
            losses.lost.len(),
            losses.doubled.len(),
        ));
        assert_eq!(losses, Losses::default());
        assert!(
            self.all.len() > 0,
            "nothing was acknowledged, so nothing was shown"
        );
    }
}

fn rounds() -> u32 {
    rounds_or(ROUNDS)
}

/// As many as the environment says, or else so many.
fn rounds_or(rounds: u32) -> u32 {
    std::env::var("WAYBILL_CRASH_ROUNDS").map_or(rounds, |rounds| rounds.parse().unwrap())
}

/// Told, so that a run can be repeated; the moments of a kill are the machine's all the same.
fn seed() -> u64 {
    let chance = || StdRng::try_from_rng(&mut SysRng).unwrap().random();
    let seed = std::env::var("WAYBILL_CRASH_SEED").map_or_else(|_| chance(), |seed| seed.parse().unwrap());
    tell(&format!("WAYBILL_CRASH_SEED={seed}"));
    seed
}

/// `waybill verify` finds nothing.
fn prove(data_dir: &Path) -> Ended {
    let verified = run(&mut waybill_on("verify", data_dir));
    assert_eq!(verified.code(), Some(0), "{verified:?}");
    verified
}
