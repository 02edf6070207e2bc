//! Users, and the transaction they are changed in.

use model::role::Role;
use model::time::Timestamp;
use store::accounts::{Accounts, Taken, User, UserRef};
use store::{CommitId, Error, Store, Writer};

use super::api_keys::key;
use crate::backend::Backend;
use crate::orders::{Clerk, created, reported};

pub(crate) fn user(id: &str, username: &str, email: &str) -> User {
    User {
        user_id: id.into(),
        username: username.into(),
        email: email.into(),
        name: format!("The {username}").into(),
        password_hash: "$argon2id$v=19$".into(),
        role: Role::Client,
        client: Some("acme".into()),
        disabled: false,
        sessions_valid_from: Timestamp::from_nanos(1),
        kept_token: None,
        created_at: Timestamp::from_nanos(2),
        updated_at: Timestamp::from_nanos(3),
        version: 1,
    }
}

/// A transaction that is committed.
pub(crate) fn account<T>(writer: &mut dyn Writer, work: impl FnOnce(&mut dyn Accounts) -> T) -> T {
    let mut accounts = writer.accounts().unwrap();
    let done = work(&mut *accounts);
    accounts.commit().unwrap();
    done
}

fn read(store: &dyn Store, user: UserRef<'_>) -> Option<User> {
    store.reading(|reader| reader.user(user)).unwrap()
}

fn read_id(store: &dyn Store, login: &str) -> Option<Box<str>> {
    read(store, UserRef::Login(login)).map(|user| user.user_id)
}

pub(super) fn a_user_comes_back_as_written_however_it_is_named(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let without_client = User {
        role: Role::Admin,
        client: None,
        disabled: true,
        version: u32::MAX,
        ..user("U-2", "root", "root@example.org")
    };
    for expected in [user("U-1", "ada", "ada@example.org"), without_client] {
        account(&mut *writer, |accounts| {
            assert_eq!(accounts.insert_user(&expected).unwrap(), Ok(()));
        });
        for named in [
            UserRef::Id(&expected.user_id),
            UserRef::Username(&expected.username),
            UserRef::Login(&expected.username),
            UserRef::Login(&expected.email),
        ] {
            assert_eq!(read(&*store, named).as_ref(), Some(&expected));
            let found = account(&mut *writer, |accounts| accounts.user(named).unwrap());
            assert_eq!(found.as_ref(), Some(&expected));
        }
    }
    let unknown = [
        UserRef::Id("ada"),
        UserRef::Username("U-1"),
        UserRef::Username("ada@example.org"),
        UserRef::Login("nobody"),
    ];
    for unknown in unknown {
        assert_eq!(read(&*store, unknown), None, "{unknown:?}");
    }
}

pub(super) fn users_come_in_pages_by_name(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    account(&mut *writer, |accounts| {
        for (number, name) in ["eve", "Bob", "dan", "ada"].into_iter().enumerate() {
            let user = user(&format!("U-{number}"), name, &format!("{name}@example.org"));
            assert_eq!(accounts.insert_user(&user).unwrap(), Ok(()));
        }
    });
    let page = |after: &str, limit| -> Vec<Box<str>> {
        let page = store.reading(|reader| reader.users(after, limit)).unwrap();
        page.into_iter().map(|user| user.username).collect()
    };
    assert_eq!(page("", 3), ["Bob", "ada", "dan"].map(Box::from));
    assert_eq!(page("dan", 3), ["eve"].map(Box::from));
    assert_eq!(
        page("ad", 1),
        ["ada"].map(Box::from),
        "after a name that nobody has"
    );
    assert!(page("eve", 3).is_empty());
}

pub(super) fn a_login_is_a_username_first_and_an_email_in_any_case(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    account(&mut *writer, |accounts| {
        let users = [
            user("U-1", "ada", "ADA@Example.org"),
            user("U-2", "Ada", "Zoë.ÅS@example.org"),
            user("U-3", "ada@example.org", "third@example.org"),
        ];
        for user in users {
            assert_eq!(accounts.insert_user(&user).unwrap(), Ok(()));
        }
    });
    let email = read(&*store, UserRef::Id("U-1")).unwrap().email;
    assert_eq!(&*email, "ada@example.org", "kept in lower case");
    for (login, id) in [
        ("ada", Some("U-1")),
        ("Ada", Some("U-2")),
        ("ADA", None),
        ("ada@example.org", Some("U-3")),
        ("ADA@EXAMPLE.ORG", Some("U-1")),
        ("zOË.åS@EXAMPLE.org", Some("U-2")),
    ] {
        assert_eq!(read_id(&*store, login).as_deref(), id, "{login}");
    }
}

pub(super) fn a_taken_username_and_a_taken_email_are_told_apart(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    account(&mut *writer, |accounts| {
        let mut insert = |id, username, email| accounts.insert_user(&user(id, username, email)).unwrap();
        assert_eq!(insert("U-1", "ada", "ada@example.org"), Ok(()));
        assert_eq!(insert("U-2", "ada", "other@example.org"), Err(Taken::Username));
        assert_eq!(insert("U-2", "eve", "ADA@example.ORG"), Err(Taken::Email));
        assert_eq!(insert("U-2", "ada", "ada@example.org"), Err(Taken::Username));
        assert_eq!(insert("U-2", "Ada", "other@example.org"), Ok(()));
    });
    let names = store.reading(|reader| reader.users("", 9)).unwrap();
    let names: Vec<_> = names.iter().map(|user| &*user.username).collect();
    assert_eq!(names, ["Ada", "ada"]);
    let same_id = writer
        .accounts()
        .unwrap()
        .insert_user(&user("U-1", "new", "new@example.org"));
    assert!(matches!(same_id, Err(Error::Statement(_))), "{same_id:?}");
}

