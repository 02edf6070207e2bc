//! Replaying to an engine in process.

use std::collections::BTreeMap;
use std::time::Instant;

use model::command::{Actor, Change, Create, FieldError, NewId, OrderRef, Report, ReportFields, Scope};
use model::entry::Location;
use model::ids::{LifecycleId, Owner, PartyId, TenantId};
use model::public_id::PublicId;
use model::role::Role;
use sha2::{Digest, Sha256};
use store::PartyKind;

use super::limits::{STORAGE_PATIENCE, STORAGE_PAUSE};
use super::olist::{Plan, PlannedKind, PlannedShipment, PlannedStep};
use super::run::ReplayError;
use super::target::{Creation, Effort, Reported, Target};
use crate::engine::{Answer, Command, Failure, Handle, Outcome, Submission};
use crate::traffic::TRACKING_PREFIX;

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

/// An engine, and what of a plan it has to know.
pub struct InProcess<'a> {
    handle: &'a Handle,
    plan: &'a Plan,
    lifecycle: LifecycleId,
    actor: Actor,
    clients: BTreeMap<&'a str, PartyId>,
    tracking_numbers: Vec<PublicId>,
    effort: Effort,
}

impl<'a> InProcess<'a> {
    /// Makes the clients of the plan known.
    ///
    /// # Errors
    /// [`ReplayError::Failed`] if they cannot be stored.
    pub async fn new(handle: &'a Handle, plan: &'a Plan) -> Result<Self, ReplayError> {
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
            effort: Effort::default(),
        })
    }

    /// Submits until storage takes it, or has not for too long.
    async fn submit(&mut self, steps: &[&PlannedStep]) -> Result<Vec<Outcome>, ReplayError> {
        let commands: Result<Vec<Command>, ReplayError> =
            steps.iter().map(|step| self.command(step)).collect();
        let commands = commands?;
        let began = Instant::now();
        loop {
            self.effort.sent += u64::try_from(commands.len()).unwrap_or_default();
            let submission = Submission {
                commands: commands.clone(),
                atomic: false,
                keep_refusals: true,
                ..Submission::default()
            };
            let answers = self.handle.submit_patiently(submission).await?;
            let unavailable = |answer: &Answer| matches!(answer, Err(Failure::Unavailable(_)));
            if !answers.iter().any(unavailable) || began.elapsed() > STORAGE_PATIENCE {
                return Ok(answers.into_iter().collect::<Result<_, _>>()?);
            }
            self.effort.retries += 1;
            tokio::time::sleep(STORAGE_PAUSE).await;
        }
    }

    fn command(&self, step: &PlannedStep) -> Result<Command, ReplayError> {
        let missing = || ReplayError::Step {
            shipment: step.shipment.to_string(),
            problem: "the plan has no such shipment".to_owned(),
        };
        let shipment = self.plan.shipments.get(step.shipment).ok_or_else(missing)?;
        let id = self.tracking_number(step.shipment).ok_or_else(missing)?;
        let problem = |error: FieldError| ReplayError::Step {
            shipment: shipment.reference.clone(),
            problem: error.to_string(),
        };
        match &step.kind {
            PlannedKind::Create => {
                let create = self.creation(shipment, id, step).checked().map_err(problem)?;
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

    fn creation(&self, shipment: &PlannedShipment, id: PublicId, step: &PlannedStep) -> Create {
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
            contact: None,
            details: shipment.details_json().into(),
            occurred_at: Some(step.at),
            source: "api".into(),
            received_at: self.handle.clock().now(),
        }
    }
}

impl Target for InProcess<'_> {
    async fn create(&mut self, steps: &[&PlannedStep]) -> Result<Vec<Creation>, ReplayError> {
        let outcomes = self.submit(steps).await?.into_iter();
        let creations = outcomes.map(|outcome| match outcome {
            Outcome::Accepted(_) => Creation::Made,
            Outcome::Duplicate(..) | Outcome::Unchanged(..) => Creation::Known,
            Outcome::Refused(refusal, _) => Creation::Refused(refusal.to_string()),
        });
        Ok(creations.collect())
    }

    async fn report(&mut self, steps: &[&PlannedStep]) -> Result<Reported, ReplayError> {
        let mut reported = Reported::default();
        for (place, outcome) in self.submit(steps).await?.into_iter().enumerate() {
            match outcome {
                Outcome::Accepted(_) => reported.applied += 1,
                Outcome::Duplicate(..) | Outcome::Unchanged(..) => reported.duplicates += 1,
                Outcome::Refused(refusal, _) => reported.refused.push((place, refusal.to_string())),
            }
        }
        Ok(reported)
    }

    fn tracking_number(&self, shipment: usize) -> Option<PublicId> {
        self.tracking_numbers.get(shipment).cloned()
    }

    fn effort(&self) -> Effort {
        self.effort
    }
}
