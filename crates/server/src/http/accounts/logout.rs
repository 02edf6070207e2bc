//! Signing out: the token that asks for it is void from then on, and no other.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::auth::{Asker, Credential};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::in_transaction;
use super::trail::Trail;
use crate::accounts::Entity;

/// Sign out
///
/// The token is void at once. Other sessions of the user go on; a change of password ends them.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts",
    responses((status = 204, description = "The token is void"),
        (status = 403, description = "An API key: keys are revoked, not signed out", body = ProblemSchema)))]
pub(super) async fn logout(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    body: Body,
) -> Result<StatusCode, Problem> {
    signed_out(&state, asker, &trail, body).await
}

/// Sign out
///
/// As `POST /auth/logout`.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "accounts",
    responses((status = 204, description = "The token is void"),
        (status = 403, description = "An API key: keys are revoked, not signed out", body = ProblemSchema)))]
pub(super) async fn logout_v1(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    body: Body,
) -> Result<StatusCode, Problem> {
    signed_out(&state, asker, &trail, body).await
}

async fn signed_out(
    state: &AppState,
    asker: Asker,
    trail: &Trail,
    body: Body,
) -> Result<StatusCode, Problem> {
    body::none(&state.room, body, limits::BODY_BYTES).await?;
    let (id, expires_at) = match &asker.credential {
        Credential::Token { id, expires_at, .. } => (id.clone(), *expires_at),
        Credential::Key { .. } => {
            return Err(Problem::forbidden(
                "an API key has no session to end: an admin revokes it with DELETE /api/v1/api-keys/{id}",
            ));
        }
    };
    let record = trail.of(&asker, "token.revoke", Entity::Token, &id, state.now());
    in_transaction(state, move |accounts| {
        accounts.revoke_token(&id, expires_at)?;
        accounts.append_audit(&record)?;
        Ok(Ok(()))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
