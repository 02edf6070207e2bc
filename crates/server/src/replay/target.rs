//! What a replay sends to.

use model::public_id::PublicId;

use super::olist::PlannedStep;
use super::run::ReplayError;

/// Takes steps and says what became of them, once that is durable. It keeps trying while its other side is busy or away;
/// an error ends the replay. It is never given nothing.
pub trait Target {
    /// Makes the shipments of these steps; what became of each, in their order.
    fn create(&mut self, steps: &[&PlannedStep]) -> impl Future<Output = Result<Vec<Creation>, ReplayError>>;

    /// Sends reports, to be decided in their order. Their shipments were made by [`Target::create`], in this run.
    fn report(&mut self, steps: &[&PlannedStep]) -> impl Future<Output = Result<Reported, ReplayError>>;

    /// The number of a shipment, where it is known.
    fn tracking_number(&self, shipment: usize) -> Option<PublicId>;

    /// What it has taken so far.
    fn effort(&self) -> Effort;
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The shipment is new.
    Made,
    /// It was there already.
    Known,
    /// Refused, with the reason.
    Refused(String),
}

/// What became of a batch of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Reports applied.
    pub applied: u64,
    /// Reports that were repetitions.
    pub duplicates: u64,
    /// The places of those refused, in order, with the reasons.
    pub refused: Vec<(usize, String)>,
}

/// What sending has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Commands sent, those sent again included.
    pub sent: u64,
    /// Batches sent again because the other side was busy or away.
    pub retries: u64,
}
