//! A forger who knows how digests are made. What they say must still be a history.

use model::ids::{OrderKey, Position, Version};
use model::{Entry, EntryKind, StateId};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use store::{CommitId, CommitRecord, Store};

use super::{assert_found, copy, report};
use crate::backend::{Backend, SqliteFolder};
use crate::orders::named;

/// The recipe of a commit's digest, written a second time.
fn digest(previous: &[u8; 32], commit: &CommitRecord, entries: &[Entry]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"waybill commit 1");
    hasher.update(previous);
    hasher.update(commit.commit.0.to_be_bytes());
    hasher.update(commit.at.as_nanos().to_be_bytes());
    hasher.update(commit.entries.to_be_bytes());
    for entry in entries {
        entry.digest_into(&mut hasher);
    }
    hasher.finalize().into()
}

/// What stands before the first commit.
fn genesis(store_id: &[u8; 16]) -> [u8; 32] {
    let recipe = Sha256::new()
        .chain_update(b"waybill writer 1")
        .chain_update(store_id);
    recipe.chain_update(1u32.to_be_bytes()).finalize().into()
}

/// Makes every digest agree with what is stored.
fn forge_digests(folder: &SqliteFolder) {
    let store = folder.open();
    let commits = store
        .reading(|reader| reader.commits(CommitId(0), 1_000))
        .unwrap();
    let mut digests = Vec::new();
    let mut previous = genesis(&store.identity().store_id);
    for commit in &commits {
        let before = Position::new(commit.first_position.get() - 1);
        let log = store
            .reading(|reader| reader.log(before, commit.entries))
            .unwrap();
        let entries: Vec<Entry> = log.into_iter().map(|found| found.entry).collect();
        previous = digest(&previous, commit, &entries);
        digests.push(previous);
    }
    drop(store);
    let raw = folder.raw_without_triggers();
    for (commit, digest) in commits.iter().zip(digests) {
        let update = "UPDATE commits SET digest = ?2 WHERE commit_id = ?1";
        raw.execute(update, params![commit.commit.0, digest]).unwrap();
    }
}

/// Adds an entry in a commit of its own, and makes head and counts say the same.
fn append(folder: &SqliteFolder, name: &str, kind: EntryKind, to: StateId) {
    let store = folder.open();
    let last = last_entry(&*store, name);
    let totals = store.reading(|reader| reader.totals()).unwrap();
    drop(store);
    let (position, commit) = (totals.last_position.get() + 1, totals.last_commit.0 + 1);
    let raw = folder.raw_without_triggers();
    let recorded_at = last.recorded_at.as_nanos() + 1_000;
    let copy = "INSERT INTO entries SELECT ?1, order_key, version + 1, position, ?2, format, lifecycle_id, tenant_id, \
                client_id, customer_id, ?3, occurred_at, ?4, x'A0', NULL FROM entries WHERE order_key = ?5 AND version = ?6";
    let values = params![
        position,
        kind.number(),
        to.number(),
        recorded_at,
        last.order.get(),
        last.version.get()
    ];
    assert_eq!(raw.execute(copy, values).unwrap(), 1);
    raw.execute(
        "INSERT INTO commits VALUES (?1, 'local', ?2, ?3, 1, zeroblob(32))",
        params![commit, recorded_at, position],
    )
    .unwrap();
    raw.execute(
        "UPDATE order_heads SET status = ?2, version = version + 1, last_position = ?3, recorded_at = ?4, due_at = NULL \
         WHERE order_key = ?1",
        params![last.order.get(), to.number(), position, recorded_at],
    )
    .unwrap();
    recount(&raw);
    drop(raw);
    forge_digests(folder);
}

fn recount(raw: &Connection) {
    raw.execute_batch(
        "DELETE FROM status_counts; INSERT INTO status_counts SELECT client_id, lifecycle_id, status, count(*) \
         FROM order_heads GROUP BY client_id, lifecycle_id, status; \
         DELETE FROM status_blocks; INSERT INTO status_blocks SELECT lifecycle_id, status, order_key / 4096, count(*) \
         FROM order_heads GROUP BY 1, 2, 3",
    )
    .unwrap();
}

fn last_entry(store: &dyn Store, name: &str) -> Entry {
    let last = store.reading(|reader| {
        let order = reader.order(&named(name))?.unwrap();
        Ok(reader.history(&order)?.pop().unwrap().entry)
    });
    last.unwrap()
}

#[test]
fn digests_forged_over_the_same_log_are_the_digests_that_stand_there() {
    let folder = copy();
    forge_digests(&folder);
    assert_eq!(report(&folder).unwrap().findings, []);
}

#[test]
fn a_step_that_an_arrow_allows_passes_when_everything_agrees() {
    let folder = copy();
    append(&folder, "P-1", EntryKind::StatusApplied, StateId::new(2));
    assert_eq!(report(&folder).unwrap().findings, []);
}

#[test]
fn a_step_against_the_arrows_is_found_though_every_digest_agrees() {
    let folder = copy();
    append(&folder, "P-1", EntryKind::StatusApplied, StateId::new(3));
    let found = report(&folder).unwrap().findings;
    assert_found(
        &found,
        "order P-1",
        "version 3 goes from 'picked_up' to 'delivered', which the lifecycle does not allow",
    );
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_status_that_its_lifecycle_does_not_have_is_found() {
    let folder = copy();
    append(&folder, "P-1", EntryKind::Override, StateId::new(63));
    assert_found(&report(&folder).unwrap().findings, "order P-1", "version 3");
}

#[test]
fn a_changed_status_in_the_log_is_found_though_every_digest_agrees() {
    let folder = copy();
    folder
        .raw_without_triggers()
        .execute_batch("UPDATE entries SET status = 2 WHERE position = 2")
        .unwrap();
    folder
        .raw()
        .execute_batch("UPDATE order_heads SET status = 2 WHERE order_key = 1")
        .unwrap();
    recount(&folder.raw());
    forge_digests(&folder);
    assert_found(
        &report(&folder).unwrap().findings,
        "order P-1",
        "version 2 goes from 'created' to 'in_transit'",
    );
}

#[test]
fn an_entry_of_another_order_in_a_history_is_found_though_every_digest_agrees() {
    let folder = copy();
    folder
        .raw_without_triggers()
        .execute_batch("UPDATE entries SET order_key = 3 WHERE position = 2")
        .unwrap();
    forge_digests(&folder);
    let found = report(&folder).unwrap().findings;
    assert_found(&found, "order P-1", "position 2 is not version 2 of order 1");
    assert_eq!(last_version(&folder, 3), Version::new(2));
}

fn last_version(folder: &SqliteFolder, order: i64) -> Version {
    let order = model::command::OrderRef::Key(OrderKey::new(order));
    let found = folder.open().reading(|reader| reader.order(&order)).unwrap();
    found.unwrap().head.version
}
