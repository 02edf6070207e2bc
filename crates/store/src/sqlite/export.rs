//! Reading a whole store to copy it: every row of every table, in one transaction, heads as they really are.
//!
//! Nothing in the file is changed, not even the write-ahead log is copied back. The caller holds the folder's lock.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use model::ids::OrderKey;
use model::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Rows};
use sha2::{Digest, Sha256};

use super::connect::Database;
use super::deferred::{AsOf, last_commit, left};
use super::reader::SqliteReader;
use super::statements::head_from_row;
use crate::api::Reader;
use crate::copy::{CopyError, HEADS, Kind, TABLES, Table, Value};
use crate::error::{Error, OpenError};
use crate::folder::DATABASE_FILE;
use crate::limits::MIGRATION;
use crate::records::{Birth, Totals};

/// A store that is read.
pub(crate) struct Export {
    /// Within its one transaction.
    connection: Connection,
    deferred: AsOf,
    pub(crate) birth: Birth,
}

/// Takes a chunk of rows.
pub(crate) type TakeChunk<'a> = dyn FnMut(&[Vec<Value>]) -> Result<(), CopyError> + 'a;

/// What tells a store, as it is now, from every other one and from what it was before.
pub(crate) struct Mark {
    /// Over what changes whenever anything does.
    pub(crate) digest: [u8; 32],
    /// Rows that are to be copied.
    pub(crate) rows: u64,
    /// The number of the last dead letter, which may have expired since.
    pub(crate) last_dead_letter: i64,
}

/// Changes of what is changed in its place: accounts leave a record with each change, everything else is a new row or a commit.
const CHANGES: &str = "SELECT coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'dead_letters'), 0) UNION ALL \
     SELECT coalesce(sum(version), 0) FROM users UNION ALL SELECT coalesce(max(updated_at), 0) FROM users UNION ALL \
     SELECT count(revoked_at) FROM api_keys UNION ALL SELECT coalesce(max(expires_at), 0) FROM revoked_tokens UNION ALL \
     SELECT coalesce(max(stored_at), 0) FROM answers UNION ALL SELECT coalesce(max(decided_at), 0) FROM batches UNION ALL \
     SELECT coalesce(max(decided_at), 0) FROM dead_letters UNION ALL SELECT coalesce(max(party_id), 0) FROM parties";

impl Export {
    /// # Errors
    /// As [`SqliteStore::open_to_read`](super::SqliteStore::open_to_read).
    pub(crate) fn open(folder: &Path) -> Result<Self, OpenError> {
        let database = Database::new(folder.join(DATABASE_FILE));
        let (connection, identity) = database.look_by(folder)?;
        let begin = || -> Result<(AsOf, Timestamp), Error> {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.execute_batch("BEGIN")?;
            let edition = Arc::new(left(&connection)?);
            let deferred = AsOf::new(edition, last_commit(&connection)?);
            let deferred =
                deferred.ok_or_else(|| Error::damaged("a transaction that changes while it lasts"))?;
            Ok((deferred, born_at(&connection)?))
        };
        let (deferred, at) = begin().map_err(|error| database.open_error(error))?;
        Ok(Self {
            deferred,
            birth: Birth {
                store_id: identity.store_id,
                event_id_key: identity.event_id_key,
                at,
            },
            connection,
        })
    }

    pub(crate) fn reader(&self) -> impl Reader {
        SqliteReader::new(&self.connection, &self.deferred, Instant::now() + MIGRATION)
    }

    pub(crate) fn totals(&self) -> Result<Totals, Error> {
        self.reader().totals()
    }

    pub(crate) fn count(&self, table: &Table) -> Result<u64, Error> {
        let rows: i64 = self.connection.query_row(table.count, [], |row| row.get(0))?;
        Ok(rows.cast_unsigned())
    }

    pub(crate) fn mark(&self) -> Result<Mark, Error> {
        let mut digest = Sha256::new();
        digest.update(self.birth.store_id);
        let mut rows = 0;
        for table in TABLES {
            let count = self.count(table)?;
            digest.update(table.name);
            digest.update(count.to_be_bytes());
            rows += count;
        }
        let last: Option<[u8; 32]> = last_commit(&self.connection)?.map(|last| last.digest);
        digest.update(last.unwrap_or_default());
        let mut changes = self.connection.prepare(CHANGES)?;
        let changes: Result<Vec<i64>, rusqlite::Error> = changes.query_map([], |row| row.get(0))?.collect();
        let changes = changes?;
        for change in &changes {
            digest.update(change.to_be_bytes());
        }
        Ok(Mark {
            digest: digest.finalize().into(),
            rows,
            last_dead_letter: changes.first().copied().unwrap_or_default(),
        })
    }

