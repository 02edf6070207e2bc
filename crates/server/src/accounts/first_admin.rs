//! The first admin: a store with no user at all would let nobody in.

use std::fmt;

use model::role::Role;

use super::AccountError;
use super::passwords::{generated, hash_now};
use super::trail::By;
use super::user::{NewUser, Wish};
use crate::engine::Handle;
use crate::settings::Secret;

/// What it is called if nothing is said.
const USERNAME: &str = "admin";

/// A password that was made up: to be shown once to whoever started the server, as nothing else knows it.
pub struct GeneratedPassword {
    /// Whose it is.
    pub username: Box<str>,
    /// The password.
    pub password: Secret,
}

impl fmt::Debug for GeneratedPassword {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "GeneratedPassword({}, …)", self.username)
    }
}

/// Makes an admin if the store has no user. The password that was made up for it, if none was given.
///
/// # Errors
/// [`AccountError`]; nothing was made then.
pub async fn first_admin(
    engine: &Handle,
    username: Option<&str>,
    password: Option<&Secret>,
) -> Result<Option<GeneratedPassword>, AccountError> {
    if !engine.store().reading(|reader| reader.users("", 1))?.is_empty() {
        return Ok(None);
    }
    let (password, is_generated) = match password {
        Some(password) => (password.clone(), false),
        None => (generated()?, true),
    };
    let username = username.unwrap_or(USERNAME);
    let wish = Wish {
        username: Some(username),
        email: None,
        name: username,
        role: Role::Admin,
        client: None,
        password: password.expose(),
    };
    let admin = NewUser::check(&wish)?.map_err(AccountError::Rules)?;
    let username: Box<str> = admin.username().into();
    let for_hash = password.clone();
    let hash = tokio::task::spawn_blocking(move || hash_now(for_hash.expose())).await;
    let hash = hash.ok().flatten();
    let hash = hash.ok_or_else(|| AccountError::Store("the password could not be hashed".to_owned()))?;
    let now = engine.clock().now();
    let made = engine.with_writer(move |writer| {
        let mut accounts = writer.accounts()?;
        let made = admin.insert(&mut *accounts, hash, now, &By::system())?;
        if made.is_ok() {
            accounts.commit()?;
        }
        Ok(made)
    });
    made.await?.map_err(AccountError::Taken)?;
    Ok(is_generated.then_some(GeneratedPassword { username, password }))
}
