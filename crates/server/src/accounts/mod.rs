//! Users: what is allowed of them, how one is made, and the users that a store begins with.
//!
//! Every change and its record in the trail are one transaction, on the writer's thread. Passwords are kept only as argon2id
//! hashes, and hashing is left to the caller: it takes a core for tens of milliseconds, which the writer has not. Nothing here
//! knows of HTTP.

pub mod by_system;
mod change;
mod first_admin;
pub mod limits;
pub(crate) mod passwords;
mod random;
mod rules;
mod seed;
mod trail;
mod user;

pub use first_admin::{GeneratedPassword, first_admin};
pub use random::NoRandom;
pub use rules::BrokenRule;
pub use seed::seed_demo;
pub use user::{NewUser, Wish};

pub(crate) use change::{Unchangeable, UserChange};
pub(crate) use random::fresh_id;
pub(crate) use rules::{client_id_problem, client_problem, email_problem, name_problem, password_problem};
pub(crate) use trail::{By, Entity, States};

use store::accounts::Taken;

use crate::engine::Failure;

/// Why a user was not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Something about it is not allowed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<BrokenRule>),
    /// Another user has its name or its e-mail address.
    #[error("the {} is taken: choose another", match .0 { Taken::Username => "username", Taken::Email => "email" })]
    Taken(Taken),
    /// There is no such user.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The store.
    #[error("the users cannot be read or written: {0}")]
    Store(String),
    /// No random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<Failure> for AccountError {
    fn from(failure: Failure) -> Self {
        Self::Store(match failure {
            Failure::Unavailable(trouble) => trouble.to_string(),
            Failure::Stopping => failure.to_string(),
            Failure::Internal => "the log has the reason".to_owned(),
        })
    }
}

impl From<store::Error> for AccountError {
    fn from(error: store::Error) -> Self {
        Self::Store(error.to_string())
    }
}
