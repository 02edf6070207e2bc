//! `GET /orders`.

use axum::Json;
use axum::extract::State;
use store::{Error, PageFilter, Reader};

use super::super::limits::ORDERS_AT_ONCE;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::standing::Standing;
use super::super::state::AppState;
use super::guest::Guest;
use super::order::FoodOrder;
use super::{LIFECYCLE, statuses};

/// Food orders
///
/// Newest first. Customers see their own, operators and admins all, clients and drivers none; where `OPEN_ORDERS` is on, whoever asks
/// without a token sees all.
#[utoipa::path(get, path = "/orders", tag = "food", security((), ("bearer" = [])),
    params(
        ("status" = Option<String>, Query, description = "Only those of this status, such as `PLACED`"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given")),
    responses(
        (status = 200, description = "The newest", body = Vec<FoodOrder>),
        (status = 401, description = "No token, and `OPEN_ORDERS` is off", body = ProblemSchema)))]
pub(super) async fn list_orders(
    State(state): State<AppState>,
    guest: Guest,
    mut parameters: Parameters,
) -> Result<Json<Vec<FoodOrder>>, Problem> {
    let status = parameters.text("status");
    let limit = parameters.limit();
    let statuses = statuses(&state, status.as_deref());
    if statuses.is_empty() {
        let newest = state.engine.lifecycle_named(LIFECYCLE);
        let (_, lifecycle) = newest.ok_or_else(Problem::internal)?;
        let known: Vec<&str> = lifecycle.states().iter().map(|state| &*state.name).collect();
        parameters.complain("status", "value", &format!("must be one of {}", known.join(", ")));
    }
    parameters.finish()?;
    let reading = state.clone();
    let listed = state
        .read_list(move |reader| {
            let filter = PageFilter {
                owner: guest.scope(reader)?,
                client: None,
                reference: None,
                statuses: Some(statuses.clone()),
                created_from: None,
                created_to: None,
            };
            newest(&reading, reader, &filter, limit)
        })
        .await?;
    Ok(Json(listed))
}

/// The newest orders: as many pages as it takes, since each may have fewer than were asked for.
fn newest(
    state: &AppState,
    reader: &mut dyn Reader,
    filter: &PageFilter,
    limit: u32,
) -> Result<Vec<FoodOrder>, Error> {
    let (mut listed, mut before) = (Vec::new(), None);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    while listed.len() < limit {
        let wanted = (limit - listed.len()).min(ORDERS_AT_ONCE);
        let page = reader.page_orders(filter, before, u32::try_from(wanted).unwrap_or(u32::MAX))?;
        for order in &page.orders {
            listed.push(FoodOrder::of(
                order,
                &*state.lifecycle_of(order)?,
                Standing::from(&order.head),
            ));
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(listed)
}
