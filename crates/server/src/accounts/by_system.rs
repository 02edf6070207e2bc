//! What is done to users from within: by the server itself, or by whoever has its data folder.

use store::accounts::{Accounts, UserRef};
use store::{Error, Writer};

use super::AccountError;
use super::change::{Unchangeable, UserChange};
use super::passwords::hash_now;
use super::rules::password_problem;
use super::trail::By;
use super::user::{NewUser, Wish};
use crate::engine::Handle;
use crate::settings::Secret;

/// Makes a user. What it signs in with.
///
/// # Errors
/// [`AccountError`]; nothing was made then.
pub async fn make(engine: &Handle, wish: &Wish<'_>) -> Result<Box<str>, AccountError> {
    let user = NewUser::check(wish)?.map_err(AccountError::Rules)?;
    let username = user.username().into();
    let hash = hashed(wish.password.to_owned()).await?;
    let now = engine.clock().now();
    in_transaction(engine, move |accounts| {
        let made = user.insert(accounts, hash, now, &By::system())?;
        Ok(made.map(|_| ()).map_err(AccountError::Taken))
    })
    .await?;
    Ok(username)
}

/// Gives a user, named by username or e-mail address, another password; its sessions end.
///
/// # Errors
/// [`AccountError`]; nothing was changed then.
pub async fn set_password(engine: &Handle, login: &str, password: &Secret) -> Result<(), AccountError> {
    let found = engine
        .store()
        .reading(|reader| reader.user(UserRef::Login(login)))?;
    let user = found.ok_or_else(|| AccountError::Unknown(login.to_owned()))?;
    if let Some(broken) = password_problem(password.expose(), &user.username) {
        return Err(AccountError::Rules(vec![broken]));
    }
    let change = UserChange {
        password_hash: Some(hashed(password.expose().to_owned()).await?),
        ..UserChange::default()
    };
    change_user(engine, login, change).await
}

/// Shuts a user out, named by username or e-mail address; its sessions end. Again is no error.
///
/// # Errors
/// [`AccountError`]; nothing was changed then.
pub async fn disable(engine: &Handle, login: &str) -> Result<(), AccountError> {
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    change_user(engine, login, change).await
}

async fn change_user(engine: &Handle, login: &str, change: UserChange) -> Result<(), AccountError> {
    let (login, now) = (login.to_owned(), engine.clock().now());
    in_transaction(engine, move |accounts| {
        let Some(user) = accounts.user(UserRef::Login(&login))? else {
            return Ok(Err(AccountError::Unknown(login)));
        };
        let now = accounts.shared_time()?.unwrap_or(now);
        let made = change.make(accounts, &user, now, &By::system())?;
        Ok(made.map(|_| ()).map_err(|why| match why {
            Unchangeable::Taken(taken) => AccountError::Taken(taken),
            Unchangeable::Rule(rule) => AccountError::Rules(vec![rule]),
        }))
    })
    .await
}

async fn in_transaction(
    engine: &Handle,
    job: impl FnOnce(&mut dyn Accounts) -> Result<Result<(), AccountError>, Error> + Send + 'static,
) -> Result<(), AccountError> {
    let done = engine.with_writer(move |writer: &mut dyn Writer| {
        let mut accounts = writer.accounts()?;
        let made = job(&mut *accounts)?;
        if made.is_ok() {
            accounts.commit()?;
        }
        Ok(made)
    });
    done.await?
}

async fn hashed(password: String) -> Result<Box<str>, AccountError> {
    let hash = tokio::task::spawn_blocking(move || hash_now(&password)).await;
    let hash = hash.ok().flatten();
    hash.ok_or_else(|| AccountError::Store("the password could not be hashed".to_owned()))
}
