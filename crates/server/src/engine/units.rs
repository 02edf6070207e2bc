//! Submissions on their way through the writer, and the units they are decided in.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use store::Trouble;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::answer::{Answer, Failure, OnceAnswer};
use super::commands::Submission;
use super::group;

/// Submissions of which no later one is decided once storage has failed on one: it would overtake that.
#[derive(Default)]
pub(super) struct Row(OnceLock<Trouble>);

/// A submission on its way through the writer.
pub(super) struct Pending {
    pub(super) submission: Submission,
    pub(super) reply: oneshot::Sender<OnceAnswer>,
    pub(super) answers: Vec<Option<Answer>>,
    /// What its key says, if it is not decided now.
    pub(super) before: Option<OnceAnswer>,
    /// Why what is to be stored of its answers was not.
    pub(super) failure: Option<Failure>,
    /// Which trouble of the storage it failed for.
    trouble: Option<Trouble>,
    /// What it must not overtake.
    row: Option<Arc<Row>>,
    /// The place in the queue, free again when the caller is answered; none of what the writer makes itself.
    pub(super) place: Option<OwnedSemaphorePermit>,
    pub(super) queued_at: Instant,
}

impl Pending {
    /// It joins the queue.
    pub(super) fn new(
        submission: Submission,
        reply: oneshot::Sender<OnceAnswer>,
        place: Option<OwnedSemaphorePermit>,
        row: Option<Arc<Row>>,
    ) -> Self {
        Self {
            answers: vec![None; submission.commands.len()],
            before: None,
            failure: None,
            trouble: None,
            row,
            submission,
            reply,
            place,
            queued_at: Instant::now(),
        }
    }

    /// For which trouble it must not be decided any more: of a part of it, or of what it must not overtake.
    fn trouble_before(&self) -> Option<Trouble> {
        let of_row = || self.row.as_ref()?.0.get().copied();
        self.trouble.or_else(of_row)
    }

    /// Storage failed on it.
    fn fail(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
        if let Some(row) = &self.row {
            // The first trouble is told of the rest.
            row.0.set(trouble).ok();
        }
    }

    /// Tells the caller. One that went away needs no answer.
    fn answer(self) {
        let answers = match self.failure {
            // Without the rest, none of it counts: not even a submission of no commands.
            Some(failure) => vec![Err(failure); self.answers.len().max(1)],
            None => self
                .answers
                .into_iter()
                .map(|answer| answer.unwrap_or(Err(Failure::Internal)))
                .collect(),
        };
        // First the place, and what the submission holds: whoever is answered finds them free.
        drop(self.place);
        drop(self.submission);
        let answer = self.before.unwrap_or(OnceAnswer::Decided(answers));
        self.reply.send(answer).ok();
    }
}

/// Submissions gathered for a group, in the order in which they came.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) submissions: Vec<Pending>,
    /// Of the queue.
    pub(super) places: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, pending: Pending) {
        self.places += pending.submission.places();
        self.submissions.push(pending);
    }
}

/// Commands that stand or fall together.
#[derive(Clone)]
pub(super) struct Unit {
    /// Their submission.
    pub(super) submission: usize,
    /// Their places in it.
    pub(super) range: Range<usize>,
    /// Whether what is to be stored of the submission's answers is stored with them.
    pub(super) records: bool,
}

/// Submissions that are decided together, with the units they are made of.
pub(super) struct Batch {
    pub(super) submissions: Vec<Pending>,
    pub(super) units: Vec<Unit>,
}

impl Batch {
    pub(super) fn of(submissions: Vec<Pending>) -> Self {
        let units = submissions.iter().enumerate().map(unit).collect();
        Self { submissions, units }
    }

    /// Whether a part of it must not be decided any more.
    pub(super) fn is_held_back(&self) -> bool {
        let mut submissions = self.submissions.iter();
        submissions.any(|pending| pending.trouble_before().is_some())
    }

    pub(super) fn answer(self) {
        self.submissions.into_iter().for_each(Pending::answer);
    }
}

