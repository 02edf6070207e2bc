//! Whether it lives, whether it is ready, and how it is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Problem, ProblemSchema};
use super::state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(health, health_by_post))
}

/// How it is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, `degraded` or `down`.
    #[schema(value_type = String)]
    status: &'static str,
    #[schema(format = DateTime)]
    timestamp: String,
    checks: Checks,
}

/// How each part is: `ok` or `down`.
#[derive(Serialize, ToSchema)]
struct Checks {
    #[schema(value_type = String)]
    database: &'static str,
    #[schema(value_type = String)]
    cache: &'static str,
    #[schema(value_type = String)]
    event_queue: &'static str,
}

/// Whether the process is alive
#[utoipa::path(get, path = "/healthz", tag = "operations", security(()),
    responses((status = 200, description = "It is", body = Object, example = json!({"status": "ok"}))))]
async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Whether requests can be served
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "They can", body = Object, example = json!({"status": "ok"})),
        (status = 503, description = "The store does not answer", body = ProblemSchema)))]
async fn readyz(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    if database_answers(&state).await && state.engine.is_running() {
        Ok(Json(json!({"status": "ok"})))
    } else {
        Err(Problem::unavailable(
            "the store does not answer",
            crate::engine::RETRY_AFTER,
        ))
    }
}

/// How the server is
#[utoipa::path(get, path = "/health", tag = "operations", security(()),
    responses((status = 200, description = "Well enough to serve", body = Health),
        (status = 503, description = "The database or the queue is down", body = Health)))]
async fn health(State(state): State<AppState>) -> impl IntoResponse {
    let part = |well| if well { "ok" } else { "down" };
    let checks = Checks {
        database: part(database_answers(&state).await),
        // In this process, so as well as the process.
        cache: "ok",
        event_queue: part(state.engine.is_running()),
    };
    let down = checks.database == "down" || checks.event_queue == "down";
    let status = if down { "down" } else { "ok" };
    let code = if down {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let timestamp = state.now().to_string();
    (
        code,
        Json(Health {
            status,
            timestamp,
            checks,
        }),
    )
}

/// How the server is
///
/// The same, for checks that can only POST.
#[utoipa::path(post, path = "/health", tag = "operations", security(()),
    responses((status = 200, description = "Well enough to serve", body = Health),
        (status = 503, description = "The database or the queue is down", body = Health)))]
async fn health_by_post(state: State<AppState>) -> impl IntoResponse {
    health(state).await
}

async fn database_answers(state: &AppState) -> bool {
    state
        .read(|reader| reader.party(store::PartyKind::Client, ""))
        .await
        .is_ok()
}
