//! Users.

use model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::{number, role};
use super::statements::{all, first};
use crate::accounts::{Taken, User, UserRef};
use crate::error::Error;

/// Columns in the order in which [`from_row`] reads them.
macro_rules! user_select {
    ($tail:literal) => {
        concat!(
            "SELECT user_id, username, email, name, password_hash, role, client, disabled, sessions_valid_from, created_at, \
             updated_at, version, kept_token FROM users WHERE ",
            $tail
        )
    };
}

pub(super) fn find(connection: &Connection, user: UserRef<'_>) -> Result<Option<User>, Error> {
    match user {
        UserRef::Id(id) => first(connection, user_select!("user_id = ?1"), [id], from_row),
        UserRef::Username(name) => first(connection, user_select!("username = ?1"), [name], from_row),
        UserRef::Login(login) => match find(connection, UserRef::Username(login))? {
            Some(user) => Ok(Some(user)),
            None => {
                let email = login.to_lowercase();
                first(connection, user_select!("email = ?1"), [email], from_row)
            }
        },
    }
}

pub(super) fn after(connection: &Connection, after: &str, limit: u32) -> Result<Vec<User>, Error> {
    let sql = user_select!("username > ?1 ORDER BY username LIMIT ?2");
    all(connection, sql, (after, limit), from_row)
}

pub(super) fn insert(connection: &Connection, user: &User) -> Result<Result<(), Taken>, Error> {
    if let Some(taken) = taken(connection, user)? {
        return Ok(Err(taken));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO users (user_id, username, email, name, password_hash, role, client, disabled, sessions_valid_from, \
         updated_at, version, created_at, kept_token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        user.user_id,
        user.username,
        user.email.to_lowercase(),
        user.name,
        user.password_hash,
        user.role.number(),
        user.client,
        user.disabled,
        user.sessions_valid_from.as_nanos(),
        user.updated_at.as_nanos(),
        user.version,
        user.created_at.as_nanos(),
        user.kept_token,
    ])?;
    Ok(Ok(()))
}

/// When it was made stays as it is.
pub(super) fn update(connection: &Connection, user: &User) -> Result<Result<(), Taken>, Error> {
    if let Some(taken) = taken(connection, user)? {
        return Ok(Err(taken));
    }
    let mut update = connection.prepare_cached(
        "UPDATE users SET username = ?2, email = ?3, name = ?4, password_hash = ?5, role = ?6, client = ?7, disabled = ?8, \
         sessions_valid_from = ?9, updated_at = ?10, version = ?11, kept_token = ?12 WHERE user_id = ?1",
    )?;
    let updated = update.execute(params![
        user.user_id,
        user.username,
        user.email.to_lowercase(),
        user.name,
        user.password_hash,
        user.role.number(),
        user.client,
        user.disabled,
        user.sessions_valid_from.as_nanos(),
        user.updated_at.as_nanos(),
        user.version,
        user.kept_token,
    ])?;
    if updated == 1 {
        Ok(Ok(()))
    } else {
        Err(Error::Statement(format!("there is no user {}", user.user_id)))
    }
}

/// Asked before writing: nobody else writes meanwhile, and a constraint would not say which of the two it was.
fn taken(connection: &Connection, user: &User) -> Result<Option<Taken>, Error> {
    let mut username =
        connection.prepare_cached("SELECT 1 FROM users WHERE username = ?1 AND user_id <> ?2")?;
    if username.exists((&user.username, &user.user_id))? {
        return Ok(Some(Taken::Username));
    }
    let mut email = connection.prepare_cached("SELECT 1 FROM users WHERE email = ?1 AND user_id <> ?2")?;
    let is_taken = email.exists((user.email.to_lowercase(), &user.user_id))?;
    Ok(is_taken.then_some(Taken::Email))
}

fn from_row(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        user_id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        password_hash: row.get(4)?,
        role: role(row.get(5)?)?,
        client: row.get(6)?,
        disabled: row.get(7)?,
        sessions_valid_from: Timestamp::from_nanos(row.get(8)?),
        created_at: Timestamp::from_nanos(row.get(9)?),
        updated_at: Timestamp::from_nanos(row.get(10)?),
        version: number(row.get(11)?, "version")?,
        kept_token: row.get(12)?,
    })
}
