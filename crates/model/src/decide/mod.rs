//! Judging commands: a pure function from an order's head, its lifecycle and a command to the entries it makes.
//!
//! The order of the questions is part of the contract: may the actor touch this order; is it a repetition (then nothing
//! changes, whatever else holds); has the order moved on since the caller looked; is there room; and only then whether the
//! lifecycle allows it. Arrows are asked here and never again: folding a log does not judge it.

mod archived;
mod correct;
mod draft;
mod report;

use crate::command::{Actor, Change, Create};
use crate::entry::{Body, Entry, EntryKind, PrivateBody};
use crate::head::{DelayScale, Head};
use crate::ids::{OrderKey, Version};
use crate::lifecycle::{Lifecycle, StateId, Step};
use crate::limits::MAX_AHEAD;
use crate::public_id::PublicId;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::sealed::{Salt, Sealed};
use crate::time::Timestamp;

pub use archived::decide_archived;
use draft::Draft;

/// What a decision is made with besides order and command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The order's lifecycle.
    pub lifecycle: &'a Lifecycle,
    /// The server's clock.
    pub now: Timestamp,
    /// Fresh random bytes, for what has to be sealed.
    pub salt: Salt,
    /// How automatic delays are stretched.
    pub scale: DelayScale,
    /// Entries of the order whose fingerprint is one of the report's: perhaps the same report, perhaps a collision.
    pub suspects: &'a [Entry],
    /// All entries of the order; needed to judge a correction, empty otherwise.
    pub history: &'a [Entry],
}

/// A judgement.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// These entries follow, versions rising by one from the head's.
    Accepted(Vec<Entry>),
    /// It was accepted before, as this version.
    Duplicate(Version),
    /// What is wished for is the case already; nothing is to be kept.
    Unchanged,
    /// Refused.
    Refused(Refusal),
}

/// Judges the creation of an order. `order` is the key it will get, `id` the public id, which nobody has; `details` comes back sealed.
#[must_use]
pub fn decide_create(
    context: &Context<'_>,
    order: OrderKey,
    id: &PublicId,
    create: &Create,
) -> (Decision, Sealed) {
    let details = Sealed::new(&context.salt, &create.details);
    let role = create.actor.role;
    if !context.lifecycle.created_by().contains(role) {
        return (Decision::Refused(Refusal::Forbidden(role)), details);
    }
    if !create.actor.scope.covers(&create.owner) {
        return (Decision::Refused(Refusal::NotYours), details);
    }
    let occurred_at = create.occurred_at.unwrap_or(context.now);
    if let Err(refusal) = judge_time(context, occurred_at) {
        return (Decision::Refused(refusal), details);
    }
    let body = Body {
        source: Some(&create.source),
        actor: Some(create.actor.party),
        role: Some(role),
        queued_for: Some(context.now.since(create.received_at)),
        details_digest: Some(details.digest_with(create.reference.as_deref())),
        public_id: Some(id.as_str()),
        ..Body::default()
    };
    let entry = Entry {
        order,
        version: Version::FIRST,
        kind: EntryKind::Created,
        format: crate::entry::ENTRY_FORMAT,
        lifecycle: create.lifecycle,
        owner: create.owner,
        status: context.lifecycle.initial(),
        occurred_at,
        recorded_at: context.now,
        body: body.encode(),
        private: None,
    };
    (Decision::Accepted(vec![entry]), details)
}

/// Whether a creation with a kept id repeats the one that made the order that has it: for the same owner, under
/// whatever version of the same lifecycle. `born_under` is the order's definition, `wished` the one now named.
#[must_use]
pub fn decide_create_again(
    head: &Head,
    born_under: &Lifecycle,
    wished: &Lifecycle,
    create: &Create,
) -> Decision {
    if !create.actor.scope.covers(&create.owner) {
        Decision::Refused(Refusal::NotYours)
    } else if born_under.name() == wished.name() && head.owner == create.owner {
        Decision::Duplicate(Version::FIRST)
    } else {
        Decision::Refused(Refusal::IdTaken)
    }
}

/// Judges a change of an order.
#[must_use]
pub fn decide(
    context: &Context<'_>,
    head: &Head,
    actor: &Actor,
    expected: Option<Version>,
    change: &Change,
) -> Decision {
    let judged = judge(context, head, actor, expected, change);
    judged.unwrap_or_else(Decision::Refused)
}

