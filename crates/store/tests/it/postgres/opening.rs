//! Opening a database, and what is said where that cannot be.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use store::postgres::{PostgresOptions, PostgresStore};
use store::{Birth, OpenError, Store};

use crate::backend::{Backend, PostgresDatabase, birth, skip};

/// Must never be seen in an error.
const PASSWORD: &str = "s3cret-Pa55";

fn refusal(dsn: &str) -> OpenError {
    let opened = PostgresStore::open(&PostgresOptions::new(dsn), &birth());
    let refused = opened.err().expect("it was opened");
    for text in [refused.to_string(), format!("{refused:?}")] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    refused
}

/// A user with a password and without any right, whom a server of `dev/services` asks for it.
fn make_user(database: &PostgresDatabase) {
    let made = format!(
        "DO $$ BEGIN CREATE ROLE waybill_scram LOGIN PASSWORD '{PASSWORD}'; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    database.server().batch_execute(&made).unwrap();
}

#[test]
fn many_stores_that_open_an_empty_database_at_once_make_one_store() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let dsn = database.dsn();
    let identities: Vec<([u8; 16], [u8; 16])> = std::thread::scope(|scope| {
        let starts: Vec<_> = (1..=8u8)
            .map(|number| {
                let birth = Birth {
                    store_id: [number; 16],
                    event_id_key: [number; 16],
                    ..birth()
                };
                let dsn = &dsn;
                scope.spawn(move || {
                    let store = PostgresStore::open(&PostgresOptions::new(dsn), &birth).unwrap();
                    store
                        .pin_lifecycles(&model::lifecycle::shipped(), birth.at)
                        .unwrap();
                    let identity = store.identity();
                    (identity.store_id, identity.event_id_key)
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(identities.iter().all(|identity| *identity == identities[0]));
    let migrations = database
        .raw()
        .query("SELECT number FROM store_migrations", &[])
        .unwrap();
    assert_eq!(migrations.len(), 4);
    let kept = database.open().lifecycles().unwrap();
    assert_eq!(kept.len(), model::lifecycle::shipped().len());
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    drop(database.open());
    let newer = "INSERT INTO store_migrations (number, name) VALUES (9, 'later')";
    database.raw().batch_execute(newer).unwrap();
    let refused = refusal(&database.dsn());
    assert!(
        matches!(
            refused,
            OpenError::Newer {
                found: 9,
                known: 4,
                ..
            }
        ),
        "{refused:?}"
    );
    let expected = format!(
        "/{} was written by a newer version (store format 9, this version knows up to 4): use that version",
        database.name()
    );
    assert!(refused.to_string().ends_with(&expected), "{refused}");
}

#[test]
fn tables_of_somebody_else_are_not_touched() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    database
        .raw()
        .batch_execute("CREATE TABLE accounting (sum BIGINT)")
        .unwrap();
    let refused = refusal(&database.dsn());
    assert!(
        refused
            .to_string()
            .ends_with("it holds tables that are not Waybill's: name an empty database or schema"),
        "{refused}"
    );
    let tables = "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    assert_eq!(database.raw().query(tables, &[]).unwrap().len(), 1);
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_the_next_start_makes_the_store() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    // An event trigger is no table, so the database counts as empty.
    let in_the_way = "CREATE SCHEMA elsewhere; \
        CREATE FUNCTION elsewhere.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%audit_log%') THEN \
        RAISE EXCEPTION 'not this one'; END IF; END $$; \
        CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION elsewhere.refuse()";
    database.raw().batch_execute(in_the_way).unwrap();
    let refused = refusal(&database.dsn());
    assert!(refused.to_string().contains("not this one"), "{refused}");
    let done = database
        .raw()
        .query("SELECT number FROM store_migrations ORDER BY number", &[])
        .unwrap();
    assert_eq!(
        done.len(),
        1,
        "the first one is whole, the second one is not there"
    );
    let users = "SELECT to_regclass('users') IS NULL";
    assert!(database.raw().query_one(users, &[]).unwrap().get::<_, bool>(0));
    database.raw().batch_execute("DROP EVENT TRIGGER refuse").unwrap();
    let report = store::verify::verify(&*database.open(), &mut |_| {});
    assert_eq!(report.findings, []);
}

#[test]
fn a_server_that_does_not_sync_is_refused() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let unsafe_setting = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name());
    database.server().batch_execute(&unsafe_setting).unwrap();
    let refused = refusal(&database.dsn());
    assert!(
        refused
            .to_string()
            .ends_with("may lose what it has acknowledged, as synchronous_commit is off there: switch it on"),
        "{refused}"
    );
}

#[test]
fn a_database_that_is_not_utf8_is_refused() {
    let Some(database) = PostgresDatabase::with("ENCODING 'SQL_ASCII' LOCALE 'C'") else {
        return;
    };
    let refused = refusal(&database.dsn());
    assert!(
        refused
            .to_string()
            .ends_with("its encoding is SQL_ASCII: make the database with encoding UTF8"),
        "{refused}"
    );
}

#[test]
fn a_wrong_password_is_said_and_not_repeated() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    make_user(&database);
    let wrong = format!("{PASSWORD}-wrong");
    let dsn = database.dsn_as("waybill_scram", Some(wrong.as_bytes()));
    let Err(refused) = PostgresStore::open(&PostgresOptions::new(&dsn), &birth()) else {
        return skip("the server asks nobody for a password");
    };
    if matches!(refused, OpenError::NoRights { .. }) {
        return skip("the server asks nobody for a password");
    }
    assert!(matches!(refused, OpenError::LoginRefused { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("password authentication failed"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}

#[test]
fn a_user_without_rights_is_told_so() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    make_user(&database);
    let refused = refusal(&database.dsn_as("waybill_scram", Some(PASSWORD.as_bytes())));
    assert!(matches!(refused, OpenError::NoRights { .. }), "{refused:?}");
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[test]
fn a_database_that_is_not_there_is_said() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let dsn = database.dsn().replace(database.name(), "waybill_nowhere");
    let refused = refusal(&dsn);
    assert!(matches!(refused, OpenError::LoginRefused { .. }), "{refused:?}");
    assert!(
        refused
            .to_string()
            .contains("database \"waybill_nowhere\" does not exist"),
        "{refused}"
    );
}

#[test]
fn an_address_that_cannot_be_read_is_not_repeated() {
    for (dsn, why) in [
        (
            format!("postgres://ada:{PASSWORD}@db:port/orders"),
            "cannot be read",
        ),
        (
            format!("host=db password={PASSWORD} {PASSWORD}"),
            "cannot be read",
        ),
        (format!("host=db {PASSWORD}=1"), "cannot be read"),
        (format!("dbname=orders password={PASSWORD}"), "names no host"),
        (format!("postgres://ada:{PASSWORD}@db"), "names no database"),
        (
            format!("postgres://ada:{PASSWORD}@db/orders?sslrootcert=/nowhere.pem"),
            "does not say sslmode=require, without which no certificate is looked at",
        ),
        (
            format!("host=db password={PASSWORD} dbname=orders sslmode=some"),
            "cannot be read",
        ),
    ] {
        let expected =
            format!("the database's address {why}: give postgres://USER:PASSWORD@HOST:PORT/DATABASE");
        assert_eq!(refusal(&dsn).to_string(), expected, "{dsn}");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let began = Instant::now();
    let refused = refusal(&format!("postgres://ada:{PASSWORD}@127.0.0.1:{port}/orders"));
    let expected = format!(
        "postgres://ada@127.0.0.1:{port}/orders cannot be reached (Connection refused (os error 111)): \
         check host and port, and that PostgreSQL runs there"
    );
    assert_eq!(
        refused.to_string().replace("os error 61", "os error 111"),
        expected
    );
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    // Connections are taken by the system, and nobody reads what comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let began = Instant::now();
    let refused = refusal(&format!("postgres://ada:{PASSWORD}@127.0.0.1:{port}/orders"));
    assert!(refused.to_string().contains("(no answer for 5 s)"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
