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

/// What has a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    User,
    ApiKey,
    Token,
    DeadLetter,
    Order,
}

impl Entity {
    pub(crate) const ALL: [Self; 5] = [
        Self::User,
        Self::ApiKey,
        Self::Token,
        Self::DeadLetter,
        Self::Order,
    ];

    /// As records name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Token => "token",
            Self::DeadLetter => "dead_letter",
            Self::Order => "order",
        }
    }
}

/// What a thing was and is: no secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

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

    /// A record of a change of the thing of this id.
    pub(crate) fn record(
        &self,
        action: &str,
        entity: Entity,
        entity_id: &str,
        states: &States,
        now: Timestamp,
    ) -> AuditRecord {
        let text = |state: &Option<Value>| state.as_ref().map(|state| state.to_string().into());
        AuditRecord {
            audit_id: 0,
            at: now,
            actor: self.actor.clone(),
            role: self.role,
            action: action.into(),
            entity_type: entity.name().into(),
            entity_id: entity_id.into(),
            before: text(&states.before),
            after: text(&states.after),
            ip: self.ip.clone(),
            request_id: self.request_id.clone(),
        }
    }
}
