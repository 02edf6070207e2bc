//! Users.

use model::time::Timestamp;
use tokio_postgres::Row;

use super::convert::{can_be_text, get, number, role};
use super::session::Session;
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

pub(super) fn find(session: &mut Session, user: UserRef<'_>) -> Result<Option<User>, Error> {
    let (UserRef::Id(text) | UserRef::Username(text) | UserRef::Login(text)) = user;
    if !can_be_text(text) {
        return Ok(None);
    }
    let found = match user {
        UserRef::Id(id) => session.first(user_select!("user_id = $1"), &[&id])?,
        UserRef::Username(name) => session.first(user_select!("username = $1"), &[&name])?,
        UserRef::Login(login) => match session.first(user_select!("username = $1"), &[&login])? {
            Some(user) => Some(user),
            None => session.first(user_select!("email = $1"), &[&login.to_lowercase()])?,
        },
    };
    found.map(|row| from_row(&row)).transpose()
}

pub(super) fn after(session: &mut Session, after: &str, limit: i64) -> Result<Vec<User>, Error> {
    let sql = user_select!("username > $1 ORDER BY username LIMIT $2");
    // What cannot be asked for lies right behind the text before its first U+0000.
    let after = after.split('\0').next().unwrap_or_default();
    let rows = session.query(sql, &[&after, &limit])?;
    rows.iter().map(from_row).collect()
}

pub(super) fn insert(session: &mut Session, user: &User) -> Result<Result<(), Taken>, Error> {
    if let Some(taken) = taken(session, user)? {
        return Ok(Err(taken));
    }
    let sql = "INSERT INTO users (user_id, username, email, name, password_hash, role, client, disabled, sessions_valid_from, \
               updated_at, version, created_at, kept_token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    session.execute(
        sql,
        &[
            &&*user.user_id,
            &&*user.username,
            &user.email.to_lowercase(),
            &&*user.name,
            &&*user.password_hash,
            &i16::from(user.role.number()),
            &user.client.as_deref(),
            &user.disabled,
            &user.sessions_valid_from.as_nanos(),
            &user.updated_at.as_nanos(),
            &i64::from(user.version),
            &user.created_at.as_nanos(),
            &user.kept_token.as_deref(),
        ],
    )?;
    Ok(Ok(()))
}

/// When it was made stays as it is.
pub(super) fn update(session: &mut Session, user: &User) -> Result<Result<(), Taken>, Error> {
    if let Some(taken) = taken(session, user)? {
        return Ok(Err(taken));
    }
    let sql = "UPDATE users SET username = $2, email = $3, name = $4, password_hash = $5, role = $6, client = $7, disabled = $8, \
               sessions_valid_from = $9, updated_at = $10, version = $11, kept_token = $12 WHERE user_id = $1";
    let updated = session.execute(
        sql,
        &[
            &&*user.user_id,
            &&*user.username,
            &user.email.to_lowercase(),
            &&*user.name,
            &&*user.password_hash,
            &i16::from(user.role.number()),
            &user.client.as_deref(),
            &user.disabled,
            &user.sessions_valid_from.as_nanos(),
            &user.updated_at.as_nanos(),
            &i64::from(user.version),
            &user.kept_token.as_deref(),
        ],
    )?;
    if updated == 1 {
        Ok(Ok(()))
    } else {
        Err(Error::Statement(format!("there is no user {}", user.user_id)))
    }
}

/// Asked before writing: transactions over accounts come one after the other, and a constraint would end this one.
fn taken(session: &mut Session, user: &User) -> Result<Option<Taken>, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE username = $1 AND user_id <> $3), \
               EXISTS (SELECT 1 FROM users WHERE email = $2 AND user_id <> $3)";
    let (name, id) = (&*user.username, &*user.user_id);
    let found = session.first(sql, &[&name, &user.email.to_lowercase(), &id])?;
    let Some(row) = found else { return Ok(None) };
    Ok(if get(&row, 0)? {
        Some(Taken::Username)
    } else if get(&row, 1)? {
        Some(Taken::Email)
    } else {
        None
    })
}

fn from_row(row: &Row) -> Result<User, Error> {
    Ok(User {
        user_id: get(row, 0)?,
        username: get(row, 1)?,
        email: get(row, 2)?,
        name: get(row, 3)?,
        password_hash: get(row, 4)?,
        role: role(row, 5)?,
        client: get(row, 6)?,
        disabled: get(row, 7)?,
        sessions_valid_from: Timestamp::from_nanos(get(row, 8)?),
        created_at: Timestamp::from_nanos(get(row, 9)?),
        updated_at: Timestamp::from_nanos(get(row, 10)?),
        version: number(get(row, 11)?, "version")?,
        kept_token: get(row, 12)?,
    })
}
