//! Refused events: an admin looks at them and sends them again.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::command::{Actor, Change, OrderRef, Scope};
use model::event_id::EventRef;
use model::ids::{DeadLetterId, PartyId};
use model::role::Role;
use serde::Serialize;
use store::{Error, KeptDeadLetter, Reader, Record, Redriven};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::Trail;
use super::auth::Asker;
use super::events::Expected;
use super::idempotency::{self, JsonAnswer};
use super::problem::{Kind, Problem, ProblemSchema};
use super::query::Parameters;
use super::state::AppState;
use super::{body, limits};
use crate::accounts::Entity;
use crate::engine::{Answer, Command, OnceAnswer, Outcome, Submission};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(dead_letters))
        .routes(routes!(redrive))
}

/// A page of refused events.
#[derive(Serialize, ToSchema)]
struct DeadLetterPage {
    /// Newest first.
    data: Vec<DeadLetterBody>,
    next_cursor: Option<String>,
}

/// A refused event.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct DeadLetterBody {
    /// Its id, under which its receipt stands too.
    dead_letter_id: String,
    tracking_number: String,
    /// Whose shipment that is, if there is one.
    client_id: Option<String>,
    /// Who sent it.
    actor: String,
    /// The problem's code.
    #[schema(value_type = String)]
    error: &'static str,
    /// Why it was refused.
    reason: String,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    decided_at: String,
    /// What was sent, as it was sent.
    content: String,
    /// When it was sent again and accepted.
    #[schema(format = DateTime)]
    redriven_at: Option<String>,
}

/// Refused events
///
/// For admins; newest first.
#[utoipa::path(get, path = "/api/v1/admin/dead-letters", tag = "administration",
    params(("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = DeadLetterPage)))]
async fn dead_letters(
    State(state): State<AppState>,
    asker: Asker,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Admin])?;
    let limit = parameters.limit();
    let before = match parameters.text("cursor").map(|cursor| cursor_from(&cursor)) {
        Some(None) => {
            parameters.complain("cursor", "format", "is not one of this list");
            None
        }
        Some(before) => before,
        None => None,
    };
    parameters.finish()?;
    let reading = state.clone();
    let page = state
        .read(move |reader| {
            // One more tells whether there is another page.
            let mut letters = reader.dead_letters(before, limit + 1)?;
            let more = letters.len() > usize::try_from(limit).unwrap_or(usize::MAX);
            letters.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let next_cursor = letters.last().filter(|_| more).map(|last| cursor_to(last.id));
            let data: Result<Vec<DeadLetterBody>, Error> = letters
                .into_iter()
                .map(|letter| shown(&reading, reader, letter))
                .collect();
            Ok(DeadLetterPage {
                data: data?,
                next_cursor,
            })
        })
        .await?;
    let mut headers = HeaderMap::new();
    if let Some(cursor) = &page.next_cursor {
        let link = format!("</api/v1/admin/dead-letters?limit={limit}&cursor={cursor}>; rel=\"next\"");
        headers.extend(link.parse().ok().map(|link| (header::LINK, link)));
    }
    Ok((headers, Json(page)))
}

fn shown(state: &AppState, reader: &mut dyn Reader, kept: KeptDeadLetter) -> Result<DeadLetterBody, Error> {
    let letter = kept.letter;
    let client_id = match letter.owner.client {
        PartyId::NOBODY => None,
        client => Some(state.party_name(reader, client)?.to_string()),
    };
    Ok(DeadLetterBody {
        dead_letter_id: state
            .engine
            .event_ids()
            .encode(EventRef::DeadLetter(kept.id))
            .to_string(),
        tracking_number: letter.public_id.into(),
        client_id,
        actor: state.party_name(reader, letter.actor)?.to_string(),
        error: Problem::of_refusal(&letter.code, &letter.detail).kind.code(),
        reason: letter.detail.into(),
        received_at: letter.received_at.to_string(),
        decided_at: letter.decided_at.to_string(),
        content: String::from_utf8_lossy(&letter.content).into_owned(),
        redriven_at: kept.redriven.map(|redriven| redriven.at.to_string()),
    })
}

