//! `GET /api/v1/orders/{order_id}/transitions`: where an order can go from here, for who asks.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use model::Head;
use model::lifecycle::{Lifecycle, StateId, Step};
use model::role::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::order;

/// Where an order can go.
#[derive(Serialize, ToSchema)]
pub(super) struct Transitions {
    /// Its status.
    status: String,
    /// Statuses that the caller can bring it to now.
    allowed: Vec<Allowed>,
    /// All others of its lifecycle.
    refused: Vec<Refused>,
}

/// A status that can be reached.
#[derive(Serialize, ToSchema)]
#[schema(as = AllowedTransition)]
struct Allowed {
    to: String,
}

/// A status that cannot, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedTransition)]
struct Refused {
    to: String,
    reason: String,
}

/// Where an order can go
///
/// For the caller's role: every status of the order's lifecycle, either as one that it may be brought to now or with the reason why not.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}/transitions", tag = "orders",
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "What is possible; `ETag` has the version that it holds for", body = Transitions),
        (status = 404, description = "No order has this id", body = ProblemSchema)))]
pub(super) async fn transitions(
    State(state): State<AppState>,
    asker: Asker,
    Path(order_id): Path<String>,
    parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    parameters.finish()?;
    let role = asker.role;
    let (version, transitions) =
        order::read(&state, asker.principal(), &order_id, move |state, _, record| {
            let lifecycle = state.lifecycle_of(record)?;
            let transitions = transitions_of(&lifecycle, &record.head, role, record.placement.is_archived());
            Ok((record.head.version, transitions))
        })
        .await?;
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(transitions)))
}

fn transitions_of(lifecycle: &Lifecycle, head: &Head, role: Role, is_archived: bool) -> Transitions {
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for state in lifecycle.state_ids() {
        let to = lifecycle.state_name(state).to_owned();
        let closed = if is_archived {
            Some("the order has ended, and its history is archived".to_owned())
        } else if head.is_full() {
            Some("the order holds as many events as an order may".to_owned())
        } else {
            reason_against(lifecycle, head.status, state, role)
        };
        match closed {
            None => allowed.push(Allowed { to }),
            Some(reason) => refused.push(Refused { to, reason }),
        }
    }
    Transitions {
        status: lifecycle.state_name(head.status).to_owned(),
        allowed,
        refused,
    }
}

/// Why this role cannot bring an order from the one status to the other; `None` where it can.
fn reason_against(lifecycle: &Lifecycle, from: StateId, to: StateId, role: Role) -> Option<String> {
    let now = lifecycle.state_name(from);
    match lifecycle.step(from, to) {
        Step::Same => Some("the order has this status".to_owned()),
        // What customers ask for is a cancellation: they report nothing.
        Step::Allowed(arrow)
            if arrow.by.contains(role) && (role != Role::Customer || lifecycle.cancelled() == Some(to)) =>
        {
            None
        }
        Step::Allowed(arrow) => {
            let may: Vec<&str> = arrow.by.iter().map(Role::name).collect();
            let role = role.name();
            Some(format!(
                "the role {role} may not do this; it takes {}",
                may.join(" or ")
            ))
        }
        _ if lifecycle.is_final(from) => Some(format!("the order has ended as {now}")),
        Step::Late => Some("the order has passed this status".to_owned()),
        Step::Early => Some(format!("a step is missing between {now} and this status")),
        Step::Never => Some(format!("the lifecycle does not lead from {now} to this status")),
    }
}
