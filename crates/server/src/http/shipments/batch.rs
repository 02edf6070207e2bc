//! `POST /shipments/batch`: many at once, in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::ids::PartyId;
use model::role::Role;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::PartyKind;
use utoipa::ToSchema;

use super::super::auth::{Asker, Principal};
use super::super::fields::{Entries, Object};
use super::super::idempotency::{self, JsonAnswer};
use super::super::limits::{BATCH_BODY_BYTES, BATCH_ENTRIES, LINE_BYTES};
use super::super::problem::{FieldProblem, Kind, Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, fields};
use super::create::created;
use super::wish::{Wish, WishSchema};
use crate::engine::{Answer, Command, Submission};

/// A batch.
#[derive(ToSchema)]
#[schema(as = NewShipments)]
#[expect(dead_code, reason = "describes what is read below, object by object")]
pub(super) struct BatchSchema {
    /// 1 to 10,000.
    shipments: Vec<WishSchema>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch<'a> {
    #[serde(borrow)]
    shipments: Entries<&'a RawValue>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedShipments {
    /// Entries of the batch.
    received: usize,
    /// Shipments made.
    created: usize,
    /// One for each entry.
    results: Vec<EntryResult>,
}

/// What became of one entry: a tracking number, or what is wrong with it.
#[derive(Serialize, ToSchema)]
pub(super) struct EntryResult {
    /// The place in the batch, from 0; of lines it counts those that are not blank, from 0.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    /// The problem's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

impl EntryResult {
    fn made(index: usize, tracking_number: String) -> Self {
        Self {
            index,
            tracking_number: Some(tracking_number),
            error: None,
            message: None,
            errors: Vec::new(),
        }
    }

    fn refused(index: usize, problem: &Problem) -> Self {
        Self {
            index,
            tracking_number: None,
            error: Some(problem.kind.code()),
            message: Some(problem.detail.clone()),
            errors: problem.errors().to_vec(),
        }
    }
}

/// Make many shipments
///
/// `{"shipments": […]}`, or one shipment a line as `application/x-ndjson`: at most 10,000 and 16 MiB. Entries that are wrong are
/// listed, all others are made in one transaction. An `Idempotency-Key` covers the whole.
#[utoipa::path(post, path = "/shipments/batch", tag = "shipments",
    request_body(content((BatchSchema = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "Decided, entry by entry", body = CreatedShipments),
        (status = 409, description = "A request with the same Idempotency-Key is under way", body = ProblemSchema),
        (status = 413, description = "Over 10,000 entries or 16 MiB", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key was used with another body", body = ProblemSchema)))]
pub(super) async fn create_shipments(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Client, Role::Operator, Role::Admin])?;
    let lines = match body::media_type(&headers).as_deref() {
        Some("application/json") => false,
        Some("application/x-ndjson") => true,
        other => {
            return Err(body::unsupported(
                other,
                "application/json` or `application/x-ndjson",
            ));
        }
    };
    let received = body::whole(&state.room, body, BATCH_BODY_BYTES).await?;
    let now = state.now();
    let entries = entries(&received.bytes, lines)?;
    let keyed = state
        .under_way
        .key(&headers, &asker, "POST /shipments/batch", &received.bytes, now)?;
    let wishes: Vec<Result<Wish, Problem>> = entries.iter().map(|entry| wish(entry, &asker, now)).collect();
    let count = wishes.len();
    let mut refused = Vec::new();
    let mut good = Vec::new();
    for (index, wish) in wishes.into_iter().enumerate() {
        match wish {
            Ok(wish) => good.push((index, wish)),
            Err(problem) => refused.push((index, problem)),
        }
    }
    let places: Vec<usize> = good.iter().map(|(index, _)| *index).collect();
    let commands = commands(&state, &asker, good, now).await?;
    let render = Arc::new(move |answers: &[Answer]| render(count, &refused, &places, answers));
    let mut submission = Submission {
        label: asker.label(),
        commands,
        atomic: true,
        ..Submission::default()
    };
    if let Some(keyed) = &keyed {
        let render = render.clone();
        keyed.keep(&mut submission, now, move |answers| render(answers));
    }
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(render(answers)?.into_response())
    })
}

