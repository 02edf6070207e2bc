//! A disk that takes no more: a process of its own, with a bound on the size of its files, plays it.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use store::accounts::AuditRecord;
use store::folder::DataFolder;
use store::sqlite::{SqliteOptions, SqliteStore};
use store::verify::verify;
use store::{CommitId, Error, Store, Writer};

use crate::backend::{Backend, SqliteFolder, birth};
use crate::conformance::trail::record;
use crate::orders::{Clerk, created};

/// Names the folder to the process that is bounded.
const FOLDER: &str = "STORE_TEST_FULL_DISK_FOLDER";
const ACKNOWLEDGED: &str = "acknowledged";

#[test]
fn what_a_full_disk_refused_is_not_there_and_all_that_was_acknowledged_is() {
    let folder = SqliteFolder::new();
    drop(folder.open());
    // 512 bytes a block; a write beyond fails, as the signal is ignored.
    let script = "trap '' XFSZ; ulimit -f 1200; exec \"$0\" --exact full_disk::bounded --ignored --nocapture";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
    let acknowledged = fs::read_to_string(folder.path().join(ACKNOWLEDGED)).unwrap();
    let store = folder.open();
    let totals = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!(totals.last_commit.0.to_string(), acknowledged);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
    let trail = store.reading(|reader| reader.audit(None, 9)).unwrap();
    let trail: Vec<&str> = trail.iter().map(|record| &*record.action).collect();
    assert_eq!(trail, ["user.update"]);
    Clerk::of(&*store).write(&[created("B-1")]);
}

#[test]
#[ignore = "run by the test above, in a process with bounded files"]
fn bounded() {
    let path = std::env::var(FOLDER).unwrap();
    let path = Path::new(&path);
    let folder = DataFolder::lock(path).unwrap();
    let store = SqliteStore::open(folder, &birth(), SqliteOptions::default()).unwrap();
    let mut clerk = Clerk::of(&store);
    accounts_that_do_not_fit_fail(&mut *clerk.writer);
    let mut number = 0;
    let mut last = CommitId(0);
    let failed = loop {
        number += 1;
        let names: Vec<String> = (0..20).map(|order| format!("A-{number}-{order}")).collect();
        let wishes: Vec<_> = names.iter().map(|name| created(name)).collect();
        match clerk.try_write(&wishes) {
            Ok(committed) => last = committed.commit,
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, Error::OutcomeUnknown { .. }), "{failed:?}");
    let tried = clerk.writer.next_commit().unwrap();
    assert_eq!(tried, CommitId(last.0 + 1));
    assert!(last > CommitId(3), "there was room at first");
    assert!(!clerk.writer.is_committed(tried).unwrap());
    assert!(clerk.writer.is_committed(last).unwrap());
    let store: &dyn Store = &store;
    assert_eq!(verify(store, &mut |_| {}).findings, [], "it is still read");
    fs::write(path.join(ACKNOWLEDGED), last.0.to_string()).unwrap();
}

/// The writer must go on after it.
fn accounts_that_do_not_fit_fail(writer: &mut dyn Writer) {
    let mut accounts = writer.accounts().unwrap();
    let long = AuditRecord {
        after: Some("x".repeat(2 << 20).into()),
        ..record("user.create")
    };
    accounts.append_audit(&long).unwrap();
    let failed = accounts.commit();
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    let mut accounts = writer.accounts().unwrap();
    accounts.append_audit(&record("user.update")).unwrap();
    accounts.commit().unwrap();
}
