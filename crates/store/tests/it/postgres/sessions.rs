//! Sessions that are lost, and commits whose answer never came.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::ids::OrderKey;
use store::postgres::{PostgresOptions, PostgresStore};
use store::{CommitId, Error, GroupWrites, Record, Store};

use super::Peer;
use super::proxy::{Cut, Proxy};
use super::writers::answer;
use crate::backend::{Backend, PostgresDatabase, birth, skip};
use crate::orders::{Clerk, created, named, reported};

/// Ends every writer's session at the server.
fn end_writers(database: &PostgresDatabase) {
    let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill writer%'";
    assert!(!database.raw().query(sql, &[]).unwrap().is_empty());
}

fn sound(store: &dyn Store) -> u64 {
    let report = store::verify::verify(store, &mut |_| {});
    assert_eq!(report.findings, []);
    report.entries
}

#[test]
fn a_session_that_is_lost_between_groups_is_replaced_unseen() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    for round in 1..=3 {
        let committed = clerk.write(&[created(&format!("A-{round}"))]);
        assert_eq!(committed.commit, CommitId(round), "the chain goes on");
        end_writers(&database);
    }
    clerk.writer.party(store::PartyKind::Client, "acme").unwrap();
    end_writers(&database);
    drop(clerk.writer.accounts().unwrap());
    end_writers(&database);
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill reader%'";
    database.raw().query(all, &[]).unwrap();
    assert_eq!(sound(&*store), 3);
}

#[test]
fn a_group_whose_session_is_lost_leaves_nothing_and_may_be_begun_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let commit = clerk.writer.next_commit().unwrap();
    let mut group = clerk.writer.begin().unwrap();
    let writes = clerk
        .rules
        .judge(&mut *group, &[reported("A-1", "picked_up"), created("A-2")]);
    end_writers(&database);
    let failed = group.commit(commit, clerk.rules.now, writes).unwrap_err();
    assert!(matches!(failed, Error::Contended(_)), "{failed:?}");
    assert!(!clerk.writer.is_committed(commit).unwrap());
    let committed = clerk.write(&[reported("A-1", "picked_up"), created("A-2")]);
    assert_eq!(committed.commit, commit);
    assert_eq!(sound(&*store), 3);
}

#[test]
fn a_group_whose_session_is_lost_at_any_time_before_its_commit_is_to_be_begun_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut lost_at = 0;
    // As the engine does it: what is contended is begun again. Each time it comes one step further.
    let committed = loop {
        let commit = clerk.writer.next_commit().unwrap();
        let mut group = clerk.writer.begin().unwrap();
        lost_at += 1;
        if lost_at == 1 {
            end_writers(&database);
        }
        let loaded = group
            .load(&[&named("A-1")])
            .map(|mut found| found.remove(0).unwrap());
        let loaded = match loaded {
            Err(Error::Contended(_)) if lost_at == 1 => continue,
            loaded => loaded.unwrap(),
        };
        if lost_at == 2 {
            end_writers(&database);
            let history = group.history(&loaded);
            assert!(matches!(history, Err(Error::Contended(_))), "{history:?}");
            continue;
        }
        if lost_at == 3 {
            end_writers(&database);
            group.next_order_key();
        }
        let writes = GroupWrites {
            records: vec![Record::Answer(answer(7))],
            ..GroupWrites::default()
        };
        match group.commit(commit, clerk.rules.now, writes) {
            Err(Error::Contended(_)) if lost_at == 3 => {}
            committed => break committed.unwrap(),
        }
    };
    assert_eq!((lost_at, committed.commit), (4, CommitId(2)), "the chain goes on");
}

#[test]
fn a_group_whose_server_lets_nobody_in_any_more_ends_as_unavailable() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut group = clerk.writer.begin().unwrap();
    let shut = |is_open: bool| format!("ALTER DATABASE {} ALLOW_CONNECTIONS {is_open}", database.name());
    let mut raw = database.raw();
    database.server().batch_execute(&shut(false)).unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill writer%'";
    raw.query(end, &[]).unwrap();
    let lost = group.load(&[&named("A-1")]);
    assert!(matches!(lost, Err(Error::Contended(_))), "{lost:?}");
    drop(group);
    let away = clerk.writer.next_commit();
    assert!(matches!(away, Err(Error::Unavailable { .. })), "{away:?}");
    database.server().batch_execute(&shut(true)).unwrap();
    clerk.write(&[reported("A-1", "picked_up")]);
}

