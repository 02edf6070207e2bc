//! `PUT /api/v1/admin/orders/{order_id}/status`: an admin sets a status, if need be against the lifecycle.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use model::command::Change;
use model::limits::{MAX_SOURCE_CHARS, MAX_TEXT_CHARS};
use model::role::Role;
use serde_json::json;
use store::accounts::AuditRecord;
use utoipa::ToSchema;

use super::super::accounts::Trail;
use super::super::auth::Asker;
use super::super::fields::{self, Fields};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::{Audit, Request};
use super::order::{Order, OrderBody};
use crate::accounts::{By, Entity, States};
use crate::engine::Accepted;

/// A status that is set.
#[derive(ToSchema)]
#[schema(as = StatusOverride)]
#[expect(dead_code, reason = "describes what `Wish::read` reads")]
pub(super) struct OverrideSchema {
    /// The status it is to have, one of its lifecycle's.
    status: String,
    /// Why: at most 500 characters.
    reason: String,
    /// Also against the lifecycle's arrows; then it is recorded as an override.
    force: Option<bool>,
}

/// Set a status
///
/// For admins. Along the lifecycle's arrows, or with `force` to any other status of it. Who did it and why is in the order's history and
/// in the trail.
#[utoipa::path(put, path = "/api/v1/admin/orders/{order_id}/status", tag = "orders", request_body = OverrideSchema,
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "The order, which has the status; `ETag` has its version", body = OrderBody),
        (status = 404, description = "No order has this id", body = ProblemSchema),
        (status = 409, description = "There is no arrow, and no `force`; or it has the status already", body = ProblemSchema),
        (status = 412, description = "If-Match names an older version", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn set_status(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    headers: HeaderMap,
    Path(order_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let wish = Wish::read(&received.bytes)?;
    let request = Request {
        state: &state,
        asker: &asker,
        headers: &headers,
        body: &received.bytes,
        method_and_path: format!("PUT /api/v1/admin/orders/{order_id}/status"),
        order_id: &order_id,
    };
    let change = Change::Override {
        status: wish.status.clone(),
        reason: wish.reason.clone(),
        force: wish.force,
    };
    let by = trail.by(&asker);
    let audit: Audit = Box::new(move |order, accepted| wish.line(&by, order, accepted));
    request.make(|_| Ok(change), Some(audit)).await
}

/// What is wished for.
struct Wish {
    status: Box<str>,
    reason: Box<str>,
    force: bool,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let value = fields::parse(body)?;
        let mut fields = Fields::of(&value);
        let status = fields.text("status", MAX_SOURCE_CHARS).unwrap_or_default().into();
        let reason = fields.text("reason", MAX_TEXT_CHARS).unwrap_or_default().into();
        let force = fields.optional_bool("force").unwrap_or_default();
        fields.finish()?;
        Ok(Self {
            status,
            reason,
            force,
        })
    }

    /// The line of the trail.
    fn line(&self, by: &By, order: &Order, accepted: &Accepted) -> AuditRecord {
        let lifecycle = &order.told.lifecycle;
        let before = accepted
            .previous
            .map(|status| json!({"status": lifecycle.state_name(status)}));
        let after = json!({
            "status": lifecycle.state_name(accepted.status),
            "version": accepted.version.get(),
            "reason": self.reason,
            "force": self.force,
        });
        let states = States {
            before,
            after: Some(after),
        };
        let at = accepted.recorded_at;
        by.record("order.set_status", Entity::Order, order.id.as_str(), &states, at)
    }
}
