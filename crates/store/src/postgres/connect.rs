//! Opening a database: what the server must be like, and the schema.

use tokio_postgres::Row;

use super::address::{Address, Purpose};
use super::convert::{bytes, get};
use super::session::Session;
use super::{lifecycles, schema};
use crate::error::{Error, OpenError, Trouble};
use crate::limits::{ANSWER_GRACE, MIGRATION, MIGRATION_WAIT};
use crate::records::{Birth, Identity, Migrated};

/// `WBIL`: the advisory locks of Waybill. With it go 1: bringing the schema up to date, 2: pinning lifecycles, 3: making
/// partitions (in the schema), 4: changing accounts, 5: copying a store to the database, 6: detaching partitions.
pub(super) const LOCKS: i32 = 0x5742_494C;
pub(super) const MIGRATING: i32 = 1;
pub(super) const PINNING: i32 = 2;
pub(super) const ACCOUNTS: i32 = 4;
pub(super) const COPYING: i32 = 5;
pub(super) const ARCHIVING: i32 = 6;
/// The oldest server that is known to work.
const OLDEST_SERVER: i32 = 150_000;
/// One script a version, never changed once released: `store_migrations` says which were run.
const MIGRATIONS: [(&str, &str); 4] = [
    ("log", include_str!("../../migrations/postgres/0001_log.sql")),
    (
        "accounts",
        include_str!("../../migrations/postgres/0002_accounts.sql"),
    ),
    (
        "log archives",
        include_str!("../../migrations/postgres/0003_log_archives.sql"),
    ),
    (
        "pages and mapping",
        include_str!("../../migrations/postgres/0004_pages_and_mapping.sql"),
    ),
];

/// Checks the server, and runs what migrations the database lacks, each in a transaction of its own. Of many nodes that
/// start at once one does it, and the others wait.
pub(super) fn prepare(address: &Address, birth: &Birth) -> Result<(Identity, Migrated), OpenError> {
    let mut session = address.connect(Purpose::Prepare)?;
    check_server(address, &mut session)?;
    let failed = |error| address.open_error(error);
    lock(&mut session).map_err(failed)?;
    check_whole(address, &mut session)?;
    let version = check_version(address, &mut session)?;
    if version < known_version() {
        session.set_patience(MIGRATION);
        migrate(&mut session, version, birth).map_err(failed)?;
        session.set_patience(MIGRATION_WAIT + ANSWER_GRACE);
    }
    lifecycles::name_states_of_old(&mut session).map_err(failed)?;
    check_ownership(address, &mut session)?;
    let migrated = Migrated {
        from: version,
        to: known_version(),
    };
    // The session ends here, and its lock with it.
    Ok((read_identity(&mut session).map_err(failed)?, migrated))
}

/// A store that is being copied to the database is none yet.
fn check_whole(address: &Address, session: &mut Session) -> Result<(), OpenError> {
    if is_half_copied(session).map_err(|error| address.open_error(error))? {
        return Err(OpenError::HalfCopied {
            server: address.to_string(),
        });
    }
    Ok(())
}

/// Finds the store of a database, and changes nothing.
pub(super) fn find(address: &Address) -> Result<Identity, OpenError> {
    let mut session = address.connect(Purpose::Prepare)?;
    check_whole(address, &mut session)?;
    let (found, known) = (check_version(address, &mut session)?, known_version());
    match found {
        0 => Err(OpenError::NoStore(address.path())),
        _ if found < known => Err(OpenError::Older {
            path: address.path(),
            found,
            known,
        }),
        _ => read_identity(&mut session).map_err(|error| address.open_error(error)),
    }
}

pub(super) fn check_server(address: &Address, session: &mut Session) -> Result<(), OpenError> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), \
               current_setting('fsync') = 'on', current_setting('synchronous_commit') <> 'off', pg_is_in_recovery(), \
               current_schema() IS NOT NULL, current_setting('transaction_read_only') = 'on'";
    let failed = |error| address.open_error(error);
    let row = one(session, sql).map_err(failed)?;
    let version: i32 = get(&row, 0).map_err(failed)?;
    let encoding: String = get(&row, 1).map_err(failed)?;
    let flag = |column| get::<bool>(&row, column).map_err(failed);
    let (fsync, synchronous_commit) = (flag(2)?, flag(3)?);
    let (is_standby, has_schema, is_read_only) = (flag(4)?, flag(5)?, flag(6)?);
    let server = address.to_string();
    let unsuitable = |reason: String| {
        Err(OpenError::Unsuitable {
            server: server.clone(),
            reason,
        })
    };
    if version < OLDEST_SERVER {
        let (found, oldest) = (version / 10_000, OLDEST_SERVER / 10_000);
        return unsuitable(format!("it is PostgreSQL {found}, {oldest} or newer is needed"));
    }
    if is_standby {
        return Err(OpenError::Standby { server });
    }
    if is_read_only {
        return Err(OpenError::NoRights {
            server,
            reason: "its transactions are read-only".to_owned(),
        });
    }
    if encoding != "UTF8" {
        return unsuitable(format!(
            "its encoding is {encoding}: make the database with encoding UTF8"
        ));
    }
    if !has_schema {
        return unsuitable(
            "no schema of its search_path is there and may be used: make one, or grant USAGE".to_owned(),
        );
    }
    for (is_on, setting) in [(fsync, "fsync"), (synchronous_commit, "synchronous_commit")] {
        if !is_on {
            return Err(OpenError::Unsafe { server, setting });
        }
    }
    Ok(())
}

