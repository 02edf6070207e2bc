//! Sending a plan, whatever to: the order, what is sent again, and the summary.
//!
//! A plan is shared among lanes by shipment; each lane sends its steps in the real order of time, in batches: the creations of a
//! batch, then its reports. A report that is refused is kept and sent again, before anything newer of its shipment, whenever the
//! shipment has moved since: that is what a hand scanner does whose report came too early. So a report that comes out of order in
//! the data is refused at its time and applied later, and a second run finds nothing left to apply.
//!
//! What becomes of a shipment depends on its own steps alone, not on how the plan was cut into lanes and batches: in one
//! request, a shipment's steps follow each other only along the natural course, where a later one cannot make way for an
//! earlier one that was refused; a step back in the course waits for its own turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use model::public_id::PublicId;
use model::time::Timestamp;

use super::limits::BATCH_STEPS;
use super::olist::{Plan, PlannedKind, PlannedStep};
use super::pace::{Pace, Speed};
use super::share::{batches, shares};
use super::target::{Creation, Target};
use crate::client::ClientError;
use crate::engine::{Failure, SubmitError};

/// Why a report was not sent.
const NOT_MADE: &str = "its shipment was not made";

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The engine did not take a batch.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The engine failed on a command, or storage stayed unavailable.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The server did not answer, or refused a whole batch.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server took reports and did not decide them.
    #[error(
        "the server took a batch of reports and did not decide it in time, {0} times over: look at its /health"
    )]
    Undecided(u32),
    /// The server's answer does not fit what it was asked.
    #[error("the server answered {path} with {what}")]
    Misfit {
        /// What was asked.
        path: &'static str,
        /// What came.
        what: String,
    },
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
    /// What stays refused, by the reason of the last refusal.
    pub rejected: BTreeMap<String, u64>,
    /// A shipment worth a look: one whose report came out of order, else the first.
    pub example: Option<PublicId>,
    /// Commands sent, those sent again included.
    pub sent: u64,
    /// Batches sent again because the other side was busy or away.
    pub retries: u64,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// Whether the store is as it was before.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        self.made == 0 && self.applied == 0
    }

    fn add(&mut self, other: Self) {
        self.made += other.made;
        self.known += other.known;
        self.applied += other.applied;
        self.applied_later += other.applied_later;
        self.duplicates += other.duplicates;
        self.sent += other.sent;
        self.retries += other.retries;
        for (reason, count) in other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
    }
}

/// Replays a plan through as many lanes as there are targets. `progress` is told of steps done.
///
/// # Errors
/// [`ReplayError`]; everything acknowledged until then stays, and a further run goes on from there.
///
/// # Panics
/// If there is no target.
pub async fn replay<T: Target>(
    targets: &mut [T],
    plan: &Plan,
    speed: Speed,
    progress: &dyn Fn(u64),
) -> Result<Summary, ReplayError> {
    assert!(!targets.is_empty(), "a replay needs something to send to");
    let began = Instant::now();
    let first = plan
        .steps
        .first()
        .map_or(Timestamp::EARLIEST_EVENT, |step| step.at);
    let pace = Pace::new(speed, first);
    let shares = shares(plan, targets.len());
    let lanes = targets
        .iter_mut()
        .zip(&shares)
        .map(|(target, share)| Lane::new(target).run(share, pace, began, progress));
    let mut summary = Summary::default();
    let mut out_of_order: Option<usize> = None;
    for lane in try_join_all(lanes).await? {
        out_of_order = out_of_order.into_iter().chain(lane.out_of_order).min();
        summary.add(lane.summary);
    }
    let example = out_of_order.unwrap_or(0);
    summary.example = targets.iter().find_map(|target| target.tracking_number(example));
    summary.took = began.elapsed();
    Ok(summary)
}

/// What a lane has come to.
struct LaneEnd {
    summary: Summary,
    /// The first shipment with a report that was refused and applied later.
    out_of_order: Option<usize>,
}

struct Lane<'t, 'a, T> {
    target: &'t mut T,
    made: BTreeSet<usize>,
    /// Reports that have not been sent yet, in the order of the plan.
    ahead: Vec<&'a PlannedStep>,
    /// Refused reports of each shipment, in their order, with the last refusal.
    waiting: BTreeMap<usize, Vec<(&'a PlannedStep, String)>>,
    /// Shipments that have moved since their refused reports were sent.
    moved: BTreeSet<usize>,
    summary: Summary,
    out_of_order: Option<usize>,
}

/// What a request may still have of a shipment.
#[derive(Clone, Copy)]
enum Turn {
    /// Steps that come later in the course than this one.
    Beyond(Option<usize>),
    /// Nothing more.
    Over,
}

impl<'t, 'a, T: Target> Lane<'t, 'a, T> {
    fn new(target: &'t mut T) -> Self {
        Self {
            target,
            made: BTreeSet::new(),
            ahead: Vec::new(),
            waiting: BTreeMap::new(),
            moved: BTreeSet::new(),
            summary: Summary::default(),
            out_of_order: None,
        }
    }

