//! An order as every path shows it: what was told of it at its creation, and where it stands.
//!
//! The first half never changes, so it may be read before a change is asked for; the second comes with the engine's answer. So an
//! answer to a change is of the very moment of the change, whatever comes after it, and costs no second read.

use std::sync::Arc;

use axum::http::StatusCode;
use model::StateId;
use model::ids::{OrderKey, Owner, PartyId};
use model::lifecycle::Lifecycle;
use model::public_id::PublicId;
use model::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use store::{Error, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::auth::Principal;
use super::super::found;
use super::super::idempotency::JsonAnswer;
use super::super::problem::Problem;
use super::super::standing::Standing;
use super::super::state::AppState;
use super::details::{Customer, Details, Item};

/// An order.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderBody {
    order_id: String,
    /// The name of its lifecycle: `GET /api/v1/lifecycles/{name}`.
    lifecycle: String,
    /// One of its lifecycle's.
    status: String,
    /// What the status means in every lifecycle: `pending`, `active`, `moving`, `done` or `stopped`.
    #[schema(value_type = String)]
    phase: &'static str,
    customer: Option<Customer>,
    /// The customer's own.
    customer_reference: Option<String>,
    /// The client that it belongs to.
    merchant: Option<String>,
    items: Vec<Item>,
    /// Where it goes.
    address: Option<String>,
    /// What it costs: of orders that are paid here.
    #[schema(value_type = Option<Object>)]
    total: Option<Value>,
    /// As it was given.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// When its creation was recorded.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its last event was recorded.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Rises by one with every event; also in `ETag`.
    version: u32,
}

/// What never changes of an order.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) id: PublicId,
    pub(super) key: OrderKey,
    pub(super) created_at: Timestamp,
    pub(super) told: Told,
}

/// What was told of it at its creation.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) reference: Option<Box<str>>,
    pub(super) merchant: Option<Arc<str>>,
    pub(super) details: Details,
}

impl Order {
    /// What is stored of it, made ready to be shown.
    pub(super) fn of(state: &AppState, reader: &mut dyn Reader, record: &OrderRecord) -> Result<Self, Error> {
        let lifecycle = state.lifecycle_of(record)?;
        // What was erased, or was told in another form than is known here, is left out: an order that is there is shown.
        let details = record
            .details
            .as_ref()
            .and_then(|sealed| Details::read(lifecycle.name(), sealed.content()).ok());
        Ok(Self {
            id: record.public_id.clone(),
            key: record.head.order,
            created_at: record.created_at,
            told: Told {
                lifecycle,
                reference: record.reference.clone(),
                merchant: merchant(state, reader, &record.head.owner)?,
                details: details.unwrap_or_default(),
            },
        })
    }

    /// The whole, as it is shown.
    pub(super) fn body(&self, standing: Standing) -> OrderBody {
        let Told {
            lifecycle,
            reference,
            merchant,
            details,
        } = &self.told;
        OrderBody {
            order_id: self.id.to_string(),
            lifecycle: lifecycle.name().to_owned(),
            status: lifecycle.state_name(standing.status).to_owned(),
            phase: phase(lifecycle, standing.status),
            customer: details.customer.clone(),
            customer_reference: reference.as_deref().map(str::to_owned),
            merchant: merchant.as_deref().map(str::to_owned),
            items: details.items.clone(),
            address: details.address.as_deref().map(str::to_owned),
            total: None,
            metadata: details.metadata.clone(),
            created_at: self.created_at.to_string(),
            updated_at: standing.updated_at.to_string(),
            version: standing.version.get(),
        }
    }

    /// The answer that shows it.
    pub(super) fn answer(&self, status: StatusCode, standing: Standing) -> JsonAnswer {
        JsonAnswer::new(status, &self.body(standing)).with_version(standing.version.get())
    }
}

/// The name of the client that an order belongs to.
fn merchant(state: &AppState, reader: &mut dyn Reader, owner: &Owner) -> Result<Option<Arc<str>>, Error> {
    if owner.client == PartyId::NOBODY {
        return Ok(None);
    }
    state.party_name(reader, owner.client).map(Some)
}

/// The phase of a status.
pub(super) fn phase(lifecycle: &Lifecycle, status: StateId) -> &'static str {
    lifecycle.state(status).map_or("?", |state| state.phase.name())
}

/// Reads an order that the caller may see, and what else is wanted of it at the same instant. One that is not there is 404; another
/// party's is 403.
pub(super) async fn read<T: Send + 'static>(
    state: &AppState,
    asker: &Arc<Principal>,
    order_id: &str,
    mut more: impl FnMut(&AppState, &mut dyn Reader, &OrderRecord) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let unknown = || Problem::not_found("no order has this id");
    let id = PublicId::new(order_id).map_err(|_| unknown())?;
    let (reading, asker) = (state.clone(), asker.clone());
    let found = state
        .read(move |reader| {
            let found = found::find(reader, &id, |reader| Ok(asker.known_actor(reader)?.scope))?;
            found.try_map(|record| more(&reading, reader, &record))
        })
        .await?;
    found.or_told("order", unknown)
}
