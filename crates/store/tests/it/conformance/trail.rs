//! The trail of changes.

use model::role::Role;
use model::time::Timestamp;
use store::Record;
use store::accounts::AuditRecord;

use super::accounts::account;
use crate::backend::Backend;
use crate::orders::Clerk;

pub(crate) fn record(action: &str) -> AuditRecord {
    AuditRecord {
        audit_id: 77,
        at: Timestamp::from_nanos(5),
        actor: "ada".into(),
        role: Role::Admin,
        action: action.into(),
        entity_type: "user".into(),
        entity_id: "U-1".into(),
        before: None,
        after: Some("{\"role\":\"admin\"}".into()),
        ip: Some("192.0.2.1".into()),
        request_id: None,
    }
}

pub(super) fn the_trail_is_read_newest_first_in_pages(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let actions = ["first", "second", "third", "fourth", "fifth"];
    for action in actions {
        account(&mut *writer, |accounts| {
            accounts.append_audit(&record(action)).unwrap();
        });
    }
    let page = |before, limit| store.reading(|reader| reader.audit(before, limit)).unwrap();
    let all = page(None, 9);
    let newest_first: Vec<&str> = all.iter().map(|record| &*record.action).collect();
    assert_eq!(newest_first, ["fifth", "fourth", "third", "second", "first"]);
    assert!(all.is_sorted_by(|a, b| a.audit_id > b.audit_id));
    assert_eq!(page(None, 2), all[..2]);
    assert_eq!(page(Some(all[1].audit_id), 2), all[2..4]);
    assert_eq!(page(Some(all[4].audit_id), 2), []);
}

pub(super) fn groups_and_accounts_write_to_one_trail(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let told = AuditRecord {
        before: Some("{}".into()),
        after: None,
        ip: None,
        request_id: Some("R-1".into()),
        ..record("order.override")
    };
    account(&mut *clerk.writer, |accounts| {
        accounts.append_audit(&record("user.create")).unwrap();
    });
    clerk.record(vec![Record::Audit(told.clone()), Record::Audit(record("last"))]);
    let all = store.reading(|reader| reader.audit(None, 9)).unwrap();
    let expected = [record("last"), told, record("user.create")];
    for (found, expected) in all.iter().zip(expected) {
        let expected = AuditRecord {
            audit_id: found.audit_id,
            ..expected
        };
        assert_eq!(*found, expected);
    }
    assert_eq!(all.len(), 3);
}
