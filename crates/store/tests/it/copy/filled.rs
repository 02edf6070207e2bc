//! A store with everything in it.

use model::command::{Change, OrderRef};
use model::decide::{Context, Decision, decide};
use model::head::DelayScale;
use model::ids::{DeadLetterId, OrderKey, PartyId, Version};
use model::limits::RECENT_FINGERPRINTS;
use model::time::Timestamp;
use model::{EntryKind, Head};
use store::accounts::{ApiKey, User};
use store::{Expiry, GroupWrites, HeadChange, PartyKind, Record, Redriven, Store};

use crate::backend::{Backend, SqliteFolder};
use crate::conformance::accounts::{account, user};
use crate::conformance::api_keys::key;
use crate::conformance::dead_letters::{keep, letter};
use crate::conformance::receipts::{answer, sized};
use crate::conformance::trail::record;
use crate::orders::{Clerk, admin, created, created_for, named, reported, reported_with_notes};

/// The number of the last dead letter, which has expired.
pub(super) const LAST_LETTER: i64 = 4;

/// As a crash leaves it: some heads are not in their table yet, and what is in the write-ahead log not in the database.
pub(super) fn filled() -> SqliteFolder {
    let folder = SqliteFolder::new();
    let store = folder.open();
    let clerk = fill(&*store);
    let raw = folder.raw();
    let count = "SELECT count(*) FROM deferred_heads";
    let deferred: i64 = raw.query_row(count, [], |row| row.get(0)).unwrap();
    assert!(deferred > 0, "nothing is deferred");
    // The details of one order were erased.
    let erased = "UPDATE order_identities SET details = NULL WHERE public_id = 'A-3'";
    assert_eq!(raw.execute(erased, []).unwrap(), 1);
    let crashed = SqliteFolder::with_copy_of(folder.path());
    assert!(crashed.log_bytes() > 0);
    drop((clerk, raw, store));
    crashed
}

fn fill(store: &dyn Store) -> Clerk {
    let mut clerk = Clerk::of(store);
    let names = ["acme", "zero \0 within", "Ünïcode ☃ \u{10FFFF}", "\\N\t\n\"'", ""];
    for kind in [PartyKind::Client, PartyKind::Customer, PartyKind::Principal] {
        clerk.writer.parties(kind, &names).unwrap();
    }
    orders_of_every_kind(&mut clerk);
    accounts(&mut clerk);
    letters_and_receipts(&mut clerk);
    let kinds = store.reading(|reader| reader.log(model::ids::Position::new(0), 10_000));
    let kinds: Vec<EntryKind> = kinds.unwrap().iter().map(|found| found.entry.kind).collect();
    for kind in EntryKind::ALL {
        assert!(kinds.contains(&kind), "no entry says {}", kind.name());
    }
    clerk
}

fn orders_of_every_kind(clerk: &mut Clerk) {
    for number in 0..30 {
        let (parcel, meal) = (format!("A-{number}"), format!("M-{number}"));
        clerk.write(&[created(&parcel), created_for(&meal, "food", number % 3 + 1)]);
        clerk.write(&[reported_with_notes(&parcel, "picked_up", "left \0 behind ☃")]);
    }
    // So many that most fingerprints lie beside the head.
    clerk.write(&[reported("A-0", "in_transit")]);
    clerk.write(&vec![reported("A-0", "picked_up"); 2 * RECENT_FINGERPRINTS + 8]);
    // Parked, and so it stays; released; given up.
    clerk.write(&[created("P-1"), reported("P-1", "delivered")]);
    clerk.write(&[
        created("P-2"),
        reported("P-2", "in_transit"),
        reported("P-2", "picked_up"),
    ]);
    clerk.write(&[created("P-3"), reported("P-3", "delivered")]);
    let due_at = clerk_head(clerk, "P-3").due_at().unwrap();
    clerk.rules.now = due_at;
    change(clerk, "P-3", &Change::Due { due_at });
    let cancelled = Change::Cancel {
        reason: Some("no \0 longer".into()),
        source: "shop".into(),
    };
    change(clerk, "A-1", &cancelled);
    let set = Change::Override {
        status: "delivered".into(),
        reason: "found".into(),
        force: true,
    };
    change(clerk, "A-2", &set);
    let struck = Change::Correct {
        strike: Version::new(2),
        reason: "mistaken".into(),
    };
    change(clerk, "A-4", &struck);
}

