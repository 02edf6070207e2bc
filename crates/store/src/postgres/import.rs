//! Taking in a whole store that is copied from elsewhere.
//!
//! The table `store_copy` says that the database holds a part of a store, of which one, and how far the copy has come; each chunk of rows
//! moves it on in its own transaction. It is made before any other table and dropped when everything is proved: until then
//! [`super::connect::prepare`] refuses the database.

use std::path::Path;

use model::ids::Position;
use tokio_postgres::types::Type;

use super::address::{Address, Purpose};
use super::claim::make_partitions;
use super::connect::{
    COPYING, LOCKS, MIGRATING, check_server, check_version, is_half_copied, lock, migrate, one,
    run_migrations,
};
use super::convert::{bytes, get, number};
use super::session::{Param, Session};
use super::{PostgresOptions, PostgresStore, schema};
use crate::copy::{CopyError, CopyOptions, Kind, TABLES, Table, Value};
use crate::error::{Error, OpenError, Trouble};
use crate::limits::MIGRATION;
use crate::records::{Birth, Identity};

/// The name of the node in its sessions.
const NODE: &str = "copy";
/// In the table's one row: the source, the table that is being copied, and how many rows of it are there.
const MAKE_NOTE: &str = "CREATE TABLE store_copy (only_row BOOLEAN NOT NULL DEFAULT TRUE PRIMARY KEY CHECK (only_row), \
                         store_id BYTEA NOT NULL, source BYTEA NOT NULL, copying TEXT NOT NULL, done BIGINT NOT NULL)";

/// A database that a store is being copied to.
pub(crate) struct Import {
    address: Address,
    options: PostgresOptions,
    session: Session,
    identity: Identity,
    /// The table that is being copied, by its place among all; those before it are there.
    table: usize,
    /// Rows of it that are there.
    done: u64,
}

impl Import {
    /// Makes an empty database ready, or finds how far an earlier run came. `source` tells what is copied from
    /// everything else that might be.
    pub(crate) fn begin(copy: &CopyOptions<'_>, birth: &Birth, source: &[u8; 32]) -> Result<Self, CopyError> {
        let options = PostgresOptions {
            node: NODE.to_owned(),
            tls_root_certificates: copy.tls_root_certificates.map(Path::to_owned),
            ..PostgresOptions::new(copy.to)
        };
        let address = Address::parse(&options).map_err(CopyError::Target)?;
        let mut session = address.connect(Purpose::Prepare).map_err(CopyError::Target)?;
        session.set_patience(MIGRATION);
        check_server(&address, &mut session).map_err(CopyError::Target)?;
        let failed = |error| CopyError::Target(address.open_error(error));
        lock(&mut session).map_err(failed)?;
        if !is_half_copied(&mut session).map_err(failed)? {
            if check_version(&address, &mut session).map_err(CopyError::Target)? > 0 {
                return Err(CopyError::TargetHasStore(address.to_string()));
            }
            make_note(&mut session, birth, source).map_err(failed)?;
        }
        take_over(&mut session, &address)?;
        let (table, done) = read_note(&mut session, &address, birth, source)?;
        let version = match run_migrations(&mut session).map_err(failed)? {
            0 => 0,
            _ => check_version(&address, &mut session).map_err(CopyError::Target)?,
        };
        migrate(&mut session, version, birth).map_err(failed)?;
        session
            .query("SELECT pg_advisory_unlock($1, $2)", &[&LOCKS, &MIGRATING])
            .map_err(failed)?;
        Ok(Self {
            address,
            options,
            session,
            identity: Identity {
                store_id: birth.store_id,
                event_id_key: birth.event_id_key,
                // Where the source is in a later one, opening the store reads it with the rest of what was copied.
                epoch: birth.store_id,
            },
            table,
            done,
        })
    }

