//! Deciding the commands of one group, in order, each against what those before it left.

mod create;
mod orders;
mod refusals;

use std::collections::HashMap;
use std::sync::Arc;

use model::command::{Actor, Change};
use model::decide::{Context, Decision, decide as judge};
use model::fingerprint::ReportHashes;
use model::head::DelayScale;
use model::ids::{DeadLetterId, LifecycleId, Version};
use model::time::Timestamp;
use model::{Entry, EntryKind, Head, Lifecycle, Refusal};
use rand::RngExt;
use rand::rngs::StdRng;
use store::{Error, Group, GroupWrites, NewDeadLetter, NewOrder};

use super::answer::{Accepted, Answer, Outcome};
use super::commands::Command;
use orders::{Orders, Slot};
use refusals::LetterKey;

/// What deciding needs besides the orders.
pub(super) struct Deciding<'a> {
    pub(super) lifecycles: &'a HashMap<LifecycleId, Arc<Lifecycle>>,
    pub(super) now: Timestamp,
    pub(super) scale: DelayScale,
    pub(super) random: &'a mut StdRng,
}

/// Decides every command. Gives their answers, true once the writes are durable, and the writes.
pub(super) fn decide(
    deciding: Deciding<'_>,
    group: &mut dyn Group,
    commands: &[(&Command, bool)],
) -> Result<(Vec<Answer>, GroupWrites), Error> {
    let orders = Orders::load(group, commands)?;
    let mut state = GroupState {
        deciding,
        group,
        orders,
        born: Vec::new(),
        entries: Vec::with_capacity(commands.len()),
        dead_letters: Vec::new(),
        letters: HashMap::new(),
    };
    let mut answers = Vec::with_capacity(commands.len());
    for (number, (command, keep_refusal)) in commands.iter().enumerate() {
        let outcome = match command {
            Command::Create(create) => state.create(number, create)?,
            Command::Change {
                actor,
                expected,
                change,
                ..
            } => state.change(number, actor, *expected, change)?,
        };
        answers.push(match outcome {
            Some(Outcome::Refused(refusal, _)) if *keep_refusal => {
                Ok(state.keep_refusal(number, command, refusal)?)
            }
            Some(outcome) => Ok(outcome),
            // As if the database had refused it: so it fails alone, and an atomic submission whole.
            None => return Err(Error::Statement("a command cannot be made".to_owned())),
        });
    }
    Ok((answers, state.into_writes()))
}

struct GroupState<'a> {
    deciding: Deciding<'a>,
    group: &'a mut dyn Group,
    orders: Orders,
    born: Vec<NewOrder>,
    /// Entries in the order of their decisions, each with its order's slot.
    entries: Vec<(usize, Entry)>,
    dead_letters: Vec<NewDeadLetter>,
    /// The same, by what makes two refusals one.
    letters: HashMap<LetterKey, DeadLetterId>,
}

impl<'a> GroupState<'a> {
    fn change(
        &mut self,
        command: usize,
        actor: &Actor,
        expected: Option<Version>,
        change: &Change,
    ) -> Result<Option<Outcome>, Error> {
        let Some(place) = self.orders.find(command) else {
            return Ok(Some(Outcome::Refused(Refusal::UnknownOrder, None)));
        };
        let hashes = match change {
            Change::Report(report) => *report.hashes(),
            Change::Cancel { .. } | Change::Override { .. } | Change::Correct { .. } | Change::Due { .. } => {
                ReportHashes::default()
            }
        };
        let suspects = self.suspects(place, &hashes)?;
        let history = match change {
            Change::Correct { .. } => self.history(place)?,
            Change::Report(_) | Change::Cancel { .. } | Change::Override { .. } | Change::Due { .. } => {
                Vec::new()
            }
        };
        let Some(slot) = self.orders.get(place) else {
            return Ok(None);
        };
        let lifecycle = self.lifecycle(slot.head().lifecycle)?;
        let context = Context {
            lifecycle,
            now: self.deciding.now,
            salt: self.deciding.random.random(),
            scale: self.deciding.scale,
            suspects: &suspects,
            history: &history,
        };
        match judge(&context, slot.head(), actor, expected, change) {
            Decision::Accepted(entries) => self.accept(place, lifecycle, entries, change).map(Some),
            decision @ (Decision::Duplicate(_) | Decision::Unchanged | Decision::Refused(_)) => {
                Ok(Some(outcome_without_entry(slot.head(), decision)))
            }
        }
    }

