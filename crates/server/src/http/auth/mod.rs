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
use store::{Error, Reader};
use tokio::sync::Notify;

use super::limits::TOKEN_BYTES;
use super::problem::{Kind, Problem};
use super::state::AppState;

pub(crate) use keys::NewKey;
pub(crate) use passwords::Passwords;
pub(crate) use principal::{Asker, Asking, Credential, Principal};
pub(crate) use slowdown::Slowdown;
pub(crate) use tokens::Tokens;

use sessions::Sessions;
use tokens::issued_since;

/// Checks tokens, keys and passwords.
pub(crate) struct Auth {
    pub(crate) tokens: Tokens,
    pub(crate) passwords: Passwords,
    pub(crate) slowdown: Slowdown,
    sessions: Sessions,
    known_users_only: bool,
    /// Rung when something about accounts has changed on this node.
    pub(crate) changed: Notify,
}

impl Auth {
    /// `known_users_only`: a token of an outside issuer counts only if its user is known here.
    pub(crate) fn new(tokens: Tokens, known_users_only: bool) -> Self {
        Self {
            tokens,
            passwords: Passwords::default(),
            slowdown: Slowdown::default(),
            sessions: Sessions::default(),
            changed: Notify::new(),
            known_users_only,
        }
    }

    /// Forgets what is remembered of tokens and keys: something about accounts has changed.
    pub(crate) fn forget(&self) {
        self.sessions.forget();
        self.changed.notify_one();
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
    check_length(token)?;
    Ok(Some(token))
}

fn check_length(token: &str) -> Result<(), Problem> {
    if token.len() > TOKEN_BYTES {
        return Err(Problem::unauthenticated(
            "the token is too long to be one of ours",
        ));
    }
    Ok(())
}

impl AppState {
    /// Who is asking, by the request's headers; `None` where nobody says.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Arc<Principal>>, Problem> {
        match bearer(headers)? {
            Some(token) => self.authenticate_by(token).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who has this token or key.
    pub(crate) async fn authenticate_by(&self, token: &str) -> Result<Arc<Principal>, Problem> {
        check_length(token)?;
        let now = self.now();
        if let Some(known) = self.auth.sessions.get(token, now) {
            return Ok(known);
        }
        let look = self.auth.sessions.begin();
        let principal = match keys::secret_of(token) {
            Some(secret) => self.key_principal(secret, now).await?,
            None => self.token_principal(token, now).await?,
        };
        let principal = Arc::new(principal);
        self.auth.sessions.put(token, principal.clone(), &look);
        Ok(principal)
    }

    async fn key_principal(&self, secret: &str, now: Timestamp) -> Result<Principal, Problem> {
        let unknown = || Problem::unauthenticated("the API key is not valid");
        if !keys::is_well_formed(secret) {
            return Err(unknown());
        }
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let key: Option<ApiKey> = self.read(move |reader| reader.api_key(&hash)).await?;
        let key = key.ok_or_else(unknown)?;
        must_not_be_revoked(&key)?;
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
        self.must_hold(&claims.id, claims.issued_at, user.as_ref(), revoked)?;
        Ok(Principal::of_token(claims))
    }

    /// Whether a token of this id counts, of which this is known.
    fn must_hold(
        &self,
        id: &str,
        issued_at: Timestamp,
        user: Option<&User>,
        revoked: bool,
    ) -> Result<(), Problem> {
        if revoked {
            return Err(Problem::unauthenticated("the token was revoked"));
        }
        match user {
            Some(user) if user.disabled => Err(Problem::unauthenticated("the user is disabled")),
            Some(user) if !issued_since(issued_at, user.sessions_valid_from) && !is_kept(id, user) => {
                Err(Problem::unauthenticated("the session was ended: sign in again"))
            }
            None if self.auth.known_users_only => Err(Problem::unauthenticated("the user is not known here")),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether what a principal was known by still counts, as the store has it now. When it expires is not looked at.
    pub(crate) fn still_counts(
        &self,
        reader: &mut dyn Reader,
        principal: &Principal,
    ) -> Result<Result<(), Problem>, Error> {
        match &principal.credential {
            Credential::Token { id, issued_at, .. } => {
                let user = reader.user(UserRef::Username(principal.subject()))?;
                let revoked = reader.is_token_revoked(id)?;
                Ok(self.must_hold(id, *issued_at, user.as_ref(), revoked))
            }
            Credential::Key { id, .. } => {
                let key = reader.api_key_of_id(id)?;
                let unknown = || Problem::unauthenticated("the API key is not valid");
                Ok(key.ok_or_else(unknown).and_then(|key| must_not_be_revoked(&key)))
            }
        }
    }
}

fn must_not_be_revoked(key: &ApiKey) -> Result<(), Problem> {
    match key.revoked_at {
        Some(_) => Err(Problem::unauthenticated("the API key was revoked")),
        None => Ok(()),
    }
}

/// Whether it is the token in which the user changed the own password.
fn is_kept(id: &str, user: &User) -> bool {
    user.kept_token.as_deref() == Some(id)
}

/// Refuses a request that nobody asks.
pub(crate) fn nobody() -> Problem {
    Problem::unauthenticated("sign in first: send `Authorization: Bearer` and a token")
}

/// Whether a problem is that of a caller who is not known.
pub(crate) fn is_unauthenticated(problem: &Problem) -> bool {
    problem.kind == Kind::Unauthenticated
}
