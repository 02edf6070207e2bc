//! Who is asking, once that is proven.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::command::{Actor, Scope};
use model::ids::PartyId;
use model::role::Role;
use model::time::Timestamp;
use store::accounts::ApiKey;
use store::{Error, PartyKind, Reader};

use super::super::front::RequestId;
use super::super::problem::Problem;
use super::tokens::Claims;
use crate::engine::Handle;

/// What a principal is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token: its id, when it began, and when it ends.
    Token {
        id: Box<str>,
        issued_at: Timestamp,
        expires_at: Timestamp,
    },
    /// An API key: its id, and when it ends.
    Key {
        id: Box<str>,
        expires_at: Option<Timestamp>,
    },
}

/// Who is asking.
#[derive(Debug)]
pub(crate) struct Principal {
    subject: Arc<str>,
    pub(crate) role: Role,
    pub(crate) client: Option<Box<str>>,
    pub(crate) credential: Credential,
    /// Its numbers in the store, once they were asked for.
    actor: OnceLock<Actor>,
}

impl Principal {
    pub(super) fn of_token(claims: Claims) -> Self {
        Self {
            subject: claims.subject.into(),
            role: claims.role,
            client: claims.client,
            credential: Credential::Token {
                id: claims.id,
                issued_at: claims.issued_at,
                expires_at: claims.expires_at,
            },
            actor: OnceLock::new(),
        }
    }

    /// As it was when somebody noted it down who is trusted.
    pub(crate) fn noted(subject: &str, role: Role, client: Option<Box<str>>, credential: Credential) -> Self {
        Self {
            subject: subject.into(),
            role,
            client,
            credential,
            actor: OnceLock::new(),
        }
    }

    /// `None` for a key that no principal may have.
    pub(super) fn of_key(key: &ApiKey) -> Option<Self> {
        let bound = matches!(key.role, Role::Client | Role::Driver);
        if matches!(key.role, Role::Customer | Role::System) || bound && key.client.is_none() {
            return None;
        }
        Some(Self {
            subject: format!("key:{}", key.key_id).into(),
            role: key.role,
            client: key.client.clone(),
            credential: Credential::Key {
                id: key.key_id.clone(),
                expires_at: key.expires_at,
            },
            actor: OnceLock::new(),
        })
    }

    /// The username, or `key:{id}`.
    pub(crate) const fn subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// Until when it is one, as far as is known.
    pub(crate) const fn expires_at(&self) -> Option<Timestamp> {
        match &self.credential {
            Credential::Token { expires_at, .. } => Some(*expires_at),
            Credential::Key { expires_at, .. } => *expires_at,
        }
    }

    /// Whether it is the same in all that counts.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.subject, self.role, &self.client, &self.credential)
            == (&other.subject, other.role, &other.client, &other.credential)
    }

    /// Whether it sees every order.
    pub(crate) const fn is_staff(&self) -> bool {
        matches!(self.role, Role::Operator | Role::Admin)
    }

    /// Refuses all but some roles.
    pub(crate) fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.contains(&self.role) {
            return Ok(());
        }
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        Err(Problem::forbidden(format!(
            "the role {} may not do this; it takes {}",
            self.role.name(),
            names.join(" or ")
        )))
    }

    /// As the engine knows it; its parties get their numbers with the first change it asks for.
    pub(crate) async fn actor(&self, engine: &Handle) -> Result<Actor, Problem> {
        if let Some(known) = self.actor.get() {
            return Ok(*known);
        }
        let party = engine.party(PartyKind::Principal, &self.subject).await?;
        let scope = match (self.role, &self.client) {
            (Role::Operator | Role::Admin | Role::System, _) => Scope::All,
            (Role::Client | Role::Driver, Some(client)) => {
                Scope::Client(engine.party(PartyKind::Client, client).await?)
            }
            (Role::Client | Role::Driver, None) => Scope::Client(PartyId::NOBODY),
            (Role::Customer, _) => Scope::Customer(engine.party(PartyKind::Customer, &self.subject).await?),
        };
        let actor = Actor {
            party,
            role: self.role,
            scope,
        };
        Ok(*self.actor.get_or_init(|| actor))
    }

    /// As far as the store knows it: who was never stored is nobody, and sees nothing of anybody's.
    pub(crate) fn known_actor(&self, reader: &mut dyn Reader) -> Result<Actor, Error> {
        if let Some(known) = self.actor.get() {
            return Ok(*known);
        }
        let mut known =
            |kind, name: &str| Ok::<_, Error>(reader.party(kind, name)?.unwrap_or(PartyId::NOBODY));
        let scope = match (self.role, &self.client) {
            (Role::Operator | Role::Admin | Role::System, _) => Scope::All,
            (Role::Client | Role::Driver, Some(client)) => Scope::Client(known(PartyKind::Client, client)?),
            (Role::Client | Role::Driver, None) => Scope::Client(PartyId::NOBODY),
            (Role::Customer, _) => Scope::Customer(known(PartyKind::Customer, &self.subject)?),
        };
        Ok(Actor {
            party: known(PartyKind::Principal, &self.subject)?,
            role: self.role,
            scope,
        })
    }
}

/// What the front found out about who is asking.
#[derive(Clone)]
pub(crate) struct Asking(pub(crate) Result<Option<Arc<Principal>>, Problem>);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Asking>() {
            Some(Asking(Ok(Some(principal)))) => {
                let request_id = parts.extensions.get::<RequestId>();
                Ok(Self(principal.clone(), request_id.map(|id| id.0.clone())))
            }
            Some(Asking(Err(problem))) => Err(problem.clone()),
            Some(Asking(Ok(None))) | None => Err(super::nobody()),
        }
    }
}

/// A handler's parameter: who is asking, and by which request. Nobody is refused.
pub(crate) struct Asker(Arc<Principal>, Option<Arc<str>>);

impl Asker {
    /// Who, to be kept beyond the request's own handler.
    pub(crate) const fn principal(&self) -> &Arc<Principal> {
        &self.0
    }

    /// By which the log names what is done for it.
    pub(crate) fn label(&self) -> Option<Arc<str>> {
        self.1.clone()
    }
}

impl std::ops::Deref for Asker {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}
