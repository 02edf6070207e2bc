//! Writes and syncs that fail, or succeed by half, mixed with kills; a full and a read-only disk that recovers.

use std::time::Duration;

use rand::RngExt;
use store::folder::DATABASE_FILE;

use super::fault::Shim;
use super::{Ordeal, rounds};
use crate::harness::acknowledged::{Acknowledged, Losses};
use crate::harness::process::{Running, run, waybill_on};

/// About one in seven hundred: most groups go through, and every round sees faults.
const FAULTS_PER_MILLION: u32 = 1_500;
/// Calls that succeed first, so that most starts do.
const GRACE: u32 = 300;
/// Acknowledgements that may be under way at one moment: four submissions of twenty.
const IN_FLIGHT: usize = 80;
/// Rounds that are tried for each that is to start.
const TRIES: u32 = 10;

#[test]
fn what_was_acknowledged_survives_a_failing_disk() {
    let mut ordeal = Ordeal::new();
    let Some(shim) = Shim::compile(ordeal.dir.path(), &ordeal.data_dir()) else {
        return;
    };
    let (rounds, mut done, mut tries) = (rounds(), 0, 0);
    while done < rounds {
        tries += 1;
        assert!(tries <= TRIES * rounds, "it hardly ever starts");
        done += u32::from(faulty_round(&mut ordeal, &shim));
    }
    let faults = shim.faults();
    ordeal.check_all(
        rounds,
        &format!(", {faults} calls failed, {} starts did", tries - rounds),
    );
    assert!(faults > 0, "no call failed, so nothing was shown");
}

/// Whether it started at all: a start that fails is an honest answer, and the next round goes on.
fn faulty_round(ordeal: &mut Ordeal, shim: &Shim) -> bool {
    let mut command = ordeal.simulate();
    let after = ordeal.random.random_range(0..2 * GRACE);
    Shim::at_random(
        shim.over(&mut command),
        FAULTS_PER_MILLION,
        after,
        ordeal.random.random(),
    );
    let running = Running::start(&mut command);
    let started = running.begins_with("ready");
    if started {
        std::thread::sleep(Duration::from_millis(ordeal.random.random_range(30..600)));
    }
    let ended = running.kill();
    let acknowledged = Acknowledged::read(&ended.stdout);
    if ordeal.data_dir().join(DATABASE_FILE).exists() {
        ordeal.check(acknowledged);
    }
    started
}

#[test]
fn a_disk_that_was_full_or_read_only_takes_over_by_itself() {
    let mut ordeal = Ordeal::new();
    let Some(shim) = Shim::compile(ordeal.dir.path(), &ordeal.data_dir()) else {
        return;
    };
    let mut command = ordeal.simulate();
    let running = Running::start(shim.over(&mut command));
    for error in ["ENOSPC", "EROFS", "EIO"] {
        let before = running.lines();
        assert!(running.prints_more_than(before + IN_FLIGHT));
        let faults = shim.faults();
        shim.fail_writes(error);
        shim.awaits(faults + 3);
        let during = running.lines();
        shim.heal();
        // It goes on without a restart.
        assert!(running.prints_more_than(during + IN_FLIGHT));
    }
    running.interrupt();
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("storage is unavailable"),
        "{}",
        ended.stderr
    );
    ordeal.check(Acknowledged::read(&ended.stdout));
    ordeal.check_all(1, "");
}

#[test]
fn a_store_on_a_full_disk_says_so_and_stays_whole() {
    let mut ordeal = Ordeal::new();
    let Some(shim) = Shim::compile(ordeal.dir.path(), &ordeal.data_dir()) else {
        return;
    };
    let made = run(waybill_on("simulate", &ordeal.data_dir()).args(["--seconds", "0"]));
    assert_eq!(made.code(), Some(0), "{made:?}");
    shim.fail_writes("ENOSPC");
    let refused = run(shim.over(&mut ordeal.simulate()));
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("waybill.db: "), "{}", refused.stderr);
    let acknowledged = Acknowledged::read(&refused.stdout);
    assert_eq!(acknowledged.len(), 0);
    assert_eq!(acknowledged.compare(&ordeal.data_dir()), Losses::default());
    super::prove(&ordeal.data_dir());
}
