//! `GET /api/v1/orders/{order_id}`: an order as it is, or as it was.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use model::history::History;
use model::time::Timestamp;
use model::{Entry, Head};
use serde::Serialize;
use store::{Error, LogEntry, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::standing::Standing;
use super::super::state::AppState;
use super::order::{self, Order, OrderBody, phase};

/// An order
///
/// With `at` as the server knew it then; with `clock=occurred` too as it was in the world then, by all that is known today: its
/// times are the world's as well.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}", tag = "orders",
    params(("order_id" = String, Path, description = "An order's id, or a tracking number"),
        ("at" = Option<String>, Query, description = "At this time (RFC 3339)"),
        ("clock" = Option<String>, Query, description = "By which clock that is: `recorded`, which it is if not given, or `occurred`")),
    responses(
        (status = 200, description = "The order; `ETag` has its version", body = OrderBody),
        (status = 404, description = "No order has this id, it did not exist yet, or the history that is needed is archived", body = ProblemSchema)))]
pub(super) async fn order(
    State(state): State<AppState>,
    asker: Asker,
    Path(order_id): Path<String>,
    mut parameters: Parameters,
) -> Result<Response<Body>, Problem> {
    let moment = Moment::read(&mut parameters);
    parameters.finish()?;
    let (order, standing) = order::read(
        &state,
        asker.principal(),
        &order_id,
        move |state, reader, record| {
            let order = Order::of(state, reader, record)?;
            match moment {
                Moment::Now => Ok((order, Some(Standing::from(&record.head)))),
                Moment::RecordedBy(at) => {
                    let standing = recorded_by(reader, &order, record, at)?;
                    Ok((order, standing))
                }
                Moment::OccurredBy(at) => Ok(match occurred_by(reader, &order, record, at)? {
                    Some((created_at, standing)) => (Order { created_at, ..order }, Some(standing)),
                    None => (order, None),
                }),
            }
        },
    )
    .await?;
    let standing = standing.ok_or_else(|| Problem::not_found("this order did not exist then"))?;
    Ok(order.answer(StatusCode::OK, standing).into_response())
}

/// When an order is looked at.
#[derive(Clone, Copy)]
enum Moment {
    Now,
    /// By what the server knew then.
    RecordedBy(Timestamp),
    /// By what had happened then.
    OccurredBy(Timestamp),
}

impl Moment {
    fn read(parameters: &mut Parameters) -> Self {
        let at = parameters.timestamp("at");
        let clock = parameters.text("clock");
        let is_world = match clock.as_deref() {
            None | Some("recorded") => false,
            Some("occurred") => true,
            Some(_) => {
                parameters.complain("clock", "value", "must be recorded or occurred");
                false
            }
        };
        if clock.is_some() && !parameters.is_given("at") {
            parameters.complain("clock", "value", "needs at beside it: the time to look at");
        }
        match at.map(end_of_microsecond) {
            None => Self::Now,
            Some(at) if is_world => Self::OccurredBy(at),
            Some(at) => Self::RecordedBy(at),
        }
    }
}

/// Times are kept to the nanosecond and shown to the microsecond: one that was taken from an answer means all of its microsecond, so
/// that the event which it is of is in.
fn end_of_microsecond(at: Timestamp) -> Timestamp {
    let nanos = at.as_nanos();
    if nanos.rem_euclid(1_000) == 0 {
        Timestamp::from_nanos(nanos.saturating_add(999))
    } else {
        at
    }
}

/// Where the order stood as the server knew it; `None` before its creation.
fn recorded_by(
    reader: &mut dyn Reader,
    order: &Order,
    record: &OrderRecord,
    at: Timestamp,
) -> Result<Option<Standing>, Error> {
    let head: &Head = &record.head;
    // Also of an order whose history is archived.
    if head.recorded_at <= at {
        return Ok(Some(head.into()));
    }
    if at < record.created_at {
        return Ok(None);
    }
    let entries = entries(reader, record)?;
    let found = History::new(&order.told.lifecycle, &entries).as_recorded_at(at);
    Ok(found.and_then(|found| {
        let last = entries.iter().find(|entry| entry.version == found.version)?;
        Some(Standing {
            status: found.status,
            version: found.version,
            updated_at: last.recorded_at,
        })
    }))
}

/// When the order began in the world, and where it stood; `None` before it began.
fn occurred_by(
    reader: &mut dyn Reader,
    order: &Order,
    record: &OrderRecord,
    at: Timestamp,
) -> Result<Option<(Timestamp, Standing)>, Error> {
    let entries = entries(reader, record)?;
    let found = History::new(&order.told.lifecycle, &entries).as_occurred_at(at);
    Ok(found.and_then(|found| {
        let began = entries.first()?.occurred_at;
        let last = entries.iter().find(|entry| entry.version == found.version)?;
        let standing = Standing {
            status: found.status,
            version: found.version,
            updated_at: last.occurred_at,
        };
        Some((began, standing))
    }))
}

fn entries(reader: &mut dyn Reader, record: &OrderRecord) -> Result<Vec<Entry>, Error> {
    let history = reader.history(record)?.into_iter();
    Ok(history.map(|LogEntry { entry, .. }| entry).collect())
}

/// Where an order stands.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderStatus)]
pub(super) struct StatusBody {
    order_id: String,
    status: String,
    /// `pending`, `active`, `moving`, `done` or `stopped`.
    #[schema(value_type = String)]
    phase: &'static str,
    /// When its last event was recorded.
    #[schema(format = DateTime)]
    updated_at: String,
    version: u32,
}

/// The status of an order
///
/// The least there is to say of it, for those who ask often.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}/status", tag = "orders",
    params(("order_id" = String, Path, description = "An order's id, or a tracking number")),
    responses(
        (status = 200, description = "Its status; `ETag` has its version", body = StatusBody),
        (status = 404, description = "No order has this id", body = ProblemSchema)))]
pub(super) async fn order_status(
    State(state): State<AppState>,
    asker: Asker,
    Path(order_id): Path<String>,
    parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    parameters.finish()?;
    let status = order::read(&state, asker.principal(), &order_id, |state, _, record| {
        let lifecycle = state.lifecycle_of(record)?;
        Ok(StatusBody {
            order_id: record.public_id.to_string(),
            status: lifecycle.state_name(record.head.status).to_owned(),
            phase: phase(&lifecycle, record.head.status),
            updated_at: record.head.recorded_at.to_string(),
            version: record.head.version.get(),
        })
    })
    .await?;
    Ok(([(header::ETAG, format!("\"{}\"", status.version))], Json(status)))
}