/// The entries' texts.
fn entries(bytes: &[u8], lines: bool) -> Result<Vec<&str>, Problem> {
    let text = fields::text(bytes)?;
    let (entries, total): (Vec<&str>, usize) = if lines {
        let lines = || text.lines().filter(|line| !line.trim().is_empty());
        (lines().take(BATCH_ENTRIES).collect(), lines().count())
    } else {
        match serde_json::from_str::<Object<RawBatch<'_>>>(text) {
            Ok(Object(RawBatch { shipments })) => {
                let kept = shipments.kept.into_iter().map(RawValue::get).collect();
                (kept, shipments.total)
            }
            Err(error) if error.is_data() => {
                return Err(Problem::field(
                    "shipments",
                    "type",
                    "must be an array of shipments, and nothing else beside it",
                ));
            }
            Err(error) => return Err(fields::malformed(&error)),
        }
    };
    match total {
        0 => Err(Problem::field(
            "shipments",
            "length",
            "must have at least one entry",
        )),
        count if count > BATCH_ENTRIES => Err(Problem::new(
            Kind::PayloadTooLarge,
            format!("a batch has at most {BATCH_ENTRIES} entries, this has {count}: send it in parts"),
        )),
        _ => Ok(entries),
    }
}

fn wish(entry: &str, principal: &Principal, now: Timestamp) -> Result<Wish, Problem> {
    if entry.len() > LINE_BYTES {
        return Err(Problem::field(
            "",
            "length",
            format!("an entry has at most {LINE_BYTES} bytes"),
        ));
    }
    let value = fields::parse(entry.as_bytes())?;
    let wish = Wish::read(&value, entry.as_bytes(), now).map_err(Problem::fields)?;
    wish.must_be_own(principal)?;
    Ok(wish)
}

async fn commands(
    state: &AppState,
    asker: &Asker,
    wishes: Vec<(usize, Wish)>,
    now: Timestamp,
) -> Result<Vec<Command>, Problem> {
    let actor = asker.actor(&state.engine).await?;
    let (lifecycle, _) = state.shipment_lifecycle()?;
    let mut clients: BTreeMap<Box<str>, PartyId> = BTreeMap::new();
    clients.extend(
        wishes
            .iter()
            .map(|(_, wish)| (wish.client.clone(), PartyId::NOBODY)),
    );
    let names: Vec<&str> = clients.keys().map(|name| &**name).collect();
    let numbers = state.engine.parties(PartyKind::Client, &names).await?;
    for (number, found) in clients.values_mut().zip(numbers) {
        *number = found;
    }
    let command = |(_, wish): (usize, Wish)| {
        let client = clients.get(&wish.client).copied().unwrap_or(PartyId::NOBODY);
        let create = wish.into_command(state, lifecycle, actor, client, now)?;
        Ok(Command::Create(Box::new(create)))
    };
    wishes.into_iter().map(command).collect()
}

/// The answer: `places` are the places in the batch of those that were decided.
fn render(
    received: usize,
    refused: &[(usize, Problem)],
    places: &[usize],
    answers: &[Answer],
) -> Result<JsonAnswer, Problem> {
    // One transaction: where the server failed on it, it failed on all.
    if let Some(Err(failure)) = answers.iter().find(|answer| answer.is_err()) {
        return Err((*failure).into());
    }
    let mut results: Vec<EntryResult> = refused
        .iter()
        .map(|(index, problem)| EntryResult::refused(*index, problem))
        .collect();
    for (index, answer) in places.iter().zip(answers) {
        results.push(match created(Some(answer)) {
            Ok(accepted) => {
                let id = accepted.created.as_ref().map(ToString::to_string);
                EntryResult::made(*index, id.unwrap_or_default())
            }
            Err(problem) => EntryResult::refused(*index, &problem),
        });
    }
    results.sort_by_key(|result| result.index);
    let created = results
        .iter()
        .filter(|result| result.tracking_number.is_some())
        .count();
    let body = CreatedShipments {
        received,
        created,
        results,
    };
    Ok(JsonAnswer::new(StatusCode::OK, &body))
}