    /// Gives the rows of a table behind so many of them, in chunks of at most so many rows and about so many bytes.
    pub(crate) fn rows(
        &self,
        table: &'static Table,
        done: u64,
        (most_rows, most_bytes): (usize, usize),
        take: &mut TakeChunk<'_>,
    ) -> Result<(), CopyError> {
        let failed = |error: rusqlite::Error| CopyError::Reading {
            table: table.name,
            error: error.into(),
        };
        let mut select = self.connection.prepare(&select_of(table)).map_err(failed)?;
        let mut rows = select.query([done.cast_signed()]).map_err(failed)?;
        let mut number = done;
        loop {
            let mut chunk = Vec::new();
            let mut bytes = 0;
            while chunk.len() < most_rows && bytes < most_bytes {
                let Some(row) = next(&mut rows).map_err(failed)? else {
                    break;
                };
                number += 1;
                let values = self.values(table, row, number)?;
                bytes += values.iter().map(Value::bytes).sum::<usize>();
                chunk.push(values);
            }
            if chunk.is_empty() {
                return Ok(());
            }
            take(&chunk)?;
        }
    }

    fn values(&self, table: &'static Table, row: &Row<'_>, number: u64) -> Result<Vec<Value>, CopyError> {
        let mut values = Vec::with_capacity(table.columns.len());
        for (place, column) in table.columns.iter().enumerate() {
            let value = row.get_ref(place).map_err(|error| CopyError::Reading {
                table: table.name,
                error: error.into(),
            })?;
            values.push(convert(value, column.kind).map_err(|problem| CopyError::Value {
                table: table.name,
                column: column.name,
                row: number,
                problem,
            })?);
        }
        if table.name == HEADS {
            self.bring_up(row, &mut values)
                .map_err(|error| CopyError::Reading {
                    table: table.name,
                    error,
                })?;
        }
        Ok(values)
    }

    /// A head of which something newer is deferred.
    fn bring_up(&self, row: &Row<'_>, values: &mut [Value]) -> Result<(), Error> {
        let Some(update) = self.deferred.find(OrderKey::new(row.get(0)?)) else {
            return Ok(());
        };
        let (mut head, mut placement) = head_from_row(row)?;
        update.bring_up(&mut head, &mut placement)?;
        let version = i64::from(head.version.get());
        for (place, kind, number) in [
            (5, Kind::Int2, i64::from(head.status.number())),
            (6, Kind::Int4, version),
            (8, Kind::Int8, placement.last.get()),
            (9, Kind::Int8, head.recorded_at.as_nanos()),
        ] {
            values[place] = Value::of_integer(number, kind).map_err(Error::damaged)?;
        }
        values[11] = Value::Bytes(Some(head.recent.to_bytes()));
        Ok(())
    }
}

fn next<'a>(rows: &'a mut Rows<'_>) -> Result<Option<&'a Row<'a>>, rusqlite::Error> {
    rows.next()
}

fn select_of(table: &Table) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.from).collect();
    let (columns, name, rows, order) = (columns.join(", "), table.name, table.rows, table.order);
    format!("SELECT {columns} FROM {name} WHERE {rows} ORDER BY {order} LIMIT -1 OFFSET ?1")
}

fn convert(value: ValueRef<'_>, kind: Kind) -> Result<Value, &'static str> {
    match value {
        ValueRef::Null => Ok(Value::null(kind)),
        ValueRef::Integer(number) => Value::of_integer(number, kind),
        ValueRef::Real(_) => Err("is a fraction"),
        ValueRef::Text(text) => Value::of_text(text, kind),
        ValueRef::Blob(bytes) => Value::of_bytes(bytes, kind),
    }
}

fn born_at(connection: &Connection) -> Result<Timestamp, Error> {
    let sql = "SELECT value FROM store_meta WHERE name = 'born_at'";
    let found: Option<[u8; 8]> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    let bytes = found.ok_or_else(|| Error::damaged("store_meta has no born_at"))?;
    Ok(Timestamp::from_nanos(i64::from_be_bytes(bytes)))
}