fn clerk_head(clerk: &mut Clerk, name: &str) -> Head {
    let mut group = clerk.writer.begin().unwrap();
    group.load(&[&named(name)]).unwrap().pop().unwrap().unwrap().head
}

/// A change that is no report, judged with all that is known of the order.
fn change(clerk: &mut Clerk, name: &str, change: &Change) {
    let parcel = clerk.rules.lifecycle("parcel").lifecycle.clone();
    let commit = clerk.writer.next_commit().unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let named: OrderRef = named(name);
    let loaded = group.load(&[&named]).unwrap().pop().unwrap().unwrap();
    let history = group.history(&loaded).unwrap();
    let context = Context {
        lifecycle: &parcel,
        now: clerk.rules.now,
        salt: [7; 16],
        scale: DelayScale::ONE,
        suspects: &[],
        history: &history,
    };
    let decision = decide(&context, &loaded.head, &admin(), None, change);
    let Decision::Accepted(entries) = decision else {
        panic!("{name} was not changed: {decision:?}");
    };
    let (mut head, mut spilled) = (loaded.head.clone(), Vec::new());
    for entry in &entries {
        let hashes = entry.report_hashes(&parcel).unwrap_or_default();
        head.apply(entry, &parcel, DelayScale::ONE, &hashes, &mut spilled)
            .unwrap();
    }
    let writes = GroupWrites {
        entries: entries.into_iter().map(|entry| (0, entry)).collect(),
        heads: vec![HeadChange {
            before: Some((loaded.head.status, loaded.placement)),
            head,
            spilled,
        }],
        ..GroupWrites::default()
    };
    group.commit(commit, clerk.rules.now, writes).unwrap();
}

fn accounts(clerk: &mut Clerk) {
    let kept = User {
        kept_token: Some("T-9".into()),
        disabled: true,
        client: None,
        version: u32::MAX,
        ..user("U-2", "root", "root@example.org")
    };
    let ada = User {
        name: "Ädä ☃".into(),
        ..user("U-1", "ada", "ada@example.org")
    };
    let for_ever = ApiKey {
        client: None,
        expires_at: None,
        ..key("K-1", 2)
    };
    account(&mut *clerk.writer, |accounts| {
        for user in [&kept, &ada] {
            accounts.insert_user(user).unwrap().unwrap();
        }
        for key in [&key("K-2", 1), &for_ever] {
            accounts.insert_api_key(key).unwrap();
        }
        accounts.revoke_api_key("K-2", Timestamp::from_nanos(5)).unwrap();
        for token in ["T-1", "T-2"] {
            accounts.revoke_token(token, Timestamp::from_nanos(50)).unwrap();
        }
        accounts.append_audit(&record("user.create")).unwrap();
        accounts.store_answer(&answer(1, 100)).unwrap();
    });
}

fn letters_and_receipts(clerk: &mut Clerk) {
    let ids: Vec<DeadLetterId> = [(4, 2), (5, 100), (4, 101), (5, 2)]
        .into_iter()
        .map(|(actor, at)| {
            let letter = store::DeadLetter {
                actor: PartyId::new(actor),
                decided_at: Timestamp::from_nanos(at),
                ..letter()
            };
            keep(clerk, &letter)
        })
        .collect();
    assert_eq!(ids.last(), Some(&DeadLetterId::new(LAST_LETTER)));
    let redriven = Redriven {
        order: OrderKey::new(3),
        version: Version::new(2),
        at: Timestamp::from_nanos(130),
    };
    clerk.record(vec![
        Record::Redriven(ids[1], redriven),
        Record::Answer(answer(2, 101)),
        Record::Answer(answer(3, 1)),
        sized("B-2", 100, 4, 100_000),
        sized("B-1", 101, 5, 0),
        sized("B-3", 1, 5, 3_000),
        Record::Audit(record("order.override")),
    ]);
    let before = Timestamp::from_nanos(10);
    let expiry = Expiry {
        answers_before: before,
        batches_before: before,
        dead_letters_before: before,
        now: before,
    };
    clerk.writer.expire(&expiry, 100).unwrap();
}
