//! What the audit trail says of a change.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::time::Timestamp;
use serde_json::Value;
use store::accounts::AuditRecord;

use super::super::auth::Principal;
use super::super::front::{ClientAddress, RequestId};

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
    /// A change of this thing by this principal.
    pub(in crate::http) fn of(
        &self,
        principal: &Principal,
        action: &str,
        entity_type: &str,
        entity_id: &str,
        now: Timestamp,
    ) -> AuditRecord {
        AuditRecord {
            audit_id: 0,
            at: now,
            actor: (**principal.subject()).into(),
            role: principal.role,
            action: action.into(),
            entity_type: entity_type.into(),
            entity_id: entity_id.into(),
            before: None,
            after: None,
            ip: self.ip.map(|ip| ip.to_string().into()),
            request_id: self.request_id.as_deref().map(Into::into),
        }
    }
}

/// What a thing was and is, for a record of its change. No secrets.
pub(in crate::http) fn with_states(
    record: AuditRecord,
    before: Option<&Value>,
    after: Option<&Value>,
) -> AuditRecord {
    AuditRecord {
        before: before.map(|value| value.to_string().into()),
        after: after.map(|value| value.to_string().into()),
        ..record
    }
}
