//! Lists read on a standby: never older than their bound, whatever becomes of it.

use std::time::{Duration, Instant};

use store::postgres::{PostgresOptions, PostgresStore, Replica};
use store::{Birth, Error, OpenError, Store};

use super::server::Server;
use crate::backend::{PostgresDatabase, birth, skip};
use crate::conformance::accounts::{account, user};
use crate::orders::{Clerk, created, named};

/// Long enough that a busy machine gets something done within.
const BOUND: Duration = Duration::from_secs(3);
/// Longer than the pause after which a lost replica is asked again.
const LONG: Duration = Duration::from_secs(40);

/// A server with a store and a standby, and the standby's address.
fn with_standby() -> Option<(Server, String)> {
    let server = Server::start()?;
    PostgresStore::open(&PostgresOptions::new(&server.dsn()), &birth()).unwrap();
    let standby = server.said("standby");
    if standby.is_none() {
        skip("no pg_basebackup");
    }
    Some((server, standby?))
}

fn open(dsn: &str, replica: &str, max_staleness: Duration) -> PostgresStore {
    let replica = Replica {
        dsn: replica.to_owned(),
        max_staleness,
    };
    let options = PostgresOptions {
        replica: Some(replica),
        ..PostgresOptions::new(dsn)
    };
    PostgresStore::open(&options, &birth()).unwrap()
}

fn run(dsn: &str, sql: &str) {
    let mut client = postgres::Client::connect(dsn, postgres::NoTls).unwrap();
    client.batch_execute(sql).unwrap();
}

/// Whether an order is there, of a moment ago.
fn knows(store: &dyn Store, order: &str) -> bool {
    store
        .reading_behind(|reader| reader.order(&named(order)))
        .unwrap()
        .is_some()
}

/// Readers' sessions on a server.
fn readers(dsn: &str) -> usize {
    let mut client = postgres::Client::connect(dsn, postgres::NoTls).unwrap();
    let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'waybill reader%'";
    client.query(sql, &[]).unwrap().len()
}

fn pause(standby: &str) {
    run(standby, "SELECT pg_wal_replay_pause()");
    until("replay stands", || {
        let mut client = postgres::Client::connect(standby, postgres::NoTls).unwrap();
        let sql = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        client.query_one(sql, &[]).unwrap().get(0)
    });
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_standby_is_read_while_it_is_fresh_and_the_primary_once_it_lags() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let opened = open(&server.dsn(), &standby, BOUND);
    let mut clerk = Clerk::of(&opened);
    let store: &dyn Store = &opened;
    clerk.write(&[created("A-1")]);
    until("the standby is asked", || {
        knows(store, "A-1") && readers(&standby) > 0
    });
    std::thread::sleep(BOUND);
    until("the standby is read", || {
        knows(store, "A-1") && opened.replica_trouble().is_none()
    });
    pause(&standby);
    // As new as can be when it stopped; from here on it only ages.
    let written = Instant::now();
    clerk.write(&[created("A-2")]);
    let saw = store.reading(|reader| reader.order(&named("A-2"))).unwrap();
    assert!(saw.is_some(), "what must be new is read on the primary");
    assert!(
        !knows(store, "A-2"),
        "within the bound the standby is good enough"
    );
    while !knows(store, "A-2") {
        assert!(written.elapsed() < BOUND + Duration::from_secs(1), "too old");
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = opened.replica_trouble().unwrap();
    assert_eq!(said, "it is not known to be less than 3000 ms behind");
    run(&standby, "SELECT pg_wal_replay_resume()");
    until("it has caught up", || {
        knows(store, "A-2") && opened.replica_trouble().is_none()
    });
}

#[test]
fn what_no_commit_counts_is_not_older_than_the_bound_either() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let store = open(&server.dsn(), &standby, BOUND);
    let mut clerk = Clerk::of(&store);
    let store: &dyn Store = &store;
    clerk.write(&[created("A-1")]);
    until("the standby is asked", || {
        knows(store, "A-1") && readers(&standby) > 0
    });
    pause(&standby);
    account(&mut *clerk.writer, |accounts| {
        let ada = user("U-1", "ada", "ada@example.com");
        accounts.insert_user(&ada).unwrap().unwrap();
    });
    let written = Instant::now();
    let users = || store.reading_behind(|reader| reader.users("", 9)).unwrap().len();
    while users() == 0 {
        assert!(written.elapsed() < BOUND + Duration::from_secs(1), "too old");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_standby_that_is_killed_costs_no_read_and_is_taken_up_again() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let store = open(&server.dsn(), &standby, BOUND);
    let mut clerk = Clerk::of(&store);
    let store: &dyn Store = &store;
    clerk.write(&[created("A-1")]);
    until("the standby is asked", || {
        knows(store, "A-1") && readers(&standby) > 0
    });
    assert!(server.run("lose").status.success());
    clerk.write(&[created("A-2")]);
    for _ in 0..50 {
        let began = Instant::now();
        assert!(knows(store, "A-2"));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
    assert_eq!(server.said("standby").as_ref(), Some(&standby));
    until("the standby is asked again", || {
        knows(store, "A-2") && readers(&standby) > 0
    });
}

#[test]
fn a_standby_that_was_promoted_is_left_alone() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let store = open(&server.dsn(), &standby, BOUND);
    let mut clerk = Clerk::of(&store);
    let store: &dyn Store = &store;
    clerk.write(&[created("A-1")]);
    until("the standby is asked", || {
        knows(store, "A-1") && readers(&standby) > 0
    });
    let refused = PostgresStore::open(&PostgresOptions::new(&standby), &birth())
        .err()
        .unwrap();
    assert!(matches!(refused, OpenError::Standby { .. }), "{refused:?}");
    assert!(refused.is_worth_waiting());
    run(&standby, "SELECT pg_promote()");
    clerk.write(&[created("A-2")]);
    assert!(knows(store, "A-2"));
    run(&standby, "DELETE FROM order_identities");
    for _ in 0..20 {
        assert!(knows(store, "A-2"));
    }
}

/// The address of several servers of this machine.
fn dsn_of(ports: &[u16]) -> String {
    let hosts = vec!["127.0.0.1"; ports.len()].join(",");
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    format!(
        "host={hosts} port={} user=waybill dbname=postgres",
        ports.join(",")
    )
}

fn port_of(dsn: &str) -> u16 {
    let config: postgres::Config = dsn.parse().unwrap();
    config.get_ports()[0]
}

#[test]
fn of_several_servers_the_one_that_takes_writes_is_found() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let (primary, standby_port) = (port_of(&server.dsn()), port_of(&standby));
    let opened = |ports: &[u16], more: &str| {
        let dsn = format!("{} {more}", dsn_of(ports));
        PostgresStore::open(&PostgresOptions::new(&dsn), &birth())
    };
    let only_standbys = opened(&[standby_port, standby_port], "").err().unwrap();
    assert!(
        matches!(only_standbys, OpenError::Standby { .. }),
        "{only_standbys:?}"
    );
    assert!(only_standbys.is_worth_waiting());
    let asked_for = opened(&[standby_port, primary], "target_session_attrs=any").err();
    assert!(
        matches!(asked_for, Some(OpenError::Standby { .. })),
        "the address says that any will do: {asked_for:?}"
    );
    let store = opened(&[standby_port, primary], "").unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    let (options, several) = (
        PostgresOptions::new(&server.dsn()),
        dsn_of(&[standby_port, primary]),
    );
    let replica = Replica {
        dsn: several,
        max_staleness: BOUND,
    };
    let reading = PostgresStore::open(
        &PostgresOptions {
            replica: Some(replica),
            ..options
        },
        &birth(),
    )
    .unwrap();
    until("a replica of several hosts is the standby", || {
        knows(&reading, "A-1") && reading.replica_trouble().is_none() && readers(&standby) > 0
    });
}