/// A store by way of a proxy, with one order in it.
fn through_proxy(database: &PostgresDatabase) -> (Proxy, PostgresStore) {
    Clerk::of(&*database.open()).write(&[created("A-1")]);
    let proxy = Proxy::to(&database.host(), database.port());
    let options = PostgresOptions::new(&database.dsn_through(proxy.port));
    let store = PostgresStore::open(&options, &birth()).unwrap();
    (proxy, store)
}

#[test]
fn a_commit_whose_answer_was_lost_is_found_by_its_id() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (proxy, store) = through_proxy(&database);
    let mut clerk = Clerk::of(&store);
    proxy.arm(Cut::Answer);
    let commit = clerk.writer.next_commit().unwrap();
    let lost = clerk.try_write(&[reported("A-1", "picked_up"), created("A-2")]);
    assert!(matches!(lost, Err(Error::OutcomeUnknown { .. })), "{lost:?}");
    assert!(clerk.writer.is_committed(commit).unwrap());
    let committed = clerk.write(&[reported("A-2", "picked_up")]);
    assert_eq!(committed.commit, CommitId(commit.0 + 1));
    assert_eq!(sound(&store), 4);
}

#[test]
fn a_commit_that_never_arrived_is_known_not_to_be_there_and_runs_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (proxy, store) = through_proxy(&database);
    let mut clerk = Clerk::of(&store);
    proxy.arm(Cut::Commit);
    let commit = clerk.writer.next_commit().unwrap();
    let wishes = [reported("A-1", "picked_up"), created("A-2")];
    let lost = clerk.try_write(&wishes);
    assert!(matches!(lost, Err(Error::OutcomeUnknown { .. })), "{lost:?}");
    // The server still holds A-1 for the session that was cut off, and is told to let go.
    let began = Instant::now();
    assert!(!clerk.writer.is_committed(commit).unwrap());
    assert_eq!(clerk.write(&wishes).commit, commit);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(sound(&store), 3);
}

#[test]
fn a_chain_that_another_took_over_meanwhile_does_not_settle_a_lost_commit() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (proxy, store) = through_proxy(&database);
    let mut clerk = Clerk::of(&store);
    let commit = clerk.writer.next_commit().unwrap();
    proxy.arm(Cut::Commit);
    let lost = clerk.try_write(&[reported("A-1", "picked_up")]);
    assert!(matches!(lost, Err(Error::OutcomeUnknown { .. })), "{lost:?}");
    end_writers(&database);
    let other = database.open();
    let mut other = loop {
        // The chain is free once the session has ended.
        let mut peer = Peer::of(&*other);
        if peer.writer.next_commit().unwrap() == commit {
            break peer;
        }
    };
    let committed = other.write(&["A-1".to_owned()], &[reported("A-1", "picked_up")]);
    assert_eq!(
        committed.unwrap().commit,
        commit,
        "the same number of the same chain"
    );
    assert!(
        !clerk.writer.is_committed(commit).unwrap(),
        "but not the same commit"
    );
    assert_eq!(
        clerk.writer.next_commit().unwrap(),
        CommitId(1),
        "it goes on in a chain of its own"
    );
    assert_eq!(sound(&store), 2);
}

#[test]
fn a_writer_that_stands_still_in_its_group_is_shut_out_and_nothing_of_it_is_kept() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let (mut still, mut other) = (Peer::of(&*store), Peer::of(&*store));
    still.write(&[], &[created("A-1")]).unwrap();
    let commit = still.writer.next_commit().unwrap();
    let mut group = still.writer.begin().unwrap();
    let writes = still.rules.judge(&mut *group, &[reported("A-1", "picked_up")]);
    let began = Instant::now();
    // Another node's report of the same order waits, and then goes first.
    other
        .write(&["A-1".to_owned()], &[reported("A-1", "picked_up")])
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let late = group.commit(commit, still.rules.now, writes);
    assert!(matches!(late, Err(Error::Contended(_))), "{late:?}");
    assert!(!still.writer.is_committed(commit).unwrap());
    still
        .write(&["A-1".to_owned()], &[reported("A-1", "in_transit")])
        .unwrap();
    assert_eq!(sound(&*store), 3);
}

