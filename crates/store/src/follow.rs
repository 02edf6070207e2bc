//! Following the log: whose entries are wanted, and what is told of their orders.

use foldhash::HashSet;
use model::Entry;
use model::ids::{OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::time::Timestamp;

use crate::records::LogEntry;

/// Whose entries are wanted of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Everybody's.
    All,
    /// Those of some.
    Some(Wanted),
}

/// Entries of these orders, of orders of these clients, and of orders of these customers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Orders.
    pub orders: HashSet<OrderKey>,
    /// Clients.
    pub clients: HashSet<PartyId>,
    /// Customers.
    pub customers: HashSet<PartyId>,
}

impl Interest {
    /// Whether an entry is wanted.
    #[must_use]
    pub fn covers(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Some(wanted) => wanted.covers(entry.order, entry.owner.client, entry.owner.customer),
        }
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        match self {
            Self::All => false,
            Self::Some(wanted) => {
                wanted.orders.is_empty() && wanted.clients.is_empty() && wanted.customers.is_empty()
            }
        }
    }
}

impl Wanted {
    pub(crate) fn covers(&self, order: OrderKey, client: PartyId, customer: PartyId) -> bool {
        // The empty ones are not asked: millions of entries are passed over here.
        !self.orders.is_empty() && self.orders.contains(&order)
            || !self.clients.is_empty() && self.clients.contains(&client)
            || !self.customers.is_empty() && self.customers.contains(&customer)
    }
}

/// A part of the log, of which only what is wanted is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// What is wanted of it, by rising position.
    pub entries: Vec<LogEntry>,
    /// Where the part ends: all before is either among the entries or not wanted.
    pub through: Position,
}

/// What tells an order to those outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLabel {
    /// The order.
    pub order: OrderKey,
    /// Its public id.
    pub public_id: PublicId,
    /// The customer's reference.
    pub reference: Option<Box<str>>,
    /// Of the customer's contact: see [`Identity::contact_hash`](crate::Identity::contact_hash).
    pub contact_hash: Option<i64>,
    /// When its creation was recorded.
    pub created_at: Timestamp,
}
