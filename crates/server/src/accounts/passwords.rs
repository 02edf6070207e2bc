//! Hashing passwords: argon2id with the parameters of the OWASP cheat sheet (19 MiB, two passes).

use argon2::{Argon2, PasswordHasher};

use super::limits::GENERATED_PASSWORD_SYMBOLS;
use super::random::{NoRandom, random_text};
use crate::settings::Secret;

/// A hash of a password in PHC string format, here and now: for a thread that may be busy for a while. `None` if the system gives
/// no random salt.
pub(crate) fn hash_now(password: &str) -> Option<Box<str>> {
    let hash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string().into())
}

/// A password that nobody knows yet.
pub(super) fn generated() -> Result<Secret, NoRandom> {
    Ok(Secret::new(&random_text(GENERATED_PASSWORD_SYMBOLS)?))
}
