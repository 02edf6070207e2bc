//! Every way of damaging a store that could be thought of is found, with its place.

mod forged;
mod pages;
mod rows;

use std::sync::OnceLock;

use model::ids::PartyId;
use model::time::Timestamp;
use store::verify::{Finding, Report, verify};
use store::{BatchReceipt, DeadLetter, GroupWrites, NewDeadLetter, OpenError, Record, Store};

use crate::backend::{Backend, SqliteFolder};
use crate::orders::{Clerk, created_for, reported, reported_with_notes};

pub(crate) const ORDERS: u64 = 240;

/// A store of a few hundred orders: parcels under way, meals, one order with many reports, one with parked ones.
fn base() -> &'static SqliteFolder {
    static BASE: OnceLock<SqliteFolder> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = SqliteFolder::new();
        let store = folder.open();
        let mut clerk = Clerk::of(&*store);
        for group in 0..20u32 {
            let mut wishes = Vec::new();
            for number in 0..12 {
                let name = format!("P-{}", group * 12 + number + 1);
                if number == 11 {
                    wishes.push(created_for(&name, "food", 2));
                } else {
                    wishes.push(created_for(&name, "parcel", number % 3 + 1));
                    wishes.push(reported_with_notes(&name, "picked_up", "at the door"));
                }
            }
            clerk.write(&wishes);
        }
        clerk.write(&[reported("P-5", "in_transit"), reported("P-6", "delivered")]);
        clerk.write(&vec![reported("P-5", "picked_up"); 80]);
        letter_and_receipt(&mut clerk);
        drop((clerk, store));
        folder
    })
}

fn letter_and_receipt(clerk: &mut Clerk) {
    let commit = clerk.writer.next_commit().unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let letter = NewDeadLetter {
        id: group.next_dead_letter_id(),
        letter: DeadLetter {
            owner: model::ids::Owner::default(),
            received_at: Timestamp::from_nanos(1),
            decided_at: Timestamp::from_nanos(1),
            order: None,
            public_id: "P-0".into(),
            actor: PartyId::NOBODY,
            code: "unknown_order".into(),
            detail: "there is no such order".into(),
            content: [1, 2, 3].into(),
        },
    };
    let receipt = BatchReceipt {
        batch_id: "B-1".into(),
        actor: PartyId::NOBODY,
        decided_at: Timestamp::from_nanos(1),
        content: vec![b' '; 3_000].into(),
    };
    let writes = GroupWrites {
        dead_letters: vec![letter],
        records: vec![Record::Batch(receipt)],
        ..GroupWrites::default()
    };
    group.commit(commit, clerk.rules.now, writes).unwrap();
}

fn copy() -> SqliteFolder {
    SqliteFolder::with_copy_of(base().path())
}

fn report(folder: &SqliteFolder) -> Result<Report, OpenError> {
    let store = folder.try_open()?;
    let store: &dyn Store = &store;
    Ok(verify(store, &mut |_| {}))
}

/// What verification says of a store after `damage`.
fn findings(damage: &str) -> Vec<Finding> {
    let folder = copy();
    folder.raw_without_triggers().execute_batch(damage).unwrap();
    report(&folder).unwrap().findings
}

fn assert_found(findings: &[Finding], place: &str, problem: &str) {
    let found = findings
        .iter()
        .any(|finding| finding.place == place && finding.problem.contains(problem));
    assert!(found, "no '{place}: {problem}' in {findings:#?}");
}

#[test]
fn an_undamaged_store_has_no_findings_and_right_totals() {
    let mut told = 0;
    let folder = copy();
    let report = verify(&*folder.open(), &mut |_| told += 1);
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.orders, report.commits, report.more_findings),
        (ORDERS, 23, 0)
    );
    assert_eq!(report.entries, 2 * 220 + 20 + 2 + 80);
    assert!(told >= 2, "progress is told");
}

#[test]
fn dead_letters_are_outside_the_proof() {
    assert_eq!(findings("UPDATE dead_letters SET content = x'00'"), []);
}

#[test]
fn an_erased_private_part_is_no_damage() {
    assert_eq!(
        findings("UPDATE entries SET private = NULL; UPDATE order_identities SET details = NULL"),
        []
    );
}
