//! The words of lifecycle files and the sets built of them.

use model::lifecycle::{ContentHash, Effect, Phase, StateId, StateSet};
use model::role::{Role, RoleSet};

#[test]
fn words_are_read_as_they_are_written() {
    assert!(
        Phase::ALL
            .into_iter()
            .all(|phase| Phase::from_name(phase.name()) == Some(phase))
    );
    assert!(
        Effect::ALL
            .into_iter()
            .all(|effect| Effect::from_name(effect.name()) == Some(effect))
    );
    assert!(
        Role::ALL
            .into_iter()
            .all(|role| Role::from_name(role.name()) == Some(role))
    );
    assert!(
        Role::ALL
            .into_iter()
            .all(|role| Role::from_number(role.number()) == Some(role))
    );
    assert_eq!(Phase::from_name("Done"), None);
    assert_eq!(Effect::from_name(""), None);
    assert_eq!(Role::from_name("root"), None);
    assert_eq!(Role::from_number(0), None);
}

#[test]
fn sets_hold_what_was_put_in() {
    let set = RoleSet::of(&[Role::Admin]).with(Role::Customer);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Role::Customer, Role::Admin]);
    assert!(RoleSet::default().is_empty() && !set.is_empty());

    let mut states = StateSet::default();
    states.insert(StateId::new(63));
    states.insert(StateId::new(64));
    assert!(states.contains(StateId::new(63)));
    assert!(!states.contains(StateId::new(0)) && !states.contains(StateId::new(64)));
    assert_eq!(states.union(StateSet::default()), states);
}

#[test]
fn a_hash_is_shown_as_lower_hex() {
    let mut bytes = [0; 32];
    bytes[0] = 0xab;
    let hash = ContentHash::from_bytes(bytes);
    assert_eq!(hash.to_string(), format!("ab{}", "0".repeat(62)));
    assert_eq!(hash.as_bytes(), &bytes);
}
