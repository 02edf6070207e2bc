//! What is kept for a time only.

use model::ids::{DeadLetterId, PartyId};
use model::time::Timestamp;
use store::verify::verify;
use store::{DeadLetter, Expiry, KeyState, Record, Store};

use super::accounts::account;
use super::dead_letters::{keep, letter};
use super::receipts::{answer, batch, counted, sized};
use crate::backend::Backend;
use crate::orders::Clerk;

const fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// Nothing expires.
const NOTHING: Expiry = Expiry {
    answers_before: at(i64::MIN),
    batches_before: at(i64::MIN),
    dead_letters_before: at(i64::MIN),
    now: at(i64::MIN),
};

fn decided(nanos: i64, actor: u32) -> DeadLetter {
    DeadLetter {
        decided_at: at(nanos),
        actor: PartyId::new(actor),
        ..letter()
    }
}

/// One of each kind of each of four instants, 10 to 13; letters of principals 0 and 1 in turn.
fn four_of_each(clerk: &mut Clerk) {
    for number in 0..4u8 {
        let nanos = i64::from(number) + 10;
        clerk.record(vec![
            Record::Answer(answer(number, nanos)),
            Record::Batch(batch(&format!("B-{number}"), nanos)),
        ]);
        keep(clerk, &decided(nanos, u32::from(number % 2)));
        account(&mut *clerk.writer, |accounts| {
            accounts.revoke_token(&format!("T-{number}"), at(nanos)).unwrap();
        });
    }
}

/// Which of the four are left: answers, batches, dead letters, revocations.
fn left(store: &dyn Store, clerk: &mut Clerk) -> [Vec<u8>; 4] {
    let having = |has: &mut dyn FnMut(u8) -> bool| (0..4).filter(|number| has(*number)).collect();
    let mut group = clerk.writer.begin().unwrap();
    let answers = having(&mut |number| group.answer(&[number; 32]).unwrap() != KeyState::Free);
    drop(group);
    let read = store.reading(|reader| {
        let batches = having(&mut |number| reader.batch(&format!("B-{number}")).unwrap().is_some());
        let letters = having(&mut |number| {
            let id = DeadLetterId::new(i64::from(number) + 1);
            reader.dead_letter(id).unwrap().is_some()
        });
        let tokens = having(&mut |number| reader.is_token_revoked(&format!("T-{number}")).unwrap());
        Ok([batches, letters, tokens])
    });
    let [batches, letters, tokens] = read.unwrap();
    [answers, batches, letters, tokens]
}

pub(super) fn what_is_older_goes_and_what_is_of_the_very_instant_stays(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(clerk.writer.expire(&NOTHING, 100).unwrap(), 0);
    four_of_each(&mut clerk);
    assert_eq!(clerk.writer.expire(&NOTHING, 100).unwrap(), 0);
    let expiry = Expiry {
        answers_before: at(11),
        batches_before: at(12),
        dead_letters_before: at(13),
        ..NOTHING
    };
    assert_eq!(clerk.writer.expire(&expiry, 100).unwrap(), 6);
    let expected = [vec![1, 2, 3], vec![2, 3], vec![3], vec![0, 1, 2, 3]];
    assert_eq!(left(&*store, &mut clerk), expected);
    assert_eq!(clerk.writer.expire(&expiry, 100).unwrap(), 0);
}

pub(super) fn a_revocation_goes_when_its_token_has_expired(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    four_of_each(&mut clerk);
    // Once more, until later: the longer one counts, in whatever order they come.
    account(&mut *clerk.writer, |accounts| {
        accounts.revoke_token("T-0", at(50)).unwrap();
        accounts.revoke_token("T-0", at(5)).unwrap();
    });
    let expiry = Expiry {
        now: at(12),
        ..NOTHING
    };
    assert_eq!(clerk.writer.expire(&expiry, 100).unwrap(), 2);
    assert_eq!(left(&*store, &mut clerk)[3], [0, 3]);
}

pub(super) fn at_most_so_many_of_each_kind_go_the_oldest_first(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    four_of_each(&mut clerk);
    let all = Expiry {
        answers_before: at(100),
        batches_before: at(100),
        dead_letters_before: at(100),
        now: at(100),
    };
    assert_eq!(clerk.writer.expire(&all, 0).unwrap(), 0);
    assert_eq!(clerk.writer.expire(&all, 3).unwrap(), 12);
    assert_eq!(left(&*store, &mut clerk), [vec![3], vec![3], vec![3], vec![3]]);
    assert_eq!(clerk.writer.expire(&all, 3).unwrap(), 4);
    assert_eq!(clerk.writer.expire(&all, 3).unwrap(), 0);
}

pub(super) fn expired_letters_are_taken_off_their_counts_and_their_numbers_stay_taken(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    four_of_each(&mut clerk);
    let counted = |clerk: &mut Clerk| {
        let mut group = clerk.writer.begin().unwrap();
        [0, 1].map(|actor| group.dead_letters_of(PartyId::new(actor)).unwrap())
    };
    assert_eq!(counted(&mut clerk), [2, 2]);
    for (before, expected) in [(11, [1, 2]), (13, [0, 1]), (100, [0, 0])] {
        let expiry = Expiry {
            dead_letters_before: at(before),
            ..NOTHING
        };
        clerk.writer.expire(&expiry, 100).unwrap();
        assert_eq!(counted(&mut clerk), expected);
    }
    drop((clerk, store));
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(keep(&mut clerk, &decided(1, 1)), DeadLetterId::new(5));
    assert_eq!(counted(&mut clerk), [0, 1]);
}

pub(super) fn expired_receipts_are_taken_off_their_counts(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.record(vec![sized("B-1", 10, 4, 5_000), sized("B-2", 11, 5, 10)]);
    clerk.record(vec![sized("B-3", 12, 4, 1_024)]);
    assert_eq!(counted(&*store, &mut clerk), [7, 1, 0]);
    for (before, expected) in [(10, [7, 1, 0]), (11, [2, 1, 0]), (12, [2, 0, 0]), (13, [0, 0, 0])] {
        let expiry = Expiry {
            batches_before: at(before),
            ..NOTHING
        };
        clerk.writer.expire(&expiry, 100).unwrap();
        assert_eq!(counted(&*store, &mut clerk), expected);
    }
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
}