fn cursor_to(id: DeadLetterId) -> String {
    URL_SAFE_NO_PAD.encode(id.get().to_be_bytes())
}

fn cursor_from(text: &str) -> Option<DeadLetterId> {
    let bytes: [u8; 8] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(DeadLetterId::new(i64::from_be_bytes(bytes)))
}

/// An event that was sent again and accepted.
#[derive(Serialize, ToSchema)]
struct RedrivenEvent {
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
async fn redrive(
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
    let actor = asker.actor(&state.engine).await?;
    let once = keyed.as_ref().map(|keyed| keyed.once.clone());
    // With a key, the answer may be there already: then what has become of the letter does not matter.
    if kept.redriven.is_some() && once.is_none() {
        return Err(accepted_before());
    }
    let command = command(&state, actor, &kept)?;
    let tracking_number = kept.letter.public_id.to_string();
    let event_ids = state.engine.event_ids().clone();
    let answer = Arc::new(move |answers: &[Answer]| {
        match answers.first() {
            Some(Ok(Outcome::Accepted(accepted))) => Ok((
                accepted.order,
                accepted.version,
                "applied",
                Some(accepted.last_version),
            )),
            Some(Ok(Outcome::Duplicate(order, version) | Outcome::Unchanged(order, version))) => {
                Ok((*order, *version, "duplicate", None))
            }
            Some(Ok(Outcome::Refused(refusal, _))) => Err(Problem::from(refusal)),
            Some(Err(failure)) => Err((*failure).into()),
            None => Err(Problem::internal()),
        }
        .map(|(order, version, outcome, etag)| {
            let body = RedrivenEvent {
                event_id: event_ids.encode(EventRef::Entry(order, version)).to_string(),
                tracking_number: tracking_number.clone(),
                outcome,
            };
            let answer = JsonAnswer::new(StatusCode::OK, &body);
            let answer = match etag {
                Some(version) => answer.with_version(version.get()),
                None => answer,
            };
            (
                Redriven {
                    order,
                    version,
                    at: now,
                },
                answer,
            )
        })
    });
    let (records, audited) = (
        answer.clone(),
        trail.of(
            &asker,
            "dead_letter.redrive",
            Entity::DeadLetter,
            &dead_letter_id,
            now,
        ),
    );
    let for_records = once.clone();
    let submission = Submission {
        commands: vec![command],
        once,
        records: Some(Arc::new(move |answers: &[Answer]| match records(answers) {
            Ok((redriven, answer)) => {
                let mut made = vec![Record::Redriven(id, redriven), Record::Audit(audited.clone())];
                made.extend(
                    for_records
                        .as_ref()
                        .map(|once| Record::Answer(answer.to_stored(once, now))),
                );
                made
            }
            Err(_) => Vec::new(),
        })),
        ..Submission::default()
    };
    match state.engine.submit_once(submission).await? {
        OnceAnswer::Decided(answers) => Ok(answer(&answers)?.1.into_response()),
        OnceAnswer::Before(stored) => idempotency::replay(&stored),
        OnceAnswer::KeyReused => Err(idempotency::reused()),
    }
}

/// The event of a letter, as the admin's own.
fn command(state: &AppState, actor: Actor, kept: &KeptDeadLetter) -> Result<Command, Problem> {
    let (_, lifecycle) = state.shipment_lifecycle()?;
    let expected = Expected {
        lifecycle,
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
        actor: Actor {
            scope: Scope::All,
            ..actor
        },
        expected: None,
        change: Change::Report(event.report),
    })
}

fn accepted_before() -> Problem {
    Problem::new(Kind::Conflict, "this event was sent again and accepted before")
}
