//! Keys for machines, and tokens that are void before their time.

use model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::role;
use super::statements::{all, first};
use crate::accounts::ApiKey;
use crate::error::Error;

/// Columns in the order in which [`from_row`] reads them.
macro_rules! key_select {
    ($tail:literal) => {
        concat!(
            "SELECT key_id, name, role, client, secret_hash, created_by, created_at, expires_at, revoked_at \
             FROM api_keys WHERE ",
            $tail
        )
    };
}

pub(super) fn insert(connection: &Connection, key: &ApiKey) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO api_keys (key_id, name, role, client, secret_hash, created_by, created_at, expires_at, revoked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute(params![
        key.key_id,
        key.name,
        key.role.number(),
        key.client,
        key.secret_hash,
        key.created_by,
        key.created_at.as_nanos(),
        key.expires_at.map(Timestamp::as_nanos),
        key.revoked_at.map(Timestamp::as_nanos),
    ])?;
    Ok(())
}

pub(super) fn by_id(connection: &Connection, key_id: &str) -> Result<Option<ApiKey>, Error> {
    first(connection, key_select!("key_id = ?1"), [key_id], from_row)
}

pub(super) fn by_secret(connection: &Connection, secret_hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
    first(
        connection,
        key_select!("secret_hash = ?1"),
        [secret_hash],
        from_row,
    )
}

/// Before an unknown key there is none.
pub(super) fn before(
    connection: &Connection,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    match before {
        None => {
            let sql = key_select!("TRUE ORDER BY key_number DESC LIMIT ?1");
            all(connection, sql, [limit], from_row)
        }
        Some(key_id) => {
            let sql = key_select!(
                "key_number < (SELECT key_number FROM api_keys WHERE key_id = ?1) ORDER BY key_number DESC LIMIT ?2"
            );
            all(connection, sql, (key_id, limit), from_row)
        }
    }
}

pub(super) fn revoke(connection: &Connection, key_id: &str, at: Timestamp) -> Result<(), Error> {
    let mut update = connection
        .prepare_cached("UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE key_id = ?1")?;
    if update.execute((key_id, at.as_nanos()))? == 1 {
        Ok(())
    } else {
        Err(Error::Statement(format!("there is no key {key_id}")))
    }
}

pub(super) fn revoke_token(
    connection: &Connection,
    token_id: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO revoked_tokens (token_id, expires_at) VALUES (?1, ?2) \
         ON CONFLICT (token_id) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
    )?;
    insert.execute((token_id, expires_at.as_nanos()))?;
    Ok(())
}

/// What counts once is kept among what does not count any more. Whether it was not there.
pub(super) fn use_up(connection: &Connection, id: &str, expires_at: Timestamp) -> Result<bool, Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO revoked_tokens (token_id, expires_at) VALUES (?1, ?2) ON CONFLICT (token_id) DO NOTHING",
    )?;
    Ok(insert.execute((id, expires_at.as_nanos()))? == 1)
}

pub(super) fn is_token_revoked(connection: &Connection, token_id: &str) -> Result<bool, Error> {
    let mut find = connection.prepare_cached("SELECT 1 FROM revoked_tokens WHERE token_id = ?1")?;
    Ok(find.exists([token_id])?)
}

/// Forgets revocations of tokens that have expired by `now`, the oldest first.
pub(super) fn expire_tokens(connection: &Connection, now: Timestamp, limit: u32) -> Result<usize, Error> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM revoked_tokens WHERE token_id IN \
         (SELECT token_id FROM revoked_tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    )?;
    Ok(delete.execute((now.as_nanos(), limit))?)
}

fn from_row(row: &Row<'_>) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        key_id: row.get(0)?,
        name: row.get(1)?,
        role: role(row.get(2)?)?,
        client: row.get(3)?,
        secret_hash: row.get(4)?,
        created_by: row.get(5)?,
        created_at: Timestamp::from_nanos(row.get(6)?),
        expires_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_nanos),
        revoked_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_nanos),
    })
}
