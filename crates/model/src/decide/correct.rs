//! Judging a correction: striking an entry, so that the order has the status that the others give it.

use super::Context;
use super::draft::Draft;
use crate::entry::{Body, Entry, EntryKind, PrivateBody};
use crate::history::status_without;
use crate::ids::Version;
use crate::refusal::{CorrectionRefusal, Refusal};
use crate::role::Role;

/// The correction that struck the entry before, if one did.
pub(super) fn earlier(context: &Context<'_>, strike: Version) -> Option<Version> {
    context
        .history
        .iter()
        .find(|entry| about(entry, EntryKind::Correction) == Some(strike))
        .map(|entry| entry.version)
}

pub(super) fn judge(draft: &mut Draft<'_>, strike: Version, reason: &str) -> Result<(), Refusal> {
    match draft.role() {
        Role::Operator | Role::Admin => {}
        Role::Customer | Role::Client | Role::Driver | Role::System => {
            return Err(Refusal::Forbidden(draft.role()));
        }
    }
    let history = draft.context().history;
    let struck = history
        .iter()
        .find(|entry| entry.version == strike)
        .ok_or(CorrectionRefusal::NoSuchEntry)?;
    if !correctable(struck, history)? {
        return Err(CorrectionRefusal::NotCorrectable.into());
    }
    let status = status_without(history, strike).unwrap_or(draft.status());
    may_be_undone(draft, struck, status != draft.status())?;
    draft.forget_parked(strike);
    let now = draft.now();
    let body = Body {
        about: Some(strike),
        ..Body::default()
    };
    let private = PrivateBody {
        reason: Some(reason),
        ..PrivateBody::default()
    };
    draft.push(EntryKind::Correction, status, now, body, private);
    draft.settle_parked(now);
    Ok(())
}

fn correctable(struck: &Entry, history: &[Entry]) -> Result<bool, CorrectionRefusal> {
    // Only a parked report has entries of these kinds about it.
    let ended = |kind| {
        let mut entries = history.iter();
        entries.any(|entry| about(entry, kind) == Some(struck.version))
    };
    if ended(EntryKind::Released) {
        return Err(CorrectionRefusal::ReleasedSince);
    }
    Ok(struck.kind.can_be_struck() && !ended(EntryKind::Abandoned))
}

/// A step that ended the order, or moved stock or money, is taken back only as the lifecycle says.
fn may_be_undone(draft: &Draft<'_>, struck: &Entry, changes_status: bool) -> Result<(), CorrectionRefusal> {
    if !struck.kind.bears_status() {
        return Ok(());
    }
    let previous = struck.body().ok().and_then(|body| body.previous);
    let arrow = match struck.kind {
        EntryKind::StatusApplied | EntryKind::Released => {
            previous.and_then(|from| draft.lifecycle().arrow(from, struck.status))
        }
        EntryKind::Created
        | EntryKind::Recorded
        | EntryKind::Parked
        | EntryKind::Abandoned
        | EntryKind::Correction
        | EntryKind::Override => None,
    };
    if arrow.is_some_and(|arrow| arrow.compensation.is_some()) {
        return Ok(());
    }
    if changes_status && draft.lifecycle().is_final(draft.status()) {
        return Err(CorrectionRefusal::LeavesFinal);
    }
    if arrow.is_some_and(|arrow| !arrow.effects.is_empty()) {
        return Err(CorrectionRefusal::MovedStockOrMoney);
    }
    Ok(())
}

fn about(entry: &Entry, kind: EntryKind) -> Option<Version> {
    (entry.kind == kind).then(|| entry.body().ok()?.about).flatten()
}
