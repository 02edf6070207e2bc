//! Scan events: one by one, in batches, as a stream; and what became of each.
//!
//! An event is decided before its 202 and durable by then, so a receipt never waits. What the lifecycle, the owner or an unknown number
//! refuses is kept as a dead letter with the bytes that came.

mod batch;
mod cut;
mod event;
mod lines;
mod parse_only;
mod receipt;
mod single;
mod tally;

pub(super) use event::{Expected, LocationSchema};
pub(super) use parse_only::parse_only;

use axum::http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(single::post_event))
        .routes(routes!(batch::post_events))
        .routes(routes!(receipt::event))
        .routes(routes!(receipt::batch))
}

/// Who reports events.
const REPORTERS: [model::role::Role; 3] = [
    model::role::Role::Driver,
    model::role::Role::Operator,
    model::role::Role::Admin,
];

/// Whether the caller wishes to be told the outcome (RFC 7240, `wait`). It is known by the time of the answer, so however long the caller
/// would wait is long enough.
fn prefers_to_wait(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| {
            let name = preference.split('=').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("wait")
        })
}
