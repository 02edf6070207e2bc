//! Who asks for food: somebody who is signed in or, where orders are open, nobody in particular.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::command::{Actor, Scope};
use model::ids::PartyId;
use model::role::Role;
use store::{Error, Reader};

use super::super::auth::{Asker, Asking, nobody};
use super::super::front::RequestId;
use super::super::problem::Problem;
use super::super::state::AppState;

/// A handler's parameter. A token that does not hold is refused, also where none is needed.
pub(super) enum Guest {
    /// Nobody says who it is: as the older service had it, they see and cancel every food order.
    Nobody(Option<Arc<str>>),
    /// Somebody, held to what their role may.
    Known(Asker),
}

/// Makes orders that are nobody's.
const NOBODY: Actor = Actor {
    party: PartyId::NOBODY,
    role: Role::Customer,
    scope: Scope::All,
};

impl FromRequestParts<AppState> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        if let Some(Asking(Ok(None))) = parts.extensions.get::<Asking>() {
            if !state.open_orders {
                return Err(nobody());
            }
            let request_id = parts.extensions.get::<RequestId>();
            return Ok(Self::Nobody(request_id.map(|id| id.0.clone())));
        }
        Asker::from_request_parts(parts, state).await.map(Self::Known)
    }
}

impl Guest {
    /// Refuses all but some roles; nobody is let through.
    pub(super) fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        match self {
            Self::Nobody(_) => Ok(()),
            Self::Known(asker) => asker.must_be(roles),
        }
    }

    /// By which the log names what is done for them.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        match self {
            Self::Nobody(label) => label.clone(),
            Self::Known(asker) => asker.label(),
        }
    }

    /// To whom an idempotency key is scoped.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Nobody(_) => "",
            Self::Known(asker) => asker.subject(),
        }
    }

    /// As the engine knows them.
    pub(super) async fn actor(&self, state: &AppState) -> Result<Actor, Problem> {
        match self {
            Self::Nobody(_) => Ok(NOBODY),
            Self::Known(asker) => asker.actor(&state.engine).await,
        }
    }

    /// Whose orders they see.
    pub(super) fn scope(&self, reader: &mut dyn Reader) -> Result<Scope, Error> {
        match self {
            Self::Nobody(_) => Ok(NOBODY.scope),
            Self::Known(asker) => Ok(asker.known_actor(reader)?.scope),
        }
    }
}
