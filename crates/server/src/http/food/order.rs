//! A food order as it is shown, and finding one.

use model::Lifecycle;
use model::public_id::PublicId;
use serde::Serialize;
use serde_json::Value;
use store::{Error, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::found::{self, Found};
use super::super::problem::Problem;
use super::super::standing::Standing;
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
    status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl FoodOrder {
    pub(super) fn of(order: &OrderRecord, lifecycle: &Lifecycle, standing: Standing) -> Self {
        let details = order.details.as_ref();
        // Of an order that is no meal other things may have been told.
        let told: Value = details
            .and_then(|details| serde_json::from_slice(details.content()).ok())
            .unwrap_or_default();
        let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            order_id: order.public_id.to_string(),
            customer_name: text("customer_name"),
            address: text("address"),
            item: text("item"),
            size: text("size"),
            status: lifecycle.state_name(standing.status).to_owned(),
            created_at: order.created_at.to_string(),
            updated_at: standing.updated_at.to_string(),
        }
    }
}

/// Looks for a food order that a guest may see.
pub(super) fn find(
    state: &AppState,
    reader: &mut dyn Reader,
    guest: &Guest,
    id: &PublicId,
) -> Result<Found<OrderRecord>, Error> {
    let found = found::find(reader, id, |reader| guest.scope(reader))?;
    Ok(found.of_lifecycle(state, LIFECYCLE))
}

/// The id of a path. One that no order can have is unknown.
pub(super) fn id_of(text: &str) -> Result<PublicId, Problem> {
    PublicId::new(text).map_err(|_| unknown())
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("no food order has this id")
}
