//! Parties: names outside, numbers inside.

use model::ids::PartyId;
use store::PartyKind;

use crate::backend::Backend;

pub(super) fn a_name_has_one_number_for_ever(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let acme = writer.party(PartyKind::Client, "acme").unwrap();
    let other = writer.party(PartyKind::Client, "Acme").unwrap();
    assert_ne!(acme, other, "names are compared byte by byte");
    assert_ne!(acme, PartyId::NOBODY);
    assert_eq!(writer.party(PartyKind::Client, "acme").unwrap(), acme);
    drop((writer, store));
    let store = backend.open();
    let found = store.reading(|reader| {
        Ok((
            reader.party(PartyKind::Client, "acme")?,
            reader.party_name(acme)?,
            reader.party(PartyKind::Client, "nobody")?,
            reader.party_name(PartyId::NOBODY)?,
        ))
    });
    assert_eq!(found.unwrap(), (Some(acme), Some("acme".to_owned()), None, None));
    let mut writer = store.writer().unwrap();
    assert_eq!(writer.party(PartyKind::Client, "acme").unwrap(), acme);
}

pub(super) fn kinds_of_parties_have_names_of_their_own(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    let kinds = [PartyKind::Client, PartyKind::Customer, PartyKind::Principal];
    let numbers = kinds.map(|kind| writer.party(kind, "same").unwrap());
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    for (kind, number) in kinds.into_iter().zip(numbers) {
        let found = store.reading(|reader| reader.party(kind, "same")).unwrap();
        assert_eq!(found, Some(number));
    }
}

pub(super) fn a_name_is_kept_whatever_it_says(backend: &dyn Backend) {
    let store = backend.open();
    let mut writer = store.writer().unwrap();
    for name in ["\0 \u{1}\r\n\t\\ 'quoted'", "e\u{301} \u{10ffff}", "  ", ""] {
        let number = writer.party(PartyKind::Client, name).unwrap();
        assert_eq!(writer.party(PartyKind::Client, name).unwrap(), number);
        let read =
            store.reading(|reader| Ok((reader.party_name(number)?, reader.party(PartyKind::Client, name)?)));
        assert_eq!(read.unwrap(), (Some(name.to_owned()), Some(number)));
    }
}
