//! Making them.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use store::Store;
use store::folder::DATABASE_FILE;
use store::sqlite::SqliteOptions;
use store::sqlite::backup::{BackupError, BackupOptions, Progress, back_up};
use store::verify::verify;

use super::{Shelf, fill, made, names_in, order, orders_in, store_of, try_to_make};
use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, reported, reported_with_notes};

/// A folder with a backup as its store.
fn opened(file: &Path) -> SqliteFolder {
    let folder = SqliteFolder::new();
    fs::copy(file, folder.database()).unwrap();
    folder
}

fn refused(folder: &SqliteFolder, file: &Path) -> String {
    try_to_make(folder, file).unwrap_err().to_string()
}

#[test]
fn a_backup_is_one_file_for_its_owner_only_with_all_that_was_stored() {
    let (folder, shelf) = (store_of("A"), Shelf::new());
    let backup = made(&folder, &shelf.file());
    assert_eq!(shelf.names(), ["today.db"]);
    let found = fs::metadata(shelf.file()).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(found.len(), backup.bytes);
    assert_eq!((backup.report.orders, backup.report.entries), (20, 40));
    let opened = opened(&shelf.file());
    assert_eq!(orders_in(opened.path(), &["A-0", "A-19", "B-0"]), ["A-0", "A-19"]);
    Clerk::of(&*opened.open()).write(&[created("B-1")]);
}

#[test]
fn what_is_only_in_the_log_of_a_killed_server_is_in_the_backup() {
    let live = SqliteFolder::new();
    let store = live.open();
    fill(&mut Clerk::of(&*store), "A");
    let killed = SqliteFolder::with_copy_of(live.path());
    assert!(killed.log_bytes() > 0);
    let shelf = Shelf::new();
    made(&killed, &shelf.file());
    assert_eq!(orders_in(opened(&shelf.file()).path(), &["A-19"]), ["A-19"]);
}

/// A writer at full speed, but while a copy is proven: that takes longer than to make it, and the store would only get large.
struct Pace {
    acknowledged: AtomicU32,
    proving: AtomicBool,
    done: AtomicBool,
}

impl Pace {
    fn write(&self, clerk: &mut Clerk) {
        for group in 1.. {
            let name = |number| format!("B-{group}-{number}");
            let born: Vec<_> = (0..20).map(|number| created(&name(number))).collect();
            clerk.write(&born);
            let moved: Vec<_> = (0..20)
                .map(|number| reported(&name(number), "picked_up"))
                .collect();
            clerk.write(&moved);
            self.acknowledged.store(group, Ordering::Release);
            while self.proving.load(Ordering::Acquire) && !self.done.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            if self.done.load(Ordering::Acquire) {
                break;
            }
        }
    }

    fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// While a backup is made: has more written while it is copied.
    fn meanwhile(&self, progress: Progress<'_>, until: u32) {
        let proving = matches!(progress, Progress::Proven(_));
        self.proving.store(proving, Ordering::Release);
        while !proving && self.acknowledged() < until {
            std::thread::yield_now();
        }
    }
}

/// Whatever ends the test ends the writer.
struct Done<'a>(&'a Pace);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Release);
    }
}

#[test]
fn backups_beside_a_writer_at_full_speed_are_each_of_one_instant_with_all_acknowledged_before() {
    let folder = SqliteFolder::new();
    // So small that it is checkpointed, and begun anew, all the time.
    let options = SqliteOptions {
        checkpoint_bytes: 64 << 10,
        max_wal_bytes: 256 << 10,
        deferred_heads: 64,
        deferred_round: 256,
        ..SqliteOptions::default()
    };
    let store = folder.open_with(options).unwrap();
    let mut clerk = Clerk::of(&store);
    fill(&mut clerk, "A");
    let pace = Pace {
        acknowledged: AtomicU32::new(0),
        proving: AtomicBool::new(false),
        done: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let _done = Done(&pace);
        scope.spawn(|| pace.write(&mut clerk));
        for round in 0..8 {
            let (before, shelf) = (pace.acknowledged(), Shelf::new());
            let mut progress = |progress: Progress<'_>| pace.meanwhile(progress, before + 3);
            let options = BackupOptions::default();
            let backup = back_up(folder.path(), &shelf.file(), &options, &mut progress).unwrap();
            assert!(
                backup.report.orders >= u64::from(20 * (before + 1)),
                "round {round}"
            );
            let opened = opened(&shelf.file());
            let copy = opened.open();
            assert_eq!(verify(&*copy, &mut |_| {}).findings, [], "round {round}");
            if before > 0 {
                let last = order(&*copy, &format!("B-{before}-19")).unwrap();
                assert_eq!(last.head.version.get(), 2);
            }
            pace.proving.store(false, Ordering::Release);
        }
    });
    drop(clerk);
    let store: &dyn Store = &store;
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}

