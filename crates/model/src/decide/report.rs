//! Judging a report.

use super::draft::Draft;
use super::{Context, judge_time};
use crate::command::{Report, ReportFields};
use crate::entry::{Body, Entry, EntryKind, PrivateBody};
use crate::ids::Version;
use crate::lifecycle::{Arrow, EarlyPolicy, LatePolicy, StateId, Step};
use crate::limits::MAX_PARKED;
use crate::refusal::Refusal;

/// The entry that the same report made before, if it did. Same means that source, time and status are equal; the client's
/// event id then is or is not. An equal id with anything else is refused.
pub(super) fn earlier(context: &Context<'_>, report: &Report) -> Result<Option<Version>, Refusal> {
    let what = report.what();
    let mut suspects = context.suspects.iter();
    if let Some(same) = suspects.find(|suspect| says_the_same(context, suspect, what)) {
        return Ok(Some(same.version));
    }
    let event_id = what.client_event_id.as_deref();
    let mut suspects = context.suspects.iter();
    if event_id.is_some() && suspects.any(|suspect| client_event_id(suspect) == event_id) {
        return Err(Refusal::EventIdReused);
    }
    Ok(None)
}

/// What a report becomes.
enum Verdict {
    Apply,
    Record,
    Park,
}

pub(super) fn judge(draft: &mut Draft<'_>, report: &Report) -> Result<(), Refusal> {
    let what = report.what();
    judge_time(draft.context(), what.occurred_at)?;
    let status = draft.state_named(&what.status)?;
    let verdict = verdict(draft, status)?;
    let mut body = Body {
        source: Some(&what.source),
        queued_for: Some(draft.now().since(what.received_at)),
        client_event_id: what.client_event_id.as_deref(),
        ..Body::default()
    };
    let private = PrivateBody {
        location: what.location,
        notes: what.notes.as_deref(),
        metadata: what.metadata.as_deref(),
        reason: None,
    };
    match verdict {
        Verdict::Apply => {
            draft.push(EntryKind::StatusApplied, status, what.occurred_at, body, private);
            draft.settle_parked(draft.now());
        }
        Verdict::Record => {
            body.reported = Some(status);
            draft.push(
                EntryKind::Recorded,
                draft.status(),
                what.occurred_at,
                body,
                private,
            );
        }
        Verdict::Park => {
            body.reported = Some(status);
            body.wait_until = Some(draft.now() + draft.lifecycle().park_for());
            draft.push(EntryKind::Parked, draft.status(), what.occurred_at, body, private);
        }
    }
    Ok(())
}

fn verdict(draft: &Draft<'_>, status: StateId) -> Result<Verdict, Refusal> {
    let lifecycle = draft.lifecycle();
    let verdict = match lifecycle.step(draft.status(), status) {
        Step::Allowed(arrow) => {
            return may_follow(draft, arrow)
                .then_some(Verdict::Apply)
                .ok_or(Refusal::Forbidden(draft.role()));
        }
        Step::Same | Step::Never => None,
        Step::Late => match lifecycle.late() {
            LatePolicy::Reject => None,
            LatePolicy::Record => Some(Verdict::Record),
        },
        Step::Early => match lifecycle.early() {
            EarlyPolicy::Reject => None,
            EarlyPolicy::Record => Some(Verdict::Record),
            EarlyPolicy::Park => Some(Verdict::Park),
        },
    };
    let verdict = verdict.ok_or_else(|| draft.invalid_transition(status))?;
    // Nobody may have kept what they may never report; what nothing leads to, nobody reports.
    let mut arrows = lifecycle
        .arrows()
        .iter()
        .filter(|arrow| arrow.to == status)
        .peekable();
    if arrows.peek().is_none() {
        return Err(draft.invalid_transition(status));
    }
    if !arrows.any(|arrow| may_follow(draft, arrow)) {
        return Err(Refusal::Forbidden(draft.role()));
    }
    if matches!(verdict, Verdict::Park) && draft.waiting() >= MAX_PARKED {
        return Err(Refusal::TooManyParked);
    }
    Ok(verdict)
}

fn may_follow(draft: &Draft<'_>, arrow: &Arrow) -> bool {
    arrow.by.contains(draft.role())
}

fn says_the_same(context: &Context<'_>, entry: &Entry, what: &ReportFields) -> bool {
    let Ok(body) = entry.body() else { return false };
    let status = body.reported.unwrap_or(entry.status);
    body.source == Some(&*what.source)
        && entry.occurred_at == what.occurred_at
        && context.lifecycle.state_name(status) == &*what.status
}

fn client_event_id(entry: &Entry) -> Option<&str> {
    entry.body().ok()?.client_event_id
}
