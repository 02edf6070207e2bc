//! `POST /events/batch`: many events, as one JSON body or as a stream of lines.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use bytes::Bytes;
use model::command::{Actor, Change, OrderRef};
use serde::Deserialize;
use serde_json::value::RawValue;
use store::Record;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::body::Received;
use super::super::fields::{Entries, Object};
use super::super::idempotency;
use super::super::limits::{BATCH_BODY_BYTES, BATCH_ENTRIES, LINE_BYTES};
use super::super::problem::{Kind, Problem, ProblemSchema};
use super::super::state::AppState;
use super::super::{body, fields};
use super::event::{CheckedEvent, EventIn, EventSchema, Expected};
use super::lines;
use super::tally::{AcceptedEvents, Tally};
use super::{REPORTERS, prefers_to_wait};
use crate::engine::{Answer, Command, Contents, Submission};

/// A batch of events.
#[derive(ToSchema)]
#[schema(as = Events)]
#[expect(dead_code, reason = "describes what `EventsIn` reads")]
pub(super) struct EventsSchema {
    /// 1 to 10,000.
    events: Vec<EventSchema>,
}

/// A batch whose entries are all well-formed: the short way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsIn<'a> {
    #[serde(borrow)]
    events: Entries<Object<EventIn<'a>>>,
}

/// A batch with its entries unread.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvents<'a> {
    #[serde(borrow)]
    events: Entries<&'a RawValue>,
}

/// The events of a body, found in it when one is wanted: only those that are refused are.
struct BatchContents {
    body: Received,
    /// For each command, the place of its event in the body.
    places: Vec<usize>,
    ranges: OnceLock<Vec<Range<usize>>>,
}

impl Contents for BatchContents {
    fn of(&self, command: usize) -> Option<Box<[u8]>> {
        let ranges = self.ranges.get_or_init(|| ranges(&self.body.bytes));
        let range = ranges.get(*self.places.get(command)?)?;
        // One blown up by white space is kept as the command says.
        let range = range.clone();
        if range.len() > LINE_BYTES {
            return None;
        }
        self.body.bytes.get(range).map(Into::into)
    }
}

fn ranges(body: &Bytes) -> Vec<Range<usize>> {
    let raw = std::str::from_utf8(body)
        .ok()
        .and_then(|text| serde_json::from_str::<Object<RawEvents<'_>>>(text).ok());
    let start = body.as_ptr().addr();
    let range = |event: &RawValue| {
        let from = event.get().as_ptr().addr() - start;
        from..from + event.get().len()
    };
    raw.map(|Object(raw)| raw.events.kept.into_iter().map(range).collect())
        .unwrap_or_default()
}

/// Report many events
///
/// `{"events": […]}`: at most 10,000 and 16 MiB. Or one event a line as `application/x-ndjson`, without a bound on their
/// number: a full server reads no further until it has room; blank lines are skipped, and `index` counts the others from 0. One
/// malformed entry never loses the others. 202: what was queued is durable and decided; with `Prefer: wait` the answer counts the
/// outcomes.
#[utoipa::path(post, path = "/events/batch", tag = "events",
    request_body(content((EventsSchema = "application/json"), (String = "application/x-ndjson"))),
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: answer with the outcomes")),
    responses(
        (status = 202, description = "Taken in", body = AcceptedEvents),
        (status = 200, description = "With `Prefer: wait`: the outcomes", body = super::tally::DecidedEvents),
        (status = 408, description = "The stream came too slowly; its complete lines are kept", body = ProblemSchema),
        (status = 413, description = "Over 10,000 entries or 16 MiB", body = ProblemSchema),
        (status = 429, description = "Too many requests, or too many receipts of the caller's batches are kept: nothing is taken in",
            body = ProblemSchema)))]
pub(super) async fn post_events(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&REPORTERS)?;
    match body::media_type(&headers).as_deref() {
        Some("application/json") => json(&state, &asker, &headers, body).await,
        Some("application/x-ndjson") => lines::take_in(&state, &asker, &headers, body).await,
        other => Err(body::unsupported(
            other,
            "application/json` or `application/x-ndjson",
        )),
    }
}

