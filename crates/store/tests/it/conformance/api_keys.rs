//! Keys for machines, and tokens that are void before their time.

use model::role::Role;
use model::time::Timestamp;
use store::Error;
use store::accounts::ApiKey;

use super::accounts::account;
use crate::backend::Backend;

pub(crate) fn key(id: &str, secret: u8) -> ApiKey {
    ApiKey {
        key_id: id.into(),
        name: "scanner".into(),
        role: Role::Driver,
        client: Some("acme".into()),
        secret_hash: [secret; 32],
        created_by: "ada".into(),
        created_at: Timestamp::from_nanos(1),
        expires_at: Some(Timestamp::from_nanos(9)),
        revoked_at: None,
    }
}

pub(super) fn a_key_is_found_by_its_hash_and_by_its_id(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let for_ever = ApiKey {
        client: None,
        expires_at: None,
        ..key("K-2", 2)
    };
    for expected in [key("K-1", 1), for_ever] {
        account(&mut *writer, |accounts| {
            accounts.insert_api_key(&expected).unwrap();
        });
        let by_hash = store.reading(|reader| reader.api_key(&expected.secret_hash));
        assert_eq!(by_hash.unwrap().as_ref(), Some(&expected));
        let by_id = account(&mut *writer, |accounts| {
            accounts.api_key(&expected.key_id).unwrap()
        });
        assert_eq!(by_id.as_ref(), Some(&expected));
    }
    let unknown = store.reading(|reader| reader.api_key(&[3; 32])).unwrap();
    assert_eq!(unknown, None);
    let unknown = account(&mut *writer, |accounts| accounts.api_key("K-3").unwrap());
    assert_eq!(unknown, None);
}

pub(super) fn keys_come_in_pages_newest_first(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    // All of one instant, with ids in no order.
    for (number, id) in (1u8..).zip(["K-3", "K-1", "K-5", "K-2", "K-4"]) {
        account(&mut *writer, |accounts| {
            accounts.insert_api_key(&key(id, number)).unwrap();
        });
    }
    let page = |before, limit| -> Vec<Box<str>> {
        let page = store.reading(|reader| reader.api_keys(before, limit)).unwrap();
        page.into_iter().map(|key| key.key_id).collect()
    };
    assert_eq!(page(None, 2), ["K-4", "K-2"].map(Box::from));
    assert_eq!(page(Some("K-2"), 2), ["K-5", "K-1"].map(Box::from));
    assert_eq!(page(Some("K-1"), 2), ["K-3"].map(Box::from));
    assert!(page(Some("K-3"), 2).is_empty());
    assert!(page(Some("unknown"), 2).is_empty());
}

pub(super) fn a_voided_key_keeps_the_first_time(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    account(&mut *writer, |accounts| {
        accounts.insert_api_key(&key("K-1", 1)).unwrap();
        accounts.insert_api_key(&key("K-2", 2)).unwrap();
        accounts.revoke_api_key("K-1", Timestamp::from_nanos(5)).unwrap();
        accounts.revoke_api_key("K-1", Timestamp::from_nanos(6)).unwrap();
    });
    let revoked_at = |secret| {
        let found = store.reading(|reader| reader.api_key(&[secret; 32]));
        found.unwrap().unwrap().revoked_at
    };
    assert_eq!(revoked_at(1), Some(Timestamp::from_nanos(5)));
    assert_eq!(revoked_at(2), None);
}

pub(super) fn an_unknown_key_is_not_voided(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let refused = writer
        .accounts()
        .unwrap()
        .revoke_api_key("K-9", Timestamp::from_nanos(5));
    assert_eq!(refused, Err(Error::Statement("there is no key K-9".to_owned())));
}

pub(super) fn a_voided_token_is_known_as_such(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    for _ in 0..2 {
        account(&mut *writer, |accounts| {
            accounts.revoke_token("T-1", Timestamp::from_nanos(5)).unwrap();
        });
    }
    store
        .reading(|reader| {
            assert!(reader.is_token_revoked("T-1")?);
            assert!(!reader.is_token_revoked("T-2")?);
            Ok(())
        })
        .unwrap();
}

pub(super) fn what_counts_once_is_used_up_once(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let until = Timestamp::from_nanos(5);
    let mut first = Vec::new();
    for id in ["once", "once", "other"] {
        account(&mut *writer, |accounts| {
            first.push(accounts.use_up(id, until).unwrap())
        });
    }
    assert_eq!(first, [true, false, true]);
    let mut accounts = writer.accounts().unwrap();
    assert_eq!(accounts.use_up("dropped", until), Ok(true));
    drop(accounts);
    account(&mut *writer, |accounts| {
        assert_eq!(accounts.use_up("dropped", until), Ok(true));
    });
}
