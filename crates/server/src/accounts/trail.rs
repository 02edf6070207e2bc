//! Who makes a change, and what the trail says of it.

use model::role::Role;
use model::time::Timestamp;
use serde_json::Value;
use store::accounts::AuditRecord;

/// Who makes a change, and from where.
#[derive(Clone, Debug)]
pub(crate) struct By {
    /// A username, `key:{id}`, or `system`.
    pub(crate) actor: Box<str>,
    pub(crate) role: Role,
    /// From where, if over the network.
    pub(crate) ip: Option<Box<str>>,
    /// By which request, if by one.
    pub(crate) request_id: Option<Box<str>>,
}

/// What is changed: its kind, such as `user`, and its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entity<'a>(pub(crate) &'a str, pub(crate) &'a str);

impl By {
    /// The server itself, or whoever has its data folder.
    pub(crate) fn system() -> Self {
        Self {
            actor: "system".into(),
            role: Role::System,
            ip: None,
            request_id: None,
        }
    }

    /// A record of a change. What the thing was and is must have no secrets.
    pub(crate) fn record(
        &self,
        action: &str,
        entity: Entity<'_>,
        now: Timestamp,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> AuditRecord {
        AuditRecord {
            audit_id: 0,
            at: now,
            actor: self.actor.clone(),
            role: self.role,
            action: action.into(),
            entity_type: entity.0.into(),
            entity_id: entity.1.into(),
            before: before.map(|value| value.to_string().into()),
            after: after.map(|value| value.to_string().into()),
            ip: self.ip.clone(),
            request_id: self.request_id.clone(),
        }
    }
}