fn judge(
    context: &Context<'_>,
    head: &Head,
    actor: &Actor,
    expected: Option<Version>,
    change: &Change,
) -> Result<Decision, Refusal> {
    if !actor.scope.covers(&head.owner) {
        return Err(Refusal::NotYours);
    }
    if let Some(repeated) = repetition(context, head, change)? {
        return Ok(repeated);
    }
    if let Some(expected) = expected.filter(|expected| *expected != head.version) {
        return Err(Refusal::VersionMismatch {
            current: head.version,
            expected,
        });
    }
    if head.is_full() {
        return Err(Refusal::OrderFull);
    }
    let mut draft = Draft::new(context, head, actor);
    match change {
        Change::Report(report) => report::judge(&mut draft, report)?,
        Change::Cancel { reason, source } => cancel(&mut draft, reason.as_deref(), source)?,
        Change::Override {
            status,
            reason,
            force,
        } => override_status(&mut draft, status, reason, *force)?,
        Change::Correct { strike, reason } => correct::judge(&mut draft, *strike, reason)?,
        Change::Due { due_at } => due(&mut draft, *due_at),
    }
    let entries = draft.finish();
    if entries.is_empty() {
        Ok(Decision::Unchanged)
    } else {
        Ok(Decision::Accepted(entries))
    }
}

/// Whether the change was made already. A repetition is answered as such whatever has happened since.
fn repetition(context: &Context<'_>, head: &Head, change: &Change) -> Result<Option<Decision>, Refusal> {
    let repeated = match change {
        Change::Report(report) => report::earlier(context, report)?.map(Decision::Duplicate),
        Change::Correct { strike, .. } => correct::earlier(context, *strike).map(Decision::Duplicate),
        Change::Cancel { .. } => {
            (Some(head.status) == context.lifecycle.cancelled()).then_some(Decision::Unchanged)
        }
        Change::Due { due_at } => (head.due_at() != Some(*due_at)).then_some(Decision::Unchanged),
        Change::Override { .. } => None,
    };
    Ok(repeated)
}

fn cancel(draft: &mut Draft<'_>, reason: Option<&str>, source: &str) -> Result<(), Refusal> {
    let to = draft.lifecycle().cancelled().ok_or(Refusal::NotCancellable)?;
    draft.follow_arrow(to)?;
    let now = draft.now();
    let body = Body {
        source: Some(source),
        ..Body::default()
    };
    draft.push(
        EntryKind::StatusApplied,
        to,
        now,
        body,
        PrivateBody {
            reason,
            ..PrivateBody::default()
        },
    );
    draft.settle_parked(now);
    Ok(())
}

fn override_status(draft: &mut Draft<'_>, status: &str, reason: &str, force: bool) -> Result<(), Refusal> {
    if draft.role() != Role::Admin {
        return Err(Refusal::Forbidden(draft.role()));
    }
    let to = draft.state_named(status)?;
    let kind = match draft.lifecycle().step(draft.status(), to) {
        Step::Allowed(arrow) if arrow.by.contains(Role::Admin) => EntryKind::StatusApplied,
        // Also along an arrow that only the server follows: nobody is charged by an admin's saying so.
        Step::Allowed(_) | Step::Late | Step::Early | Step::Never if force => EntryKind::Override,
        Step::Same | Step::Allowed(_) | Step::Late | Step::Early | Step::Never => {
            return Err(draft.invalid_transition(to));
        }
    };
    let now = draft.now();
    let private = PrivateBody {
        reason: Some(reason),
        ..PrivateBody::default()
    };
    draft.push(kind, to, now, Body::default(), private);
    draft.settle_parked(now);
    Ok(())
}

/// What was due at `due_at`, once that time has come: giving up parked reports, or else the next step. What was due later is
/// left to its own turn, so that a server that was down does the same in the same order.
fn due(draft: &mut Draft<'_>, due_at: Timestamp) {
    if due_at > draft.now() || draft.abandon_expired(due_at) || draft.head().step_due != Some(due_at) {
        return;
    }
    let Some(to) = draft
        .lifecycle()
        .automatic(draft.status())
        .map(|(arrow, _)| arrow.to)
    else {
        return;
    };
    draft.push(
        EntryKind::StatusApplied,
        to,
        due_at,
        Body::default(),
        PrivateBody::default(),
    );
    draft.settle_parked(due_at);
}

fn judge_time(context: &Context<'_>, occurred_at: Timestamp) -> Result<(), Refusal> {
    if (Timestamp::EARLIEST_EVENT..=context.now + MAX_AHEAD).contains(&occurred_at) {
        Ok(())
    } else {
        Err(Refusal::OccurredAtOutOfRange)
    }
}

fn names(lifecycle: &Lifecycle, states: impl Iterator<Item = StateId>) -> Vec<Box<str>> {
    states.map(|state| lifecycle.state_name(state).into()).collect()
}
