//! Refusals that are kept.

use model::ids::{DeadLetterId, OrderKey, PartyId, Version};
use model::time::Timestamp;
use store::{CommitId, DeadLetter, GroupWrites, KeptDeadLetter, NewDeadLetter, Record, Redriven};

use crate::backend::Backend;
use crate::orders::Clerk;

pub(crate) fn letter() -> DeadLetter {
    DeadLetter {
        owner: model::ids::Owner::default(),
        received_at: Timestamp::from_nanos(1),
        decided_at: Timestamp::from_nanos(2),
        order: Some(OrderKey::new(3)),
        public_id: "A-1".into(),
        actor: PartyId::new(4),
        code: "invalid_transition".into(),
        detail: "no \"arrow\" \0".into(),
        content: (0..=u8::MAX).collect(),
    }
}

pub(crate) fn keep(clerk: &mut Clerk, letter: &DeadLetter) -> DeadLetterId {
    let commit = clerk.writer.next_commit().unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let id = group.next_dead_letter_id();
    let writes = GroupWrites {
        dead_letters: vec![NewDeadLetter {
            id,
            letter: letter.clone(),
        }],
        ..GroupWrites::default()
    };
    assert!(!writes.is_empty());
    group.commit(commit, clerk.rules.now, writes).unwrap();
    id
}

pub(super) fn a_dead_letter_comes_back_as_written(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let without_order = DeadLetter {
        order: None,
        content: [].into(),
        ..letter()
    };
    for expected in [letter(), without_order] {
        let id = keep(&mut clerk, &expected);
        let found = store.reading(|reader| reader.dead_letter(id)).unwrap();
        let expected = KeptDeadLetter {
            id,
            letter: expected,
            redriven: None,
        };
        assert_eq!(found, Some(expected));
    }
    let unknown = store.reading(|reader| reader.dead_letter(DeadLetterId::new(9)));
    assert_eq!(unknown.unwrap(), None);
    let totals = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!((totals.dead_letters, totals.last_commit), (2, CommitId(2)));
}

pub(super) fn the_same_refusal_is_found_and_another_is_not(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let id = keep(&mut clerk, &letter());
    let later = DeadLetter {
        received_at: Timestamp::from_nanos(10),
        decided_at: Timestamp::from_nanos(20),
        ..letter()
    };
    let others = [
        DeadLetter {
            public_id: "A-2".into(),
            ..letter()
        },
        DeadLetter {
            actor: PartyId::new(5),
            ..letter()
        },
        DeadLetter {
            code: "forbidden".into(),
            ..letter()
        },
        DeadLetter {
            detail: "other".into(),
            ..letter()
        },
        DeadLetter {
            content: [1].into(),
            ..letter()
        },
    ];
    let mut group = clerk.writer.begin().unwrap();
    assert_eq!(group.same_dead_letter(&later).unwrap(), Some(id));
    for other in &others {
        assert_eq!(group.same_dead_letter(other).unwrap(), None, "{other:?}");
    }
}

pub(super) fn numbers_of_a_dropped_group_are_not_given_again(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let mut group = clerk.writer.begin().unwrap();
    assert_eq!(group.next_dead_letter_id(), DeadLetterId::new(1));
    assert_eq!(group.next_dead_letter_id(), DeadLetterId::new(2));
    drop(group);
    // It may be written behind yet.
    assert!(keep(&mut clerk, &letter()) > DeadLetterId::new(2));
}

pub(super) fn letters_come_in_pages_newest_first(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let ids: Vec<DeadLetterId> = (0..5).map(|_| keep(&mut clerk, &letter())).collect();
    let page = |before, limit| -> Vec<DeadLetterId> {
        let page = store
            .reading(|reader| reader.dead_letters(before, limit))
            .unwrap();
        page.into_iter().map(|kept| kept.id).collect()
    };
    assert_eq!(page(None, 2), [ids[4], ids[3]]);
    assert_eq!(page(Some(ids[3]), 2), [ids[2], ids[1]]);
    assert_eq!(page(Some(ids[1]), 2), [ids[0]]);
    assert_eq!(page(Some(ids[0]), 2), []);
    assert_eq!(page(None, 0), []);
    let first = store
        .reading(|reader| reader.dead_letters(Some(ids[1]), 1))
        .unwrap();
    assert_eq!(first[0].letter, letter());
}

pub(super) fn a_letter_that_was_accepted_after_all_says_as_what(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let (first, second) = (keep(&mut clerk, &letter()), keep(&mut clerk, &letter()));
    let redriven = Redriven {
        order: OrderKey::new(3),
        version: Version::new(5),
        at: Timestamp::from_nanos(30),
    };
    clerk.record(vec![
        Record::Redriven(second, redriven),
        // One that has expired meanwhile.
        Record::Redriven(DeadLetterId::new(99), redriven),
    ]);
    let found = |id| store.reading(|reader| reader.dead_letter(id)).unwrap().unwrap();
    assert_eq!(found(first).redriven, None);
    assert_eq!(found(second).redriven, Some(redriven));
    assert_eq!(found(second).letter, letter());
    let page = store.reading(|reader| reader.dead_letters(None, 1)).unwrap();
    assert_eq!(page, [found(second)]);
}

pub(super) fn letters_of_each_principal_are_counted(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let of = |actor| DeadLetter {
        actor: PartyId::new(actor),
        ..letter()
    };
    for actor in [4, 4, 5, 4] {
        keep(&mut clerk, &of(actor));
    }
    let mut group = clerk.writer.begin().unwrap();
    let counted = [4, 5, 6].map(|actor| group.dead_letters_of(PartyId::new(actor)).unwrap());
    assert_eq!(counted, [3, 1, 0]);
}