pub(super) fn a_changed_user_may_keep_its_names_and_not_take_others(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let changed = User {
        name: "Ada Lovelace".into(),
        password_hash: "$argon2id$v=19$other".into(),
        role: Role::Operator,
        client: None,
        disabled: true,
        sessions_valid_from: Timestamp::from_nanos(7),
        kept_token: Some("a token".into()),
        updated_at: Timestamp::from_nanos(8),
        version: 2,
        ..user("U-1", "ada", "ada@example.org")
    };
    account(&mut *writer, |accounts| {
        for user in [
            user("U-1", "ada", "ada@example.org"),
            user("U-2", "eve", "eve@example.org"),
        ] {
            assert_eq!(accounts.insert_user(&user).unwrap(), Ok(()));
        }
        assert_eq!(accounts.update_user(&changed).unwrap(), Ok(()));
        let eve = User {
            username: "eve".into(),
            ..changed.clone()
        };
        assert_eq!(accounts.update_user(&eve).unwrap(), Err(Taken::Username));
        let eve = User {
            email: "Eve@example.org".into(),
            ..changed.clone()
        };
        assert_eq!(accounts.update_user(&eve).unwrap(), Err(Taken::Email));
    });
    assert_eq!(read(&*store, UserRef::Id("U-1")), Some(changed.clone()));
    let renamed = User {
        username: "lovelace".into(),
        email: "Lovelace@example.org".into(),
        ..changed
    };
    account(&mut *writer, |accounts| {
        assert_eq!(accounts.update_user(&renamed).unwrap(), Ok(()));
    });
    assert_eq!(read_id(&*store, "lovelace@example.org").as_deref(), Some("U-1"));
    assert_eq!(read_id(&*store, "ada"), None);
}

pub(super) fn an_unknown_user_is_not_changed(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let unknown = user("U-9", "ada", "ada@example.org");
    let refused = writer.accounts().unwrap().update_user(&unknown);
    let expected = Error::Statement("there is no user U-9".to_owned());
    assert_eq!(refused, Err(expected));
}

pub(super) fn a_dropped_accounts_transaction_leaves_nothing(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let mut accounts = writer.accounts().unwrap();
    let ada = user("U-1", "ada", "ada@example.org");
    assert_eq!(accounts.insert_user(&ada).unwrap(), Ok(()));
    accounts.insert_api_key(&key("K-1", 1)).unwrap();
    accounts.revoke_token("T-1", Timestamp::MAX).unwrap();
    accounts
        .append_audit(&super::trail::record("user.create"))
        .unwrap();
    accounts.store_answer(&super::receipts::answer(1, 1)).unwrap();
    assert!(accounts.user(UserRef::Id("U-1")).unwrap().is_some());
    drop(accounts);
    store
        .reading(|reader| {
            assert_eq!(reader.users("", 9)?, []);
            assert_eq!(reader.api_keys(None, 9)?, []);
            assert!(!reader.is_token_revoked("T-1")?);
            assert_eq!(reader.audit(None, 9)?, []);
            Ok(())
        })
        .unwrap();
    let mut accounts = writer.accounts().unwrap();
    assert_eq!(accounts.answer(&[1; 32]).unwrap(), None);
}

pub(super) fn after_a_failed_accounts_transaction_the_writer_goes_on(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    account(&mut *clerk.writer, |accounts| {
        accounts.insert_api_key(&key("K-1", 1)).unwrap();
    });
    let mut accounts = clerk.writer.accounts().unwrap();
    accounts.insert_api_key(&key("K-2", 2)).unwrap();
    let refused = accounts.insert_api_key(&key("K-3", 1));
    assert!(matches!(refused, Err(Error::Statement(_))), "{refused:?}");
    drop(accounts);
    assert_eq!(clerk.write(&[reported("A-1", "picked_up")]).commit, CommitId(2));
    account(&mut *clerk.writer, |accounts| {
        accounts.insert_api_key(&key("K-3", 3)).unwrap();
    });
    let keys = store.reading(|reader| reader.api_keys(None, 9)).unwrap();
    let keys: Vec<_> = keys.iter().map(|key| &*key.key_id).collect();
    assert_eq!(keys, ["K-3", "K-1"]);
}

pub(super) fn groups_and_accounts_follow_each_other(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    for round in 1..=5 {
        let order = format!("A-{round}");
        let committed = clerk.write(&[created(&order), reported(&order, "picked_up")]);
        assert_eq!(committed.commit, CommitId(round));
        let user = user(&order, &order, &order);
        let mut accounts = clerk.writer.accounts().unwrap();
        assert_eq!(accounts.insert_user(&user).unwrap(), Ok(()));
        if round % 2 == 0 {
            accounts.commit().unwrap();
        }
    }
    let users = store.reading(|reader| reader.users("", 9)).unwrap();
    let users: Vec<_> = users.iter().map(|user| &*user.username).collect();
    assert_eq!(users, ["A-2", "A-4"]);
}
