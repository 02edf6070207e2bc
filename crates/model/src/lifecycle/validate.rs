//! Whether a draft makes sense as a whole: names, states, arrows and where they lead.

use std::collections::HashMap;

use super::canonical::{self, ContentHash};
use super::parse::{Draft, DraftArrow, Placed};
use super::report::Report;
use super::{
    Arrow, DEFAULT_PARK_FOR, EarlyPolicy, Lifecycle, MAX_DESCRIPTION_CHARS, MAX_NAME_BYTES, MAX_STATES,
    Phase, State, StateId, StateSet,
};
use crate::time::Span;

/// Checks a draft and makes a lifecycle of it; `None` when something was reported, now or before.
pub(super) fn validate(draft: &Draft<'_>, report: &mut Report<'_>) -> Option<Lifecycle> {
    check_texts(draft, report);
    check_park_for(draft, report);
    let states = States::of(draft, report)?;
    let initial = states.named("initial", draft.initial, report);
    let cancelled = states.named("cancelled", draft.cancelled, report);
    check_ends(draft, &states, report);
    let ends = arrow_ends(draft, &states, report);
    check_arrows(&ends, &states, report);
    check_automatic(&ends, &states, report);
    // Where a graph leads can be said only when all of it is known.
    if !report.is_empty() {
        return None;
    }
    let lifecycle = build(draft, &ends, initial?, cancelled)?;
    check_paths(&lifecycle, &states, report);
    check_haste(&lifecycle, &states, report);
    Some(lifecycle)
}

fn check_texts(draft: &Draft<'_>, report: &mut Report<'_>) {
    if let Some(name) = draft
        .name
        .filter(|name| !is_name(name.value, u8::is_ascii_lowercase))
    {
        let message = format!("name {:?} is not allowed", name.value);
        report.add(name.offset, message, name_cure("a to z"));
    }
    for state in &draft.states {
        if !is_name(state.name.value, u8::is_ascii_alphabetic) {
            let message = format!("state name {:?} is not allowed", state.name.value);
            report.add(state.name.offset, message, name_cure("letters"));
        }
    }
    let described = draft.description.filter(|description| {
        let text = description.value;
        text.is_empty() || text.chars().count() > MAX_DESCRIPTION_CHARS || text.contains(char::is_control)
    });
    if let Some(description) = described {
        let cure = format!("write one line of 1 to {MAX_DESCRIPTION_CHARS} characters");
        report.add(
            description.offset,
            "description is empty, too long or not one line",
            cure,
        );
    }
}

fn is_name(text: &str, is_letter: fn(&u8) -> bool) -> bool {
    text.len() <= MAX_NAME_BYTES
        && text.bytes().next().is_some_and(|first| is_letter(&first))
        && text
            .bytes()
            .all(|byte| is_letter(&byte) || byte.is_ascii_digit() || byte == b'_')
}

fn name_cure(letters: &str) -> String {
    format!("use {letters}, 0 to 9 and _, a letter first, at most {MAX_NAME_BYTES} bytes")
}

fn check_park_for(draft: &Draft<'_>, report: &mut Report<'_>) {
    if let Some(park_for) = draft
        .reports
        .park_for
        .filter(|_| draft.reports.early != EarlyPolicy::Park)
    {
        let message = "park_for means nothing where early reports are not parked";
        report.add(
            park_for.offset,
            message,
            r#"write early = "park" or remove park_for"#,
        );
    }
}

/// The states of a draft by name and by place.
struct States<'d> {
    by_name: HashMap<&'d str, StateId>,
    by_place: Vec<(Placed<&'d str>, Option<Phase>)>,
}

impl<'d> States<'d> {
    /// `None` if there are more states than ids.
    fn of(draft: &Draft<'d>, report: &mut Report<'_>) -> Option<Self> {
        if let Some(state) = draft.states.get(MAX_STATES) {
            let message = format!("{} states are more than {MAX_STATES}", draft.states.len());
            report.add(
                state.name.offset,
                message,
                "remove some, or make two lifecycles of it",
            );
            return None;
        }
        let mut by_name = HashMap::new();
        let by_place: Vec<_> = draft
            .states
            .iter()
            .map(|state| (state.name, state.phase))
            .collect();
        for (place, (name, _)) in (0u8..).zip(&by_place) {
            let first = *by_name.entry(name.value).or_insert(StateId::new(place));
            if first != StateId::new(place) {
                let lines = [by_place[first.index()].0, *name].map(|name| report.line(name.offset));
                let message = format!(
                    "state {:?} is defined on lines {} and {}",
                    name.value, lines[0], lines[1]
                );
                report.add(name.offset, message, "rename one or remove it");
            }
        }
        Some(Self { by_name, by_place })
    }

