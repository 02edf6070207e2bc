//! Fingerprints: in the head, out of it, and as stored.

use model::fingerprint::{Fingerprint, FingerprintHash, RecentFingerprints, ReportHashes};
use model::limits::{MAX_ENTRIES, RECENT_FINGERPRINTS};

use crate::lifecycles::looping;
use crate::order::{DRIVER, Order, at, report, report_of, seen, version};

fn full_of(reports: i64) -> Order {
    let mut order = Order::of(looping());
    for seconds in 0..reports {
        let status = if seconds % 2 == 0 { "away" } else { "home" };
        order.accept(&DRIVER, &report(status, seconds));
    }
    order
}

#[test]
fn the_older_half_leaves_a_full_head() {
    let order = full_of(64);
    assert!(order.spilled.is_empty() && !order.head.recent.has_older());
    let order = full_of(65);
    assert!(order.head.recent.has_older());
    let versions: Vec<u32> = order
        .spilled
        .iter()
        .map(|spilled| spilled.version().get())
        .collect();
    assert_eq!(versions, (2..=33).collect::<Vec<u32>>());
    assert_eq!(order.head.recent.to_bytes().len(), 8 * (1 + 33));
    let gone = FingerprintHash::of_report("scanner", at(0), "away");
    assert_eq!(order.head.recent.versions_with(gone).count(), 0);
    assert_eq!(order.spilled[0], Fingerprint::new(gone, version(2)));
    let kept = FingerprintHash::of_report("scanner", at(64), "away");
    assert_eq!(
        order.head.recent.versions_with(kept).collect::<Vec<_>>(),
        [version(66)]
    );
}

#[test]
fn a_report_with_an_event_id_leaves_two() {
    let mut order = Order::of(looping());
    let mut fields = seen("away", 0);
    fields.client_event_id = Some("scan-1".into());
    order.accept(&DRIVER, &report_of(fields));
    assert_eq!(order.head.recent.to_bytes().len(), 16);
    let by_id = FingerprintHash::of_client_event_id("scan-1");
    assert_eq!(
        order.head.recent.versions_with(by_id).collect::<Vec<_>>(),
        [version(2)]
    );
}

#[test]
fn stored_fingerprints_read_back() {
    for reports in [0, 1, 64, 65, 200] {
        let recent = full_of(reports).head.recent.clone();
        assert_eq!(RecentFingerprints::from_bytes(&recent.to_bytes()), Some(recent));
    }
}

#[test]
fn damaged_fingerprints_are_not_read() {
    let whole = full_of(64).head.recent.to_bytes();
    assert_eq!(RecentFingerprints::from_bytes(&whole[..whole.len() - 1]), None);
    let mut too_many = whole.clone();
    too_many.extend_from_slice(&whole[..8]);
    assert_eq!(whole.len(), 8 * RECENT_FINGERPRINTS);
    assert_eq!(RecentFingerprints::from_bytes(&too_many), None);
}

#[test]
fn a_fingerprint_holds_a_hash_and_the_last_version_there_can_be() {
    let hash = FingerprintHash::of_client_event_id("scan-1");
    assert_eq!(hash.get() & Fingerprint::VERSION_MASK, 0);
    let fingerprint = Fingerprint::new(hash, version(MAX_ENTRIES));
    assert_eq!(
        (fingerprint.hash(), fingerprint.version()),
        (hash, version(MAX_ENTRIES))
    );
    assert_eq!(Fingerprint::from_number(fingerprint.get()), fingerprint);
    assert_eq!(fingerprint.get(), hash.get() | u64::from(MAX_ENTRIES));
}

#[test]
fn the_recipe_of_a_hash_is_for_ever() {
    // Taken from the first version: another value would let every stored report in a second time.
    let report = FingerprintHash::of_report("scanner", at(0), "picked_up");
    let id = FingerprintHash::of_client_event_id("scan-1");
    assert_eq!(
        (report.get(), id.get()),
        (6_359_323_958_501_621_760, 16_188_618_784_707_854_336)
    );
    assert_ne!(report, FingerprintHash::of_report("picked_up", at(0), "scanner"));
    assert_eq!(ReportHashes::default().iter().count(), 0);
}

#[test]
fn a_fingerprint_of_no_entry_is_damage() {
    let hash = FingerprintHash::of_client_event_id("scan-1").get();
    let good = hash | 2;
    for damaged in [vec![hash], vec![good, 0], vec![0, 0, good]] {
        let bytes: Vec<u8> = damaged.into_iter().flat_map(u64::to_le_bytes).collect();
        assert_eq!(RecentFingerprints::from_bytes(&bytes), None);
    }
}
