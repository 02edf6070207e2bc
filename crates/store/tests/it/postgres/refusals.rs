//! What is said where a database does not take us, whether waiting helps, and that an open store comes through it.

use std::process::Command;
use std::time::{Duration, Instant};

use store::postgres::{PostgresOptions, PostgresStore};
use store::{Error, OpenError, Store, Trouble};

use super::server::Server;
use crate::backend::{Backend, PostgresDatabase, birth};
use crate::orders::{Clerk, created, reported};

const PASSWORD: &str = "s3cret-Pa55";

fn open(dsn: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(&PostgresOptions::new(dsn), &birth())
}

/// Why it is not opened: in one line, without the password.
fn refusal(dsn: &str) -> OpenError {
    let refused = open(dsn).err().expect("it was opened");
    for text in [refused.to_string(), format!("{refused:?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains('\n'), "{text}");
    }
    refused
}

/// A role of the database's own, which may log in and no more; gone with it.
struct Role<'a> {
    database: &'a PostgresDatabase,
    name: String,
}

impl<'a> Role<'a> {
    fn of(database: &'a PostgresDatabase, options: &str) -> Self {
        let name = format!("{}_role", database.name());
        let make =
            format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}");
        database.server().batch_execute(&make).unwrap();
        Self { database, name }
    }

    fn dsn(&self) -> String {
        self.database.dsn_as(&self.name, Some(PASSWORD.as_bytes()))
    }

    fn run(&self, sql: &str) {
        self.database
            .raw()
            .batch_execute(&sql.replace("ROLE_NAME", &self.name))
            .unwrap();
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        self.run("REASSIGN OWNED BY ROLE_NAME TO CURRENT_USER; DROP OWNED BY ROLE_NAME");
        let gone = format!(
            "ALTER DATABASE {} OWNER TO CURRENT_USER; DROP ROLE {}",
            self.database.name(),
            self.name
        );
        self.database.server().batch_execute(&gone).unwrap();
    }
}

#[test]
fn a_host_that_nobody_knows_is_worth_waiting_for() {
    let refused = refusal(&format!("postgres://ada:{PASSWORD}@nowhere.invalid/orders"));
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused:?}");
    let expected = "postgres://ada@nowhere.invalid:5432/orders cannot be reached (";
    assert!(refused.to_string().starts_with(expected), "{refused}");
    assert!(refused.is_worth_waiting());
}

#[test]
fn what_somebody_has_to_mend_is_not_worth_waiting_for() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let nowhere = database.dsn().replace(database.name(), "waybill_nowhere");
    for dsn in ["host=db", &*nowhere] {
        assert!(!refusal(dsn).is_worth_waiting(), "{dsn}");
    }
}

#[test]
fn a_database_that_is_closed_for_now_is_worth_waiting_for() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let allow = |is_open: bool| {
        let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {is_open}", database.name());
        database.server().batch_execute(&sql).unwrap();
    };
    allow(false);
    let refused = refusal(&database.dsn());
    assert!(matches!(refused, OpenError::NotReady { .. }), "{refused:?}");
    assert!(refused.is_worth_waiting());
    allow(true);
    open(&database.dsn()).unwrap();
}

#[test]
fn a_server_that_stops_is_worth_waiting_for() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.dsn()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    let mut raw = postgres::Client::connect(&server.dsn(), postgres::NoTls).unwrap();
    let process = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let process: String = raw.query_one(process, &[]).unwrap().get(0);
    // It lets sessions end by themselves, and takes no new ones.
    assert!(
        Command::new("kill")
            .args(["-TERM", &process])
            .status()
            .unwrap()
            .success()
    );
    let began = Instant::now();
    let refused = loop {
        match open(&server.dsn()) {
            Err(refused) => break refused,
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(10)),
        }
    };
    assert!(matches!(refused, OpenError::NotReady { .. }), "{refused:?}");
    assert!(
        refused
            .to_string()
            .ends_with("is not ready (the database system is shutting down): wait until it is"),
        "{refused}"
    );
    assert!(refused.is_worth_waiting());
    let busy = store.writer().err().unwrap();
    assert!(
        matches!(
            busy,
            Error::Unavailable {
                trouble: Trouble::Busy,
                ..
            }
        ),
        "{busy:?}"
    );
}

