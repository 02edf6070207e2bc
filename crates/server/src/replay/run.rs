//! Sending a plan to an engine in process: in the real order of time, as fast as it goes.
//!
//! Steps go in batches. A report that is refused is kept and sent again, before anything newer, whenever its shipment has moved
//! since: that is what a hand scanner does whose report came too early. So a report that comes out of order in the data is
//! refused at its time and applied later, and a second run finds nothing left to apply: it changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields, Scope};
use model::entry::Location;
use model::ids::{LifecycleId, Owner, PartyId, TenantId};
use model::public_id::PublicId;
use model::role::Role;
use sha2::{Digest, Sha256};
use store::PartyKind;

use super::olist::{Plan, PlannedKind, PlannedShipment, PlannedStep};
use crate::engine::{Answer, Command, Failure, Handle, Outcome, Submission, SubmitError};
use crate::traffic::TRACKING_PREFIX;

/// Steps in one submission.
const BATCH_STEPS: usize = 1_000;
/// How long storage may be unavailable before the replay gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a batch is sent again to a storage that is unavailable.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The engine did not take a batch.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The engine failed on a command, or storage stayed unavailable.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A planned step is not a command.
    #[error("{shipment}: {problem}")]
    Step {
        /// The shipment's reference.
        shipment: String,
        /// What is wrong.
        problem: String,
    },
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Shipments made.
    pub made: u64,
    /// Shipments that were there already.
    pub known: u64,
    /// Reports applied.
    pub applied: u64,
    /// Of these, refused at first and applied when sent again.
    pub applied_later: u64,
    /// Reports that were repetitions.
    pub duplicates: u64,
    /// Reports that stay refused, by the reason of the last refusal.
    pub rejected: BTreeMap<String, u64>,
    /// A shipment worth a look: one whose report came out of order, else the first.
    pub example: Option<PublicId>,
    /// Commands sent, those sent again included.
    pub sent: u64,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// Whether the store is as it was before.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        self.made == 0 && self.applied == 0
    }
}

/// The tracking number of a planned shipment: the same in every run against a store, and unguessable to whoever does
/// not know the store's id.
#[must_use]
pub fn tracking_number(store_id: &[u8; 16], reference: &str) -> PublicId {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(store_id)
        .chain_update(reference)
        .finalize()
        .into();
    let random = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    PublicId::tracking_number(TRACKING_PREFIX, random).expect("the prefix is short and plain")
}

/// Replays a plan. `progress` is told of steps done.
///
/// # Errors
/// [`ReplayError`]; everything acknowledged until then stays, and a further run goes on from there.
pub async fn replay(handle: &Handle, plan: &Plan, progress: &dyn Fn(u64)) -> Result<Summary, ReplayError> {
    let began = Instant::now();
    let mut replay = Replay::new(handle, plan).await?;
    replay.summary.example = replay.tracking_numbers.first().cloned();
    for steps in plan.steps.chunks(BATCH_STEPS) {
        replay.batch(steps.iter().collect()).await?;
        while replay.send_again().await? {}
        progress(u64::try_from(steps.len()).unwrap_or_default());
    }
    for (_, reason) in std::mem::take(&mut replay.waiting).into_values().flatten() {
        *replay.summary.rejected.entry(reason).or_default() += 1;
    }
    replay.summary.took = began.elapsed();
    Ok(replay.summary)
}

struct Replay<'a> {
    handle: &'a Handle,
    plan: &'a Plan,
    lifecycle: LifecycleId,
    actor: Actor,
    clients: BTreeMap<&'a str, PartyId>,
    tracking_numbers: Vec<PublicId>,
    /// Refused steps of each shipment, in their order, with the last refusal.
    waiting: BTreeMap<usize, Vec<(&'a PlannedStep, String)>>,
    /// Shipments that have moved since their refused steps were sent.
    moved: std::collections::BTreeSet<usize>,
    summary: Summary,
}

