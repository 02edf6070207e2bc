//! The real binary on PostgreSQL: what keeps it from starting, what it waits for, and the commands beside it.

use std::io::copy;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::front::{SECRET, admin};
use crate::harness::home::Home;
use crate::harness::process::{Ended, Running, run};
use crate::harness::services::OwnPostgres;
use crate::harness::wire::Wire;
use crate::replay::five_orders;

/// What must be told to nobody.
const PASSWORD: &str = "not-for-any-log";

/// `waybill serve`, on the database of this home unless the environment says otherwise.
fn serve(home: &Home) -> Command {
    let mut command = home.waybill("serve");
    command.env("APP_PORT", "0").env("JWT_SECRET", SECRET);
    command.env("LOG_LEVEL", "error").current_dir(home.path());
    command
}

fn with_dsn(home: &Home, dsn: &str) -> Command {
    let mut command = serve(home);
    command.env("PG_DSN", dsn).env("PG_CONNECT_WAIT_S", "0");
    command
}

/// It does not start, and says why in one line with all of these words.
#[track_caller]
fn is_refused(command: &mut Command, words: &[&str]) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
    ended
}

fn stop(running: Running) -> Ended {
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    ended
}

fn address(running: &Running) -> SocketAddr {
    let line = running.first_line();
    let address = line.strip_prefix("waybill listening on http://");
    let address = address.unwrap_or_else(|| panic!("it does not start: {line}"));
    address.parse().unwrap()
}

#[test]
fn an_address_of_a_database_that_is_wrong_is_told_in_one_line() {
    let Some(home) = Home::database() else { return };
    let dsn = home.dsn().unwrap();
    let database = dsn.split("dbname=").nth(1).unwrap().split(' ').next().unwrap();
    let unreadable = format!("postgres//me:{PASSWORD}@here");
    is_refused(
        &mut with_dsn(&home, &unreadable),
        &["PG_DSN", "postgres://USER:PASSWORD"],
    );
    let nobody = dsn
        .replace("user=", "user=waybill_scram_")
        .replace("waybill_scram_waybill", "waybill_scram");
    let nobody = format!("{nobody} password={PASSWORD}");
    is_refused(
        &mut with_dsn(&home, &nobody),
        &["PG_DSN", "waybill_scram", "refuses the login", "check"],
    );
    let nowhere = dsn.replace(database, "waybill_of_nowhere");
    is_refused(
        &mut with_dsn(&home, &nowhere),
        &["PG_DSN", "waybill_of_nowhere", "does not exist", "check"],
    );
    let closed = free_port();
    let unreachable = format!("host=127.0.0.1 port={closed} user=me password={PASSWORD} dbname=orders");
    is_refused(
        &mut with_dsn(&home, &unreachable),
        &["PG_DSN", "cannot be reached", "check host and port"],
    );
}

#[test]
fn a_database_without_a_secret_for_tokens_is_refused_before_it_is_touched() {
    let Some(home) = Home::database() else { return };
    is_refused(
        serve(&home).env_remove("JWT_SECRET"),
        &["JWT_SECRET", "openssl rand"],
    );
    let verified = run(&mut home.waybill("verify"));
    assert!(verified.stderr.contains("holds no Waybill store"), "{verified:?}");
}

#[test]
fn a_start_waits_until_there_are_connections_enough_for_all_of_it() {
    let Some(home) = Home::database() else { return };
    let few = format!("waybill_few_{}", std::process::id());
    let execute = |sql: String| home.execute(&sql).unwrap();
    execute(format!(
        "CREATE ROLE {few} LOGIN CONNECTION LIMIT 2; GRANT ALL ON SCHEMA public TO {few}"
    ));
    let dsn = home.dsn().unwrap();
    let user = dsn.split("user=").nth(1).unwrap().split(' ').next().unwrap();
    let dsn = dsn.replace(&format!("user={user}"), &format!("user={few}"));
    // Enough to bring the schema up to date, not for the writers.
    is_refused(&mut with_dsn(&home, &dsn), &["PG_DSN"]);
    let mut patient = with_dsn(&home, &dsn);
    let running = Running::start(patient.env("PG_CONNECT_WAIT_S", "60").env("LOG_LEVEL", "warn"));
    // It waits by now, or it will.
    execute(format!("ALTER ROLE {few} CONNECTION LIMIT -1"));
    address(&running);
    stop(running);
    execute(format!(
        "REASSIGN OWNED BY {few} TO CURRENT_USER; DROP OWNED BY {few}; DROP ROLE {few}"
    ));
}

#[test]
fn a_node_that_is_told_to_stop_while_its_database_stands_still_ends_within_its_grace() {
    let Some(database) = OwnPostgres::start() else {
        return;
    };
    let home = Home::on(&database.dsn().parse().unwrap());
    let running = Running::start(serve(&home).env("SHUTDOWN_GRACE_S", "3"));
    let node = address(&running);
    database.pause();
    let began = Instant::now();
    let caller = std::thread::spawn(move || {
        let mut wire = Wire::connect(node, &admin()).unwrap();
        let wish = r#"{"username":"somebody","password":"correct horse","name":"Some Body"}"#;
        // Whatever comes of it.
        drop(wire.post("/api/v1/users", &[], wish));
    });
    // Enough for the request to be at the writer; if it is not, the stop is only easier.
    std::thread::sleep(Duration::from_millis(500));
    running.terminate();
    let ended = running.wait();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(matches!(ended.code(), Some(0 | 2)), "{ended:?}");
    database.resume();
    caller.join().unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let Some(home) = Home::database() else { return };
    let running = Running::start(&mut serve(&home));
    address(&running);
    stop(running);
    home.execute("INSERT INTO store_migrations (number, name) VALUES (999, 'of tomorrow')")
        .unwrap();
    is_refused(&mut serve(&home), &["PG_DSN", "newer version", "999"]);
}