#[test]
fn connections_that_run_out_are_said_at_the_start_and_an_open_store_comes_through_it() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let role = Role::of(&database, "");
    role.run(&format!("ALTER DATABASE {} OWNER TO ROLE_NAME", database.name()));
    let store = open(&role.dsn()).unwrap();
    let mut clerk = Clerk::of(&store);
    clerk.write(&[created("A-1")]);
    role.run("ALTER ROLE ROLE_NAME CONNECTION LIMIT 0");
    let refused = refusal(&role.dsn());
    let expected = format!(
        "/{} takes no more connections (too many connections for role \"{}\"): raise max_connections or this user's \
         limit there, or run fewer writers and readers",
        database.name(),
        role.name
    );
    assert!(refused.to_string().ends_with(&expected), "{refused}");
    assert!(refused.is_worth_waiting());
    database
        .raw()
        .query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1",
            &[&role.name],
        )
        .unwrap();
    let read = (&store as &dyn Store)
        .reading(|reader| reader.totals())
        .unwrap_err();
    let written = clerk.try_write(&[reported("A-1", "picked_up")]).unwrap_err();
    for busy in [read, written] {
        assert!(
            matches!(
                busy,
                Error::Unavailable {
                    trouble: Trouble::Busy,
                    ..
                }
            ),
            "{busy:?}"
        );
    }
    role.run("ALTER ROLE ROLE_NAME CONNECTION LIMIT -1");
    clerk.write(&[reported("A-1", "picked_up")]);
    let totals = (&store as &dyn Store).reading(|reader| reader.totals()).unwrap();
    assert_eq!(totals.last_position.get(), 2);
}

#[test]
fn a_user_that_may_not_make_tables_is_told_what_it_needs() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let role = Role::of(&database, "");
    let refused = refusal(&role.dsn());
    let expected = "cannot be written (permission denied for schema public): let this user own the database or its schema \
                    and tables, and let it write there";
    assert!(refused.to_string().ends_with(expected), "{refused}");
    assert!(!refused.is_worth_waiting());
}

#[test]
fn a_user_without_rights_in_a_store_of_others_is_told_so_and_changes_nothing() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let role = Role::of(&database, "");
    let refused = refusal(&role.dsn());
    assert!(
        refused
            .to_string()
            .contains("permission denied for table store_migrations"),
        "{refused}"
    );
    role.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO ROLE_NAME");
    let refused = refusal(&role.dsn());
    assert!(
        refused.to_string().contains("its tables are another user's"),
        "{refused}"
    );
    role.run("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    let refused = refusal(&role.dsn());
    assert!(
        refused
            .to_string()
            .contains("no schema of its search_path is there and may be used"),
        "{refused}"
    );
    assert!(!refused.is_worth_waiting());
    Clerk::of(&*store).write(&[created("A-1")]);
}

#[test]
fn a_database_that_became_read_only_is_said_and_taken_up_again() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill writer%'";
    let read_only = |is_on: bool| {
        let name = database.name();
        let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = {is_on}");
        database.server().batch_execute(&sql).unwrap();
        database.raw().query(end, &[]).unwrap();
    };
    read_only(true);
    let refused = refusal(&database.dsn());
    assert!(matches!(refused, OpenError::NoRights { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("(its transactions are read-only)"),
        "{refused}"
    );
    let failed = clerk.try_write(&[reported("A-1", "picked_up")]).unwrap_err();
    assert!(
        matches!(
            failed,
            Error::Unavailable {
                trouble: Trouble::NotWritable,
                ..
            }
        ),
        "{failed:?}"
    );
    let read = store.reading(|reader| reader.totals()).unwrap();
    assert_eq!(read.last_position.get(), 1, "reading goes on");
    read_only(false);
    clerk.write(&[reported("A-1", "picked_up")]);
}

#[test]
fn a_full_disk_fails_its_group_and_the_next_one_works_when_there_is_room() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    // As the server says it when a file cannot grow.
    let full = "CREATE FUNCTION no_room() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN \
                RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100'; END $$; \
                CREATE TRIGGER no_room BEFORE INSERT ON order_identities FOR EACH STATEMENT EXECUTE FUNCTION no_room()";
    database.raw().batch_execute(full).unwrap();
    let failed = clerk
        .try_write(&[reported("A-1", "picked_up"), created("A-2")])
        .unwrap_err();
    assert!(
        matches!(
            failed,
            Error::Unavailable {
                trouble: Trouble::DiskFull,
                ..
            }
        ),
        "{failed:?}"
    );
    let gone = "DROP TRIGGER no_room ON order_identities; DROP FUNCTION no_room";
    database.raw().batch_execute(gone).unwrap();
    clerk.write(&[reported("A-1", "picked_up"), created("A-2")]);
    assert_eq!(store::verify::verify(&*store, &mut |_| {}).findings, []);
}
