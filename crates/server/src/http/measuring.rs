//! Baselines of the bench: handlers that are reached as all others are, past the same front, and do only what any server would
//! have to do. [`super::Http::for_measuring`] alone adds them: no command of the binary does.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::auth::Asker;
use super::problem::Problem;
use super::state::AppState;
use super::{body, events, fields, limits};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/measuring/nothing", get(nothing).post(nothing_of_json))
        .route("/measuring/parse", post(events::parse_only))
}

/// Asks who it is, and answers.
async fn nothing(_: Asker) -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Asks who it is, takes a body in, sees that it is JSON, and answers.
async fn nothing_of_json(
    State(state): State<AppState>,
    _: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let text = fields::text(&received.bytes)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| fields::malformed(&error))?;
    Ok((StatusCode::ACCEPTED, Json(json!({"status": "ok"}))))
}
