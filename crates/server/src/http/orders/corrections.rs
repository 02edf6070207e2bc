//! `POST /api/v1/orders/{order_id}/corrections`: an event was wrong.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use model::command::Change;
use model::event_id::{EventIdCodec, EventRef};
use model::ids::Version;
use model::limits::{MAX_EVENT_ID_CHARS, MAX_TEXT_CHARS};
use model::role::Role;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::fields::{self, Fields};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::Request;
use super::order::{Order, OrderBody};

/// A correction.
#[derive(ToSchema)]
#[schema(as = Correction)]
#[expect(dead_code, reason = "describes what `correct_order` reads")]
pub(super) struct CorrectionSchema {
    /// The event that was wrong, as the order's history names it.
    event_id: String,
    /// Why: at most 500 characters.
    reason: String,
}

/// Correct an order
///
/// For operators and admins: an event of the order is struck, and the order has the status that the others give it. Both stay in its
/// history. Creations, corrections and events given up are not struck, nor is what ended the order or moved stock or money, unless
/// its lifecycle says how that is made good.
#[utoipa::path(post, path = "/api/v1/orders/{order_id}/corrections", tag = "orders", request_body = CorrectionSchema,
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "The order without that event; `ETag` has its version", body = OrderBody),
        (status = 404, description = "No order has this id", body = ProblemSchema),
        (status = 409, description = "This event cannot be struck: `detail` says why", body = ProblemSchema),
        (status = 412, description = "If-Match names an older version", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn correct_order(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    Path(order_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Operator, Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let value = fields::parse(&received.bytes)?;
    let mut fields = Fields::of(&value);
    let event_id = fields.text("event_id", MAX_EVENT_ID_CHARS).unwrap_or_default();
    let reason = fields.text("reason", MAX_TEXT_CHARS).unwrap_or_default().into();
    fields.finish()?;
    let request = Request {
        state: &state,
        asker: &asker,
        headers: &headers,
        body: &received.bytes,
        method_and_path: format!("POST /api/v1/orders/{order_id}/corrections"),
        order_id: &order_id,
    };
    let correct = |order: &Order| {
        let strike = version_of(state.engine.event_ids(), event_id, order)?;
        Ok(Change::Correct { strike, reason })
    };
    request.make(correct, None).await
}

/// Which of the order's events it is.
fn version_of(event_ids: &EventIdCodec, event_id: &str, order: &Order) -> Result<Version, Problem> {
    let wrong = |message| Err(Problem::field("event_id", "value", message));
    match event_ids.decode(event_id) {
        Some(EventRef::Entry(key, version)) if key == order.key => Ok(version),
        Some(EventRef::Entry(..)) => wrong("is an event of another order"),
        Some(EventRef::DeadLetter(_)) => {
            wrong("is an event that was refused: it is in no history and changes nothing")
        }
        None => wrong("is no event of this server: the order's history has those that there are"),
    }
}