    async fn run(
        mut self,
        share: &[&'a PlannedStep],
        pace: Pace,
        began: Instant,
        progress: &dyn Fn(u64),
    ) -> Result<LaneEnd, ReplayError> {
        for batch in batches(share, &pace) {
            if let Some(last) = batch.last() {
                tokio::time::sleep(pace.wait(last.at, began.elapsed())).await;
            }
            let (creations, reports): (Vec<&PlannedStep>, Vec<_>) = batch
                .iter()
                .copied()
                .partition(|step| matches!(step.kind, PlannedKind::Create));
            self.create(&creations).await?;
            self.ahead.extend(reports);
            loop {
                let round = self.next_round();
                if round.is_empty() {
                    break;
                }
                self.report(&round).await?;
                while self.send_again().await? {}
            }
            progress(u64::try_from(batch.len()).unwrap_or_default());
        }
        Ok(self.end())
    }

    fn end(mut self) -> LaneEnd {
        let refused = self.waiting.into_values().flatten().map(|(_, reason)| reason);
        let unsent = self.ahead.iter().map(|_| NOT_MADE.to_owned());
        for reason in refused.chain(unsent) {
            *self.summary.rejected.entry(reason).or_default() += 1;
        }
        let effort = self.target.effort();
        self.summary.sent = effort.sent;
        self.summary.retries = effort.retries;
        LaneEnd {
            summary: self.summary,
            out_of_order: self.out_of_order,
        }
    }

    async fn create(&mut self, steps: &[&PlannedStep]) -> Result<(), ReplayError> {
        if steps.is_empty() {
            return Ok(());
        }
        let creations = self.target.create(steps).await?;
        for (step, creation) in steps.iter().zip(creations) {
            match creation {
                Creation::Made => self.summary.made += 1,
                Creation::Known => self.summary.known += 1,
                Creation::Refused(reason) => {
                    *self.summary.rejected.entry(reason).or_default() += 1;
                    continue;
                }
            }
            self.made.insert(step.shipment);
        }
        Ok(())
    }

    /// The reports that may be sent now. A report older than its shipment stays until that is made: there is no number yet
    /// to name it by.
    fn next_round(&mut self) -> Vec<&'a PlannedStep> {
        let mut turns = BTreeMap::new();
        let (round, ahead) = std::mem::take(&mut self.ahead).into_iter().partition(|step| {
            let place = step.kind.rank();
            let goes = match turns.get(&step.shipment) {
                None => self.made.contains(&step.shipment),
                Some(Turn::Beyond(latest)) => place > *latest,
                Some(Turn::Over) => false,
            };
            // What waits is sent again after each single step.
            let turn = if goes && !self.waiting.contains_key(&step.shipment) {
                Turn::Beyond(place)
            } else {
                Turn::Over
            };
            turns.insert(step.shipment, turn);
            goes
        });
        self.ahead = ahead;
        round
    }

    /// Sends the refused reports of shipments that have moved; whether any was applied, so that others may follow.
    async fn send_again(&mut self) -> Result<bool, ReplayError> {
        let moved = std::mem::take(&mut self.moved);
        let steps: Vec<&PlannedStep> = moved
            .iter()
            .filter_map(|shipment| self.waiting.remove(shipment))
            .flatten()
            .map(|(step, _)| step)
            .collect();
        let before = self.summary.applied;
        self.report(&steps).await?;
        let applied = self.summary.applied - before;
        if applied > 0 && self.out_of_order.is_none() {
            self.out_of_order = self.moved.first().copied();
        }
        self.summary.applied_later += applied;
        Ok(applied > 0)
    }

    async fn report(&mut self, steps: &[&'a PlannedStep]) -> Result<(), ReplayError> {
        for steps in steps.chunks(BATCH_STEPS) {
            let reported = self.target.report(steps).await?;
            self.summary.applied += reported.applied;
            self.summary.duplicates += reported.duplicates;
            let mut refused = reported.refused.into_iter().peekable();
            for (place, step) in steps.iter().enumerate() {
                match refused.next_if(|(at, _)| *at == place) {
                    Some((_, reason)) => self
                        .waiting
                        .entry(step.shipment)
                        .or_default()
                        .push((step, reason)),
                    // A repetition moves the shipment for this run: its first may have been applied without being answered,
                    // and what waits for it was refused before.
                    None => {
                        self.moved.insert(step.shipment);
                    }
                }
            }
        }
        Ok(())
    }
}