    /// How many rows of a table are there; `None`: all.
    pub(crate) fn done_of(&self, table: &Table) -> Option<u64> {
        let place = place_of(table.name)?;
        match place.cmp(&self.table) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(self.done),
            std::cmp::Ordering::Greater => Some(0),
        }
    }

    /// Makes the partitions up to a place.
    pub(crate) fn make_room(&mut self, last: Position) -> Result<(), Error> {
        let mut end = 0;
        while end <= last.get() {
            end = make_partitions(&mut self.session, end)?;
        }
        Ok(())
    }

    /// The next rows of a table, with the note of it.
    pub(crate) fn write(&mut self, table: &Table, rows: &[Vec<Value>]) -> Result<(), Error> {
        let place = place_of(table.name).unwrap_or(usize::MAX);
        let before = if place == self.table { self.done } else { 0 };
        let written = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let done = before + written;
        self.session.batch("BEGIN")?;
        let copying = TABLES.get(self.table).map_or("", |table| table.name);
        let moved = self.session.execute(
            "UPDATE store_copy SET copying = $1, done = $2 WHERE copying = $3 AND done = $4",
            &[
                &table.name,
                &done.cast_signed(),
                &copying,
                &self.done.cast_signed(),
            ],
        )?;
        if moved != 1 {
            return Err(Error::Contended("another process moved the copy on".to_owned()));
        }
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let types: Vec<Type> = table.columns.iter().map(|column| type_of(column.kind)).collect();
        let sql = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            table.name,
            names.join(", ")
        );
        let rows = rows.iter().map(|row| row.iter().map(param).collect());
        if self.session.copy_in(&sql, &types, rows)? != written {
            return Err(Error::Unavailable {
                trouble: Trouble::Failed,
                detail: "fewer rows were taken than sent".to_owned(),
            });
        }
        self.session.batch("COMMIT")?;
        (self.table, self.done) = (place, done);
        Ok(())
    }

    /// Lets what comes next go on behind what is there: positions, and every number that is given.
    pub(crate) fn set_ends(&mut self, last_dead_letter: i64) -> Result<(), Error> {
        let session = &mut self.session;
        session.execute(
            "UPDATE log_end SET last_position = c.first_position + c.entries - 1, last_commit = c.commit_id \
             FROM (SELECT * FROM commits ORDER BY commit_id DESC LIMIT 1) c",
            &[],
        )?;
        // Of a table without rows nothing is set: NULL is not a number.
        let last_dead_letter = Some(last_dead_letter).filter(|last| *last > 0);
        session.query(
            "SELECT setval('order_keys', (SELECT max(order_key) FROM order_identities)), setval('dead_letter_ids', $1::bigint), \
             setval('places', (SELECT max(place) FROM entries)), \
             setval(pg_get_serial_sequence('parties', 'party_id'), (SELECT max(party_id) FROM parties)), \
             setval(pg_get_serial_sequence('api_keys', 'key_number'), (SELECT max(key_number) FROM api_keys)), \
             setval(pg_get_serial_sequence('audit_log', 'audit_id'), (SELECT max(audit_id) FROM audit_log))",
            &[&last_dead_letter],
        )?;
        Ok(())
    }

    /// Tells the database what its tables hold.
    pub(crate) fn prepare_to_be_read(&mut self) -> Result<(), Error> {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        self.session.batch(&format!("ANALYZE {}", names.join(", ")))
    }

    pub(crate) fn count(&mut self, table: &Table) -> Result<u64, Error> {
        number(get(&one(&mut self.session, table.count)?, 0)?, "count")
    }

    /// The store, as it is by now.
    pub(crate) fn store(&self) -> Result<PostgresStore, OpenError> {
        PostgresStore::of(self.address.clone(), self.identity.clone(), &self.options, None)
    }

    /// From now on it is a store like any other.
    pub(crate) fn finish(mut self) -> Result<(), CopyError> {
        match self.drop_note() {
            Err(_) if self.session.is_broken() && self.is_finished()? => Ok(()),
            done => done.map_err(|error| CopyError::Writing {
                table: "the last note",
                error,
            }),
        }
    }

    /// Whether the note is gone, after the connection was lost while it was dropped.
    fn is_finished(&self) -> Result<bool, CopyError> {
        let unknown = |error| CopyError::Unsettled {
            server: self.address.to_string(),
            error,
        };
        let mut session = self.address.reconnect(Purpose::Prepare).map_err(unknown)?;
        // Once the session that was lost is gone, so that what it did is final.
        hold(&mut session).map_err(unknown)?;
        is_half_copied(&mut session)
            .map(|is_half_copied| !is_half_copied)
            .map_err(unknown)
    }

    fn drop_note(&mut self) -> Result<(), Error> {
        self.session.batch("BEGIN; DROP TABLE store_copy")?;
        schema::note(&mut self.session)?;
        self.session.batch("COMMIT")
    }
}

