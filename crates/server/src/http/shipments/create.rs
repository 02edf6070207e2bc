//! `POST /shipments`.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::role::Role;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use store::PartyKind;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::idempotency::{self, JsonAnswer};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, fields, limits};
use super::wish::{Wish, WishSchema};
use crate::engine::{Accepted, Answer, Command, Outcome, Submission};

/// A shipment that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedShipment {
    /// Its number.
    tracking_number: String,
    /// `created`.
    #[schema(value_type = String)]
    status: &'static str,
    /// When its creation was recorded.
    #[schema(format = DateTime)]
    created_at: String,
    /// Whose it is.
    client_id: String,
}

/// Make a shipment
///
/// By a client for itself, by operators and admins for anyone.
#[utoipa::path(post, path = "/shipments", tag = "shipments", request_body = WishSchema,
    responses(
        (status = 201, description = "Made; `Location` has its path, `ETag` its version", body = CreatedShipment),
        (status = 409, description = "A request with the same Idempotency-Key is under way", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key was used with another body", body = ProblemSchema)))]
pub(super) async fn create_shipment(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Client, Role::Operator, Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let now = state.now();
    let value = fields::parse(&received.bytes)?;
    let wish = Wish::read(&value, &received.bytes, now).map_err(Problem::fields)?;
    wish.must_be_own(&asker)?;
    let keyed = state
        .under_way
        .key(&headers, &asker, "POST /shipments", &received.bytes, now)?;
    let actor = asker.actor(&state.engine).await?;
    let client_name: Arc<str> = (*wish.client).into();
    let client = state.engine.party(PartyKind::Client, &client_name).await?;
    let (lifecycle, _) = state.shipment_lifecycle()?;
    let create = wish.into_command(&state, lifecycle, actor, client, now)?;
    let mut submission = Submission {
        label: asker.label(),
        commands: vec![Command::Create(Box::new(create))],
        ..Submission::default()
    };
    if let Some(keyed) = &keyed {
        let client_name = client_name.clone();
        keyed.keep(&mut submission, now, move |answers| {
            answer(answers.first(), &client_name)
        });
    }
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(answer(answers.first(), &client_name)?.into_response())
    })
}

fn answer(answer: Option<&Answer>, client: &str) -> Result<JsonAnswer, Problem> {
    let accepted = created(answer)?;
    let tracking_number = accepted
        .created
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let location = format!("/shipments/{tracking_number}");
    let body = CreatedShipment {
        tracking_number,
        status: "created",
        created_at: accepted.recorded_at.to_string(),
        client_id: client.to_owned(),
    };
    let answer = JsonAnswer::new(StatusCode::CREATED, &json!(body));
    Ok(answer
        .with_location(location)
        .with_version(accepted.version.get()))
}

/// The creation in an answer, or why there is none.
pub(super) fn created(answer: Option<&Answer>) -> Result<&Accepted, Problem> {
    match answer {
        Some(Ok(Outcome::Accepted(accepted))) => Ok(accepted),
        Some(Ok(Outcome::Refused(refusal, _))) => Err(refusal.into()),
        Some(Err(failure)) => Err((*failure).into()),
        Some(Ok(Outcome::Duplicate(..) | Outcome::Unchanged(..))) | None => Err(Problem::internal()),
    }
}
