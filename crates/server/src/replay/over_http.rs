//! Replaying to a running server, by `POST /shipments/batch` and `POST /events/batch`.
//!
//! Creations carry an `Idempotency-Key` made of their own body: the same batch within a day gets the same tracking numbers back,
//! from this run or the one before. Reports need none, they are what they say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use model::public_id::PublicId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::limits::{DECISION_TRIES, DECISION_WAIT_S};
use super::olist::{Plan, PlannedKind, PlannedStep};
use super::run::ReplayError;
use super::target::{Creation, Effort, Reported, Target};
use crate::client::{Answered, Client, Post, printable};

const SHIPMENTS: &str = "/shipments/batch";
const EVENTS: &str = "/events/batch";

/// One connection to a server, and the tracking numbers it was given.
pub struct OverHttp<'a> {
    client: Client,
    plan: &'a Plan,
    tracking_numbers: BTreeMap<usize, PublicId>,
    effort: Effort,
}

/// The answer of [`SHIPMENTS`].
#[derive(Deserialize)]
struct Shipments {
    results: Vec<ShipmentResult>,
}

#[derive(Deserialize)]
struct ShipmentResult {
    index: usize,
    tracking_number: Option<String>,
    message: Option<String>,
}

/// The answer of [`EVENTS`]: without counts when they were taken and not decided in time.
#[derive(Deserialize)]
struct Events {
    received: u64,
    applied: Option<u64>,
    #[serde(default)]
    duplicates: u64,
    #[serde(default)]
    rejected: Vec<RejectedEvent>,
}

#[derive(Deserialize)]
struct RejectedEvent {
    index: usize,
    message: String,
}

impl<'a> OverHttp<'a> {
    /// A lane of its own through this client.
    #[must_use]
    pub const fn new(client: Client, plan: &'a Plan) -> Self {
        Self {
            client,
            plan,
            tracking_numbers: BTreeMap::new(),
            effort: Effort { sent: 0, retries: 0 },
        }
    }

    /// Counts what an answer has taken.
    fn took<T>(&mut self, steps: usize, answer: &Answered<T>) {
        self.effort.sent += answer.tries * u64::try_from(steps).unwrap_or_default();
        self.effort.retries += answer.tries - 1;
    }

    /// The creation as `POST /shipments` takes it.
    fn shipment(&self, step: &PlannedStep) -> Result<Value, ReplayError> {
        let shipment = self.plan.shipments.get(step.shipment);
        let shipment = shipment.ok_or_else(|| not_planned(step))?;
        let mut body = shipment.details();
        body.insert("client_id".to_owned(), json!(shipment.client));
        body.insert("occurred_at".to_owned(), json!(step.at.to_exact_text()));
        Ok(Value::Object(body))
    }

    /// The report as `POST /events` takes it.
    fn event(&self, step: &PlannedStep) -> Result<Value, ReplayError> {
        let number = self.tracking_numbers.get(&step.shipment);
        let (
            Some(number),
            PlannedKind::Report {
                status,
                source,
                location,
            },
        ) = (number, step.kind)
        else {
            return Err(not_planned(step));
        };
        let mut event = json!({
            "tracking_number": number.as_str(),
            "status": status,
            "timestamp": step.at.to_exact_text(),
            "source": source,
        });
        if let Some((lat, lng)) = location {
            event["location"] = json!({"lat": lat, "lng": lng});
        }
        Ok(event)
    }

    fn created(
        &mut self,
        step: &PlannedStep,
        result: ShipmentResult,
        known: bool,
    ) -> Result<Creation, ReplayError> {
        let Some(number) = result.tracking_number else {
            let reason = result
                .message
                .unwrap_or_else(|| "refused without a reason".to_owned());
            return Ok(Creation::Refused(printable(&reason)));
        };
        let number =
            PublicId::new(&number).map_err(|_| misfit(SHIPMENTS, "a tracking number that is none"))?;
        self.tracking_numbers.insert(step.shipment, number);
        Ok(if known { Creation::Known } else { Creation::Made })
    }
}

impl Target for OverHttp<'_> {
    async fn create(&mut self, steps: &[&PlannedStep]) -> Result<Vec<Creation>, ReplayError> {
        let shipments: Result<Vec<Value>, _> = steps.iter().map(|step| self.shipment(step)).collect();
        let body = Bytes::from(json!({"shipments": shipments?}).to_string());
        let post = Post {
            path: SHIPMENTS,
            idempotency_key: Some(&key(&body)),
            body,
            wait_s: None,
        };
        let answer: Answered<Shipments> = self.client.post_json(&post).await?;
        self.took(steps.len(), &answer);
        let mut results = answer.body.results;
        results.sort_by_key(|result| result.index);
        if !results.iter().map(|result| result.index).eq(0..steps.len()) {
            return Err(misfit(SHIPMENTS, "other results than there were shipments"));
        }
        let results = steps.iter().zip(results);
        results
            .map(|(step, result)| self.created(step, result, answer.replayed))
            .collect()
    }

    async fn report(&mut self, steps: &[&PlannedStep]) -> Result<Reported, ReplayError> {
        let events: Result<Vec<Value>, _> = steps.iter().map(|step| self.event(step)).collect();
        let post = Post {
            path: EVENTS,
            body: json!({"events": events?}).to_string().into(),
            idempotency_key: None,
            wait_s: Some(DECISION_WAIT_S),
        };
        for _ in 0..DECISION_TRIES {
            let answer: Answered<Events> = self.client.post_json(&post).await?;
            self.took(steps.len(), &answer);
            if let Some(applied) = answer.body.applied {
                return decided(steps.len(), answer.body, applied);
            }
            self.effort.retries += 1;
        }
        Err(ReplayError::Undecided(DECISION_TRIES))
    }

    fn tracking_number(&self, shipment: usize) -> Option<PublicId> {
        self.tracking_numbers.get(&shipment).cloned()
    }

    fn effort(&self) -> Effort {
        self.effort
    }
}

/// The same body has the same key, in this run and in the next.
fn key(body: &[u8]) -> String {
    let mut key = String::new();
    for byte in Sha256::digest(body) {
        write!(key, "{byte:02x}").ok();
    }
    key
}

/// What became of a batch. An answer that does not account for every report would leave some behind in silence.
fn decided(sent: usize, events: Events, applied: u64) -> Result<Reported, ReplayError> {
    let mut refused: Vec<(usize, String)> = events
        .rejected
        .into_iter()
        .map(|event| (event.index, printable(&event.message)))
        .collect();
    refused.sort_by_key(|(place, _)| *place);
    refused.dedup_by_key(|(place, _)| *place);
    let count = |number: usize| u64::try_from(number).unwrap_or_default();
    let told = applied
        .saturating_add(events.duplicates)
        .saturating_add(count(refused.len()));
    let within = refused.last().is_none_or(|(place, _)| *place < sent);
    if events.received != count(sent) || told != count(sent) || !within {
        return Err(misfit(EVENTS, "counts that do not add up to the events sent"));
    }
    Ok(Reported {
        applied,
        duplicates: events.duplicates,
        refused,
    })
}

fn misfit(path: &'static str, what: &str) -> ReplayError {
    ReplayError::Misfit {
        path,
        what: what.to_owned(),
    }
}

fn not_planned(step: &PlannedStep) -> ReplayError {
    ReplayError::Step {
        shipment: step.shipment.to_string(),
        problem: "it was not made, or is not in the plan".to_owned(),
    }
}
