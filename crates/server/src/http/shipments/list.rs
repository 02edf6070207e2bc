//! `GET /shipments`.

use axum::Json;
use axum::extract::State;
use model::StateId;
use model::command::Scope;
use model::ids::{LifecycleId, PartyId};
use model::role::Role;
use serde::Serialize;
use store::{Error, OrderFilter, OrderList, Reader};
use utoipa::ToSchema;

use super::super::auth::{Asker, Principal};
use super::super::limits::{SHIPMENTS_PAGE, SHIPMENTS_PAGE_DEFAULT};
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::{AppState, Shared};

/// A page of shipments.
#[derive(Serialize, ToSchema)]
pub(super) struct ShipmentPage {
    /// Newest first.
    data: Vec<ListedShipment>,
    pagination: Pagination,
}

/// A shipment in a list.
#[derive(Serialize, ToSchema)]
struct ListedShipment {
    tracking_number: String,
    client_id: String,
    current_status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Where the page stands.
#[derive(Serialize, ToSchema)]
struct Pagination {
    /// Shipments on all pages.
    total: u64,
    limit: u32,
    offset: u64,
    /// Whether there are more.
    has_next: bool,
}

/// Shipments
///
/// Newest first. Clients and drivers see those of their client, operators and admins all, customers none.
#[utoipa::path(get, path = "/shipments", tag = "shipments",
    params(
        ("status" = Option<String>, Query, description = "Only those of this status"),
        ("client_id" = Option<String>, Query, description = "Only those of this client; of another than the caller's own: 403"),
        ("limit" = Option<u32>, Query, description = "1 to 100; 10 if not given"),
        ("offset" = Option<u64>, Query, description = "How many to pass over")),
    responses((status = 200, description = "A page", body = ShipmentPage),
        (status = 403, description = "Another's client_id", body = ProblemSchema)))]
pub(super) async fn list_shipments(
    State(state): State<AppState>,
    asker: Asker,
    mut parameters: Parameters,
) -> Result<Json<ShipmentPage>, Problem> {
    let status = parameters.text("status");
    let client = parameters.text("client_id");
    let limit = parameters.number("limit", 1, u64::from(SHIPMENTS_PAGE));
    let limit = limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(SHIPMENTS_PAGE_DEFAULT);
    let offset = parameters.number("offset", 0, u64::from(u32::MAX)).unwrap_or(0);
    let statuses = statuses(&state, status.as_deref());
    if statuses.is_empty() {
        let (_, lifecycle) = state.shipment_lifecycle()?;
        let known: Vec<&str> = lifecycle.states().iter().map(|state| &*state.name).collect();
        parameters.complain("status", "value", &format!("must be one of {}", known.join(", ")));
    }
    parameters.finish()?;
    if let (Some(wanted), false) = (&client, asker.is_staff())
        && asker.client.as_deref() != Some(wanted)
    {
        return Err(Problem::forbidden(
            "client_id names another client: you see your own only",
        ));
    }
    let reading = state.clone();
    let page = state
        .read_list(move |reader| {
            let Some(client) = whose(reader, &asker, client.as_deref())? else {
                return Ok(page_of(Vec::new(), 0, limit, offset));
            };
            let filter = OrderFilter {
                statuses: statuses.clone(),
                client,
            };
            let list = reader.list_orders(&filter, offset, limit)?;
            listed(&reading, reader, &list).map(|data| page_of(data, list.total, limit, offset))
        })
        .await?;
    Ok(Json(page))
}

/// The statuses that are wanted, of every definition of shipments that there ever was.
fn statuses(state: &AppState, wanted: Option<&str>) -> Vec<(LifecycleId, StateId)> {
    let mut statuses = Vec::new();
    for (id, lifecycle) in state.engine.lifecycles_named("shipment") {
        let wanted = lifecycle
            .state_ids()
            .filter(|status| wanted.is_none_or(|wanted| lifecycle.state_name(*status) == wanted));
        statuses.extend(wanted.map(|status| (id, status)));
    }
    statuses
}

/// Whose shipments are listed: everybody's, one client's, or (outer `None`) nobody's.
fn whose(
    reader: &mut dyn Reader,
    principal: &Principal,
    client: Option<&str>,
) -> Result<Option<Option<PartyId>>, Error> {
    match (principal.role, client) {
        (Role::Operator | Role::Admin | Role::System, None) => Ok(Some(None)),
        (Role::Operator | Role::Admin | Role::System, Some(client)) => {
            Ok(Shared::known_client(reader, client)?.map(Some))
        }
        (Role::Client | Role::Driver, _) => match principal.known_actor(reader)?.scope {
            Scope::Client(own) if own != PartyId::NOBODY => Ok(Some(Some(own))),
            Scope::Client(_) | Scope::All | Scope::Customer(_) => Ok(None),
        },
        (Role::Customer, _) => Ok(None),
    }
}

fn listed(state: &AppState, reader: &mut dyn Reader, list: &OrderList) -> Result<Vec<ListedShipment>, Error> {
    let mut data = Vec::with_capacity(list.orders.len());
    for order in &list.orders {
        let lifecycle = state.engine.lifecycle(order.lifecycle);
        data.push(ListedShipment {
            tracking_number: order.public_id.to_string(),
            client_id: state.party_name(reader, order.owner.client)?.to_string(),
            current_status: lifecycle
                .map(|lifecycle| lifecycle.state_name(order.status).to_owned())
                .unwrap_or_default(),
            created_at: order.created_at.to_string(),
            updated_at: order.updated_at.to_string(),
        });
    }
    Ok(data)
}

fn page_of(data: Vec<ListedShipment>, total: u64, limit: u32, offset: u64) -> ShipmentPage {
    ShipmentPage {
        data,
        pagination: Pagination {
            total,
            limit,
            offset,
            has_next: offset.saturating_add(u64::from(limit)) < total,
        },
    }
}
