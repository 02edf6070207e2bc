//! Restoring them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store::folder::{DATABASE_FILE, DataFolder};
use store::sqlite::backup::{BackupError, RestoreStep, Restored, restore};

use super::{Shelf, names_in, orders_in, store_of};
use crate::backend::{Backend, SqliteFolder};
use crate::migration::old_store;
use crate::orders::{Clerk, created};

const TIME: &str = "20260102T030405Z";
const EPOCH: [u8; 16] = [9; 16];
const ASIDE: &str = "waybill.db.replaced-20260102T030405Z";

fn try_to_restore(file: &Path, folder: &Path, replaced_at: Option<&str>) -> Result<Restored, BackupError> {
    restore(file, folder, &EPOCH, replaced_at, &mut |_| {}, &mut |_| {})
}

fn refused(file: &Path, folder: &Path) -> String {
    try_to_restore(file, folder, None).unwrap_err().to_string()
}

/// Files of a folder, all of them, as a kill would leave them.
fn as_killed(folder: &Path) -> SqliteFolder {
    let killed = SqliteFolder::new();
    for name in names_in(folder) {
        fs::copy(folder.join(&name), killed.path().join(&name)).unwrap();
    }
    killed
}

/// A store of a killed server: its last orders are in the log only.
fn killed_with_log(name: &str) -> SqliteFolder {
    let live = SqliteFolder::new();
    let store = live.open();
    super::fill(&mut Clerk::of(&*store), name);
    let killed = as_killed(live.path());
    assert!(killed.log_bytes() > 100_000);
    killed
}