pub(super) fn lock(session: &mut Session) -> Result<(), Error> {
    let wait = MIGRATION_WAIT.as_millis();
    session.batch(&format!("SET lock_timeout = {wait}"))?;
    session.query("SELECT pg_advisory_lock($1, $2)", &[&LOCKS, &MIGRATING])?;
    Ok(())
}

/// Whether a copy of another store was begun here and has not come to its end: see [`super::import`].
pub(super) fn is_half_copied(session: &mut Session) -> Result<bool, Error> {
    get(&one(session, "SELECT to_regclass('store_copy') IS NOT NULL")?, 0)
}

/// How many migrations were run, if this version knows them all.
pub(super) fn check_version(address: &Address, session: &mut Session) -> Result<i64, OpenError> {
    let failed = |error| address.open_error(error);
    let sql = "SELECT to_regclass('store_migrations') IS NOT NULL, \
               EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace)";
    let row = one(session, sql).map_err(failed)?;
    let (is_store, has_others): (bool, bool) = (get(&row, 0).map_err(failed)?, get(&row, 1).map_err(failed)?);
    if !is_store {
        return if has_others {
            Err(OpenError::Unsuitable {
                server: address.to_string(),
                reason: "it holds tables that are not Waybill's: name an empty database or schema".to_owned(),
            })
        } else {
            Ok(0)
        };
    }
    let (found, known) = (run_migrations(session).map_err(failed)?, known_version());
    if found > known {
        return Err(OpenError::Newer {
            path: address.path(),
            found,
            known,
        });
    }
    Ok(found)
}

/// The log gets new partitions, which only who owns it can make.
fn check_ownership(address: &Address, session: &mut Session) -> Result<(), OpenError> {
    let sql =
        "SELECT 1 FROM pg_class WHERE oid = to_regclass('entries') AND NOT pg_has_role(relowner, 'USAGE')";
    let found = session
        .first(sql, &[])
        .map_err(|error| address.open_error(error))?;
    match found {
        Some(_) => Err(OpenError::NoRights {
            server: address.to_string(),
            reason: "its tables are another user's".to_owned(),
        }),
        None => Ok(()),
    }
}

/// How many migrations were run.
pub(super) fn run_migrations(session: &mut Session) -> Result<i64, Error> {
    let is_made = one(session, "SELECT to_regclass('store_migrations') IS NOT NULL")?;
    if !get::<bool>(&is_made, 0)? {
        return Ok(0);
    }
    get(
        &one(session, "SELECT coalesce(max(number), 0) FROM store_migrations")?,
        0,
    )
}

pub(super) fn migrate(session: &mut Session, version: i64, birth: &Birth) -> Result<(), Error> {
    for (number, (name, script)) in (1i64..).zip(MIGRATIONS).filter(|(number, _)| *number > version) {
        session.batch("BEGIN")?;
        if number == 1 {
            session.batch(
                "CREATE TABLE store_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
                 run_at TIMESTAMPTZ NOT NULL DEFAULT now())",
            )?;
        }
        session.batch(script)?;
        if number == 1 {
            write_birth(session, birth)?;
        }
        schema::note(session)?;
        session.execute(
            "INSERT INTO store_migrations (number, name) VALUES ($1, $2)",
            &[&number, &name],
        )?;
        session.batch("COMMIT")?;
    }
    Ok(())
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn write_birth(session: &mut Session, birth: &Birth) -> Result<(), Error> {
    let born_at = birth.at.as_nanos().to_be_bytes();
    let values: [(&str, &[u8]); 3] = [
        ("store_id", &birth.store_id),
        ("event_id_key", &birth.event_id_key),
        ("born_at", &born_at),
    ];
    for (name, value) in values {
        session.execute(
            "INSERT INTO store_meta (name, value) VALUES ($1, $2)",
            &[&name, &value],
        )?;
    }
    Ok(())
}

pub(super) fn read_identity(session: &mut Session) -> Result<Identity, Error> {
    let mut value = |name: &str| -> Result<[u8; 16], Error> {
        let found = session.first("SELECT value FROM store_meta WHERE name = $1", &[&name])?;
        let row = found.ok_or_else(|| Error::damaged(format!("store_meta has no {name}")))?;
        bytes(&row, 0)
    };
    let (store_id, event_id_key) = (value("store_id")?, value("event_id_key")?);
    let written = session.first("SELECT value FROM store_meta WHERE name = 'epoch'", &[])?;
    Ok(Identity {
        store_id,
        event_id_key,
        // The first one is not written.
        epoch: written.map_or(Ok(store_id), |row| bytes(&row, 0))?,
    })
}

/// The row of a statement that always gives one.
pub(super) fn one(session: &mut Session, sql: &'static str) -> Result<Row, Error> {
    session.first(sql, &[])?.ok_or_else(|| Error::Unavailable {
        trouble: Trouble::Failed,
        detail: "a statement that gives a row gave none".to_owned(),
    })
}
