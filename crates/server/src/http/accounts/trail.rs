//! What the audit trail says of a change.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::time::Timestamp;
use store::accounts::AuditRecord;

use super::super::auth::Principal;
use super::super::front::{ClientAddress, RequestId};
use crate::accounts::{By, Entity, States};

/// A handler's parameter: from where and by which request a change is made.
#[derive(Clone)]
pub(in crate::http) struct Trail {
    ip: Option<IpAddr>,
    request_id: Option<Arc<str>>,
}

impl<S: Sync> FromRequestParts<S> for Trail {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            ip: parts.extensions.get::<ClientAddress>().map(|address| address.0),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
        })
    }
}

impl Trail {
    /// A principal, as who makes a change.
    pub(in crate::http) fn by(&self, principal: &Principal) -> By {
        By {
            actor: (**principal.subject()).into(),
            role: principal.role,
            ..self.by_nobody()
        }
    }

    /// From where alone: who it is, is not known yet.
    pub(in crate::http) fn by_nobody(&self) -> By {
        By {
            ip: self.ip.map(|ip| ip.to_string().into()),
            request_id: self.request_id.as_deref().map(Into::into),
            ..By::system()
        }
    }

    /// A change of this thing by this principal.
    pub(in crate::http) fn of(
        &self,
        principal: &Principal,
        action: &str,
        entity: Entity,
        entity_id: &str,
        now: Timestamp,
    ) -> AuditRecord {
        self.by(principal)
            .record(action, entity, entity_id, &States::default(), now)
    }
}
