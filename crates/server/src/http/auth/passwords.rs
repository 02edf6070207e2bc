//! Passwords of requests: checked and hashed off the async threads, a few at a time, and only so many waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Argon2, PasswordVerifier};
use tokio::sync::Semaphore;

use super::super::limits::{PASSWORDS_AT_ONCE, PASSWORDS_WAITING};
use super::super::problem::Problem;
use crate::accounts::passwords::hash_now;
use crate::engine::RETRY_AFTER;

/// A hash that no password has: checked where there is no user, so that the answer takes as long.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$d2F5YmlsbC1ub2JvZHk$\
                       ETqoH+KR2PAkRyCiW5bxMSSVkEvgrcKXsSqBFOjGoJg";

/// Checks and hashes passwords.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE)),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Passwords {
    /// Whether a password is the one of a hash. Without a hash it is not, and that takes as long.
    pub(crate) async fn verify(&self, password: String, hash: Option<Box<str>>) -> Result<bool, Problem> {
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODYS);
            Argon2::default()
                .verify_password(password.as_bytes(), hash)
                .is_ok()
                && known
        })
        .await
    }

    /// A hash of a password, in PHC string format.
    pub(crate) async fn hash(&self, password: String) -> Result<Box<str>, Problem> {
        self.in_turn(move || hash_now(&password))
            .await?
            .ok_or_else(Problem::internal)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _waiting = Waiting::begin(&self.waiting)?;
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Problem::internal())?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until it is done, also when the caller has gone away.
            let _turn = turn;
            job()
        });
        done.await.map_err(|_| Problem::internal())
    }
}

/// A place in the queue, given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Result<Self, Problem> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::AcqRel) >= PASSWORDS_WAITING {
            return Err(Problem::unavailable(
                "too many are signing in at once: try again in a second",
                RETRY_AFTER,
            ));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_that_of_its_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("password123".to_owned()).await.ok().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = |password: &str, hash| passwords.verify(password.to_owned(), hash);
        assert!(verify("password123", Some(hash.clone())).await.ok().unwrap());
        assert!(!verify("password124", Some(hash)).await.ok().unwrap());
        assert!(!verify("password123", None).await.ok().unwrap());
    }

    #[test]
    fn nobodys_hash_can_be_checked() {
        let parsed = argon2::PasswordHash::new(NOBODYS).unwrap();
        assert_eq!(parsed.algorithm.as_str(), "argon2id");
        assert!(Argon2::default().verify_password(b"x", NOBODYS).is_err());
    }
}
