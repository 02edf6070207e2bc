//! What is copied, and how it goes on.

use model::ids::{DeadLetterId, PartyId, Position};
use store::copy::Step;
use store::verify::verify;
use store::{CommitId, PartyKind, Record, Store};

use super::filled::LAST_LETTER;
use super::{assert_same, copied, copied_telling, everything, folder_and_database};
use crate::backend::{Backend, PostgresDatabase, SqliteFolder};
use crate::conformance::accounts::account;
use crate::conformance::api_keys::key;
use crate::conformance::dead_letters::{keep, letter};
use crate::conformance::trail::record;
use crate::orders::{Clerk, created, named, reported};

/// What the store of a folder says, asked of a copy of it, as asking opens it.
pub(super) fn expected_of(folder: &SqliteFolder) -> Vec<String> {
    let copy = SqliteFolder::with_copy_of(folder.path());
    let store = copy.open();
    let mut writer = store.writer().unwrap();
    everything(&*store, &mut *writer)
}

pub(super) fn said_by(database: &PostgresDatabase) -> Vec<String> {
    let store = database.open();
    let mut writer = store.writer().unwrap();
    everything(&*store, &mut *writer)
}

fn files_of(folder: &SqliteFolder) -> [Vec<u8>; 2] {
    [folder.database(), folder.log()].map(|file| std::fs::read(file).unwrap_or_default())
}

#[test]
fn a_copied_store_says_the_same_and_the_old_one_is_not_changed() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let before = files_of(&folder);
    let mut steps = Vec::new();
    let copied = copied_telling(folder.path(), &database, &mut |progress| {
        assert!(progress.done <= progress.of, "{progress:?}");
        steps.push(progress.step);
    })
    .unwrap();
    assert_eq!(copied.verified.findings, []);
    assert_eq!(copied.rows_before, 0);
    assert!(copied.verified.orders == 63 && copied.rows > 400, "{copied:?}");
    assert!(steps.contains(&Step::Copying("entries")) && steps.contains(&Step::Verifying));
    assert!(files_of(&folder) == before, "the old store was changed");
    assert_same(&said_by(&database), &expected_of(&folder));
    assert_eq!(verify(&*database.open(), &mut |_| {}).findings, []);
}

#[test]
fn an_empty_store_is_copied() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let folder = SqliteFolder::new();
    drop(folder.open());
    let copied = copied(folder.path(), &database).unwrap();
    assert_eq!((copied.rows, copied.verified.findings.len()), (0, 0));
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    let committed = clerk.write(&[created("A-1")]);
    assert_eq!(
        (committed.commit, committed.last_position),
        (CommitId(1), Position::new(1))
    );
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}

#[test]
fn a_new_writer_goes_on_behind_what_was_copied_in_a_chain_of_its_own() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    copied(folder.path(), &database).unwrap();
    let store = database.open();
    let store: &dyn Store = &*store;
    let before = store.reading(|reader| reader.totals()).unwrap();
    let mut clerk = Clerk::of(store);
    let committed = clerk.write(&[
        created("N-1"),
        reported("A-5", "in_transit"),
        reported("N-1", "picked_up"),
    ]);
    assert_eq!(committed.commit, CommitId(1), "the first of another writer");
    assert_eq!(committed.last_position.get(), before.last_position.get() + 3);
    let (after, last, moved) = store
        .reading(|reader| {
            let last = reader.commits(before.last_commit, 10)?;
            let moved = reader.order(&named("A-5"))?.unwrap();
            Ok((reader.totals()?, last, moved))
        })
        .unwrap();
    assert_eq!(after.last_order, before.last_order.next());
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].writer, last[0].commit.0), (2, before.last_commit.0 + 1));
    assert_eq!(moved.head.version.get(), 3);
    assert_eq!(keep(&mut clerk, &letter()), DeadLetterId::new(LAST_LETTER + 1));
    let highest = (1..100).take_while(|party| {
        let party = PartyId::new(*party);
        store
            .reading(|reader| reader.party_name(party))
            .unwrap()
            .is_some()
    });
    let highest = u32::try_from(highest.count()).unwrap();
    let party = clerk.writer.party(PartyKind::Client, "new").unwrap();
    assert_eq!(party, PartyId::new(highest + 1));
    account(&mut *clerk.writer, |accounts| {
        accounts.insert_api_key(&key("K-9", 9)).unwrap();
    });
    clerk.record(vec![Record::Audit(record("last"))]);
    let (keys, trail) = store
        .reading(|reader| Ok((reader.api_keys(None, 1)?, reader.audit(None, 2)?)))
        .unwrap();
    assert_eq!(&*keys[0].key_id, "K-9");
    assert_eq!(&*trail[0].action, "last");
    assert_eq!(trail[0].audit_id, trail[1].audit_id + 1);
    assert_eq!(verify(store, &mut |_| {}).findings, []);
}

#[test]
fn reports_from_before_are_found_again() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    copied(folder.path(), &database).unwrap();
    let store = database.open();
    let store: &dyn Store = &*store;
    let (order, older) = store
        .reading(|reader| {
            let order = reader.order(&named("A-0"))?.unwrap().head;
            let older = reader.older_fingerprints(order.order)?;
            Ok((order, older))
        })
        .unwrap();
    assert!(older.len() > 64, "{}", older.len());
    assert!(order.recent.has_older());
    let mut clerk = Clerk::of(store);
    let mut group = clerk.writer.begin().unwrap();
    for fingerprint in older {
        let versions = group.older_versions(order.order, fingerprint.hash()).unwrap();
        assert_eq!(versions, [fingerprint.version()]);
    }
    let kept = store.reading(|reader| reader.dead_letters(None, 1)).unwrap();
    let same = group.same_dead_letter(&kept[0].letter).unwrap();
    assert!(same.is_some());
}

#[test]
fn what_is_wrong_with_the_old_store_is_found_and_the_new_one_is_not_opened() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let wrong = "UPDATE status_counts SET orders = orders + 1 WHERE client_id = 1";
    assert!(folder.raw().execute(wrong, []).unwrap() > 0);
    for _ in 0..2 {
        let copied = copied(folder.path(), &database).unwrap();
        assert!(!copied.verified.findings.is_empty());
        let places: Vec<&str> = copied
            .verified
            .findings
            .iter()
            .map(|found| &*found.place)
            .collect();
        assert!(
            places.iter().any(|place| place.starts_with("count of client 1")),
            "{places:?}"
        );
        assert!(matches!(
            database.try_open(),
            Err(store::OpenError::HalfCopied { .. })
        ));
    }
}

#[test]
fn rows_that_are_lost_on_the_way_are_missed() {
    let Some((folder, database)) = folder_and_database() else {
        return;
    };
    let mut lost = false;
    let copied = copied_telling(folder.path(), &database, &mut |progress| {
        if progress.step == Step::Verifying && !lost {
            lost = true;
            let loss = "DELETE FROM revoked_tokens WHERE token_id = 'T-1'; DELETE FROM answers WHERE stored_at = 101";
            database.raw().batch_execute(loss).unwrap();
        }
    })
    .unwrap();
    let findings: Vec<String> = copied.verified.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        findings,
        [
            "revoked_tokens: 1, in the old store 2",
            "answers: 1, in the old store 2"
        ]
    );
    assert!(matches!(
        database.try_open(),
        Err(store::OpenError::HalfCopied { .. })
    ));
}
