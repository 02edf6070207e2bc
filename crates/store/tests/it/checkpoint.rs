//! The write-ahead log stays bounded, and is copied back when nothing comes.

use std::time::{Duration, Instant};

use store::Store;
use store::limits::MAX_GIVE_WAY;
use store::sqlite::SqliteOptions;
use store::verify::verify;

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, reported, reported_with_notes};

const MAX_WAL_BYTES: u64 = 1 << 20;
/// Above the bound: what is written while one checkpoint runs, as the writer does not wait for it until it is over.
const SLACK_BYTES: u64 = 1 << 20;

fn small() -> SqliteOptions {
    SqliteOptions {
        checkpoint_bytes: 256 << 10,
        max_wal_bytes: MAX_WAL_BYTES,
        ..SqliteOptions::default()
    }
}

/// Groups of about 50 KB of log each.
fn write_groups(clerk: &mut Clerk, groups: u32, after_each: impl FnMut()) {
    write_groups_named(clerk, "A", groups, after_each);
}

fn write_groups_named(clerk: &mut Clerk, name: &str, groups: u32, mut after_each: impl FnMut()) {
    let notes = "n".repeat(500);
    for group in 0..groups {
        let wishes: Vec<_> = (0..10)
            .map(|number| format!("{name}-{group}-{number}"))
            .flat_map(|name| [created(&name), reported_with_notes(&name, "picked_up", &notes)])
            .collect();
        clerk.write(&wishes);
        after_each();
    }
}

/// Frames in the log, and those of them copied.
fn frames(folder: &SqliteFolder) -> (i64, i64) {
    let raw = folder.raw();
    // So that the connection knows of the log.
    raw.execute_batch("SELECT count(*) FROM commits").unwrap();
    raw.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
        Ok((row.get(1)?, row.get(2)?))
    })
    .unwrap()
}

fn is_copied_soon(folder: &SqliteFolder) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        let (in_log, copied) = frames(folder);
        if in_log == copied {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn the_log_stays_bounded_under_continuous_commits_and_is_empty_at_the_end() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(small()).unwrap();
    let mut clerk = Clerk::of(&store);
    let mut most = 0;
    write_groups(&mut clerk, 120, || most = most.max(folder.log_bytes()));
    assert!(most > 100_000, "the log was used: {most}");
    assert!(most <= MAX_WAL_BYTES + SLACK_BYTES, "{most} bytes");
    drop((clerk, store));
    assert_eq!(folder.log_bytes(), 0);
    assert_eq!(verify(&*folder.open(), &mut |_| {}).findings, []);
}

#[test]
fn the_log_stays_bounded_beside_readers_that_come_and_go() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(small()).unwrap();
    let store: &dyn Store = &store;
    let mut clerk = Clerk::of(store);
    let written = std::sync::atomic::AtomicBool::new(false);
    let (mut most, mut longest, mut last) = (0, Duration::ZERO, Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !written.load(std::sync::atomic::Ordering::Acquire) {
                let read = store.reading(|reader| {
                    reader.totals()?;
                    std::thread::sleep(Duration::from_millis(30));
                    Ok(())
                });
                read.unwrap();
            }
        });
        write_groups(&mut clerk, 120, || {
            most = most.max(folder.log_bytes());
            longest = longest.max(last.elapsed());
            last = Instant::now();
        });
        written.store(true, std::sync::atomic::Ordering::Release);
    });
    assert!(most <= MAX_WAL_BYTES + SLACK_BYTES, "{most} bytes");
    assert!(longest < MAX_GIVE_WAY, "a group waited for {longest:?}");
}

#[test]
fn a_crash_between_checkpoints_loses_nothing() {
    let folder = SqliteFolder::new();
    let store = folder.open_with(small()).unwrap();
    let mut clerk = Clerk::of(&store);
    write_groups(&mut clerk, 30, || {});
    let store: &dyn Store = &store;
    assert!(is_copied_soon(&folder));
    clerk.write(&[reported("A-0-0", "in_transit")]);
    let crashed = SqliteFolder::with_copy_of(folder.path());
    let recovered = crashed.open();
    let report = verify(&*recovered, &mut |_| {});
    assert_eq!(report.findings, []);
    let totals = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!(i64::try_from(report.entries).unwrap(), totals.last_position.get());
}

#[test]
fn an_idle_log_is_copied_whatever_its_size() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    Clerk::of(&*store).write(&[created("A-1")]);
    assert!(is_copied_soon(&folder));
}

#[test]
fn a_log_left_by_a_crash_is_copied_though_nothing_is_written() {
    let live = SqliteFolder::new();
    let store = live.open();
    Clerk::of(&*store).write(&[created("A-1")]);
    let crashed = SqliteFolder::with_copy_of(live.path());
    assert!(crashed.log_bytes() > 0, "there is something to recover");
    let _recovered = crashed.open();
    assert!(is_copied_soon(&crashed));
}

#[test]
fn a_checkpoint_that_another_kept_away_is_tried_again() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let reader = folder.raw();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM entries")
        .unwrap();
    clerk.write(&[created("A-2")]);
    // Waits for the reader in vain, and lets no other checkpoint run meanwhile.
    let other = folder.raw();
    other.busy_timeout(Duration::from_millis(1_500)).unwrap();
    let busy: i64 = other
        .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 1);
    reader.execute_batch("COMMIT").unwrap();
    assert!(is_copied_soon(&folder));
}

/// As a backup of another process does.
#[test]
fn a_reader_that_stays_does_not_slow_the_writer_down_and_the_log_is_begun_anew_after_it() {
    for reading_before in [false, true] {
        let folder = SqliteFolder::new();
        let store = folder.open_with(small()).unwrap();
        let mut clerk = Clerk::of(&store);
        let reader = folder.raw();
        if !reading_before {
            write_groups(&mut clerk, 5, || {});
        }
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM entries")
            .unwrap();
        let began = Instant::now();
        let mut waited = Duration::ZERO;
        let mut last = began;
        let groups = 300;
        write_groups_named(&mut clerk, "B", groups, || {
            // What is written takes its time; what is waited for is longer.
            waited += Some(last.elapsed())
                .filter(|took| *took > MAX_GIVE_WAY / 4)
                .unwrap_or_default();
            last = Instant::now();
        });
        assert!(folder.log_bytes() > 4 * MAX_WAL_BYTES, "the log was held");
        assert!(waited < 2 * MAX_GIVE_WAY, "the writer waited for {waited:?}");
        reader.execute_batch("COMMIT").unwrap();
        // A checkpoint at the latest when the log is idle; what comes then begins it anew.
        assert!(is_copied_soon(&folder));
        write_groups_named(&mut clerk, "C", 20, || {});
        let (in_log, _) = frames(&folder);
        assert!(
            u64::try_from(in_log).unwrap() < (MAX_WAL_BYTES + SLACK_BYTES) / 8_192,
            "{in_log} frames"
        );
        drop((clerk, reader, store));
        assert_eq!(verify(&*folder.open(), &mut |_| {}).findings, []);
    }
}
