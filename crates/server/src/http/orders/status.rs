//! `POST /api/v1/orders/{order_id}/status`: an order has come to a status.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use model::command::{Change, Report, ReportFields};
use model::entry::Location;
use model::limits::MAX_SOURCE_CHARS;
use model::role::Role;
use model::time::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::event_time;
use super::super::events::LocationSchema;
use super::super::fields::Fields;
use super::super::problem::{Problem, ProblemSchema};
use super::super::raw_metadata::WithMetadata;
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::Request;
use super::order::OrderBody;

/// A report.
#[derive(ToSchema)]
#[schema(as = StatusReport)]
#[expect(dead_code, reason = "describes what `report` reads")]
pub(super) struct ReportSchema {
    /// The status it has come to, one of its lifecycle's.
    status: String,
    /// The device or system that says so: at most 200 characters.
    source: String,
    /// When that happened: from 2000 to 24 hours ahead; now, if not given.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
    /// Where.
    location: Option<LocationSchema>,
    /// Anything: at most 16 KiB.
    metadata: Option<serde_json::Map<String, Value>>,
}

/// Report a status
///
/// By clients, drivers, operators and admins, as far as the order's lifecycle lets them. The same source, time and status again change
/// nothing and are answered with the order.
#[utoipa::path(post, path = "/api/v1/orders/{order_id}/status", tag = "orders", request_body = ReportSchema,
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "The order, which has come to it; `ETag` has its version", body = OrderBody),
        (status = 404, description = "No order has this id", body = ProblemSchema),
        (status = 409, description = "The order cannot take this step: `allowed` lists those it can", body = ProblemSchema),
        (status = 412, description = "If-Match names an older version", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn report_status(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    Path(order_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Client, Role::Driver, Role::Operator, Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let report = report(&WithMetadata::parse(&received.bytes)?, state.now())?;
    let request = Request {
        state: &state,
        asker: &asker,
        headers: &headers,
        body: &received.bytes,
        method_and_path: format!("POST /api/v1/orders/{order_id}/status"),
        order_id: &order_id,
    };
    request.make(|_| Ok(Change::Report(report)), None).await
}

fn report(body: &WithMetadata, now: Timestamp) -> Result<Report, Problem> {
    let mut fields = Fields::of(&body.value);
    let status = fields.text("status", MAX_SOURCE_CHARS);
    let source = fields.text("source", MAX_SOURCE_CHARS);
    let occurred_at = event_time::occurred_at(&mut fields, now);
    let location = fields.optional("location");
    let location = location.and_then(|location| read_location(&mut fields, location));
    let metadata = body.metadata(&mut fields);
    fields.finish()?;
    let report = Report::new(ReportFields {
        status: status.unwrap_or_default().into(),
        source: source.unwrap_or_default().into(),
        occurred_at: occurred_at.unwrap_or(now),
        client_event_id: None,
        location,
        notes: None,
        metadata: metadata.map(|metadata| metadata.get().as_bytes().into()),
        received_at: now,
    });
    report.map_err(|error| Problem::fields(vec![error.into()]))
}

fn read_location(fields: &mut Fields<'_>, value: &Value) -> Option<Location> {
    let mut location = Fields::under(value, "location.".to_owned());
    let lat = location.number("lat", "must lie between -90 and 90 degrees", |lat| {
        lat.abs() <= 90.0
    });
    let lng = location.number("lng", "must lie between -180 and 180 degrees", |lng| {
        lng.abs() <= 180.0
    });
    fields.take_in(location);
    Some(Location { lat: lat?, lng: lng? })
}