#[test]
fn a_backup_becomes_the_store_of_an_empty_folder_and_goes_on() {
    let shelf = Shelf::with_backup_of("A");
    let folder = SqliteFolder::new();
    let data_dir = folder.path().join("new");
    let restored = try_to_restore(&shelf.file(), &data_dir, None).unwrap();
    assert_eq!((restored.report.orders, restored.report.entries), (20, 40));
    assert_eq!(restored.kept, [""; 0].map(std::path::PathBuf::from));
    assert_eq!(names_in(&data_dir), [DATABASE_FILE, "waybill.lock"]);
    let mode = fs::metadata(data_dir.join(DATABASE_FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(orders_in(&data_dir, &["A-0", "A-19"]), ["A-0", "A-19"]);
    let folder = as_killed(&data_dir);
    let store = folder.open();
    assert_eq!(store.identity().epoch, EPOCH);
    Clerk::of(&*store).write(&[created("B-1")]);
    drop(store);
    assert_eq!(orders_in(folder.path(), &["A-0", "B-1"]), ["A-0", "B-1"]);
}

#[test]
fn a_folder_with_a_store_or_only_its_log_is_refused_and_left_as_it_is() {
    let shelf = Shelf::with_backup_of("A");
    let full = store_of("B");
    let log_only = killed_with_log("B");
    fs::remove_file(log_only.database()).unwrap();
    for folder in [&full, &log_only] {
        let before = names_in(folder.path());
        assert_eq!(
            refused(&shelf.file(), folder.path()),
            format!(
                "{} holds a store: name another folder, or give --replace to move that store aside",
                folder.path().display()
            )
        );
        let mut after = names_in(folder.path());
        after.retain(|name| name != "waybill.lock" || before.contains(name));
        assert_eq!(after, before);
    }
    assert_eq!(orders_in(full.path(), &["A-1", "B-1"]), ["B-1"]);
}

#[test]
fn a_store_in_use_is_refused() {
    let shelf = Shelf::with_backup_of("A");
    let folder = store_of("B");
    let lock = DataFolder::lock(folder.path()).unwrap();
    assert!(refused(&shelf.file(), folder.path()).contains("is in use by another process"));
    drop(lock);
    // No server, but somebody who looks: what they have open must not be taken from them.
    let reader = folder.raw();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM entries")
        .unwrap();
    let error = try_to_restore(&shelf.file(), folder.path(), Some(TIME)).unwrap_err();
    assert!(matches!(error, BackupError::StillOpen(_)), "{error}");
    drop(reader);
    assert_eq!(orders_in(folder.path(), &["A-1", "B-1"]), ["B-1"]);
    assert!(!folder.path().join(ASIDE).exists());
}

#[test]
fn a_store_that_is_replaced_is_kept_whole_with_what_was_only_in_its_log() {
    let shelf = Shelf::with_backup_of("A");
    let folder = killed_with_log("B");
    let restored = try_to_restore(&shelf.file(), folder.path(), Some(TIME)).unwrap();
    assert_eq!(restored.kept, [folder.path().join(ASIDE)]);
    assert_eq!(names_in(folder.path()), [DATABASE_FILE, ASIDE, "waybill.lock"]);
    assert_eq!(orders_in(folder.path(), &["A-19", "B-0", "B-19"]), ["A-19"]);
    // And back again.
    let old = folder.path().join(ASIDE);
    let restored = try_to_restore(&old, folder.path(), Some("later")).unwrap();
    assert_eq!(restored.kept.len(), 1);
    assert_eq!(
        orders_in(folder.path(), &["A-19", "B-0", "B-19"]),
        ["B-0", "B-19"]
    );
}

#[test]
fn a_kill_at_any_step_leaves_the_old_store_or_the_new_one() {
    let shelf = Shelf::with_backup_of("A");
    let folder = killed_with_log("B");
    let killed = RefCell::new(Vec::new());
    restore(
        &shelf.file(),
        folder.path(),
        &EPOCH,
        Some(TIME),
        &mut |_| {},
        &mut |step| {
            killed.borrow_mut().push((step, as_killed(folder.path())));
        },
    )
    .unwrap();
    let killed = killed.into_inner();
    let steps: Vec<RestoreStep> = killed.iter().map(|(step, _)| *step).collect();
    assert_eq!(
        steps,
        [
            RestoreStep::Copied,
            RestoreStep::Proven,
            RestoreStep::OldFolded,
            RestoreStep::OldKept,
            RestoreStep::InPlace
        ]
    );
    for (step, left) in &killed {
        let expected = if *step == RestoreStep::InPlace {
            "A-19"
        } else {
            "B-19"
        };
        assert_eq!(orders_in(left.path(), &["A-19", "B-19"]), [expected], "{step:?}");
        drop(left.open());
        assert_eq!(orders_in(left.path(), &["A-19", "B-19"]), [expected], "{step:?}");
        // The next one is not in the way of what this one left.
        try_to_restore(&shelf.file(), left.path(), Some("later")).unwrap();
        assert_eq!(orders_in(left.path(), &["A-19", "B-19"]), ["A-19"], "{step:?}");
        assert!(!left.path().join("waybill.db.restoring").exists(), "{step:?}");
    }
}

#[test]
fn a_second_name_that_a_kill_left_to_the_store_itself_goes() {
    let shelf = Shelf::with_backup_of("A");
    let folder = store_of("B");
    fs::hard_link(folder.database(), folder.path().join(ASIDE)).unwrap();
    let other = folder.path().join("waybill.db.replaced-before");
    fs::write(&other, "another store").unwrap();
    assert!(try_to_restore(&shelf.file(), folder.path(), Some("later")).is_ok());
    assert!(!folder.path().join(ASIDE).exists());
    assert!(other.exists());
}

#[test]
fn a_database_that_nobody_can_open_is_moved_aside_with_its_log() {
    let shelf = Shelf::with_backup_of("A");
    let folder = killed_with_log("B");
    fs::write(folder.database(), "Dear diary, ".repeat(1_000)).unwrap();
    fs::write(folder.log(), [7; 5_000]).unwrap();
    let restored = try_to_restore(&shelf.file(), folder.path(), Some(TIME)).unwrap();
    let log = format!("{ASIDE}-wal");
    assert_eq!(
        restored.kept,
        [folder.path().join(&log), folder.path().join(ASIDE)]
    );
    assert_eq!(fs::read(folder.path().join(log)).unwrap(), [7; 5_000]);
    assert_eq!(orders_in(folder.path(), &["A-19", "B-19"]), ["A-19"]);
}

#[test]
fn flipped_bytes_of_a_backup_are_found_and_it_is_refused() {
    let folder = SqliteFolder::new();
    let whole = Shelf::with_backup_of("A");
    let pages = fs::metadata(whole.file()).unwrap().len() / 8_192;
    let mut refused = 0;
    for page in 0..pages {
        let shelf = Shelf::new();
        fs::copy(whole.file(), shelf.file()).unwrap();
        let at = usize::try_from(page * 8_192).unwrap();
        // Not what says that it is a store: that is another refusal.
        let skipped = if page == 0 { 100 } else { 0 };
        shelf.damage(|bytes| {
            for byte in bytes.iter_mut().take(at + 8_192).skip(at + skipped) {
                *byte ^= 0x20;
            }
        });
        match try_to_restore(&shelf.file(), folder.path(), None) {
            Err(BackupError::Unsound(report)) => {
                assert!(!report.findings.is_empty());
                refused += 1;
            }
            other => panic!("page {page}: {other:?}"),
        }
        assert_eq!(names_in(folder.path()), ["waybill.lock"]);
    }
    assert!(refused > 10);
}

#[test]
fn a_backup_cut_short_is_refused() {
    let (shelf, folder) = (Shelf::with_backup_of("A"), SqliteFolder::new());
    shelf.damage(|bytes| bytes.truncate(bytes.len() - 1));
    let error = try_to_restore(&shelf.file(), folder.path(), None).unwrap_err();
    let BackupError::Unsound(report) = error else {
        panic!("{error}");
    };
    assert!(report.findings[0].to_string().starts_with("file: is cut short: "));
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn what_is_no_backup_is_told_of_and_makes_no_folder() {
    let shelf = Shelf::new();
    let folder = SqliteFolder::new();
    let data_dir = folder.path().join("new");
    let file = shelf.file();
    assert_eq!(
        refused(&file, &data_dir),
        format!("{} cannot be read: entity not found", file.display())
    );
    let no_backup = format!(
        "{} is not a Waybill backup: name a file that `waybill backup` has made",
        file.display()
    );
    for content in [String::new(), "short".to_owned(), "Dear diary, ".repeat(20)] {
        fs::write(&file, content).unwrap();
        assert_eq!(refused(&file, &data_dir), no_backup);
    }
    fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE notes (note TEXT)")
        .unwrap();
    assert_eq!(refused(&file, &data_dir), no_backup);
    assert!(refused(shelf.0.path(), &data_dir).ends_with("cannot be read: is a directory"));
    let live = killed_with_log("B");
    assert_eq!(
        refused(&live.database(), &data_dir),
        format!(
            "{} has a write-ahead log beside it, so it is not a backup: name a file that `waybill backup` has made",
            live.database().display()
        )
    );
    let newer = Shelf::with_backup_of("A");
    let raw = rusqlite::Connection::open(newer.file()).unwrap();
    raw.pragma_update(None, "user_version", 9).unwrap();
    drop(raw);
    assert!(refused(&newer.file(), &data_dir).contains("was written by a newer version (store format 9"));
    assert!(!data_dir.exists());
}

#[test]
fn a_backup_of_an_older_version_is_brought_up_to_date_and_stays_as_it_is() {
    let (shelf, folder) = (Shelf::new(), SqliteFolder::new());
    fs::write(shelf.file(), fs::read(old_store().database()).unwrap()).unwrap();
    let before = fs::read(shelf.file()).unwrap();
    try_to_restore(&shelf.file(), folder.path(), None).unwrap();
    assert_eq!(orders_in(folder.path(), &["A-1", "B-1", "C-1"]), ["A-1", "B-1"]);
    assert!(fs::read(shelf.file()).unwrap() == before);
    assert_eq!(shelf.names(), ["today.db"]);
}

#[test]
fn a_restore_that_another_is_at_is_refused() {
    let (shelf, folder) = (Shelf::with_backup_of("A"), SqliteFolder::new());
    let left = folder.path().join("waybill.db.restoring");
    fs::write(&left, "half").unwrap();
    let other = File::open(&left).unwrap();
    other.lock().unwrap();
    let error = try_to_restore(&shelf.file(), folder.path(), None).unwrap_err();
    assert!(matches!(error, BackupError::InUse(_)), "{error}");
    drop(other);
    try_to_restore(&shelf.file(), folder.path(), None).unwrap();
    assert_eq!(names_in(folder.path()), [DATABASE_FILE, "waybill.lock"]);
}
