//! Who is asking: tokens, API keys, passwords.
//!
//! A token or key is looked into once and remembered for under a second; every change to accounts on this node forgets all
//! of that at once, so a revocation holds with the next request here and within a second elsewhere.

mod keys;
mod passwords;
mod principal;
mod sessions;
mod slowdown;
mod tokens;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use model::time::Timestamp;
use sha2::{Digest, Sha256};
use store::accounts::{ApiKey, User, UserRef};

use super::limits::TOKEN_BYTES;
use super::problem::{Kind, Problem};
use super::state::AppState;

pub(crate) use keys::NewKey;
pub(crate) use passwords::Passwords;
pub(crate) use principal::{Asker, Asking, Credential, Principal};
pub(crate) use slowdown::Slowdown;
pub(crate) use tokens::Tokens;

use sessions::Sessions;
use tokens::Claims;

/// Checks tokens, keys and passwords.
pub(crate) struct Auth {
    pub(crate) tokens: Tokens,
    pub(crate) passwords: Passwords,
    pub(crate) slowdown: Slowdown,
    sessions: Sessions,
    known_users_only: bool,
}

impl Auth {
    /// `known_users_only`: a token of an outside issuer counts only if its user is known here.
    pub(crate) fn new(tokens: Tokens, known_users_only: bool) -> Self {
        Self {
            tokens,
            passwords: Passwords::default(),
            slowdown: Slowdown::default(),
            sessions: Sessions::default(),
            known_users_only,
        }
    }

    /// Forgets what is remembered of tokens and keys: something about accounts has changed.
    pub(crate) fn forget(&self) {
        self.sessions.forget();
    }
}

/// The credential of a request's header, if it has one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::field("Authorization", "value", "must be sent once"));
    }
    let text = value.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Problem::unauthenticated(
            "send `Authorization: Bearer` and a token",
        ));
    }
    if token.len() > TOKEN_BYTES {
        return Err(Problem::unauthenticated(
            "the token is too long to be one of ours",
        ));
    }
    Ok(Some(token))
}

impl AppState {
    /// Who is asking, by the request's headers; `None` where nobody says.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Arc<Principal>>, Problem> {
        let Some(token) = bearer(headers)? else {
            return Ok(None);
        };
        let now = self.now();
        if let Some(known) = self.auth.sessions.get(token, now) {
            return Ok(Some(known));
        }
        let look = self.auth.sessions.begin();
        let principal = match keys::secret_of(token) {
            Some(secret) => self.key_principal(secret, now).await?,
            None => self.token_principal(token, now).await?,
        };
        let principal = Arc::new(principal);
        self.auth.sessions.put(token, principal.clone(), &look);
        Ok(Some(principal))
    }

    async fn key_principal(&self, secret: &str, now: Timestamp) -> Result<Principal, Problem> {
        let unknown = || Problem::unauthenticated("the API key is not valid");
        if !keys::is_well_formed(secret) {
            return Err(unknown());
        }
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let key: Option<ApiKey> = self.read(move |reader| reader.api_key(&hash)).await?;
        let key = key.ok_or_else(unknown)?;
        if key.revoked_at.is_some() {
            return Err(Problem::unauthenticated("the API key was revoked"));
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(Problem::unauthenticated("the API key has expired"));
        }
        Principal::of_key(&key).ok_or_else(unknown)
    }

    async fn token_principal(&self, token: &str, now: Timestamp) -> Result<Principal, Problem> {
        let claims = self.auth.tokens.verify(token, now)?;
        let (subject, id) = (claims.subject.clone(), claims.id.clone());
        let (user, revoked): (Option<User>, bool) = self
            .read(move |reader| {
                let user = reader.user(UserRef::Username(&subject))?;
                Ok((user, reader.is_token_revoked(&id)?))
            })
            .await?;
        if revoked {
            return Err(Problem::unauthenticated("the token was revoked"));
        }
        match user {
            Some(user) if user.disabled => Err(Problem::unauthenticated("the user is disabled")),
            Some(user) if !claims.issued_since(user.sessions_valid_from) && !is_kept(&claims, &user) => {
                Err(Problem::unauthenticated("the session was ended: sign in again"))
            }
            None if self.auth.known_users_only => Err(Problem::unauthenticated("the user is not known here")),
            Some(_) | None => Ok(Principal::of_token(claims)),
        }
    }
}

/// Whether it is the token in which the user changed the own password.
fn is_kept(claims: &Claims, user: &User) -> bool {
    user.kept_token.as_ref() == Some(&claims.id)
}

/// Refuses a request that nobody asks.
pub(crate) fn nobody() -> Problem {
    Problem::unauthenticated("sign in first: send `Authorization: Bearer` and a token")
}

/// Whether a problem is that of a caller who is not known.
pub(crate) fn is_unauthenticated(problem: &Problem) -> bool {
    problem.kind == Kind::Unauthenticated
}
