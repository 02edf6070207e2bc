//! Public ids: shapes, bounds, the check symbol.

use model::command::NewId;
use model::limits::MAX_PUBLIC_ID_BYTES;
use model::public_id::{BadPublicId, PublicId};
use proptest::prelude::*;

const ALPHABET: &str = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";

fn number(random: u64) -> PublicId {
    PublicId::tracking_number("99M-", random).unwrap()
}

#[test]
fn a_tracking_number_has_nine_symbols() {
    assert_eq!(number(0).as_str(), "99M-222222222");
    assert_eq!(number(1).as_str().len(), 13);
    assert_eq!(number(31).to_string(), number(31).as_str());
    assert_ne!(number(u64::MAX), number(u64::MAX - 1));
}

#[test]
fn an_order_id_has_sixteen_symbols() {
    let id = PublicId::order_id(u128::MAX);
    assert!(id.as_str().starts_with("ORD-") && id.as_str().len() == 20 && id.check_symbol_holds());
}

#[test]
fn an_id_from_outside_is_visible_ascii_of_bounded_length() {
    let longest = "x".repeat(MAX_PUBLIC_ID_BYTES);
    for good in ["!", "~", "my-order_1", &longest] {
        assert_eq!(PublicId::new(good).unwrap().as_str(), good);
    }
    for bad in ["", " ", "a b", "a\n", "é", "\u{7f}", &format!("{longest}x")] {
        assert_eq!(PublicId::new(bad), Err(BadPublicId), "{bad}");
    }
    assert_eq!(
        BadPublicId.to_string(),
        "an order's id has 1 to 64 visible ASCII characters"
    );
    assert_eq!(PublicId::tracking_number(&"x".repeat(56), 1), Err(BadPublicId));
    assert!(PublicId::tracking_number(&"x".repeat(55), 1).is_ok());
    assert_eq!(PublicId::tracking_number("A B-", 1), Err(BadPublicId));
}

#[test]
fn foreign_ids_have_no_check_symbol() {
    for foreign in ["99M-", "99M-2", "99M-22222222O", "order"] {
        assert!(!PublicId::new(foreign).unwrap().check_symbol_holds(), "{foreign}");
    }
}

#[test]
fn a_new_id_is_itself_made_up_or_given() {
    for new in [NewId::Random(number(5)), NewId::Given(number(5))] {
        assert_eq!(new.id(), &number(5));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_check_symbol_finds_every_single_slip(random: u128, short: u64) {
        for id in [PublicId::order_id(random), number(short)] {
            prop_assert!(id.check_symbol_holds());
            let text = id.as_str();
            for place in 4..text.len() {
                for symbol in ALPHABET.chars().filter(|symbol| !text[place..].starts_with(*symbol)) {
                    let mut wrong = text.to_owned();
                    wrong.replace_range(place..=place, &symbol.to_string());
                    prop_assert!(!PublicId::new(&wrong).unwrap().check_symbol_holds());
                }
            }
        }
    }

    #[test]
    fn the_check_symbol_finds_every_swap(random: u128) {
        let id = PublicId::order_id(random);
        let text = id.as_str().as_bytes();
        for (one, other) in (4..text.len()).flat_map(|one| (4..one).map(move |other| (one, other))) {
            let mut swapped = text.to_vec();
            swapped.swap(one, other);
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert_eq!(PublicId::new(&swapped).unwrap().check_symbol_holds(), swapped == id.as_str());
        }
    }
}