#[test]
fn a_start_waits_for_a_database_as_long_as_it_is_told_to() {
    let Some(home) = Home::database() else { return };
    let dsn = format!(
        "host=127.0.0.1 port={} user=me password={PASSWORD} dbname=orders",
        free_port()
    );
    let began = Instant::now();
    let mut command = with_dsn(&home, &dsn);
    let ended = run(command.env("PG_CONNECT_WAIT_S", "2").env("LOG_LEVEL", "warn"));
    let took = began.elapsed();
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(8)).contains(&took),
        "{took:?}"
    );
    for word in [
        "waiting for the database",
        "PG_CONNECT_WAIT_S",
        "cannot be reached",
    ] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
}

#[test]
fn a_database_that_comes_up_while_it_is_waited_for_is_served() {
    let Some(home) = Home::database() else { return };
    let dsn = home.dsn().unwrap();
    let real = dsn.split("port=").nth(1).unwrap().split(' ').next().unwrap();
    let (real, late): (u16, u16) = (real.parse().unwrap(), free_port());
    let late_dsn = dsn.replace(&format!("port={real}"), &format!("port={late}"));
    let mut command = with_dsn(&home, &late_dsn);
    let running = Running::start(command.env("PG_CONNECT_WAIT_S", "60").env("LOG_LEVEL", "warn"));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(running.lines(), 0);
    forward(late, real);
    let mut wire = Wire::connect(address(&running), "").unwrap();
    wire.get("/readyz").is(200);
    drop(wire);
    let ended = stop(running);
    assert!(
        ended.stderr.contains("waiting for the database"),
        "{}",
        ended.stderr
    );
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Carries what comes to one port to another, until the test's process ends.
fn forward(from: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", from)).unwrap();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (mut source, mut sink) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)]
            {
                std::thread::spawn(move || {
                    copy(&mut source, &mut sink).ok();
                    sink.shutdown(std::net::Shutdown::Write).ok();
                });
            }
        }
    });
}

/// Of every user.
fn usernames(address: SocketAddr) -> Vec<String> {
    let users = Wire::connect(address, &admin())
        .unwrap()
        .get("/auth/users")
        .is(200);
    let name = |user: &Value| user["username"].as_str().unwrap().to_owned();
    users["data"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn nodes_that_start_at_once_on_an_empty_database_make_its_first_users_once() {
    for (settings, first, told) in [
        (&[][..], &["admin"][..], 1),
        (
            &[("ADMIN_USERNAME", "ann"), ("ADMIN_PASSWORD", "correct horse")],
            &["ann"],
            0,
        ),
        (
            &[("SEED", "demo")],
            &[
                "admin_user",
                "client_user_001",
                "client_user_002",
                "customer_user_001",
            ],
            0,
        ),
    ] {
        let Some(home) = Home::database() else { return };
        let nodes = [(); 3].map(|()| Running::start(serve(&home).envs(settings.iter().copied())));
        let addresses = nodes.each_ref().map(address);
        for address in addresses {
            let mut names = usernames(address);
            names.truncate(first.len());
            assert_eq!(names, first);
            let expected = if settings.first().is_some_and(|(name, _)| *name == "SEED") {
                8
            } else {
                1
            };
            assert_eq!(usernames(address).len(), expected);
        }
        let ended = nodes.map(stop);
        let showing = ended
            .iter()
            .filter(|ended| ended.stderr.contains("The first admin is"));
        assert_eq!(showing.count(), told);
    }
}

#[test]
fn commands_find_the_database_by_the_environment() {
    let Some(home) = Home::database() else { return };
    let folder = five_orders();
    let dsn = home.dsn().unwrap();
    let on_it = |arguments: &[&str]| {
        let mut command = crate::harness::process::waybill();
        command
            .args(arguments)
            .env("PG_DSN", &dsn)
            .current_dir(home.path());
        command
    };
    let replayed = run(on_it(&["replay", "olist"]).arg(folder.path()));
    assert_eq!(replayed.code(), Some(0), "{replayed:?}");
    assert!(
        replayed.stdout.starts_with("shipments made                6\n"),
        "{}",
        replayed.stdout
    );
    // It says how to look at one, and of the database only that it is one.
    let words = replayed.stdout.split_whitespace();
    let number = words.skip_while(|word| *word != "history").nth(1).unwrap();
    let history = run(&mut on_it(&["history", number]));
    assert_eq!(history.code(), Some(0), "{history:?}");
    assert!(history.stdout.contains("created"), "{}", history.stdout);
    let verified = run(&mut on_it(&["verify"]));
    assert_eq!(verified.code(), Some(0), "{verified:?}");
    assert!(
        verified.stdout.starts_with("all is well: 6 orders"),
        "{}",
        verified.stdout
    );
    // Beside a server that runs.
    let running = Running::start(&mut serve(&home));
    let address = address(&running);
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "correct horse").unwrap();
    let add = ["user", "add", "ann", "--role", "operator", "--password-file"];
    let added = run(on_it(&add).arg(password.path()));
    assert_eq!(added.code(), Some(0), "{added:?}");
    assert!(usernames(address).contains(&"ann".to_owned()));
    let again = run(on_it(&["replay", "olist"]).arg(folder.path()));
    assert!(
        again.stdout.ends_with("nothing was changed\n"),
        "{}",
        again.stdout
    );
    let history = run(&mut on_it(&["history", number]));
    assert_eq!(history.code(), Some(0), "{history:?}");
    stop(running);
    assert!(!home.path().join("waybill-data").exists());
}
