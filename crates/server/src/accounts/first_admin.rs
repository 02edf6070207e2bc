//! The first admin: a store with no user at all would let nobody in.

use std::fmt;

use model::role::Role;

use super::passwords::generated;
use super::user::Wish;
use super::{AccountError, by_system};
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
    match by_system::make(engine, &wish).await {
        Ok(username) => Ok(is_generated.then_some(GeneratedPassword { username, password })),
        // Another node that started at the same time was quicker.
        Err(AccountError::Taken(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
