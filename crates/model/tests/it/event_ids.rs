//! Event ids: told to clients, readable only here.

use model::event_id::{EventIdCodec, EventRef};
use model::ids::{DeadLetterId, OrderKey, Version};
use proptest::prelude::*;

const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

fn codec() -> EventIdCodec {
    EventIdCodec::new(b"the store's key!")
}

fn some_id() -> String {
    codec()
        .encode(EventRef::Entry(OrderKey::new(12_345), Version::new(6)))
        .to_string()
}

#[test]
fn an_id_is_the_same_for_ever() {
    let id = some_id();
    assert_eq!(id, "evt_1fd1w95dq7m64wtezrjvgashev");
    assert_eq!(
        codec().decode(&id),
        Some(EventRef::Entry(OrderKey::new(12_345), Version::new(6)))
    );
}

#[test]
fn a_dead_letter_and_an_entry_of_one_number_are_told_apart() {
    let letter = EventRef::DeadLetter(DeadLetterId::new(12_345));
    let id = codec().encode(letter).to_string();
    assert_eq!(codec().decode(&id), Some(letter));
    assert_ne!(id, some_id());
}

#[test]
fn an_altered_symbol_is_no_id() {
    let id = some_id();
    for place in 4..id.len() {
        for symbol in ALPHABET.chars() {
            let mut altered = id.clone();
            altered.replace_range(place..=place, &symbol.to_string());
            assert_eq!(codec().decode(&altered).is_some(), altered == id, "{altered}");
        }
    }
}

#[test]
fn there_is_one_spelling() {
    let id = some_id();
    let mut shorter = id.clone();
    shorter.pop();
    // The first symbol holds three bits: with one of the two above set it would be another spelling of the same.
    let value = ALPHABET.find(&id[4..5]).unwrap();
    let other_first = format!("evt_{}{}", &ALPHABET[value + 8..=value + 8], &id[5..]);
    let texts = [
        shorter,
        format!("{id}0"),
        format!(" {id}"),
        id.to_uppercase(),
        id.replacen("evt_", "EVT_", 1),
        id[4..].to_uppercase(),
        id[4..].to_owned(),
        other_first,
        "evt_".to_owned(),
        String::new(),
        format!("evt_{}", "é".repeat(13)),
    ];
    for text in texts {
        assert_eq!(codec().decode(&text), None, "{text}");
    }
}

#[test]
fn another_store_does_not_read_it() {
    assert_eq!(EventIdCodec::new(b"another store's!").decode(&some_id()), None);
    assert_eq!(
        format!("{:?}", codec()),
        "EventIdCodec(..)",
        "the key is not shown"
    );
}

#[test]
fn an_entry_without_a_version_is_no_entry() {
    let id = codec().encode(EventRef::Entry(OrderKey::new(1), Version::new(0)));
    assert_eq!(codec().decode(&id.to_string()), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn every_id_reads_back(key in 0i64..1 << 56, version in 1u32.., letter: bool) {
        let to = if letter {
            EventRef::DeadLetter(DeadLetterId::new(key))
        } else {
            EventRef::Entry(OrderKey::new(key), Version::new(version))
        };
        let id = codec().encode(to).to_string();
        prop_assert_eq!(id.len(), 30);
        prop_assert_eq!(codec().decode(&id), Some(to));
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,40}", symbols in "evt_[0-9a-hjkmnp-tv-z]{26}") {
        prop_assert_eq!(codec().decode(&text), None);
        prop_assert_eq!(codec().decode(&symbols), None);
    }
}
