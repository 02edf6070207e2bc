//! Backups and restored stores.

mod made;
mod restored;

use std::fs;
use std::path::{Path, PathBuf};

use store::sqlite::SqliteStore;
use store::sqlite::backup::{BackedUp, BackupError, BackupOptions, back_up};
use store::verify::verify;
use store::{OrderRecord, Store};
use tempfile::TempDir;

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created, named, reported};

/// A store with some orders of this name, closed.
fn store_of(name: &str) -> SqliteFolder {
    let folder = SqliteFolder::new();
    let store = folder.open();
    fill(&mut Clerk::of(&*store), name);
    drop(store);
    folder
}

fn fill(clerk: &mut Clerk, name: &str) {
    for number in 0..20 {
        let name = format!("{name}-{number}");
        clerk.write(&[created(&name), reported(&name, "picked_up")]);
    }
}

fn order(store: &dyn Store, name: &str) -> Option<OrderRecord> {
    store.reading(|reader| reader.order(&named(name))).unwrap()
}

/// What a folder's store holds, with its log or without: of these orders, those that are there. It must be sound.
fn orders_in(folder: &Path, names: &[&'static str]) -> Vec<&'static str> {
    let store = SqliteStore::open_to_read(folder).unwrap();
    assert_eq!(verify(&store, &mut |_| {}).findings, []);
    let found = names.iter().filter(|name| order(&store, name).is_some());
    found.copied().collect()
}

fn made(folder: &SqliteFolder, file: &Path) -> BackedUp {
    try_to_make(folder, file).unwrap()
}

fn try_to_make(folder: &SqliteFolder, file: &Path) -> Result<BackedUp, BackupError> {
    back_up(folder.path(), file, &BackupOptions::default(), &mut |_| {})
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A place for backups.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("today.db")
    }

    /// A backup of a store with orders of this name.
    fn with_backup_of(name: &str) -> Self {
        let shelf = Self::new();
        made(&store_of(name), &shelf.file());
        shelf
    }

    fn names(&self) -> Vec<String> {
        names_in(self.0.path())
    }

    /// Changes bytes of the backup.
    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file()).unwrap();
        change(&mut bytes);
        fs::write(self.file(), bytes).unwrap();
    }
}
