//! Files as a crash, or a person, leaves them.

use std::fs::{self, File};

use store::verify::verify;
use store::{CommitId, CommitRecord, Store};

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, reported};

fn filled() -> SqliteFolder {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    for number in 0..20 {
        let name = format!("A-{number}");
        clerk.write(&[created(&name), reported(&name, "picked_up")]);
    }
    drop((clerk, store));
    folder
}

fn commits(store: &dyn Store) -> Vec<CommitRecord> {
    store
        .reading(|reader| reader.commits(CommitId(0), 1_000))
        .unwrap()
}

fn assert_sound(store: &dyn Store) {
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}

#[test]
fn a_file_cut_short_is_half_written() {
    let folder = filled();
    let bytes = fs::metadata(folder.database()).unwrap().len();
    for left in [bytes - 1, bytes - 4096, 4096, 101] {
        File::options()
            .write(true)
            .open(folder.database())
            .unwrap()
            .set_len(left)
            .unwrap();
        assert_eq!(
            folder.try_open().err().unwrap().to_string(),
            format!(
                "{} is half-written ({left} bytes where its header says {bytes}): restore it from a backup",
                folder.database().display()
            )
        );
    }
    File::options()
        .write(true)
        .open(folder.database())
        .unwrap()
        .set_len(99)
        .unwrap();
    assert_eq!(
        folder.try_open().err().unwrap().to_string(),
        format!(
            "{} is half-written (99 bytes are no database header): restore it from a backup",
            folder.database().display()
        )
    );
}

#[test]
fn a_log_without_its_database_is_half_written() {
    for empty in [false, true] {
        let folder = filled();
        fs::write(folder.log(), [1; 32]).unwrap();
        fs::remove_file(folder.database()).unwrap();
        if empty {
            fs::write(folder.database(), "").unwrap();
        }
        assert_eq!(
            folder.try_open().err().unwrap().to_string(),
            format!(
                "{} is half-written (its log is there, the database is not): restore it from a backup",
                folder.database().display()
            )
        );
    }
}

#[test]
fn a_torn_log_gives_a_prefix_of_the_commits() {
    let live = filled();
    let store = live.open();
    // Before anything of the log can have been copied into it.
    let database = fs::read(live.database()).unwrap();
    let mut clerk = Clerk::of(&*store);
    for number in 20..32 {
        let name = format!("A-{number}");
        clerk.write(&[created(&name), reported(&name, "in_transit")]);
    }
    let all = commits(&*store);
    let log = fs::read(live.log()).unwrap();
    let mut found = Vec::new();
    for sixteenth in 0..=16 {
        for shift in [0, 1, 31] {
            let torn = SqliteFolder::new();
            let left = (log.len() * sixteenth / 16).saturating_sub(shift);
            fs::write(torn.database(), &database).unwrap();
            fs::write(torn.log(), &log[..left]).unwrap();
            let store = torn.open();
            let kept = commits(&*store);
            assert!(kept.len() >= 20 && all.starts_with(&kept), "{left} bytes left");
            assert_sound(&*store);
            Clerk::of(&*store).write(&[created("B-1")]);
            found.push(kept.len());
        }
    }
    assert_eq!((found.iter().min(), found.iter().max()), (Some(&20), Some(&32)));
}

#[test]
fn a_copy_of_a_live_store_is_recovered_whole() {
    let live = filled();
    let store = live.open();
    let mut clerk = Clerk::of(&*store);
    for number in 20..40 {
        clerk.write(&[created(&format!("A-{number}"))]);
        let crashed = SqliteFolder::with_copy_of(live.path());
        let recovered = crashed.open();
        assert_eq!(commits(&*recovered), commits(&*store));
    }
    let crashed = SqliteFolder::with_copy_of(live.path());
    let recovered = crashed.open();
    assert_sound(&*recovered);
    drop(recovered);
    assert_eq!(crashed.log_bytes(), 0);
}

#[test]
fn a_crashed_store_can_be_read_without_its_lock() {
    let live = filled();
    let store = live.open();
    Clerk::of(&*store).write(&[created("B-1")]);
    let crashed = SqliteFolder::with_copy_of(live.path());
    let recovered = store::sqlite::SqliteStore::open_to_read(crashed.path()).unwrap();
    assert_eq!(commits(&recovered), commits(&*store));
}
