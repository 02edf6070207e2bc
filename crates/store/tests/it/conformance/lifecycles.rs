//! Definitions are kept for ever.

use model::Lifecycle;
use model::time::Timestamp;
use store::OpenError;

use crate::backend::Backend;
use crate::orders::{PARCEL, parcel};

fn at() -> Timestamp {
    Timestamp::from_seconds(1_760_000_000).unwrap()
}

fn parcel_with(from: &str, to: &str) -> Lifecycle {
    Lifecycle::from_toml("parcel.toml", &PARCEL.replace(from, to)).unwrap()
}

pub(super) fn definitions_keep_their_numbers_when_pinned_again(backend: &dyn Backend) {
    let shipped = model::lifecycle::shipped();
    let store = backend.open();
    let first = store.pin_lifecycles(&shipped, at()).unwrap();
    drop(store);
    let store = backend.open();
    let backwards: Vec<Lifecycle> = shipped.iter().rev().cloned().collect();
    let again = store.pin_lifecycles(&backwards, at()).unwrap();
    for (first, again) in first.iter().zip(again.iter().rev()) {
        assert_eq!(first.id, again.id);
    }
    let kept = store.lifecycles().unwrap();
    assert_eq!(kept.len(), shipped.len());
    for (kept, shipped) in kept.iter().zip(&shipped) {
        assert_eq!(kept.lifecycle.hash().as_bytes(), shipped.hash().as_bytes());
    }
}

pub(super) fn a_changed_definition_is_refused_and_nothing_of_its_list_is_kept(backend: &dyn Backend) {
    let store = backend.open();
    store.pin_lifecycles(&[parcel()], at()).unwrap();
    let other = parcel_with("name = \"parcel\"", "name = \"crate\"");
    let changed = parcel_with("late = \"record\"", "late = \"reject\"");
    let refused = store.pin_lifecycles(&[other, changed], at()).unwrap_err();
    assert!(matches!(refused, OpenError::LifecycleChanged { .. }));
    assert_eq!(
        refused.to_string(),
        "lifecycle parcel version 1 differs from the one this store knows: give the changed definition a new version"
    );
    assert_eq!(store.lifecycles().unwrap().len(), 1);
}

pub(super) fn a_new_version_stands_beside_the_old_one(backend: &dyn Backend) {
    let store = backend.open();
    let old = store.pin_lifecycles(&[parcel()], at()).unwrap();
    let newer = parcel_with("version = 1", "version = 2");
    let new = store.pin_lifecycles(&[newer], at()).unwrap();
    assert_ne!(old[0].id, new[0].id);
    let kept = store.lifecycles().unwrap();
    let versions: Vec<u32> = kept.iter().map(|stored| stored.lifecycle.version()).collect();
    assert_eq!(versions, [1, 2]);
}
