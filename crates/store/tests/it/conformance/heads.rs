//! Heads and what hangs on them: parked reports, fingerprints, due times, counts.

use model::fingerprint::{Fingerprint, FingerprintHash};
use model::head::DelayScale;
use model::ids::{OrderKey, Version};
use model::limits::RECENT_FINGERPRINTS;
use model::time::Timestamp;
use model::{Entry, Head, History};
use store::Store;

use crate::backend::Backend;
use crate::orders::{Clerk, Wish, created, created_for, named, parcel, reported};

fn loaded(clerk: &mut Clerk, name: &str) -> Head {
    let mut group = clerk.writer.begin().unwrap();
    group.load(&[&named(name)]).unwrap().pop().unwrap().unwrap().head
}

fn read(store: &dyn Store, name: &str) -> (Head, Vec<Entry>) {
    let read = store.reading(|reader| {
        let order = reader.order(&named(name))?.unwrap();
        let history = reader.history(&order)?;
        Ok((order.head, history.into_iter().map(|found| found.entry).collect()))
    });
    read.unwrap()
}

/// The head is the same in the writer's memory, for readers, and after a start; and it is what the entries say.
fn roundtrips(backend: &dyn Backend, wishes: &[&[Wish]], name: &str) -> Head {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    for group in wishes {
        clerk.write(group);
    }
    let kept = loaded(&mut clerk, name);
    let (stored, entries) = read(&*store, name);
    assert_eq!(kept, stored);
    drop((clerk, store));
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(loaded(&mut clerk, name), stored);
    let folded = History::new(&parcel(), &entries).fold(DelayScale::ONE).unwrap();
    assert_eq!(folded.head, stored);
    stored
}

pub(super) fn parked_reports_roundtrip_from_memory_and_from_storage(backend: &dyn Backend) {
    let first = [created("A-1"), reported("A-1", "delivered")];
    let second = [reported("A-1", "in_transit")];
    let head = roundtrips(backend, &[&first, &second], "A-1");
    assert_eq!(head.parked.len(), 2);
    assert_eq!(head.due_at(), Some(head.parked[0].until));
    let store = backend.open();
    Clerk::of(&*store).write(&[reported("A-1", "picked_up")]);
    let (head, _) = read(&*store, "A-1");
    assert_eq!(
        (head.parked, head.version),
        (vec![], Version::new(6)),
        "both were released"
    );
}

pub(super) fn spilled_fingerprints_roundtrip_from_memory_and_from_storage(backend: &dyn Backend) {
    let (born, moved, late) = (
        created("A-1"),
        reported("A-1", "picked_up"),
        reported("A-1", "picked_up"),
    );
    let first = [born, moved, reported("A-1", "in_transit")];
    let second = vec![late; RECENT_FINGERPRINTS + 8];
    let head = roundtrips(backend, &[&first, &second], "A-1");
    assert!(head.recent.has_older());
    let store = backend.open();
    let older = store
        .reading(|reader| reader.older_fingerprints(OrderKey::new(1)))
        .unwrap();
    assert_eq!(older.len(), RECENT_FINGERPRINTS / 2, "the older half");
    let mut clerk = Clerk::of(&*store);
    let mut group = clerk.writer.begin().unwrap();
    for fingerprint in older {
        let versions = group
            .older_versions(OrderKey::new(1), fingerprint.hash())
            .unwrap();
        assert_eq!(versions, [fingerprint.version()]);
        let of_another = group
            .older_versions(OrderKey::new(2), fingerprint.hash())
            .unwrap();
        assert_eq!(of_another, []);
    }
    let unknown = FingerprintHash::of_client_event_id("never sent");
    assert_eq!(group.older_versions(OrderKey::new(1), unknown).unwrap(), []);
}

pub(super) fn an_order_with_three_thousand_entries_is_walked(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[
        created("A-1"),
        reported("A-1", "picked_up"),
        reported("A-1", "in_transit"),
    ]);
    let late = reported("A-1", "picked_up");
    for other in 0..3 {
        clerk.write(&vec![late.clone(); 999]);
        clerk.write(&[created(&format!("B-{other}"))]);
    }
    let (head, entries) = read(&*store, "A-1");
    assert_eq!(head.version, Version::new(3_000));
    let versions: Vec<u32> = entries.iter().map(|entry| entry.version.get()).collect();
    assert_eq!(versions, (1..=3_000).collect::<Vec<_>>());
    let entry = &entries[1_499];
    let hashes = entry.report_hashes(&parcel()).unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let found = group.older_versions(head.order, hashes.report.unwrap()).unwrap();
    assert_eq!(found, [entry.version]);
    assert_eq!(
        Fingerprint::new(hashes.report.unwrap(), entry.version).version(),
        entry.version
    );
}

pub(super) fn what_is_due_comes_longest_due_first(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let meals = ["M-1", "M-2", "M-3", "M-4"].map(|meal| created_for(meal, "food", 1));
    clerk.write(&meals);
    clerk.write(&[created("A-1"), reported("A-1", "in_transit"), created("A-2")]);
    let all = store.reading(|reader| reader.due(Timestamp::MAX, 10)).unwrap();
    assert_eq!(
        all.len(),
        5,
        "four meals and a parked report, not the order without either"
    );
    assert!(all.is_sorted_by_key(|(_, due_at)| *due_at));
    assert_eq!(all[4].0, OrderKey::new(5), "a report waits a day");
    let (_, third) = all[2];
    let by_third = store.reading(|reader| reader.due(third, 10)).unwrap();
    assert_eq!(by_third, all[..3]);
    assert_eq!(store.reading(|reader| reader.due(third, 2)).unwrap(), all[..2]);
    let before_all = Timestamp::from_nanos(all[0].1.as_nanos() - 1);
    assert_eq!(store.reading(|reader| reader.due(before_all, 10)).unwrap(), []);
    let mut group = clerk.writer.begin().unwrap();
    assert_eq!(group.due(before_all, 10).unwrap(), []);
    assert_eq!(group.due(third, 2).unwrap(), all[..2]);
}

pub(super) fn counts_follow_every_change_of_status(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let counted = |expected: &[(u32, u8, u64)]| {
        let counts = store.reading(|reader| reader.status_counts()).unwrap();
        let counts: Vec<(u32, u8, u64)> = counts
            .iter()
            .map(|count| (count.client.get(), count.status.number(), count.orders))
            .collect();
        assert_eq!(counts, expected);
    };
    counted(&[]);
    clerk.write(&[created("A-1"), created("A-2"), created_for("B-1", "parcel", 2)]);
    counted(&[(1, 0, 2), (2, 0, 1)]);
    clerk.write(&[reported("A-1", "picked_up"), reported("B-1", "picked_up")]);
    counted(&[(1, 0, 1), (1, 1, 1), (2, 1, 1)]);
    // Born and moved in one group; one moved twice; one only kept.
    clerk.write(&[
        created("A-3"),
        reported("A-3", "picked_up"),
        reported("A-1", "in_transit"),
        reported("A-1", "delivered"),
        reported("B-1", "delivered"),
    ]);
    counted(&[(1, 0, 1), (1, 1, 1), (1, 3, 1), (2, 1, 1)]);
    clerk.write(&[reported("A-2", "cancelled")]);
    counted(&[(1, 1, 1), (1, 3, 1), (1, 4, 1), (2, 1, 1)]);
}