    /// The state that the value of a key names.
    fn named(&self, key: &str, name: Option<Placed<&str>>, report: &mut Report<'_>) -> Option<StateId> {
        let name = name?;
        let found = self.by_name.get(name.value).copied();
        if found.is_none() {
            let names: Vec<String> = self
                .by_place
                .iter()
                .map(|(name, _)| name.value.escape_debug().to_string())
                .collect();
            let cure = format!("use one of {}, or add it as a [[state]]", names.join(", "));
            report.add(
                name.offset,
                format!("{key} names the unknown state {:?}", name.value),
                cure,
            );
        }
        found
    }

    fn name(&self, id: StateId) -> Placed<&'d str> {
        self.by_place[id.index()].0
    }

    fn phase(&self, id: StateId) -> Option<Phase> {
        self.by_place[id.index()].1
    }
}

/// The first state must not be the last, and a cancellation must stop the order.
fn check_ends(draft: &Draft<'_>, states: &States<'_>, report: &mut Report<'_>) {
    let phase_of = |name: &Placed<&str>| states.by_name.get(name.value).and_then(|id| states.phase(*id));
    if let Some(initial) = draft.initial
        && let Some(phase) = phase_of(&initial).filter(|phase| phase.is_final())
    {
        let message = format!(
            "initial names {:?}, which is final (phase {})",
            initial.value,
            phase.name()
        );
        report.add(
            initial.offset,
            message,
            "begin in a state of phase pending, active or moving",
        );
    }
    if let Some(cancelled) = draft.cancelled
        && let Some(phase) = phase_of(&cancelled).filter(|phase| *phase != Phase::Stopped)
    {
        let message = format!(
            "cancelled names {:?}, which is of phase {}",
            cancelled.value,
            phase.name()
        );
        report.add(cancelled.offset, message, "name a state of phase stopped");
    }
}

/// An arrow of one state, out of a draft that may name several.
struct Ends<'d> {
    from: StateId,
    to: StateId,
    /// Where the file names `from`.
    offset: usize,
    draft: &'d DraftArrow<'d>,
}

fn arrow_ends<'d>(draft: &'d Draft<'d>, states: &States<'_>, report: &mut Report<'_>) -> Vec<Ends<'d>> {
    let mut found = Vec::new();
    for arrow in &draft.arrows {
        let to = states.named("to", Some(arrow.to), report);
        for name in &arrow.from {
            let from = states.named("from", Some(*name), report);
            if let (Some(from), Some(to)) = (from, to) {
                found.push(Ends {
                    from,
                    to,
                    offset: name.offset,
                    draft: arrow,
                });
            }
        }
    }
    found
}

