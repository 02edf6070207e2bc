//! `POST /events`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use model::EntryKind;
use model::command::{Change, OrderRef};
use model::event_id::{EventIdCodec, EventRef};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::body::Received;
use super::super::idempotency::{self, JsonAnswer};
use super::super::precondition::if_match;
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, fields, limits};
use super::event::{EventSchema, Expected};
use super::tally::too_many_dead_letters;
use super::{REPORTERS, prefers_to_wait};
use crate::engine::{Answer, Command, Contents, Outcome, Submission};

/// An event that was taken in.
#[derive(Serialize, ToSchema)]
struct AcceptedEvent {
    event_id: String,
    /// `queued`.
    #[schema(value_type = String)]
    status: &'static str,
    tracking_number: String,
    #[schema(value_type = String)]
    message: &'static str,
}

/// What became of an event.
#[derive(Serialize, ToSchema)]
struct DecidedEvent {
    event_id: String,
    tracking_number: String,
    /// `applied`, `parked` or `duplicate`.
    #[schema(value_type = String)]
    outcome: &'static str,
}

/// The one event of a body.
struct WholeBody(Received);

impl Contents for WholeBody {
    fn of(&self, _: usize) -> Option<Box<[u8]>> {
        // One blown up by white space is kept as the command says.
        if self.0.bytes.len() > limits::LINE_BYTES {
            return None;
        }
        Some((*self.0.bytes).into())
    }
}

/// Report an event
///
/// 202: it is durable, whatever happens next; the receipt at `Location` says what became of it, also of an event for an
/// unknown or another party's shipment. With `Prefer: wait=N` the answer says so itself.
#[utoipa::path(post, path = "/events", tag = "events", request_body = EventSchema,
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: answer with the outcome")),
    responses(
        (status = 202, description = "Taken in", body = AcceptedEvent),
        (status = 200, description = "With `Prefer: wait`: the outcome", body = DecidedEvent),
        (status = 404, description = "With `Prefer: wait`: no such shipment", body = ProblemSchema),
        (status = 409, description = "With `Prefer: wait`: the shipment cannot take this step", body = ProblemSchema),
        (status = 412, description = "`If-Match` is stale", body = ProblemSchema)))]
pub(super) async fn post_event(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&REPORTERS)?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let now = state.now();
    let (_, lifecycle) = state.shipment_lifecycle()?;
    let event = Expected {
        lifecycle: &lifecycle,
        now,
    }
    .read(fields::text(&received.bytes)?)?;
    let keyed = state
        .under_way
        .key(&headers, &asker, "POST /events", &received.bytes, now)?;
    let expected = if_match(&headers)?;
    let told = Told {
        event_ids: state.engine.event_ids().clone(),
        tracking_number: event.shipment.to_string(),
        waits: prefers_to_wait(&headers),
        conditional: expected.is_some(),
    };
    let mut submission = Submission {
        label: asker.label(),
        commands: vec![Command::Change {
            order: OrderRef::Public(event.shipment),
            actor: asker.actor(&state.engine).await?,
            expected,
            change: Change::Report(event.report),
        }],
        keep_refusals: true,
        contents: Some(Arc::new(WholeBody(received))),
        ..Submission::default()
    };
    let told = Arc::new(told);
    if let Some(keyed) = &keyed {
        let told = told.clone();
        keyed.keep(&mut submission, now, move |answers| told.answer(answers.first()));
    }
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        let refused = matches!(answers.first(), Some(Ok(Outcome::Refused(..))));
        state.metrics.events(1, usize::from(refused));
        let mut response = told.answer(answers.first())?.into_response();
        if told.waits {
            response
                .headers_mut()
                .insert("preference-applied", HeaderValue::from_static("wait"));
        }
        Ok(response)
    })
}

/// What the answer is made of besides the outcome.
struct Told {
    event_ids: EventIdCodec,
    tracking_number: String,
    waits: bool,
    conditional: bool,
}

impl Told {
    fn answer(&self, answer: Option<&Answer>) -> Result<JsonAnswer, Problem> {
        let outcome = match answer {
            Some(Ok(outcome)) => outcome,
            Some(Err(failure)) => return Err((*failure).into()),
            None => return Err(Problem::internal()),
        };
        let id = |to| self.event_ids.encode(to).to_string();
        let (event_id, told, version) = match outcome {
            Outcome::Accepted(accepted) => {
                let told = if accepted.kind == EntryKind::Parked {
                    "parked"
                } else {
                    "applied"
                };
                let id = id(EventRef::Entry(accepted.order, accepted.version));
                (id, told, Some(accepted.last_version))
            }
            Outcome::Duplicate(known) | Outcome::Unchanged(known) => {
                let id = id(EventRef::Entry(known.order, known.version));
                (id, "duplicate", Some(known.last_version))
            }
            Outcome::Refused(refusal, Some(letter)) => {
                let id = id(EventRef::DeadLetter(*letter));
                let stale = self.conditional && refusal.code() == "version_mismatch";
                if self.waits || stale {
                    return Err(Problem::from(refusal).about(format!("/events/{id}")));
                }
                (id, "rejected", None)
            }
            Outcome::Refused(_, None) => return Err(too_many_dead_letters()),
        };
        let location = format!("/events/{event_id}");
        if !self.waits {
            let body = AcceptedEvent {
                event_id,
                status: "queued",
                tracking_number: self.tracking_number.clone(),
                message: "Event accepted for processing",
            };
            return Ok(JsonAnswer::new(StatusCode::ACCEPTED, &body).with_location(location));
        }
        let body = DecidedEvent {
            event_id,
            tracking_number: self.tracking_number.clone(),
            outcome: told,
        };
        let answer = JsonAnswer::new(StatusCode::OK, &body).with_location(location);
        Ok(match version {
            Some(version) => answer.with_version(version.get()),
            None => answer,
        })
    }
}
