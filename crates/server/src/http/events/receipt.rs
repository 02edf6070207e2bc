//! What became of an event, or of a batch.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use model::command::{OrderRef, Scope};
use model::ids::OrderKey;
use model::role::Role;
use serde::Serialize;
use serde_json::{Value, json};
use store::Reader;
use utoipa::ToSchema;

use super::super::auth::{Asker, Principal};
use super::super::front::RequestId;
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::tally::DecidedEvents;
use crate::engine::{Handle, Receipt};

/// A receipt.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(super) struct ReceiptBody {
    event_id: String,
    tracking_number: String,
    /// `queued`, `applied`, `parked`, `rejected` or `dead`.
    #[schema(value_type = String)]
    outcome: &'static str,
    /// Why, where it was not simply applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of a rejected event: the error that who waited would have got.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemSchema>)]
    problem: Option<Value>,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    decided_at: String,
}

/// The receipt of an event
///
/// For who sent it and for those who may see its shipment; for anybody else 403.
#[utoipa::path(get, path = "/events/{event_id}", tag = "events",
    params(("event_id" = String, Path, description = "As the answer to the event had it")),
    responses(
        (status = 200, description = "What became of it", body = ReceiptBody),
        (status = 404, description = "No event has this id, or the history it is in is archived", body = ProblemSchema)))]
pub(super) async fn event(
    State(state): State<AppState>,
    asker: Asker,
    axum::Extension(request_id): axum::Extension<RequestId>,
    Path(event_id): Path<String>,
) -> Result<Json<ReceiptBody>, Problem> {
    let (engine, id) = (state.engine.clone(), event_id.clone());
    let found = state
        .read(move |reader| {
            let Some(receipt) = engine.receipt_from(reader, &id)? else {
                return Ok(None);
            };
            let actor = asker.known_actor(reader)?;
            let own = receipt.actor == Some(actor.party) && actor.party != model::ids::PartyId::NOBODY;
            // Whose shipment it is does not hear of what others wrongly sent for it.
            let foreign = receipt.refusal.as_deref() == Some("not_yours") && actor.scope != Scope::All;
            let visible = own || actor.scope.covers(&receipt.owner) && !foreign || asker.is_staff();
            let allowed = match (receipt.refusal.as_deref(), receipt.order) {
                (Some("invalid_transition"), Some(order)) => allowed(&engine, reader, order, asker.role)?,
                (_, _) => None,
            };
            Ok(Some((receipt, visible, allowed)))
        })
        .await?;
    match found {
        None => Err(Problem::not_found("no event has this id")),
        Some((_, false, _)) => Err(Problem::forbidden("this receipt belongs to someone else")),
        Some((receipt, true, allowed)) => Ok(Json(body(receipt, allowed, event_id, &request_id))),
    }
}

/// The statuses that an order could come to now.
fn allowed(
    engine: &Handle,
    reader: &mut dyn Reader,
    order: OrderKey,
    role: Role,
) -> Result<Option<Value>, store::Error> {
    let order = reader.order(&OrderRef::Key(order))?;
    Ok(order.and_then(|order| {
        let lifecycle = engine.lifecycle(order.head.lifecycle)?;
        let allowed = lifecycle.allowed(order.head.status, role);
        let names: Vec<&str> = allowed.map(|status| lifecycle.state_name(status)).collect();
        Some(json!(names))
    }))
}

fn body(receipt: Receipt, allowed: Option<Value>, event_id: String, request_id: &RequestId) -> ReceiptBody {
    let reason = receipt.reason.clone().unwrap_or_default();
    let problem = receipt
        .refusal
        .as_deref()
        .map(|code| Problem::of_refusal(code, &reason));
    let path = format!("/events/{event_id}");
    ReceiptBody {
        tracking_number: receipt.public_id,
        outcome: receipt.outcome.name(),
        reason: receipt.reason,
        problem: problem
            .map(|problem| match allowed {
                Some(allowed) => problem.with_member("allowed", allowed),
                None => problem,
            })
            .map(|problem| problem.to_json(&path, &request_id.0, receipt.decided_at)),
        received_at: receipt.received_at.to_string(),
        decided_at: receipt.decided_at.to_string(),
        event_id,
    }
}

/// What became of a batch
///
/// For who sent it, operators and admins; kept for 30 days.
#[utoipa::path(get, path = "/events/batches/{batch_id}", tag = "events",
    params(("batch_id" = String, Path, description = "As the answer to the batch had it")),
    responses(
        (status = 200, description = "What became of its events", body = DecidedEvents),
        (status = 404, description = "No batch of the last 30 days has this id", body = ProblemSchema)))]
pub(super) async fn batch(
    State(state): State<AppState>,
    asker: Asker,
    Path(batch_id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let found = state
        .read(move |reader| {
            let Some(receipt) = reader.batch(&batch_id)? else {
                return Ok(None);
            };
            let visible = is_visible(&asker, asker.known_actor(reader)?.party, receipt.actor);
            Ok(Some((receipt, visible)))
        })
        .await?;
    match found {
        None => Err(Problem::not_found("no batch of the last 30 days has this id")),
        Some((_, false)) => Err(Problem::forbidden("this batch belongs to someone else")),
        Some((receipt, true)) => Ok((
            [(header::CONTENT_TYPE, "application/json")],
            Vec::from(receipt.content),
        )),
    }
}

fn is_visible(principal: &Principal, party: model::ids::PartyId, sender: model::ids::PartyId) -> bool {
    principal.is_staff() || party == sender && party != model::ids::PartyId::NOBODY
}
