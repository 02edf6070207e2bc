//! Signing in.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use model::time::Timestamp;
use serde::Serialize;
use store::accounts::{User, UserRef};
use utoipa::ToSchema;

use super::super::auth::is_unauthenticated;
use super::super::fields::{self, Fields};
use super::super::front::ClientAddress;
use super::super::problem::{Problem, ProblemSchema};
use super::super::rate_limit::Caller;
use super::super::state::AppState;
use super::super::{body, limits};

/// Characters of a name or password that are looked at; longer ones are nobody's.
const LOGIN_CHARS: usize = 320;

/// Who signs in.
#[derive(ToSchema)]
#[schema(as = Login)]
#[expect(dead_code, reason = "describes what `login` reads")]
pub(super) struct LoginSchema {
    /// A username or an e-mail address.
    username: Option<String>,
    /// The same, in the place of `username`.
    email: Option<String>,
    password: String,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// To be sent as `Authorization: Bearer …`.
    token: String,
    /// Seconds until it ends.
    expires_in: u64,
    /// `Bearer`.
    #[schema(value_type = String)]
    token_type: &'static str,
}

/// Sign in
///
/// The answer to a wrong name and to a wrong password is the same, and takes as long. After many wrong ones for a name, or from an address,
/// further tries have to wait, five minutes at most.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = LoginSchema,
    responses((status = 200, description = "A token", body = Token),
        (status = 401, description = "Wrong name or password", body = ProblemSchema),
        (status = 429, description = "Too many requests, or too many wrong passwords for this name or from this address: `Retry-After` says when \
            the next is looked at", body = ProblemSchema)))]
pub(super) async fn login(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    signed_in(&state, address, &headers, body).await
}

/// Sign in
///
/// As `POST /auth/login`.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "accounts", security(()), request_body = LoginSchema,
    responses((status = 200, description = "A token", body = Token),
        (status = 401, description = "Wrong name or password", body = ProblemSchema),
        (status = 429, description = "Too many requests, or too many wrong passwords for this name or from this address: `Retry-After` says when \
            the next is looked at", body = ProblemSchema)))]
pub(super) async fn login_v1(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    signed_in(&state, address, &headers, body).await
}

async fn signed_in(
    state: &AppState,
    address: ClientAddress,
    headers: &HeaderMap,
    body: Body,
) -> Result<impl IntoResponse + use<>, Problem> {
    body::must_be_json(headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let value = fields::parse(&received.bytes)?;
    let mut wish = Fields::of(&value);
    let username = wish.optional_text("username", LOGIN_CHARS);
    let email = wish.optional_text("email", LOGIN_CHARS);
    let password = wish.text("password", LOGIN_CHARS);
    if username.is_none() && email.is_none() {
        wish.complain("username", "required", "is required, or email in its place");
    }
    wish.finish()?;
    let name = username.or(email).unwrap_or_default();
    let password = password.unwrap_or_default();
    let attempt = state
        .auth
        .slowdown
        .begin(name, Caller::at(address.0), state.now())?;
    match token_for(state, name, password).await {
        Ok(token) => {
            state.auth.slowdown.succeeded(attempt);
            let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            Ok((no_store, Json(token)))
        }
        Err(problem) => {
            // That storage is away is nobody's fault.
            if is_unauthenticated(&problem) {
                state.auth.slowdown.failed(attempt, state.now());
            }
            Err(problem)
        }
    }
}

async fn token_for(state: &AppState, name: &str, password: &str) -> Result<Token, Problem> {
    let (user, now) = known(state, name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = state.auth.passwords.verify(password.to_owned(), hash).await?;
    // A disabled user learns no more than one who is not known.
    let user = user.filter(|user| right && !user.disabled).ok_or_else(wrong)?;
    // Checking took a while: had the password been changed meanwhile, this session must not outlive that.
    let (still, _) = known(state, name).await?;
    let user = still.filter(|still| *still == user).ok_or_else(wrong)?;
    Ok(Token {
        token: state.auth.tokens.sign(&user, now)?,
        expires_in: limits::TOKEN_LIFE.as_secs(),
        token_type: "Bearer",
    })
}

/// A user, and the time before it was read: by the clock that all nodes share, so that what ends sessions on one ends those that
/// began on another.
async fn known(state: &AppState, name: &str) -> Result<(Option<User>, Timestamp), Problem> {
    let (name, now) = (name.to_owned(), state.now());
    state
        .read(move |reader| {
            let now = reader.shared_time()?.unwrap_or(now);
            Ok((reader.user(UserRef::Login(&name))?, now))
        })
        .await
}

fn wrong() -> Problem {
    Problem::unauthenticated("wrong username or password")
}