/// Each arrow by itself, and that there is no other between the same two states.
fn check_arrows(arrows: &[Ends<'_>], states: &States<'_>, report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for Ends { from, to, offset, .. } in arrows {
        let (from_name, to_name) = (states.name(*from).value, states.name(*to).value);
        if let Some(first) = seen.insert((from, to), *offset) {
            let lines = [first, *offset].map(|offset| report.line(offset));
            let message = format!(
                "the arrow from {from_name:?} to {to_name:?} is defined on lines {} and {}",
                lines[0], lines[1]
            );
            report.add(*offset, message, "remove one");
        }
        if from == to {
            report.add(
                *offset,
                format!("an arrow leads from {from_name:?} to itself"),
                "remove it",
            );
            continue;
        }
        let (Some(before), Some(after)) = (states.phase(*from), states.phase(*to)) else {
            continue;
        };
        if before.is_final() {
            let message = format!(
                "an arrow leaves {from_name:?}, which is final (phase {})",
                before.name()
            );
            report.add(
                *offset,
                message,
                "remove the arrow or give the state another phase",
            );
        } else if after < before {
            let message = format!(
                "the arrow from {from_name:?} (phase {}) to {to_name:?} (phase {}) goes back",
                before.name(),
                after.name()
            );
            report.add(*offset, message, "remove the arrow or give a state another phase");
        }
    }
}

/// What the server does by itself must not be in doubt.
fn check_automatic(arrows: &[Ends<'_>], states: &States<'_>, report: &mut Report<'_>) {
    let mut first_of = HashMap::new();
    for Ends {
        from,
        to,
        offset,
        draft,
    } in arrows
    {
        if draft.after.is_none() {
            continue;
        }
        let first: StateId = *first_of.entry(from).or_insert(*to);
        if first != *to {
            let message = format!(
                "{:?} has two automatic arrows, to {:?} and to {:?}",
                states.name(*from).value,
                states.name(first).value,
                states.name(*to).value
            );
            report.add(*offset, message, "keep after on one of them");
        }
    }
}

/// A lifecycle of a draft with nothing to report.
fn build(
    draft: &Draft<'_>,
    arrows: &[Ends<'_>],
    initial: StateId,
    cancelled: Option<StateId>,
) -> Option<Lifecycle> {
    let states: Option<Vec<State>> = draft
        .states
        .iter()
        .map(|state| {
            Some(State {
                name: state.name.value.into(),
                phase: state.phase?,
            })
        })
        .collect();
    let states = states?;
    let mut arrows: Vec<Arrow> = arrows
        .iter()
        .map(|Ends { from, to, draft, .. }| Arrow {
            from: *from,
            to: *to,
            by: draft.by,
            after: draft.after,
            effects: draft.effects.clone(),
            compensation: draft.compensation.clone(),
        })
        .collect();
    // Two files that mean the same make the same lifecycle, however they gather or order their arrows.
    arrows.sort_by_key(|arrow| (arrow.from, arrow.to));
    let mut lifecycle = Lifecycle {
        name: draft.name?.value.into(),
        version: draft.version?,
        description: draft.description?.value.into(),
        initial,
        cancelled,
        created_by: draft.created_by,
        late: draft.reports.late,
        early: draft.reports.early,
        park_for: draft
            .reports
            .park_for
            .map_or(DEFAULT_PARK_FOR, |park_for| park_for.value),
        jitter_percent: draft.jitter_percent,
        reachable: reachable(states.len(), &arrows),
        states,
        arrows,
        hash: ContentHash::from_bytes([0; 32]),
    };
    lifecycle.hash = ContentHash::of(&canonical::text(&lifecycle));
    Some(lifecycle)
}

/// For each state, what can be reached from it by one arrow or more.
fn reachable(states: usize, arrows: &[Arrow]) -> Vec<StateSet> {
    let mut reachable = vec![StateSet::default(); states];
    for arrow in arrows {
        reachable[arrow.from.index()].insert(arrow.to);
    }
    // Warshall's closure: allow one state more as a way through at each round.
    for (through, id) in (0..states).zip((0u8..).map(StateId::new)) {
        let onward = reachable[through];
        for set in reachable.iter_mut().filter(|set| set.contains(id)) {
            *set = set.union(onward);
        }
    }
    reachable
}

/// Every state can be reached, and from every state an end.
fn check_paths(lifecycle: &Lifecycle, states: &States<'_>, report: &mut Report<'_>) {
    let initial = lifecycle.initial;
    for id in lifecycle.state_ids() {
        let Placed { value: name, offset } = states.name(id);
        if id != initial && !lifecycle.leads(initial, id) {
            let message = format!(
                "state {name:?} cannot be reached from {:?}",
                lifecycle.state_name(initial)
            );
            report.add(offset, message, "add an arrow to it or remove it");
        }
        let mut ends = lifecycle.state_ids().filter(|end| lifecycle.is_final(*end));
        if !lifecycle.is_final(id) && !ends.any(|end| lifecycle.leads(id, end)) {
            let message = format!("from state {name:?} no final state can be reached");
            report.add(
                offset,
                message,
                "add an arrow towards a state of phase done or stopped",
            );
        }
    }
}

/// No order goes round without a pause: the server would never be done with it.
fn check_haste(lifecycle: &Lifecycle, states: &States<'_>, report: &mut Report<'_>) {
    let at_once = |from: StateId| {
        lifecycle
            .automatic(from)
            .filter(|(_, after)| *after == Span::default())
            .map(|(arrow, _)| arrow.to)
    };
    for id in lifecycle.state_ids() {
        let mut passed = std::iter::successors(at_once(id), |from| at_once(*from)).take(MAX_STATES);
        if passed.any(|to| to == id) {
            let Placed { value: name, offset } = states.name(id);
            let message = format!("arrows without delay lead from state {name:?} round to itself for ever");
            report.add(offset, message, r#"write after = "1s" or more on one of them"#);
        }
    }
}
