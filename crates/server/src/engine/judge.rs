//! Deciding a group, and what there is to say of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::head::DelayScale;
use model::ids::LifecycleId;
use model::time::Timestamp;
use model::{Lifecycle, StateId};
use rand::rngs::StdRng;
use store::{Error, Group, GroupWrites};

use super::Quotas;
use super::answer::OnceAnswer;
use super::catalogue::{Catalogue, Lifecycles};
use super::group::{self, Decided, Deciding};
use crate::clock::Clock;

/// What one committed group cost, and what came of it.
#[derive(Clone, Debug)]
pub struct GroupObservation {
    /// Commands decided in it.
    pub commands: usize,
    /// Entries it added to the log.
    pub entries: usize,
    /// Waiting of the submission that waited longest.
    pub queued: Duration,
    /// Loading and deciding.
    pub decide: Duration,
    /// Writing and making durable.
    pub commit: Duration,
    /// Steps that orders took, whose statuses they are between, and how many did.
    pub transitions: Vec<(Arc<Lifecycle>, Transition, u64)>,
    /// Reports that were repetitions.
    pub duplicates: usize,
}

/// A step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// Whose statuses these are.
    pub lifecycle: LifecycleId,
    /// Where it came from; `None`: it was created.
    pub from: Option<StateId>,
    /// Where it came to.
    pub to: StateId,
}

/// What decides.
pub(super) struct Judge {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: StdRng,
    pub(super) scale: DelayScale,
    pub(super) quotas: Quotas,
}

/// A group that is decided and not stored yet.
pub(super) struct Ready {
    /// Of every unit, true once the writes are durable.
    pub(super) answers: Vec<OnceAnswer>,
    pub(super) writes: GroupWrites,
    /// When it was decided.
    pub(super) at: Timestamp,
    /// All but what the commit took.
    pub(super) observation: GroupObservation,
}

impl Judge {
    pub(super) fn decide(
        &mut self,
        group: &mut dyn Group,
        units: &[group::Unit<'_>],
        queued_at: Option<Instant>,
    ) -> Result<Ready, Error> {
        let began = Instant::now();
        let now = self.clock.now();
        let lifecycles = self.catalogue.known();
        let deciding = Deciding {
            lifecycles: &lifecycles,
            now,
            scale: self.scale,
            random: &mut self.random,
            quotas: self.quotas,
        };
        let Decided {
            answers,
            writes,
            transitions,
            duplicates,
        } = group::decide(deciding, group, units)
            .map_err(|error| explain(&self.catalogue, &lifecycles, error))?;
        let named =
            |(step, times): (Transition, u64)| Some((lifecycles.get(&step.lifecycle)?.clone(), step, times));
        let observation = GroupObservation {
            commands: units.iter().map(|unit| unit.commands.len()).sum(),
            entries: writes.entries.len(),
            queued: queued_at.map_or(Duration::ZERO, |at| began.saturating_duration_since(at)),
            decide: began.elapsed(),
            commit: Duration::ZERO,
            transitions: transitions.into_iter().filter_map(named).collect(),
            duplicates,
        };
        Ok(Ready {
            answers,
            writes,
            at: now,
            observation,
        })
    }
}

/// What seems damaged may be of a definition that another node stored a moment ago: then the group is to be begun again.
fn explain(catalogue: &Catalogue, decided_with: &Lifecycles, error: Error) -> Error {
    if !matches!(error, Error::Damaged(_)) {
        return error;
    }
    // Somebody else may have read it by now.
    if catalogue.known().len() == decided_with.len() && catalogue.renew().is_err() {
        return error;
    }
    if catalogue.known().len() > decided_with.len() {
        return Error::Contended("another node has stored a definition of a lifecycle".to_owned());
    }
    error
}
