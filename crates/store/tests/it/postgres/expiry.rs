//! What expires, where several nodes look at once and others write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use model::ids::PartyId;
use model::time::Timestamp;
use store::verify::verify;
use store::{DeadLetter, Error, Expiry, GroupWrites, NewDeadLetter, Record};

use super::Peer;
use crate::backend::{Backend, PostgresDatabase};
use crate::conformance::dead_letters::letter;
use crate::conformance::receipts::{answer, sized};

const fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// Everything that was decided before.
const fn before(nanos: i64) -> Expiry {
    Expiry {
        answers_before: at(nanos),
        batches_before: at(nanos),
        dead_letters_before: at(nanos),
        now: at(i64::MIN),
    }
}

/// A group with a letter and a receipt of each of three principals, and an answer.
fn keep(peer: &mut Peer, name: &str, decided_at: i64) -> Result<(), Error> {
    let commit = peer.writer.next_commit()?;
    let mut group = peer.writer.begin()?;
    let mut writes = GroupWrites::default();
    for actor in [4, 5, 6] {
        let letter = DeadLetter {
            actor: PartyId::new(actor),
            decided_at: at(decided_at),
            ..letter()
        };
        let id = group.next_dead_letter_id();
        writes.dead_letters.push(NewDeadLetter { id, letter });
        writes
            .records
            .push(sized(&format!("{name}-{actor}"), decided_at, actor, 10));
    }
    writes.records.push(Record::Answer(answer(1, decided_at)));
    group.commit(commit, peer.rules.now, writes)?;
    Ok(())
}

#[test]
fn nodes_that_look_at_once_expire_everything_once() {
    const GROUPS: usize = 40;
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let stores = [database.open(), database.open()];
    let mut peer = Peer::of(&*stores[0]);
    for number in 0..GROUPS {
        keep(&mut peer, &format!("B-{number}"), 10).unwrap();
    }
    let expired: u64 = std::thread::scope(|scope| {
        let nodes: Vec<_> = [0, 1, 0, 1]
            .into_iter()
            .map(|node: usize| {
                let store = &stores[node];
                scope.spawn(move || {
                    let mut writer = store.writer().unwrap();
                    let rounds = (0..30).map(|_| writer.expire(&before(100), 7).unwrap());
                    rounds.sum::<u64>()
                })
            })
            .collect();
        nodes.into_iter().map(|node| node.join().unwrap()).sum()
    });
    assert_eq!(expired, u64::try_from(6 * GROUPS + 1).unwrap());
    assert_eq!(verify(&*stores[0], &mut |_| {}).findings, []);
}

#[test]
fn groups_that_keep_more_and_nodes_that_expire_never_wait_for_each_other() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let stores = [database.open(), database.open()];
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let expiring: Vec<_> = stores
            .iter()
            .map(|store| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut writer = store.writer().unwrap();
                    while !is_over.load(Ordering::Acquire) {
                        writer.expire(&before(100), 3).unwrap();
                    }
                })
            })
            .collect();
        let writing: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(node, store)| {
                scope.spawn(move || {
                    let mut peer = Peer::of(&**store);
                    for number in 0..150 {
                        keep(&mut peer, &format!("B-{node}-{number}"), 10).unwrap();
                    }
                })
            })
            .collect();
        for writing in writing {
            writing.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        for expiring in expiring {
            expiring.join().unwrap();
        }
    });
    assert_eq!(verify(&*stores[0], &mut |_| {}).findings, []);
}

#[test]
fn what_another_holds_is_left_to_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut peer = Peer::of(&*store);
    keep(&mut peer, "B-1", 10).unwrap();
    let mut other = database.raw();
    let mut holding = other.transaction().unwrap();
    for rows in ["dead_letters", "batches", "answers"] {
        let hold = format!("SELECT 1 FROM {rows} FOR UPDATE");
        assert!(!holding.query(&hold, &[]).unwrap().is_empty());
    }
    let began = Instant::now();
    assert_eq!(peer.writer.expire(&before(100), 99).unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    holding.rollback().unwrap();
    assert_eq!(peer.writer.expire(&before(100), 99).unwrap(), 7);
}

#[test]
fn a_count_that_is_too_low_or_missing_is_damage_and_nothing_expires() {
    for damage in [
        "UPDATE dead_letter_counts SET letters = 0 WHERE actor_id = 5",
        "DELETE FROM batch_counts WHERE actor_id = 6",
    ] {
        let Some(database) = PostgresDatabase::new() else {
            return;
        };
        let store = database.open();
        let mut peer = Peer::of(&*store);
        keep(&mut peer, "B-1", 10).unwrap();
        database.raw().batch_execute(damage).unwrap();
        for _ in 0..2 {
            let refused = peer.writer.expire(&before(100), 99).unwrap_err();
            assert!(matches!(refused, Error::Damaged(_)), "{refused:?}");
        }
        let letters = store.reading(|reader| reader.dead_letters(None, 9)).unwrap();
        assert_eq!(letters.len(), 3);
        keep(&mut peer, "B-2", 10).unwrap();
    }
}
