//! Definitions, kept for ever by their content hash.

use model::Lifecycle;
use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::connect::Database;
use super::convert::lifecycle_id;
use super::mapping;
use crate::error::{Error, OpenError};
use crate::records::StoredLifecycle;

pub(super) fn pin(
    database: &Database,
    lifecycles: &[Lifecycle],
    at: Timestamp,
) -> Result<Vec<StoredLifecycle>, OpenError> {
    let failed = |error: Error| database.open_error(error);
    let mut connection = database.connect_writer().map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| failed(error.into()))?;
    let mut pinned = Vec::with_capacity(lifecycles.len());
    for lifecycle in lifecycles {
        let id = match stored_hash(&transaction, lifecycle).map_err(failed)? {
            Some((id, hash)) if hash == lifecycle.hash().as_bytes() => id,
            Some(_) => {
                return Err(OpenError::LifecycleChanged {
                    name: lifecycle.name().to_owned(),
                    version: lifecycle.version(),
                });
            }
            None => insert(&transaction, lifecycle, at).map_err(failed)?,
        };
        let id = lifecycle_id(id).map_err(failed)?;
        pinned.push(StoredLifecycle {
            id,
            lifecycle: lifecycle.clone(),
        });
    }
    transaction.commit().map_err(|error| failed(error.into()))?;
    Ok(pinned)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredLifecycle>, Error> {
    let mut select = connection
        .prepare("SELECT lifecycle_id, content_hash, definition FROM lifecycles ORDER BY lifecycle_id")?;
    let mut rows = select.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, hash, text): (i64, Vec<u8>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let lifecycle = Lifecycle::from_toml("stored definition", &text)
            .map_err(|errors| Error::damaged(format!("lifecycle {id}: {errors}")))?;
        if lifecycle.hash().as_bytes().as_slice() != hash {
            return Err(Error::damaged(format!(
                "lifecycle {id} is not what its hash says"
            )));
        }
        found.push(StoredLifecycle {
            id: lifecycle_id(id)?,
            lifecycle,
        });
    }
    Ok(found)
}

fn stored_hash(connection: &Connection, lifecycle: &Lifecycle) -> Result<Option<(i64, Vec<u8>)>, Error> {
    let found = connection
        .query_row(
            "SELECT lifecycle_id, content_hash FROM lifecycles WHERE name = ?1 AND version = ?2",
            (lifecycle.name(), lifecycle.version()),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(found)
}

fn insert(connection: &Connection, lifecycle: &Lifecycle, at: Timestamp) -> Result<i64, Error> {
    connection.execute(
        "INSERT INTO lifecycles (name, version, content_hash, definition, stored_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            lifecycle.name(),
            lifecycle.version(),
            lifecycle.hash().as_bytes(),
            lifecycle.canonical_text(),
            at.as_nanos()
        ],
    )?;
    let id = connection.last_insert_rowid();
    mapping::name_states(connection, lifecycle_id(id)?, lifecycle)?;
    Ok(id)
}