/// What deciding some units takes.
pub(super) fn to_decide<'a>(
    group: &'a [Pending],
    units: &'a [Unit],
    earlier: &'a [Vec<Answer>],
) -> Vec<group::Unit<'a>> {
    let unit = |(unit, earlier): (&Unit, &'a Vec<Answer>)| {
        let submission = &group.get(unit.submission)?.submission;
        Some(group::Unit {
            commands: submission.commands.get(unit.range.clone())?,
            submission,
            first: unit.range.start,
            records: unit.records.then_some(&**earlier),
        })
    };
    units.iter().zip(earlier).filter_map(unit).collect()
}

/// When the one that waited longest came.
pub(super) fn queued_since(group: &[Pending], units: &[Unit]) -> Option<Instant> {
    units
        .iter()
        .filter_map(|unit| group.get(unit.submission))
        .map(|pending| pending.queued_at)
        .min()
}

/// A submission is one unit as long as nothing fails: see [`parted`].
fn unit((place, pending): (usize, &Pending)) -> Unit {
    let submission = &pending.submission;
    Unit {
        submission: place,
        range: 0..submission.commands.len(),
        records: submission.has_records(),
    }
}

pub(super) fn can_be_parted(group: &[Pending], unit: &Unit) -> bool {
    let submission = group.get(unit.submission).map(|pending| &pending.submission);
    unit.range.len() > 1 && submission.is_some_and(|submission| !submission.atomic)
}

/// A unit whose commands need not stand together: each by itself, and what is to be stored of all their answers after them.
pub(super) fn parted(unit: &Unit) -> (Vec<Unit>, Unit) {
    let part = |range, records| Unit {
        submission: unit.submission,
        range,
        records,
    };
    let commands = unit
        .range
        .clone()
        .map(|command| part(command..command + 1, false));
    let rest = part(unit.range.end..unit.range.end, unit.records);
    (commands.collect(), rest)
}

/// The answers so far to the submission of a unit that has no commands itself.
pub(super) fn earlier_answers(group: &[Pending], unit: &Unit) -> Vec<Answer> {
    if !unit.records || !unit.range.is_empty() {
        return Vec::new();
    }
    let answers = group.get(unit.submission).map(|pending| &*pending.answers);
    answers.unwrap_or_default().iter().flatten().cloned().collect()
}

/// The units that may be decided. The others fail as what they belong behind has failed, or they would overtake it.
pub(super) fn without_overtakers<'a>(group: &mut [Pending], units: &'a [Unit]) -> Cow<'a, [Unit]> {
    let trouble = |group: &[Pending], unit: &Unit| group.get(unit.submission)?.trouble_before();
    if units.iter().all(|unit| trouble(group, unit).is_none()) {
        return Cow::Borrowed(units);
    }
    let mut left = Vec::with_capacity(units.len());
    for unit in units {
        match trouble(group, unit) {
            Some(trouble) => fail_each(group, std::slice::from_ref(unit), Failure::Unavailable(trouble)),
            None => left.push(unit.clone()),
        }
    }
    Cow::Owned(left)
}

/// Gives every unit's answer to its submission.
pub(super) fn take_answers(group: &mut [Pending], units: &[Unit], answers: Vec<OnceAnswer>) {
    for (unit, answer) in units.iter().zip(answers) {
        let Some(pending) = group.get_mut(unit.submission) else {
            continue;
        };
        match answer {
            OnceAnswer::Decided(answers) => {
                let slots = pending.answers.get_mut(unit.range.clone()).unwrap_or_default();
                for (slot, answer) in slots.iter_mut().zip(answers) {
                    *slot = Some(answer);
                }
            }
            before @ (OnceAnswer::Before(_)
            | OnceAnswer::KeyReused
            | OnceAnswer::UnderWay
            | OnceAnswer::TooManyReceipts) => {
                pending.before = Some(before);
            }
        }
    }
}

pub(super) fn fail_each(group: &mut [Pending], units: &[Unit], failure: Failure) {
    for unit in units {
        let Some(pending) = group.get_mut(unit.submission) else {
            continue;
        };
        if let Failure::Unavailable(trouble) = failure {
            pending.fail(trouble);
        }
        if unit.records {
            pending.failure = Some(failure);
        }
        let slots = pending.answers.get_mut(unit.range.clone());
        slots.unwrap_or_default().fill(Some(Err(failure)));
    }
}
