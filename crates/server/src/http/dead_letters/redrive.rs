//! `POST /api/v1/admin/dead-letters/{dead_letter_id}/redrive`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::command::{Actor, Change, OrderRef};
use model::event_id::{EventIdCodec, EventRef};
use model::role::Role;
use model::time::Timestamp;
use serde::Serialize;
use store::{KeptDeadLetter, Record, Redriven};
use utoipa::ToSchema;

use super::super::accounts::Trail;
use super::super::auth::Asker;
use super::super::events::Expected;
use super::super::idempotency::{self, JsonAnswer};
use super::super::problem::{Kind, Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, limits};
use crate::accounts::Entity;
use crate::engine::{Answer, Command, Outcome, Submission};

/// An event that was sent again and accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct RedrivenEvent {
    /// The id of the event that is in the history now.
    event_id: String,
    tracking_number: String,
    /// `applied`, `parked` or `duplicate`.
    #[schema(value_type = String)]
    outcome: &'static str,
}

/// Send a refused event again
///
/// For admins, and judged as theirs. Accepted, its receipt says so from then on; refused again, the answer says why.
#[utoipa::path(post, path = "/api/v1/admin/dead-letters/{dead_letter_id}/redrive", tag = "administration",
    params(("dead_letter_id" = String, Path, description = "As the list has it")),
    responses(
        (status = 200, description = "Accepted", body = RedrivenEvent),
        (status = 404, description = "No refused event has this id, or still no shipment that number", body = ProblemSchema),
        (status = 409, description = "Refused again, or accepted before", body = ProblemSchema)))]
pub(super) async fn redrive(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    headers: HeaderMap,
    Path(dead_letter_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Admin])?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    if !matches!(received.bytes.trim_ascii(), b"" | b"{}") {
        return Err(Problem::field(
            "",
            "unknown",
            "the body must be empty: the event is sent as it was kept",
        ));
    }
    let unknown = || Problem::not_found("no refused event has this id");
    let Some(EventRef::DeadLetter(id)) = state.engine.event_ids().decode(&dead_letter_id) else {
        return Err(unknown());
    };
    let now = state.now();
    let path = format!("POST /api/v1/admin/dead-letters/{dead_letter_id}/redrive");
    let keyed = state
        .under_way
        .key(&headers, &asker, &path, &received.bytes, now)?;
    let kept = state
        .read(move |reader| reader.dead_letter(id))
        .await?
        .ok_or_else(unknown)?;
    // With a key, the answer may be there already: then what has become of the letter does not matter.
    if kept.redriven.is_some() && keyed.is_none() {
        return Err(accepted_before());
    }
    let actor = asker.actor(&state.engine).await?;
    let command = command(&state, actor, &kept)?;
    let told = Told {
        event_ids: state.engine.event_ids().clone(),
        tracking_number: kept.letter.public_id.to_string(),
        now,
    };
    let audited = trail.of(
        &asker,
        "dead_letter.redrive",
        Entity::DeadLetter,
        &dead_letter_id,
        now,
    );
    let submission = Submission {
        label: asker.label(),
        commands: vec![command],
        once: keyed.as_ref().map(|keyed| keyed.once().clone()),
        records: Some(Arc::new({
            let (told, keyed) = (told.clone(), keyed.clone());
            move |answers: &[Answer]| {
                let Ok((redriven, answer)) = told.answer(answers.first()) else {
                    return Vec::new();
                };
                let stored = keyed
                    .as_ref()
                    .map(|keyed| Record::Answer(answer.to_stored(keyed.once(), now)));
                let made = [Record::Redriven(id, redriven), Record::Audit(audited.clone())];
                made.into_iter().chain(stored).collect()
            }
        })),
        ..Submission::default()
    };
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(told.answer(answers.first())?.1.into_response())
    })
}

/// What the answer is made of besides the outcome.
#[derive(Clone)]
struct Told {
    event_ids: EventIdCodec,
    tracking_number: String,
    now: Timestamp,
}

impl Told {
    fn answer(&self, answer: Option<&Answer>) -> Result<(Redriven, JsonAnswer), Problem> {
        let (order, version, outcome, last_version) = match answer {
            Some(Ok(Outcome::Accepted(accepted))) => {
                (accepted.order, accepted.version, "applied", accepted.last_version)
            }
            Some(Ok(Outcome::Duplicate(known) | Outcome::Unchanged(known))) => {
                (known.order, known.version, "duplicate", known.last_version)
            }
            Some(Ok(Outcome::Refused(refusal, _))) => return Err(refusal.into()),
            Some(Err(failure)) => return Err((*failure).into()),
            None => return Err(Problem::internal()),
        };
        let event_id = self.event_ids.encode(EventRef::Entry(order, version)).to_string();
        let body = RedrivenEvent {
            tracking_number: self.tracking_number.clone(),
            event_id,
            outcome,
        };
        let answer = JsonAnswer::new(StatusCode::OK, &body).with_version(last_version.get());
        let at = self.now;
        Ok((Redriven { order, version, at }, answer))
    }
}

/// The event of a letter, as the admin's own.
fn command(state: &AppState, actor: Actor, kept: &KeptDeadLetter) -> Result<Command, Problem> {
    let (_, lifecycle) = state.shipment_lifecycle()?;
    let expected = Expected {
        lifecycle: &lifecycle,
        now: state.now(),
    };
    let text = std::str::from_utf8(&kept.letter.content).unwrap_or_default();
    let event = expected.read(text).map_err(|problem| {
        Problem::new(
            Kind::Conflict,
            format!(
                "what was kept is no event that can be sent again: {}",
                problem.detail
            ),
        )
    })?;
    Ok(Command::Change {
        order: OrderRef::Public(event.shipment),
        actor,
        expected: None,
        change: Change::Report(event.report),
    })
}

fn accepted_before() -> Problem {
    Problem::new(Kind::Conflict, "this event was sent again and accepted before")
}