fn place_of(table: &str) -> Option<usize> {
    TABLES.iter().position(|known| known.name == table)
}

/// Before anything else, so that nobody takes what is made from now on for a store.
fn make_note(session: &mut Session, birth: &Birth, source: &[u8; 32]) -> Result<(), Error> {
    session.batch("BEGIN")?;
    session.batch(MAKE_NOTE)?;
    let first = TABLES.first().map_or("", |table| table.name);
    session.execute(
        "INSERT INTO store_copy (store_id, source, copying, done) VALUES ($1, $2, $3, 0)",
        &[&birth.store_id.as_slice(), &source.as_slice(), &first],
    )?;
    session.batch("COMMIT")
}

/// Waits a moment for an earlier run to be gone, which may have been killed just now.
fn take_over(session: &mut Session, address: &Address) -> Result<(), CopyError> {
    hold(session).map_err(|error| match error {
        Error::Unavailable {
            trouble: Trouble::Busy,
            ..
        } => CopyError::UnderWay(address.to_string()),
        error => CopyError::Target(address.open_error(error)),
    })
}

fn hold(session: &mut Session) -> Result<(), Error> {
    let patience = crate::limits::LOCK_PATIENCE.as_millis();
    session.batch(&format!("SET lock_timeout = {patience}"))?;
    session.query("SELECT pg_advisory_lock($1, $2)", &[&LOCKS, &COPYING])?;
    Ok(())
}

fn read_note(
    session: &mut Session,
    address: &Address,
    birth: &Birth,
    source: &[u8; 32],
) -> Result<(usize, u64), CopyError> {
    let other = |what| CopyError::OtherPart {
        server: address.to_string(),
        what,
    };
    let read = |session: &mut Session| -> Result<([u8; 16], [u8; 32], String, u64), Error> {
        let row = one(session, "SELECT store_id, source, copying, done FROM store_copy")?;
        Ok((
            bytes(&row, 0)?,
            bytes(&row, 1)?,
            get(&row, 2)?,
            number(get(&row, 3)?, "rows")?,
        ))
    };
    let (store_id, noted, copying, done) =
        read(session).map_err(|error| CopyError::Target(address.open_error(error)))?;
    if store_id != birth.store_id {
        return Err(other("another store"));
    }
    if noted != *source {
        return Err(other("this store as it was before: it has changed since"));
    }
    let table = place_of(&copying).ok_or_else(|| other("a store that a newer version began to copy"))?;
    Ok((table, done))
}

const fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Int8 => Type::INT8,
        Kind::Int4 => Type::INT4,
        Kind::Int2 => Type::INT2,
        Kind::Bool => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
    }
}

fn param(value: &Value) -> Param<'_> {
    match value {
        Value::Int8(value) => value,
        Value::Int4(value) => value,
        Value::Int2(value) => value,
        Value::Bool(value) => value,
        Value::Text(value) => value,
        Value::Bytes(value) => value,
    }
}