#[test]
fn a_log_that_grows_beyond_its_bound_ends_the_backup_and_leaves_nothing() {
    let folder = store_of("A");
    // Several steps of a backup.
    fill_to(&folder, 12 << 20);
    for (grows, ends_well) in [(1_000, true), (1_001, false)] {
        let shelf = Shelf::new();
        let options = BackupOptions {
            force: false,
            max_log_bytes: 1_000,
        };
        let mut grown = false;
        let made = back_up(folder.path(), &shelf.file(), &options, &mut |_| {
            if !std::mem::replace(&mut grown, true) {
                let log = File::options().write(true).open(folder.log()).unwrap();
                log.set_len(log.metadata().unwrap().len() + grows).unwrap();
            }
        });
        if ends_well {
            assert_eq!(made.unwrap().log_grew_bytes, 1_000);
        } else {
            assert!(matches!(made.unwrap_err(), BackupError::LogTooLong(1_000)));
            assert_eq!(shelf.names(), [""; 0]);
        }
    }
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_asked_for() {
    let (folder, shelf) = (store_of("A"), Shelf::new());
    fs::write(shelf.file(), "precious").unwrap();
    let expected = format!(
        "{} exists: name another file, or give --force to replace it",
        shelf.file().display()
    );
    assert_eq!(refused(&folder, &shelf.file()), expected);
    assert_eq!(fs::read(shelf.file()).unwrap(), b"precious");
    let forced = BackupOptions {
        force: true,
        ..BackupOptions::default()
    };
    back_up(folder.path(), &shelf.file(), &forced, &mut |_| {}).unwrap();
    assert_eq!(orders_in(opened(&shelf.file()).path(), &["A-1"]), ["A-1"]);
}

#[test]
fn places_that_cannot_be_are_refused_with_the_reason() {
    let (folder, shelf) = (store_of("A"), Shelf::new());
    let inside = folder.path().join("backup.db");
    assert_eq!(
        refused(&folder, &inside),
        format!(
            "{} is in the data folder itself: name a place outside of it, best on another disk",
            inside.display()
        )
    );
    let nowhere = shelf.0.path().join("none/today.db");
    assert!(refused(&folder, &nowhere).ends_with("/none cannot be written: entity not found"));
    let directory = shelf.0.path();
    assert!(refused(&folder, directory).ends_with("cannot be written: is a directory"));
    assert_eq!(shelf.names(), [""; 0]);
    let forced = BackupOptions {
        force: true,
        ..BackupOptions::default()
    };
    let itself = back_up(folder.path(), &folder.database(), &forced, &mut |_| {});
    assert!(matches!(itself, Err(BackupError::InDataFolder(_))));
    assert_eq!(orders_in(folder.path(), &["A-1"]), ["A-1"]);
}

#[test]
fn what_a_killed_backup_left_is_replaced_and_a_running_one_is_not() {
    let (folder, shelf) = (store_of("A"), Shelf::new());
    let part = shelf.0.path().join("today.db.part");
    fs::write(&part, "half").unwrap();
    let other = File::open(&part).unwrap();
    other.lock().unwrap();
    assert_eq!(
        refused(&folder, &shelf.file()),
        format!(
            "another backup is being written to {}: wait for it, or name another file",
            part.display()
        )
    );
    assert_eq!(fs::read(&part).unwrap(), b"half");
    drop(other);
    made(&folder, &shelf.file());
    assert_eq!(shelf.names(), ["today.db"]);
}

#[test]
fn no_store_a_newer_one_and_an_older_one_are_told_of_and_leave_nothing() {
    let shelf = Shelf::new();
    let empty = SqliteFolder::new();
    assert!(refused(&empty, &shelf.file()).ends_with(" holds no Waybill store: check the path"));
    assert_eq!(names_in(empty.path()), [""; 0]);
    for (version, told) in [
        (9, "written by a newer version"),
        (1, "written by an older version"),
    ] {
        let folder = store_of("A");
        folder.raw().pragma_update(None, "user_version", version).unwrap();
        assert!(refused(&folder, &shelf.file()).contains(told));
    }
    assert_eq!(shelf.names(), [""; 0]);
}

#[test]
fn a_damaged_store_gives_findings_and_no_backup() {
    let (folder, shelf) = (store_of("A"), Shelf::new());
    folder
        .raw_without_triggers()
        .execute_batch("UPDATE entries SET occurred_at = occurred_at + 1 WHERE position = 3")
        .unwrap();
    let Err(BackupError::Unsound(report)) = try_to_make(&folder, &shelf.file()) else {
        panic!("it was made");
    };
    assert!(!report.findings.is_empty());
    assert_eq!(shelf.names(), [""; 0]);
    assert!(folder.path().join(DATABASE_FILE).exists());
}

fn fill_to(folder: &SqliteFolder, bytes: u64) {
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    let notes = "n".repeat(500);
    let size = || fs::metadata(folder.database()).unwrap().len() + folder.log_bytes();
    for number in 0.. {
        if size() >= bytes {
            return;
        }
        let name = format!("F-{number}");
        let orders = (0..200).map(|order| format!("{name}-{order}"));
        let wishes =
            orders.flat_map(|order| [created(&order), reported_with_notes(&order, "picked_up", &notes)]);
        clerk.write(&wishes.collect::<Vec<_>>());
    }
}
