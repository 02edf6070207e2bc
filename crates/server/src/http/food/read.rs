//! `GET /orders/{order_id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use store::{Error, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemSchema};
use super::super::standing::Standing;
use super::super::state::AppState;
use super::events::{OrderEvent, events};
use super::guest::Guest;
use super::order::{FoodOrder, find, id_of, unknown};

/// A food order and what happened to it.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderWithEvents {
    order: FoodOrder,
    /// Oldest first; `CREATED` and `PLACED` are the first two.
    events: Vec<OrderEvent>,
    /// There, and true, where the events are archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_archived: Option<bool>,
}

/// A food order
///
/// For its customer, for operators and admins; where `OPEN_ORDERS` is on, for whoever asks.
#[utoipa::path(get, path = "/orders/{order_id}", tag = "food", security((), ("bearer" = [])),
    params(("order_id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "With its events, oldest first; `ETag` has its version", body = OrderWithEvents),
        (status = 401, description = "No token, and `OPEN_ORDERS` is off", body = ProblemSchema),
        (status = 403, description = "Another's order", body = ProblemSchema),
        (status = 404, description = "No food order has this id", body = ProblemSchema)))]
pub(super) async fn order(
    State(state): State<AppState>,
    guest: Guest,
    Path(order_id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let id = id_of(&order_id)?;
    let reading = state.clone();
    let found = state
        .read(move |reader| {
            let found = find(&reading, reader, &guest, &id)?;
            found.try_map(|order| Ok((order.head.version, with_events(&reading, reader, &order)?)))
        })
        .await?;
    let (version, shown) = found.or_told("order", unknown)?;
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(shown)))
}

fn with_events(
    state: &AppState,
    reader: &mut dyn Reader,
    order: &OrderRecord,
) -> Result<OrderWithEvents, Error> {
    let is_archived = order.placement.is_archived();
    let history = if is_archived {
        Vec::new()
    } else {
        reader.history(order)?
    };
    let lifecycle = state.lifecycle_of(order)?;
    Ok(OrderWithEvents {
        order: FoodOrder::of(order, &lifecycle, Standing::from(&order.head)),
        events: events(order.public_id.as_str(), &lifecycle, &history),
        history_archived: is_archived.then_some(true),
    })
}
