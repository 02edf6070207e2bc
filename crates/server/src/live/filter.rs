//! What a stream wants, and by what it is found.

use model::command::Scope;
use model::ids::{OrderKey, PartyId};
use model::lifecycle::Phase;
use model::time::Timestamp;
use store::OrderLabel;

use super::rendered::Candidate;

/// Which messages a stream wants: those to which all of this applies. The default: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of orders of a lifecycle of this name.
    pub lifecycle: Option<Box<str>>,
    /// That say this status.
    pub status: Option<Box<str>>,
    /// That say a status of this phase.
    pub phase: Option<Phase>,
    /// That say a status in which an order has not ended, if true; in which it has, if false.
    pub is_active: Option<bool>,
    /// Of this order.
    pub order: Option<OrderKey>,
    /// Of orders of this client.
    pub client: Option<PartyId>,
    /// Of orders of a client of this name, of whom nothing is known yet, where it is on no one order.
    pub newcomer: Option<Box<str>>,
    /// Of orders with this reference or contact.
    pub reference: Option<Reference>,
    /// Of orders whose creation was recorded then or later.
    pub created_from: Option<Timestamp>,
    /// Of orders whose creation was recorded before.
    pub created_to: Option<Timestamp>,
}

/// What a customer's orders are found by: their reference, or the customer's contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As it is.
    pub text: Box<str>,
    /// As the store knows a contact: see [`store::Identity::contact_hash`].
    pub contact_hash: i64,
}

impl Reference {
    fn is_of(&self, label: &OrderLabel) -> bool {
        label.reference.as_ref() == Some(&self.text) || label.contact_hash == Some(self.contact_hash)
    }
}

impl Filter {
    pub(super) fn admits(&self, candidate: &Candidate<'_>) -> bool {
        let Candidate {
            entry,
            lifecycle,
            label,
            ..
        } = candidate;
        let is =
            |wanted: &Option<Box<str>>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let phase = || lifecycle.state(entry.status).map(|state| state.phase);
        self.order.is_none_or(|order| order == entry.order)
            && self.client.is_none_or(|client| client == entry.owner.client)
            && is(&self.lifecycle, lifecycle.name())
            && is(&self.status, lifecycle.state_name(entry.status))
            && self.phase.is_none_or(|wanted| phase() == Some(wanted))
            && self
                .is_active
                .is_none_or(|wanted| phase().is_some_and(|phase| phase.is_final() != wanted))
            && self.reference.as_ref().is_none_or(|wanted| wanted.is_of(label))
            && self.created_from.is_none_or(|from| from <= label.created_at)
            && self.created_to.is_none_or(|to| label.created_at < to)
    }
}

/// By what a stream is found: the narrowest of what it may see and wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Order(OrderKey),
    Client(PartyId),
    Customer(PartyId),
    All,
    /// Nobody's: nothing concerns it.
    Nowhere,
}

impl Route {
    pub(super) fn of(scope: Scope, filter: &Filter) -> Self {
        if filter.newcomer.is_some() {
            return Self::Nowhere;
        }
        match (scope, filter.order, filter.client) {
            (Scope::Client(PartyId::NOBODY) | Scope::Customer(PartyId::NOBODY), _, _) => Self::Nowhere,
            (_, Some(order), _) => Self::Order(order),
            (Scope::Customer(customer), None, _) => Self::Customer(customer),
            (Scope::Client(client), None, _) | (Scope::All, None, Some(client)) => Self::Client(client),
            (Scope::All, None, None) => Self::All,
        }
    }
}