#[test]
fn a_server_that_swallows_what_is_sent_to_it_leaves_time_for_the_next_one() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    // Nobody takes them in: once the queue is full, whoever comes gets no answer.
    let connected = (0..900).map_while(|_| std::net::TcpStream::connect_timeout(&at, BOUND / 10).ok());
    let queue: Vec<_> = connected.collect();
    if queue.len() == 900 {
        return skip("a queue of connections that is not filled");
    }
    let dsn = database.dsn_through(database.port());
    let (host, port) = ("host=127.0.0.1 ", format!("port={}", database.port()));
    let dsn = dsn
        .replace(host, "host=127.0.0.1,127.0.0.1 ")
        .replace(&port, &format!("port={},{}", at.port(), database.port()));
    PostgresStore::open(&PostgresOptions::new(&dsn), &birth()).unwrap();
}

#[test]
fn what_is_no_replica_of_the_store_is_never_read() {
    let (Some(database), Some(other)) = (PostgresDatabase::new(), PostgresDatabase::new()) else {
        return;
    };
    let other_birth = Birth {
        store_id: [9; 16],
        ..birth()
    };
    drop(PostgresStore::open(&PostgresOptions::new(&other.dsn()), &other_birth).unwrap());
    let nobody = "host=127.0.0.1 port=1 user=waybill dbname=waybill";
    for (number, replica) in [&*other.dsn(), nobody, &database.dsn()].into_iter().enumerate() {
        let store = open(&database.dsn(), replica, LONG);
        let order = format!("A-{number}");
        Clerk::of(&store).write(&[created(&order)]);
        assert_eq!(store.replica_trouble(), None, "nobody has asked");
        for _ in 0..9 {
            assert!(knows(&store, &order), "{replica}");
        }
        let said = store.replica_trouble().unwrap();
        assert!(
            said.contains(["another store", "cannot be reached", "no standby"][number]),
            "{said}"
        );
    }
    let options = PostgresOptions {
        replica: Some(Replica {
            dsn: "host=db".to_owned(),
            max_staleness: BOUND,
        }),
        ..PostgresOptions::new(&database.dsn())
    };
    let refused = PostgresStore::open(&options, &birth()).err().unwrap();
    assert!(
        refused
            .to_string()
            .starts_with("the replica's address names no database"),
        "{refused}"
    );
}

#[test]
fn a_read_of_a_moment_ago_says_what_its_job_says() {
    let Some((server, standby)) = with_standby() else {
        return;
    };
    let store = open(&server.dsn(), &standby, BOUND);
    let mut clerk = Clerk::of(&store);
    let store: &dyn Store = &store;
    clerk.write(&[created("A-1")]);
    until("the standby is asked", || {
        knows(store, "A-1") && readers(&standby) > 0
    });
    let mut runs = 0;
    let refused: Result<(), Error> = store.reading_behind(|reader| {
        runs += 1;
        reader.totals()?;
        Err(Error::Statement("said by the job".to_owned()))
    });
    assert_eq!(refused, Err(Error::Statement("said by the job".to_owned())));
    assert_eq!(runs, 1);
}