    /// A definition: it outlives the group, so that the group's state can be changed while it is used.
    fn lifecycle(&self, id: LifecycleId) -> Result<&'a Lifecycle, Error> {
        let lifecycles: &'a HashMap<LifecycleId, Arc<Lifecycle>> = self.deciding.lifecycles;
        let found = lifecycles.get(&id);
        found
            .map(|lifecycle| &**lifecycle)
            .ok_or_else(|| damaged("an order names a lifecycle that is not stored"))
    }

    fn accept(
        &mut self,
        place: usize,
        lifecycle: &Lifecycle,
        entries: Vec<Entry>,
        change: &Change,
    ) -> Result<Outcome, Error> {
        let slot = self
            .orders
            .get_mut(place)
            .ok_or_else(|| damaged("a group has lost an order"))?;
        let mut first: Option<(Version, EntryKind)> = None;
        for entry in entries {
            // A report brings the fingerprints of its own entry along; those of any other entry are taken of itself.
            let hashes = match (first, change) {
                (None, Change::Report(report)) => *report.hashes(),
                (_, _) => entry
                    .report_hashes(lifecycle)
                    .map_err(|error| damaged(&error.to_string()))?,
            };
            let head = &mut slot.loaded.head;
            head.apply(&entry, lifecycle, self.deciding.scale, &hashes, &mut slot.spilled)
                .map_err(|error| damaged(&error.to_string()))?;
            first.get_or_insert((entry.version, entry.kind));
            slot.entries.push(self.entries.len());
            self.entries.push((place, entry));
        }
        let (version, kind) = first.ok_or_else(|| damaged("a command was accepted without an entry"))?;
        Ok(Outcome::Accepted(Accepted {
            order: slot.head().order,
            created: None,
            version,
            kind,
            last_version: slot.head().version,
            status: slot.head().status,
        }))
    }

    /// Entries that have one of the hashes: nearly always none.
    fn suspects(&mut self, place: usize, hashes: &ReportHashes) -> Result<Vec<Entry>, Error> {
        let mut suspects = Vec::new();
        for hash in hashes.iter() {
            let Some(slot) = self.orders.get(place) else { break };
            let mut versions: Vec<Version> = slot.head().recent.versions_with(hash).collect();
            if slot.head().recent.has_older() {
                versions.extend(
                    slot.spilled
                        .iter()
                        .filter(|old| old.hash() == hash)
                        .map(|old| old.version()),
                );
                versions.extend(self.group.older_versions(slot.head().order, hash)?);
            }
            for version in versions {
                suspects.extend(self.entry(place, version)?);
            }
        }
        Ok(suspects)
    }

    fn entry(&mut self, place: usize, version: Version) -> Result<Option<Entry>, Error> {
        let Some(slot) = self.orders.get(place) else {
            return Ok(None);
        };
        match of_group(&self.entries, slot).find(|entry| entry.version == version) {
            Some(entry) => Ok(Some(entry.clone())),
            None if slot.before.is_some() => self.group.entry(&slot.loaded, version),
            None => Ok(None),
        }
    }

    fn history(&mut self, place: usize) -> Result<Vec<Entry>, Error> {
        let Some(slot) = self.orders.get(place) else {
            return Ok(Vec::new());
        };
        let mut history = if slot.before.is_some() {
            self.group.history(&slot.loaded)?
        } else {
            Vec::new()
        };
        history.extend(of_group(&self.entries, slot).cloned());
        Ok(history)
    }

    /// Of the orders loaded, only those that got entries are written.
    fn into_writes(self) -> GroupWrites {
        let (heads, places) = self.orders.into_changes();
        let placed = |(slot, entry): (usize, Entry)| Some((*places.get(slot)?, entry));
        let entries = self.entries.into_iter().filter_map(placed).collect();
        GroupWrites {
            orders: self.born,
            heads,
            entries,
            dead_letters: self.dead_letters,
            records: Vec::new(),
        }
    }
}

/// The entries that an order got in this group so far, oldest first.
fn of_group<'e>(entries: &'e [(usize, Entry)], slot: &'e Slot) -> impl Iterator<Item = &'e Entry> {
    slot.entries
        .iter()
        .filter_map(|place| entries.get(*place))
        .map(|(_, entry)| entry)
}

fn outcome_without_entry(head: &Head, decision: Decision) -> Outcome {
    match decision {
        Decision::Duplicate(version) => Outcome::Duplicate(head.order, version),
        Decision::Refused(refusal) => Outcome::Refused(refusal, None),
        Decision::Unchanged | Decision::Accepted(_) => Outcome::Unchanged(head.order, head.version),
    }
}

fn damaged(what: &str) -> Error {
    Error::Damaged(what.to_owned())
}
