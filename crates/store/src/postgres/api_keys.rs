//! Keys for machines, and tokens that are void before their time.

use model::time::Timestamp;
use tokio_postgres::Row;

use super::convert::{bytes, can_be_text, get, role};
use super::session::Session;
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

pub(super) fn insert(session: &mut Session, key: &ApiKey) -> Result<(), Error> {
    let sql = "INSERT INTO api_keys (key_id, name, role, client, secret_hash, created_by, created_at, expires_at, revoked_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    session.execute(
        sql,
        &[
            &&*key.key_id,
            &&*key.name,
            &i16::from(key.role.number()),
            &key.client.as_deref(),
            &key.secret_hash.as_slice(),
            &&*key.created_by,
            &key.created_at.as_nanos(),
            &key.expires_at.map(Timestamp::as_nanos),
            &key.revoked_at.map(Timestamp::as_nanos),
        ],
    )?;
    Ok(())
}

pub(super) fn by_id(session: &mut Session, key_id: &str) -> Result<Option<ApiKey>, Error> {
    if !can_be_text(key_id) {
        return Ok(None);
    }
    let found = session.first(key_select!("key_id = $1"), &[&key_id])?;
    found.map(|row| from_row(&row)).transpose()
}

pub(super) fn by_secret(session: &mut Session, secret_hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
    let found = session.first(key_select!("secret_hash = $1"), &[&secret_hash.as_slice()])?;
    found.map(|row| from_row(&row)).transpose()
}

/// Before an unknown key there is none.
pub(super) fn before(session: &mut Session, before: Option<&str>, limit: i64) -> Result<Vec<ApiKey>, Error> {
    let rows = match before {
        None => session.query(key_select!("TRUE ORDER BY key_number DESC LIMIT $1"), &[&limit])?,
        Some(key_id) if !can_be_text(key_id) => return Ok(Vec::new()),
        Some(key_id) => {
            let sql = key_select!(
                "key_number < (SELECT key_number FROM api_keys WHERE key_id = $1) ORDER BY key_number DESC LIMIT $2"
            );
            session.query(sql, &[&key_id, &limit])?
        }
    };
    rows.iter().map(from_row).collect()
}

pub(super) fn revoke(session: &mut Session, key_id: &str, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1";
    if session.execute(sql, &[&key_id, &at.as_nanos()])? == 1 {
        Ok(())
    } else {
        Err(Error::Statement(format!("there is no key {key_id}")))
    }
}

pub(super) fn revoke_token(
    session: &mut Session,
    token_id: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO revoked_tokens AS t (token_id, expires_at) VALUES ($1, $2) \
               ON CONFLICT (token_id) DO UPDATE SET expires_at = greatest(t.expires_at, excluded.expires_at)";
    session.execute(sql, &[&token_id, &expires_at.as_nanos()])?;
    Ok(())
}

/// What counts once is kept among what does not count any more. Whether it was not there.
pub(super) fn use_up(session: &mut Session, id: &str, expires_at: Timestamp) -> Result<bool, Error> {
    let sql =
        "INSERT INTO revoked_tokens (token_id, expires_at) VALUES ($1, $2) ON CONFLICT (token_id) DO NOTHING";
    Ok(session.execute(sql, &[&id, &expires_at.as_nanos()])? == 1)
}

pub(super) fn is_token_revoked(session: &mut Session, token_id: &str) -> Result<bool, Error> {
    if !can_be_text(token_id) {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM revoked_tokens WHERE token_id = $1";
    Ok(session.first(sql, &[&token_id])?.is_some())
}

/// Forgets revocations of tokens that have expired by `now`, the oldest first.
pub(super) fn expire_tokens(session: &mut Session, now: Timestamp, limit: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM revoked_tokens WHERE token_id IN \
               (SELECT token_id FROM revoked_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    session.execute(sql, &[&now.as_nanos(), &limit])
}

fn from_row(row: &Row) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        key_id: get(row, 0)?,
        name: get(row, 1)?,
        role: role(row, 2)?,
        client: get(row, 3)?,
        secret_hash: bytes(row, 4)?,
        created_by: get(row, 5)?,
        created_at: Timestamp::from_nanos(get(row, 6)?),
        expires_at: get::<Option<i64>>(row, 7)?.map(Timestamp::from_nanos),
        revoked_at: get::<Option<i64>>(row, 8)?.map(Timestamp::from_nanos),
    })
}
