//! A food order as it is shown, and finding one.

use model::Lifecycle;
use model::command::OrderRef;
use model::public_id::PublicId;
use serde::{Deserialize, Serialize};
use store::{Error, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::state::AppState;
use super::LIFECYCLE;
use super::guest::Guest;

/// A food order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FoodOrder {
    pub(super) order_id: String,
    /// Null, as the three after it, once what is personal was erased.
    customer_name: Option<String>,
    address: Option<String>,
    item: Option<String>,
    /// `small`, `medium` or `large`.
    size: Option<String>,
    /// Such as `PLACED`.
    pub(super) status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    pub(super) updated_at: String,
}

/// What was told of it, as far as it is food.
#[derive(Default, Deserialize)]
struct Told {
    customer_name: Option<String>,
    address: Option<String>,
    item: Option<String>,
    size: Option<String>,
}

impl FoodOrder {
    pub(super) fn of(order: &OrderRecord, lifecycle: &Lifecycle) -> Self {
        let details = order.details.as_ref();
        // What is no object of such texts was told of another kind of food.
        let told: Told = details
            .and_then(|details| serde_json::from_slice(details.content()).ok())
            .unwrap_or_default();
        Self {
            order_id: order.public_id.to_string(),
            customer_name: told.customer_name,
            address: told.address,
            item: told.item,
            size: told.size,
            status: lifecycle.state_name(order.head.status).to_owned(),
            created_at: order.created_at.to_string(),
            updated_at: order.head.recorded_at.to_string(),
        }
    }
}

/// Finds a food order that a guest may see.
pub(super) enum Found {
    Nothing,
    Anothers,
    Order(Box<OrderRecord>),
}

pub(super) fn find(
    state: &AppState,
    reader: &mut dyn Reader,
    guest: &Guest,
    id: &PublicId,
) -> Result<Found, Error> {
    let Some(order) = reader.order(&OrderRef::Public(id.clone()))? else {
        return Ok(Found::Nothing);
    };
    if !guest.scope(reader)?.covers(&order.head.owner) {
        return Ok(Found::Anothers);
    }
    let lifecycle = state.engine.lifecycle(order.head.lifecycle);
    if lifecycle.is_some_and(|lifecycle| lifecycle.name() != LIFECYCLE) {
        return Ok(Found::Nothing);
    }
    Ok(Found::Order(Box::new(order)))
}

/// The id of a path. One that no order can have is unknown.
pub(super) fn id_of(text: &str) -> Result<PublicId, Problem> {
    PublicId::new(text).map_err(|_| unknown())
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("no food order has this id")
}

pub(super) fn anothers() -> Problem {
    Problem::forbidden("this order belongs to someone else")
}

/// That a definition is not there which an order names.
pub(super) fn lifecycle_missing(order: &OrderRecord) -> Error {
    Error::Damaged(format!("{}: its lifecycle is not stored", order.public_id))
}
