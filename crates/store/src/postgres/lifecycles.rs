//! Definitions, kept for ever by their content hash. Nodes pin theirs one after the other.

use model::Lifecycle;
use model::ids::LifecycleId;
use model::time::Timestamp;

use super::address::{Address, Purpose};
use super::connect::{LOCKS, PINNING, one};
use super::convert::{get, integer, lifecycle_id, number, state};
use super::session::Session;
use crate::error::{Error, OpenError};
use crate::records::{NamedState, StoredLifecycle};

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
    let row = row.ok_or_else(|| Error::damaged("a definition got no number"))?;
    name_states(session, lifecycle_id(&row, 0)?, lifecycle)?;
    Ok(row)
}

/// Writes what a definition calls its statuses, for SQL by other tools.
fn name_states(session: &mut Session, id: LifecycleId, lifecycle: &Lifecycle) -> Result<(), Error> {
    let statuses: Vec<i16> = lifecycle
        .state_ids()
        .map(|status| i16::from(status.number()))
        .collect();
    let states = lifecycle.states().iter();
    let (names, phases): (Vec<&str>, Vec<&str>) =
        states.map(|state| (&*state.name, state.phase.name())).unzip();
    let sql = "INSERT INTO lifecycle_states (lifecycle_id, status, name, phase) \
               SELECT $1, * FROM UNNEST($2::smallint[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING";
    session.execute(
        sql,
        &[&integer(id.get(), "lifecycle")?, &statuses, &names, &phases],
    )?;
    Ok(())
}

/// The same of definitions that were stored before this was written.
pub(super) fn name_states_of_old(session: &mut Session) -> Result<(), Error> {
    let sql = "SELECT lifecycle_id FROM lifecycles WHERE lifecycle_id NOT IN (SELECT lifecycle_id FROM lifecycle_states)";
    let rows = session.query(sql, &[])?;
    let unnamed: Result<Vec<LifecycleId>, Error> = rows.iter().map(|row| lifecycle_id(row, 0)).collect();
    let unnamed = unnamed?;
    if unnamed.is_empty() {
        return Ok(());
    }
    for stored in all(session)? {
        if unnamed.contains(&stored.id) {
            name_states(session, stored.id, &stored.lifecycle)?;
        }
    }
    Ok(())
}

/// What statuses are called, sorted.
pub(super) fn named_states(session: &mut Session) -> Result<Vec<NamedState>, Error> {
    let sql = "SELECT lifecycle_id, status, name, phase FROM lifecycle_states ORDER BY lifecycle_id, status";
    let rows = session.query(sql, &[])?;
    rows.iter()
        .map(|row| {
            Ok(NamedState {
                lifecycle: lifecycle_id(row, 0)?,
                status: state(row, 1)?,
                name: get::<&str>(row, 2)?.into(),
                phase: get::<&str>(row, 3)?.into(),
            })
        })
        .collect()
}
