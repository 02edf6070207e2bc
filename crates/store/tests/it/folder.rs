//! The data folder: what it may be, who may have it, and what is said when it cannot be used.

use std::fs;
use std::path::Path;

use store::folder::{DATABASE_FILE, DataFolder};
use store::sqlite::SqliteStore;
use store::{Error, OpenError, Store, Trouble};
use tempfile::TempDir;

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, parcel};

fn refused(folder: &SqliteFolder) -> String {
    let Err(error) = folder.try_open() else {
        panic!("it was opened");
    };
    error.to_string()
}

fn refused_to_read(folder: &Path) -> String {
    let Err(error) = SqliteStore::open_to_read(folder) else {
        panic!("it was opened");
    };
    error.to_string()
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named_with_the_cure() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("data");
    fs::write(&file, "").unwrap();
    let expected = format!(
        "{} is not a folder: name a folder for the data, or remove the file",
        file.display()
    );
    assert_eq!(DataFolder::lock(&file).unwrap_err().to_string(), expected);
    assert_eq!(refused_to_read(&file), expected);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_the_reason() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data");
    assert_eq!(
        DataFolder::lock(&below).unwrap_err().to_string(),
        format!(
            "{} cannot be written (not a directory): give this user the right to, or name another folder",
            below.display()
        )
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_named_with_the_reason() {
    // Nobody, not even root, makes a file there.
    let error = DataFolder::lock(Path::new("/proc/self")).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    let told = error.to_string();
    assert!(
        told.starts_with("/proc/self/waybill.lock cannot be written ("),
        "{told}"
    );
    assert!(
        told.ends_with("): give this user the right to, or name another folder"),
        "{told}"
    );
}

#[test]
fn a_missing_folder_is_made_with_its_parents() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("a/b");
    let folder = DataFolder::lock(&path).unwrap();
    assert_eq!(
        (folder.path(), folder.database()),
        (&*path, path.join(DATABASE_FILE))
    );
}

#[test]
fn a_locked_folder_is_refused_with_the_process_that_has_it() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    assert_eq!(
        refused(&folder),
        format!(
            "{} is in use by another process (process {}): stop that one first, or name another folder",
            folder.path().display(),
            std::process::id()
        )
    );
    drop(store);
    folder.open();
}

#[test]
fn a_lock_that_names_no_process_is_told_without_one() {
    let folder = SqliteFolder::new();
    let _lock = DataFolder::lock(folder.path()).unwrap();
    fs::write(folder.path().join("waybill.lock"), "?").unwrap();
    assert_eq!(
        refused(&folder),
        format!(
            "{} is in use by another process: stop that one first, or name another folder",
            folder.path().display()
        )
    );
}

#[test]
fn a_folder_stays_locked_while_its_writer_lives() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let mut clerk = Clerk::of(&*store);
    drop(store);
    assert!(refused(&folder).contains("is in use by another process"));
    clerk.write(&[created("A-1")]);
    drop(clerk);
    let totals = folder.open().reading(|reader| reader.totals()).unwrap();
    assert_eq!(totals.last_position.get(), 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = SqliteFolder::new();
    drop(folder.open());
    folder.raw().pragma_update(None, "user_version", 7).unwrap();
    let expected = format!(
        "{} was written by a newer version (store format 7, this version knows up to 5): use that version",
        folder.database().display()
    );
    assert_eq!(refused(&folder), expected);
    assert_eq!(refused_to_read(folder.path()), expected);
}

#[test]
fn a_database_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = SqliteFolder::new();
    folder
        .raw()
        .execute_batch("CREATE TABLE notes (note TEXT)")
        .unwrap();
    let before = fs::read(folder.database()).unwrap();
    let expected = format!(
        "{} is not a Waybill database: name another folder, or remove the file",
        folder.database().display()
    );
    assert_eq!(refused(&folder), expected);
    assert_eq!(refused_to_read(folder.path()), expected);
    assert!(
        fs::read(folder.database()).unwrap() == before,
        "not a byte of it is changed"
    );
}

#[test]
fn a_text_file_is_no_database() {
    let folder = SqliteFolder::new();
    fs::write(folder.database(), "Dear diary, ".repeat(20)).unwrap();
    assert_eq!(
        refused(&folder),
        format!(
            "{} is not a Waybill database: name another folder, or remove the file",
            folder.database().display()
        )
    );
}

#[test]
fn a_folder_in_the_place_of_the_database_is_refused() {
    let folder = SqliteFolder::new();
    fs::create_dir(folder.database()).unwrap();
    assert_eq!(
        refused(&folder),
        format!(
            "{} cannot be written (is a directory): give this user the right to, or name another folder",
            folder.database().display()
        )
    );
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = SqliteFolder::new();
    fs::write(folder.database(), "").unwrap();
    let none = format!(
        "{} holds no Waybill store: check the path",
        folder.path().display()
    );
    assert_eq!(refused_to_read(folder.path()), none, "reading makes none");
    let store = folder.open();
    Clerk::of(&*store).write(&[created("A-1")]);
}

#[test]
fn reading_makes_no_store_where_there_is_none() {
    let folder = SqliteFolder::new();
    let none = |path: &Path| format!("{} holds no Waybill store: check the path", path.display());
    assert_eq!(refused_to_read(folder.path()), none(folder.path()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let missing = folder.path().join("nowhere");
    assert_eq!(refused_to_read(&missing), none(&missing));
    assert!(!missing.exists());
}

#[test]
fn a_live_store_is_read_beside_its_writer() {
    let folder = SqliteFolder::new();
    let live = folder.open();
    let mut clerk = Clerk::of(&*live);
    clerk.write(&[created("A-1")]);
    let beside = SqliteStore::open_to_read(folder.path()).unwrap();
    let beside: &dyn Store = &beside;
    for number in 2..20 {
        clerk.write(&[created(&format!("A-{number}"))]);
        let totals = beside.reading(|reader| reader.totals()).unwrap();
        assert_eq!(totals.last_position.get(), number);
    }
    assert_eq!(beside.identity().store_id, live.identity().store_id);
    assert_eq!(beside.lifecycles().unwrap().len(), 6);
}

#[test]
fn a_store_that_is_only_read_gives_no_writer_and_pins_nothing() {
    let folder = SqliteFolder::new();
    drop(folder.open());
    let store = SqliteStore::open_to_read(folder.path()).unwrap();
    let Err(Error::Unavailable { trouble, detail }) = store.writer() else {
        panic!("a writer without the lock");
    };
    assert_eq!(
        (trouble, &*detail),
        (Trouble::NotWritable, "it was opened for reading only")
    );
    let refused = store
        .pin_lifecycles(&[parcel()], model::time::Timestamp::MAX)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} cannot be written (it was opened for reading only): give this user the right to, or name another folder",
            folder.database().display()
        )
    );
    assert!(store.lifecycles().unwrap().is_empty());
}
