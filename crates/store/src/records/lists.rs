//! What is asked for lists and pages of orders, and what comes back.

use model::StateId;
use model::command::Scope;
use model::ids::{LifecycleId, OrderKey, Owner, PartyId, Version};
use model::public_id::PublicId;
use model::time::Timestamp;

use super::OrderRecord;

/// Which orders a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFilter {
    /// The statuses, each of one definition. None: no orders.
    pub statuses: Vec<(LifecycleId, StateId)>,
    /// Only those of this client.
    pub client: Option<PartyId>,
}

/// Which orders a page shows: those to which all of this applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFilter {
    /// Whose: nobody has none.
    pub owner: Scope,
    /// Of those, only the ones of this client.
    pub client: Option<PartyId>,
    /// Only those with this reference, or whose customer is reached by this. Of a contact the store has a hash: an order
    /// whose reference is another may, once in 2^64, have another contact as well, and the caller, who can read its details, leaves it out.
    pub reference: Option<Box<str>>,
    /// Only those in one of these statuses, each of one definition. `None`: in any.
    pub statuses: Option<Vec<(LifecycleId, StateId)>>,
    /// Only those whose creation was recorded then or later.
    pub created_from: Option<Timestamp>,
    /// Only those whose creation was recorded before.
    pub created_to: Option<Timestamp>,
}

/// A page of orders.
#[derive(Clone, Debug)]
pub struct OrderPage {
    /// The newest first. There may be fewer than were asked for, or none, though more follow.
    pub orders: Vec<OrderRecord>,
    /// Before which one the next page begins. `None`: there are no more.
    pub next: Option<OrderKey>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderList {
    /// How many there are, on all pages.
    pub total: u64,
    /// The page, newest first.
    pub orders: Vec<ListedOrder>,
}

/// An order in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOrder {
    /// Its key.
    pub order: OrderKey,
    /// Its public id.
    pub public_id: PublicId,
    /// Whose it is.
    pub owner: Owner,
    /// Its definition.
    pub lifecycle: LifecycleId,
    /// Its status.
    pub status: StateId,
    /// Its version.
    pub version: Version,
    /// When its creation was recorded.
    pub created_at: Timestamp,
    /// When its last entry was.
    pub updated_at: Timestamp,
}
