//! `PUT /api/v1/orders/{order_id}/cancel`: an order is not wanted any more.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use model::command::Change;
use model::limits::MAX_TEXT_CHARS;
use model::role::Role;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::fields::{self, Fields};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::Request;
use super::order::OrderBody;

/// A cancellation; it may be left out.
#[derive(ToSchema)]
#[schema(as = Cancellation)]
#[expect(dead_code, reason = "describes what `reason` reads")]
pub(super) struct CancellationSchema {
    /// Why: at most 500 characters.
    reason: Option<String>,
}

/// Cancel an order
///
/// By whom its lifecycle lets: customers their deliveries, clients their merchant orders, operators and admins any; never drivers. An
/// order that is cancelled already is answered as it is.
#[utoipa::path(put, path = "/api/v1/orders/{order_id}/cancel", tag = "orders",
    request_body = Option<CancellationSchema>,
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "The order, cancelled; `ETag` has its version", body = OrderBody),
        (status = 404, description = "No order has this id", body = ProblemSchema),
        (status = 409, description = "The order has come too far, or to its end", body = ProblemSchema),
        (status = 412, description = "If-Match names an older version", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn cancel_order(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    Path(order_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Customer, Role::Client, Role::Operator, Role::Admin])?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let reason = if received.bytes.trim_ascii().is_empty() {
        None
    } else {
        body::must_be_json(&headers)?;
        reason(&received.bytes)?
    };
    let request = Request {
        state: &state,
        asker: &asker,
        headers: &headers,
        body: &received.bytes,
        method_and_path: format!("PUT /api/v1/orders/{order_id}/cancel"),
        order_id: &order_id,
    };
    let change = Change::Cancel {
        reason,
        source: "api".into(),
    };
    request.make(|_| Ok(change), None).await
}

fn reason(body: &[u8]) -> Result<Option<Box<str>>, Problem> {
    let value = fields::parse(body)?;
    let mut fields = Fields::of(&value);
    let reason = fields.optional_text("reason", MAX_TEXT_CHARS).map(Into::into);
    fields.finish()?;
    Ok(reason)
}