async fn json(
    state: &AppState,
    asker: &Asker,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let received = body::whole(&state.room, body, BATCH_BODY_BYTES).await?;
    let now = state.now();
    let actor = asker.actor(&state.engine).await?;
    let mut tally = Tally::begin()?;
    let (commands, places) = read(state, actor, &received.bytes, &mut tally)?;
    let keyed = state
        .under_way
        .key(headers, asker, "POST /events/batch", &received.bytes, now)?;
    let waits = prefers_to_wait(headers);
    let decided = {
        let (tally, places, keyed) = (tally.clone(), places.clone(), keyed.clone());
        move |answers: &[Answer]| {
            let mut tally = tally.clone();
            tally.decide(&places, answers)?;
            let answer = if waits {
                tally.decided_answer()
            } else {
                tally.accepted_answer()
            };
            let mut records = vec![Record::Batch(tally.receipt(actor.party, now))];
            records.extend(
                keyed
                    .as_ref()
                    .map(|keyed| Record::Answer(answer.to_stored(keyed.once(), now))),
            );
            Ok::<_, Problem>((tally, answer, records))
        }
    };
    let decided = Arc::new(decided);
    let records = decided.clone();
    let submission = Submission {
        label: asker.label(),
        commands,
        keep_refusals: true,
        contents: Some(Arc::new(BatchContents {
            body: received,
            places,
            ranges: OnceLock::new(),
        })),
        once: keyed.as_ref().map(|keyed| keyed.once().clone()),
        receipt_of: Some(actor.party),
        records: Some(Arc::new(move |answers: &[Answer]| {
            records(answers)
                .map(|(_, _, records)| records)
                .unwrap_or_default()
        })),
        ..Submission::default()
    };
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        let (tally, answer, _) = decided(answers)?;
        tally.count(state);
        Ok(answer.into_response())
    })
}

/// The commands of a body, and for each the place of its event; what is malformed is in the tally.
pub(super) fn read(
    state: &AppState,
    actor: Actor,
    body: &[u8],
    tally: &mut Tally,
) -> Result<(Vec<Command>, Vec<usize>), Problem> {
    let (_, lifecycle) = state.shipment_lifecycle()?;
    let expected = Expected {
        lifecycle: &lifecycle,
        now: state.now(),
    };
    let text = fields::text(body)?;
    let mut commands = Vec::new();
    let mut places = Vec::new();
    let mut take = |event: Result<CheckedEvent, Problem>| {
        let place = tally.receive(event.as_ref().err());
        if let Ok(event) = event {
            places.push(place);
            commands.push(command(actor, event));
        }
    };
    match serde_json::from_str::<Object<EventsIn<'_>>>(text) {
        Ok(Object(batch)) => {
            must_be_a_batch(batch.events.total)?;
            batch
                .events
                .kept
                .iter()
                .for_each(|Object(event)| take(expected.check(event)));
        }
        Err(_) => {
            let events = raw_events(text)?;
            must_be_a_batch(events.total)?;
            events
                .kept
                .into_iter()
                .for_each(|event| take(expected.read(event.get())));
        }
    }
    Ok((commands, places))
}

pub(super) fn command(actor: Actor, event: CheckedEvent) -> Command {
    Command::Change {
        order: OrderRef::Public(event.shipment),
        actor,
        expected: None,
        change: Change::Report(event.report),
    }
}

fn raw_events(text: &str) -> Result<Entries<&RawValue>, Problem> {
    match serde_json::from_str::<Object<RawEvents<'_>>>(text) {
        Ok(Object(batch)) => Ok(batch.events),
        Err(error) if error.is_data() => Err(Problem::field(
            "events",
            "type",
            format!("must be an array of events, and nothing else beside it: {error}"),
        )),
        Err(error) => Err(fields::malformed(&error)),
    }
}

fn must_be_a_batch(entries: usize) -> Result<(), Problem> {
    match entries {
        0 => Err(Problem::field("events", "length", "must have at least one entry")),
        1..=BATCH_ENTRIES => Ok(()),
        _ => Err(Problem::new(
            Kind::PayloadTooLarge,
            format!(
                "a batch has at most {BATCH_ENTRIES} entries, this has {entries}: send it in parts, or as application/x-ndjson"
            ),
        )),
    }
}