#[test]
fn the_end_of_the_log_held_by_another_is_waited_for_within_bounds_only() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let mut other = database.raw();
    let mut held = other.transaction().unwrap();
    held.execute("UPDATE log_end SET last_position = last_position", &[])
        .unwrap();
    let began = Instant::now();
    let busy = clerk.try_write(&[reported("A-1", "picked_up")]).unwrap_err();
    assert!(
        matches!(
            busy,
            Error::Unavailable {
                trouble: store::Trouble::Busy,
                ..
            }
        ),
        "{busy:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    let read = store
        .reading(|reader| reader.orders(OrderKey::new(0), 9))
        .unwrap();
    assert_eq!(read.len(), 1, "reading goes on");
    held.rollback().unwrap();
    clerk.write(&[reported("A-1", "picked_up")]);
    assert_eq!(sound(&*store), 2);
}

#[test]
fn a_role_that_owns_its_database_and_nothing_else_is_enough() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let role = format!("{}_owner", database.name());
    let make = format!(
        "DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'own'; ALTER DATABASE {} OWNER TO {role}",
        database.name()
    );
    database.server().batch_execute(&make).unwrap();
    let options = PostgresOptions::new(&database.dsn_as(&role, Some(b"own")));
    let store = PostgresStore::open(&options, &birth()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    end_writers(&database);
    clerk.write(&[reported("A-1", "picked_up")]);
    assert_eq!(sound(&store), 2);
    drop((clerk, store));
    let unmake = format!("ALTER DATABASE {} OWNER TO CURRENT_USER", database.name());
    database.server().batch_execute(&unmake).unwrap();
    let unmake = format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}");
    database.raw().batch_execute(&unmake).unwrap();
}

#[test]
fn a_read_replaces_a_session_that_was_lost() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    Clerk::of(&*store).write(&[created("A-1")]);
    for _ in 0..3 {
        assert!(
            store
                .reading(|reader| reader.order(&named("A-1")))
                .unwrap()
                .is_some()
        );
        let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name LIKE 'waybill reader%'";
        assert!(!database.raw().query(all, &[]).unwrap().is_empty());
    }
}

#[test]
fn a_store_is_used_and_dropped_also_where_asynchronous_tasks_run() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = database.open();
        let mut clerk = Clerk::of(&*store);
        clerk.write(&[created("A-1")]);
        let group = clerk.writer.begin().unwrap();
        drop(group);
        store.reading(|reader| reader.totals()).unwrap();
        drop(store);
        drop(clerk);
    });
}

#[test]
fn a_dump_restored_elsewhere_is_sound_and_goes_on() {
    let (Some(database), Some(elsewhere)) = (PostgresDatabase::new(), PostgresDatabase::new()) else {
        return;
    };
    let store = database.open();
    let (mut first, mut second) = (Peer::of(&*store), Peer::of(&*store));
    first
        .write(&[], &[created("A-1"), reported("A-1", "picked_up")])
        .unwrap();
    second.write(&[], &[created("A-2")]).unwrap();
    first
        .write(&["A-2".to_owned()], &[reported("A-2", "picked_up")])
        .unwrap();
    let dumped = Command::new("pg_dump")
        .arg("--dbname")
        .arg(database.dsn())
        .output();
    let Ok(dumped) = dumped else {
        return skip("no pg_dump");
    };
    assert!(
        dumped.status.success(),
        "{}",
        String::from_utf8_lossy(&dumped.stderr)
    );
    let mut restore = Command::new("psql")
        .args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname"])
        .arg(elsewhere.dsn())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&dumped.stdout).unwrap();
    assert!(restore.wait().unwrap().success());
    let restored = elsewhere.open();
    assert_eq!(sound(&*restored), 4);
    let mut peer = Peer::of(&*restored);
    let committed = peer
        .write(
            &["A-1".to_owned()],
            &[reported("A-1", "in_transit"), created("A-3")],
        )
        .unwrap();
    assert_eq!(
        (committed.commit, committed.last_position.get()),
        (CommitId(3), 6),
        "the first chain goes on, and so do the positions"
    );
    assert_eq!(sound(&*restored), 6);
}
