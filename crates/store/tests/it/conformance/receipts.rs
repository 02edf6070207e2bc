//! What was answered, and what else is kept with a group.

use model::ids::{PartyId, Position};
use model::time::Timestamp;
use store::verify::verify;
use store::{BatchReceipt, CommitId, Error, GroupWrites, KeyState, Record, Store, StoredAnswer};

use super::accounts::account;
use crate::backend::Backend;
use crate::orders::{Clerk, created};

pub(crate) fn answer(key: u8, at: i64) -> StoredAnswer {
    StoredAnswer {
        key: [key; 32],
        body_hash: [9; 32],
        stored_at: Timestamp::from_nanos(at),
        content: (0..=u8::MAX).collect(),
    }
}

pub(super) fn batch(id: &str, at: i64) -> BatchReceipt {
    BatchReceipt {
        batch_id: id.into(),
        actor: PartyId::new(4),
        decided_at: Timestamp::from_nanos(at),
        content: vec![7; 100_000].into(),
    }
}

fn stored(clerk: &mut Clerk, key: u8) -> Option<StoredAnswer> {
    match clerk.writer.begin().unwrap().answer(&[key; 32]).unwrap() {
        KeyState::Free => None,
        KeyState::Answered(answer) => Some(answer),
        KeyState::UnderWay => panic!("there is no other writer"),
    }
}

pub(super) fn an_answer_is_replaced_by_a_later_one_under_its_key(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(stored(&mut clerk, 1), None);
    clerk.record(vec![Record::Answer(answer(1, 1)), Record::Answer(answer(2, 2))]);
    assert_eq!(stored(&mut clerk, 1), Some(answer(1, 1)));
    let later = StoredAnswer {
        body_hash: [8; 32],
        content: [].into(),
        ..answer(1, 3)
    };
    clerk.record(vec![Record::Answer(later.clone())]);
    assert_eq!(stored(&mut clerk, 1), Some(later.clone()));
    assert_eq!(stored(&mut clerk, 2), Some(answer(2, 2)));
    let same_group = answer(1, 4);
    clerk.record(vec![Record::Answer(later), Record::Answer(same_group.clone())]);
    assert_eq!(stored(&mut clerk, 1), Some(same_group));
}

pub(super) fn an_answer_of_accounts_is_seen_by_a_group(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.record(vec![Record::Answer(answer(1, 1))]);
    account(&mut *clerk.writer, |accounts| {
        assert_eq!(accounts.answer(&[1; 32]).unwrap(), Some(answer(1, 1)));
        assert_eq!(accounts.answer(&[2; 32]).unwrap(), None);
        accounts.store_answer(&answer(1, 5)).unwrap();
    });
    assert_eq!(stored(&mut clerk, 1), Some(answer(1, 5)));
}

pub(super) fn a_batch_comes_back_as_written_and_is_stored_once(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.record(vec![Record::Batch(batch("B-1", 1))]);
    let read = |id: &str| store.reading(|reader| reader.batch(id)).unwrap();
    assert_eq!(read("B-1"), Some(batch("B-1", 1)));
    assert_eq!(read("B-2"), None);
    let commit = clerk.writer.next_commit().unwrap();
    let writes = GroupWrites {
        records: vec![Record::Batch(batch("B-2", 2)), Record::Batch(batch("B-1", 2))],
        ..GroupWrites::default()
    };
    let refused = clerk
        .writer
        .begin()
        .unwrap()
        .commit(commit, clerk.rules.now, writes);
    assert!(matches!(refused, Err(Error::Statement(_))), "{refused:?}");
    assert_eq!((read("B-1"), read("B-2")), (Some(batch("B-1", 1)), None));
}

pub(super) fn a_group_of_records_alone_is_durable(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let records = vec![Record::Answer(answer(1, 1)), Record::Batch(batch("B-1", 1))];
    let writes = GroupWrites {
        records: records.clone(),
        ..GroupWrites::default()
    };
    assert!(!writes.is_empty());
    let committed = clerk.record(records);
    assert_eq!(
        (committed.commit, committed.last_position),
        (CommitId(2), Position::new(1))
    );
    assert!(clerk.writer.is_committed(CommitId(2)).unwrap());
    drop((clerk, store));
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(stored(&mut clerk, 1), Some(answer(1, 1)));
    let read = store.reading(|reader| reader.batch("B-1")).unwrap();
    assert_eq!(read, Some(batch("B-1", 1)));
    assert_eq!(clerk.write(&[created("A-2")]).commit, CommitId(3));
}

pub(super) fn records_of_a_dropped_group_are_not_there(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let writes = GroupWrites {
        records: vec![Record::Answer(answer(1, 1)), Record::Batch(batch("B-1", 1))],
        ..GroupWrites::default()
    };
    let group = clerk.writer.begin().unwrap();
    // Under a commit that is not the next.
    group.commit(CommitId(9), clerk.rules.now, writes).unwrap_err();
    assert_eq!(stored(&mut clerk, 1), None);
    assert_eq!(store.reading(|reader| reader.batch("B-1")).unwrap(), None);
}

/// A receipt of a principal, with a content of this length.
pub(crate) fn sized(id: &str, at: i64, actor: u32, bytes: usize) -> Record {
    Record::Batch(BatchReceipt {
        actor: PartyId::new(actor),
        content: vec![7; bytes].into(),
        ..batch(id, at)
    })
}

/// As how many the receipts of principals 4, 5 and 6 count, asked of the writer and of a reader.
pub(super) fn counted(store: &dyn Store, clerk: &mut Clerk) -> [u64; 3] {
    let principals = [4, 5, 6].map(PartyId::new);
    let mut group = clerk.writer.begin().unwrap();
    let by_group = principals.map(|actor| group.batch_receipts_of(actor).unwrap());
    drop(group);
    let by_reader =
        store.reading(|reader| Ok(principals.map(|actor| reader.batch_receipts_of(actor).unwrap())));
    assert_eq!(by_reader.unwrap(), by_group);
    by_group
}

pub(super) fn receipts_of_each_principal_are_counted_and_long_ones_more(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    assert_eq!(counted(&*store, &mut clerk), [0, 0, 0]);
    clerk.record(vec![
        sized("B-1", 1, 4, 0),
        sized("B-2", 1, 5, 1023),
        sized("B-3", 1, 4, 1024),
    ]);
    assert_eq!(counted(&*store, &mut clerk), [3, 1, 0]);
    clerk.record(vec![sized("B-4", 2, 4, 10 * 1024 + 1)]);
    assert_eq!(counted(&*store, &mut clerk), [14, 1, 0]);
    assert_eq!(verify(&*store, &mut |_| {}).findings, []);
    drop((clerk, store));
    let store = backend.open();
    assert_eq!(counted(&*store, &mut Clerk::of(&*store)), [14, 1, 0]);
}
