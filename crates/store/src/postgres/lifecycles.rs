//! Definitions, kept for ever by their content hash. Nodes pin theirs one after the other.

use model::Lifecycle;
use model::time::Timestamp;

use super::address::{Address, Purpose};
use super::connect::{LOCKS, PINNING, one};
use super::convert::{get, lifecycle_id, number};
use super::session::Session;
use crate::error::{Error, OpenError};
use crate::records::StoredLifecycle;

pub(super) fn pin(
    address: &Address,
    lifecycles: &[Lifecycle],
    at: Timestamp,
) -> Result<Vec<StoredLifecycle>, OpenError> {
    let failed = |error: Error| address.open_error(error);
    // Left without a commit, the transaction ends with the session.
    let mut session = address.connect(Purpose::Write)?;
    session.batch("BEGIN").map_err(failed)?;
    session
        .query("SELECT pg_advisory_xact_lock($1, $2)", &[&LOCKS, &PINNING])
        .map_err(failed)?;
    let mut pinned = Vec::with_capacity(lifecycles.len());
    for lifecycle in lifecycles {
        let row = insert(&mut session, lifecycle, at).map_err(failed)?;
        if get::<&[u8]>(&row, 1).map_err(failed)? != lifecycle.hash().as_bytes() {
            return Err(OpenError::LifecycleChanged {
                name: lifecycle.name().to_owned(),
                version: lifecycle.version(),
            });
        }
        pinned.push(StoredLifecycle {
            id: lifecycle_id(&row, 0).map_err(failed)?,
            lifecycle: lifecycle.clone(),
        });
    }
    session.batch("COMMIT").map_err(failed)?;
    Ok(pinned)
}

pub(super) fn all(session: &mut Session) -> Result<Vec<StoredLifecycle>, Error> {
    let sql = "SELECT lifecycle_id, content_hash, definition FROM lifecycles ORDER BY lifecycle_id";
    let rows = session.query(sql, &[])?;
    rows.iter()
        .map(|row| {
            let id = lifecycle_id(row, 0)?;
            let number = id.get();
            let lifecycle = Lifecycle::from_toml("stored definition", get(row, 2)?)
                .map_err(|errors| Error::damaged(format!("lifecycle {number}: {errors}")))?;
            if lifecycle.hash().as_bytes() != get::<&[u8]>(row, 1)? {
                return Err(Error::damaged(format!(
                    "lifecycle {number} is not what its hash says"
                )));
            }
            Ok(StoredLifecycle { id, lifecycle })
        })
        .collect()
}

/// How many there are.
pub(super) fn stored(session: &mut Session) -> Result<usize, Error> {
    let row = one(session, "SELECT count(*) FROM lifecycles")?;
    number(get(&row, 0)?, "count")
}

/// Number and hash of what is stored under its name and version: itself, unless another one is there.
fn insert(session: &mut Session, lifecycle: &Lifecycle, at: Timestamp) -> Result<tokio_postgres::Row, Error> {
    let find = "SELECT lifecycle_id, content_hash FROM lifecycles WHERE name = $1 AND version = $2";
    let (name, version) = (lifecycle.name(), i64::from(lifecycle.version()));
    if let Some(row) = session.first(find, &[&name, &version])? {
        return Ok(row);
    }
    let insert = "INSERT INTO lifecycles (lifecycle_id, name, version, content_hash, definition, stored_at) \
                  SELECT coalesce(max(lifecycle_id), 0) + 1, $1, $2, $3, $4, $5 FROM lifecycles \
                  RETURNING lifecycle_id, content_hash";
    let row = session.first(
        insert,
        &[
            &name,
            &version,
            &lifecycle.hash().as_bytes().as_slice(),
            &lifecycle.canonical_text(),
            &at.as_nanos(),
        ],
    )?;
    row.ok_or_else(|| Error::damaged("a definition got no number"))
}
