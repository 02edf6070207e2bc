//! What one node hears of what another one writes.

use std::time::{Duration, Instant};

use store::postgres::{PostgresOptions, PostgresStore};
use store::{Listener, Store};

use super::Peer;
use super::proxy::Proxy;
use crate::backend::{Backend, PostgresDatabase, SqliteFolder, birth};
use crate::orders::{Clerk, created};

/// Far longer than any news takes.
const LONG: Duration = Duration::from_secs(20);
/// Longer than a busy machine needs to tell what there is to tell.
const A_WHILE: Duration = Duration::from_millis(300);

fn listener_of(store: &dyn Store) -> Box<dyn Listener> {
    store.listener().unwrap().unwrap()
}

/// Hears what is still on its way.
fn hear_out(listener: &mut dyn Listener) -> usize {
    (0..).take_while(|_| listener.wait(A_WHILE)).count()
}

/// Sessions of this database at the server, for one purpose.
fn sessions(database: &PostgresDatabase, purpose: &str) -> usize {
    let sql =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE $1";
    let name = format!("waybill {purpose} %");
    database.raw().query(sql, &[&name]).unwrap().len()
}

#[test]
fn a_commit_of_one_node_wakes_another_at_once() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (here, there) = (database.open(), database.open());
    let mut listener = listener_of(&*there);
    let mut peer = Peer::of(&*here);
    assert!(!listener.wait(Duration::from_millis(50)), "nothing was written");
    for number in 0..3 {
        peer.write(&[], &[created(&format!("A-{number}"))]).unwrap();
        let began = Instant::now();
        assert!(listener.wait(LONG));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        hear_out(&mut *listener);
    }
    let began = Instant::now();
    assert!(!listener.wait(Duration::from_millis(100)), "nothing more was");
    assert!(
        began.elapsed() >= Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn nobody_else_writes_to_an_embedded_store() {
    assert!(SqliteFolder::new().open().listener().unwrap().is_none());
}

#[test]
fn many_commits_in_a_row_are_told_a_few_times_and_the_last_one_is() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-0")]);
    let mut told = database.raw();
    let channel = "SELECT 'waybill_' || encode(value, 'hex') FROM store_meta WHERE name = 'store_id'";
    let channel: String = told.query_one(channel, &[]).unwrap().get(0);
    std::thread::sleep(A_WHILE);
    told.batch_execute(&format!("LISTEN {channel}")).unwrap();
    let began = Instant::now();
    for number in 1..=60 {
        clerk.write(&[created(&format!("A-{number}"))]);
    }
    let most = began.elapsed().as_millis() / 10 + 2;
    std::thread::sleep(A_WHILE);
    told.batch_execute("SELECT 1").unwrap();
    let heard = {
        use postgres::fallible_iterator::FallibleIterator;
        told.notifications().iter().count().unwrap()
    };
    assert!(heard >= 1);
    assert!(heard as u128 <= most, "{heard} times, at most {most}");
}

#[test]
fn stores_in_one_database_do_not_wake_each_other() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    database.raw().batch_execute("CREATE SCHEMA other").unwrap();
    let other = format!("{} options='-c search_path=other'", database.dsn());
    let birth = store::Birth {
        store_id: [9; 16],
        ..birth()
    };
    let other = PostgresStore::open(&PostgresOptions::new(&other), &birth).unwrap();
    let store = database.open();
    let (mut here, mut there) = (listener_of(&*store), listener_of(&other));
    Clerk::of(&other).write(&[created("A-1")]);
    assert!(there.wait(LONG));
    assert!(!here.wait(A_WHILE));
}

#[test]
fn a_listener_and_an_announcer_that_are_cut_off_are_heard_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut listener = listener_of(&*store);
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-0")]);
    assert!(listener.wait(LONG));
    for round in 1..=2 {
        hear_out(&mut *listener);
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() \
                   AND (application_name LIKE 'waybill listener%' OR application_name LIKE 'waybill announcer%')";
        assert_eq!(database.raw().query(end, &[]).unwrap().len(), 2);
        assert!(listener.wait(LONG), "it may have missed something");
        hear_out(&mut *listener);
        clerk.write(&[created(&format!("A-{round}"))]);
        assert!(listener.wait(LONG), "round {round}");
    }
}

#[test]
fn a_listener_without_a_server_waits_no_longer_than_it_is_told_to() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut listener = listener_of(&*store);
    let shut = |is_open: bool| format!("ALTER DATABASE {} ALLOW_CONNECTIONS {is_open}", database.name());
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE application_name LIKE 'waybill listener%' AND datname = current_database()";
    let mut raw = database.raw();
    database.server().batch_execute(&shut(false)).unwrap();
    raw.query(end, &[]).unwrap();
    for patience in [10, 300, 600].map(Duration::from_millis) {
        let began = Instant::now();
        assert!(!listener.wait(patience));
        let took = began.elapsed();
        assert!(
            took < patience + Duration::from_secs(1),
            "{took:?} of {patience:?}"
        );
        assert!(took >= patience, "{took:?} of {patience:?}");
    }
    database.server().batch_execute(&shut(true)).unwrap();
    assert!(listener.wait(LONG));
}

#[test]
fn a_listener_over_a_long_way_is_heard_again_also_by_who_waits_a_moment_each_time() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let proxy = Proxy::to(&database.host(), database.port());
    let options = PostgresOptions::new(&database.dsn_through(proxy.port));
    let far = PostgresStore::open(&options, &birth()).unwrap();
    let mut listener = listener_of(&far);
    // Logging in takes four answers or more, and so longer than the moment.
    proxy.delay(Duration::from_millis(100));
    let moment = Duration::from_millis(200);
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE application_name LIKE 'waybill listener%' AND datname = current_database()";
    assert_eq!(database.raw().query(end, &[]).unwrap().len(), 1);
    let began = Instant::now();
    while !listener.wait(moment) {
        assert!(began.elapsed() < LONG, "it never comes back");
        assert!(sessions(&database, "listener") <= 1, "one try at a time");
    }
    hear_out(&mut *listener);
    Clerk::of(&*store).write(&[created("A-1")]);
    assert!(listener.wait(LONG));
    assert_eq!(sessions(&database, "listener"), 1);
}

#[test]
fn what_tells_others_ends_with_its_store_and_its_writers() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    assert_eq!(sessions(&database, "announcer"), 0, "nothing to tell yet");
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let listener = listener_of(&*store);
    let until = |expected: [usize; 2]| {
        let began = Instant::now();
        while ["announcer", "listener"].map(|purpose| sessions(&database, purpose)) != expected {
            assert!(began.elapsed() < LONG, "not {expected:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    until([1, 1]);
    drop(store);
    clerk.write(&[created("A-2")]);
    until([1, 1]);
    drop(clerk);
    until([0, 1]);
    drop(listener);
    until([0, 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_tells_others_ends_also_where_it_cannot_tell_them() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        // One may end while it is looked at.
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.trim() == "news cut-off").count()
    };
    let options = PostgresOptions {
        node: "cut-off".to_owned(),
        ..PostgresOptions::new(&database.dsn())
    };
    let store = PostgresStore::open(&options, &birth()).unwrap();
    let mut clerk = Clerk::of(&store);
    let shut = |is_open: bool| format!("ALTER DATABASE {} ALLOW_CONNECTIONS {is_open}", database.name());
    database.server().batch_execute(&shut(false)).unwrap();
    clerk.write(&[created("A-1")]);
    assert_eq!(threads(), 1);
    std::thread::sleep(A_WHILE);
    drop((store, clerk));
    let began = Instant::now();
    while threads() > 0 {
        assert!(began.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(10));
    }
}