impl<'a> Replay<'a> {
    async fn new(handle: &'a Handle, plan: &'a Plan) -> Result<Self, ReplayError> {
        let (lifecycle, _) = handle.lifecycle_named("shipment").ok_or(Failure::Internal)?;
        let principal = handle.party(PartyKind::Principal, "replay").await?;
        let mut names: Vec<&str> = plan
            .shipments
            .iter()
            .map(|shipment| shipment.client.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let numbers = handle.parties(PartyKind::Client, &names).await?;
        let clients = names.into_iter().zip(numbers).collect();
        let store_id = handle.store().identity().store_id;
        let numbers = plan
            .shipments
            .iter()
            .map(|shipment| tracking_number(&store_id, &shipment.reference));
        Ok(Self {
            handle,
            plan,
            lifecycle,
            actor: Actor {
                party: principal,
                role: Role::Operator,
                scope: Scope::All,
            },
            clients,
            tracking_numbers: numbers.collect(),
            waiting: BTreeMap::new(),
            moved: std::collections::BTreeSet::new(),
            summary: Summary::default(),
        })
    }

    /// Sends the refused steps of shipments that have moved; whether any was applied, so that others may follow.
    async fn send_again(&mut self) -> Result<bool, ReplayError> {
        let moved = std::mem::take(&mut self.moved);
        let steps: Vec<&PlannedStep> = moved
            .iter()
            .filter_map(|shipment| self.waiting.remove(shipment))
            .flatten()
            .map(|(step, _)| step)
            .collect();
        let before = self.summary.applied;
        let first = steps.first().map(|step| step.shipment);
        if !steps.is_empty() {
            self.batch(steps).await?;
        }
        let applied = self.summary.applied - before;
        if applied > 0 && self.summary.applied_later == 0 {
            self.summary.example = first
                .and_then(|shipment| self.tracking_numbers.get(shipment))
                .cloned();
        }
        self.summary.applied_later += applied;
        Ok(applied > 0)
    }

    async fn batch(&mut self, steps: Vec<&'a PlannedStep>) -> Result<(), ReplayError> {
        let commands: Result<Vec<Command>, ReplayError> =
            steps.iter().map(|step| self.command(step)).collect();
        let answers = self.submit(commands?).await?;
        for (step, answer) in steps.into_iter().zip(answers) {
            self.take(step, answer?);
        }
        Ok(())
    }

    async fn submit(&mut self, commands: Vec<Command>) -> Result<Vec<Answer>, ReplayError> {
        let began = Instant::now();
        loop {
            self.summary.sent += u64::try_from(commands.len()).unwrap_or_default();
            let submission = Submission {
                commands: commands.clone(),
                atomic: false,
                keep_refusals: true,
                ..Submission::default()
            };
            let answers = self.handle.submit_patiently(submission).await?;
            let unavailable = answers
                .iter()
                .any(|answer| matches!(answer, Err(Failure::Unavailable(_))));
            if !unavailable || began.elapsed() > PATIENCE {
                return Ok(answers);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn take(&mut self, step: &'a PlannedStep, outcome: Outcome) {
        match (outcome, &step.kind) {
            (Outcome::Accepted(_), PlannedKind::Create) => {
                self.summary.made += 1;
                self.moved.insert(step.shipment);
            }
            (Outcome::Accepted(_), PlannedKind::Report { .. }) => {
                self.summary.applied += 1;
                self.moved.insert(step.shipment);
            }
            // A repetition moves the shipment for this run: its first may have been made without being answered, and what
            // waits for it was refused before.
            (Outcome::Duplicate(..) | Outcome::Unchanged(..), PlannedKind::Create) => {
                self.summary.known += 1;
                self.moved.insert(step.shipment);
            }
            (Outcome::Duplicate(..) | Outcome::Unchanged(..), PlannedKind::Report { .. }) => {
                self.summary.duplicates += 1;
                self.moved.insert(step.shipment);
            }
            (Outcome::Refused(refusal, _), _) => {
                self.waiting
                    .entry(step.shipment)
                    .or_default()
                    .push((step, refusal.to_string()));
            }
        }
    }

    fn command(&self, step: &PlannedStep) -> Result<Command, ReplayError> {
        let missing = |what: &str| ReplayError::Step {
            shipment: step.shipment.to_string(),
            problem: format!("the plan has no {what} for it"),
        };
        let shipment = self
            .plan
            .shipments
            .get(step.shipment)
            .ok_or_else(|| missing("shipment"))?;
        let id = self
            .tracking_numbers
            .get(step.shipment)
            .ok_or_else(|| missing("number"))?
            .clone();
        let problem = |error: model::command::FieldError| ReplayError::Step {
            shipment: shipment.reference.clone(),
            problem: error.to_string(),
        };
        match &step.kind {
            PlannedKind::Create => {
                let create = self.create(shipment, id, step).checked().map_err(problem)?;
                Ok(Command::Create(Box::new(create)))
            }
            PlannedKind::Report {
                status,
                source,
                location,
            } => {
                let report = Report::new(ReportFields {
                    status: (*status).into(),
                    source: (*source).into(),
                    occurred_at: step.at,
                    client_event_id: None,
                    location: location.map(|(lat, lng)| Location { lat, lng }),
                    notes: None,
                    metadata: None,
                    received_at: self.handle.clock().now(),
                });
                let change = Change::Report(report.map_err(problem)?);
                Ok(Command::Change {
                    order: OrderRef::Public(id),
                    actor: self.actor,
                    expected: None,
                    change,
                })
            }
        }
    }

    fn create(&self, shipment: &PlannedShipment, id: PublicId, step: &PlannedStep) -> Create {
        let client = self
            .clients
            .get(shipment.client.as_str())
            .copied()
            .unwrap_or(PartyId::NOBODY);
        Create {
            id: NewId::Given(id),
            lifecycle: self.lifecycle,
            owner: Owner {
                tenant: TenantId::default(),
                client,
                customer: PartyId::NOBODY,
            },
            actor: self.actor,
            reference: Some(shipment.reference.as_str().into()),
            details: shipment.details_json().into(),
            occurred_at: Some(step.at),
            source: "api".into(),
            received_at: self.handle.clock().now(),
        }
    }
}
