//! Deciding the commands of one group, in order, each against what those before it left.

mod archived;
mod create;
mod orders;
mod records;
mod refusals;

use std::collections::HashMap;
use std::sync::Arc;

use model::command::{Actor, Change};
use model::decide::{Context, Decision, decide as judge};
use model::fingerprint::ReportHashes;
use model::head::DelayScale;
use model::ids::{DeadLetterId, LifecycleId, PartyId, Version};
use model::time::Timestamp;
use model::{Entry, EntryKind, Head, Lifecycle, Refusal, StateId};
use rand::RngExt;
use rand::rngs::StdRng;
use store::{Error, Group, GroupWrites, NewDeadLetter, NewOrder, Record};

use super::Quotas;
use super::answer::{Accepted, Answer, Known, OnceAnswer, Outcome};
use super::commands::{Command, Submission};
use super::judge::Transition;
use orders::{Orders, Slot};
use refusals::LetterKey;

/// Commands that stand or fall together.
pub(super) struct Unit<'a> {
    /// The commands.
    pub(super) commands: &'a [Command],
    /// The submission they are of.
    pub(super) submission: &'a Submission,
    /// The place of the first of them in it.
    pub(super) first: usize,
    /// Whether what is to be stored of the submission's answers is stored with them: the answers so far.
    pub(super) records: Option<&'a [Answer]>,
}

/// What became of a group.
pub(super) struct Decided {
    /// Of every unit, true once the writes are durable.
    pub(super) answers: Vec<OnceAnswer>,
    /// The writes.
    pub(super) writes: GroupWrites,
    /// Steps that orders took.
    pub(super) transitions: Vec<(Transition, u64)>,
    /// Reports that were repetitions.
    pub(super) duplicates: usize,
}

/// What deciding needs besides the orders.
pub(super) struct Deciding<'a> {
    pub(super) quotas: Quotas,
    pub(super) lifecycles: &'a HashMap<LifecycleId, Arc<Lifecycle>>,
    pub(super) now: Timestamp,
    pub(super) scale: DelayScale,
    pub(super) random: &'a mut StdRng,
}

/// Decides every command.
pub(super) fn decide(
    deciding: Deciding<'_>,
    group: &mut dyn Group,
    units: &[Unit<'_>],
) -> Result<Decided, Error> {
    let orders = Orders::load(group, units.iter().flat_map(|unit| unit.commands))?;
    let commands = units.iter().map(|unit| unit.commands.len()).sum();
    let mut state = GroupState {
        deciding,
        group,
        orders,
        born: Vec::new(),
        entries: Vec::with_capacity(commands),
        dead_letters: Vec::new(),
        letters: HashMap::new(),
        letters_kept: HashMap::new(),
        receipts_kept: HashMap::new(),
        records: Vec::new(),
        transitions: HashMap::new(),
        duplicates: 0,
    };
    let mut answers = Vec::with_capacity(units.len());
    let mut first = 0;
    for unit in units {
        let answer = state.decide_unit(unit, first)?;
        first += unit.commands.len();
        if let (Some(earlier), Some(records), OnceAnswer::Decided(decided)) =
            (unit.records, &unit.submission.records, &answer)
        {
            let of = if decided.is_empty() { earlier } else { decided };
            state.keep_records(records.of(of))?;
        }
        answers.push(answer);
    }
    Ok(state.into_decided(answers))
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
    /// Dead letters of each principal that was refused something, those of this group included.
    letters_kept: HashMap<PartyId, u64>,
    /// As how many the receipts of each principal that sent a batch count, those of this group included.
    receipts_kept: HashMap<PartyId, u64>,
    records: Vec<Record>,
    transitions: HashMap<Transition, u64>,
    duplicates: usize,
}

impl<'a> GroupState<'a> {
    /// `first` is the place of its first command in the group.
    fn decide_unit(&mut self, unit: &Unit<'_>, first: usize) -> Result<OnceAnswer, Error> {
        if let Some(before) = self.answered_before(unit.submission)? {
            return Ok(before);
        }
        // Before anything is decided: of a batch whose receipt is not kept nobody could be told later.
        if let (Some(_), Some(principal)) = (unit.records, unit.submission.receipt_of)
            && !self.may_keep_another_receipt(principal)?
        {
            return Ok(OnceAnswer::TooManyReceipts);
        }
        let mut answers = Vec::with_capacity(unit.commands.len());
        for (place, command) in unit.commands.iter().enumerate() {
            let number = first + place;
            let outcome = match command {
                Command::Create(create) => self.create(number, create)?,
                Command::Change {
                    actor,
                    expected,
                    change,
                    ..
                } => self.change(number, actor, *expected, change)?,
            };
            answers.push(match outcome {
                Some(Outcome::Refused(refusal, _)) if unit.submission.keep_refusals => {
                    let contents = unit.submission.contents.as_ref();
                    let content = || contents.and_then(|contents| contents.of(unit.first + place));
                    Ok(self.keep_refusal(number, command, refusal, content)?)
                }
                Some(outcome) => Ok(outcome),
                // As if the database had refused it: so it fails alone, and an atomic submission whole.
                None => return Err(Error::Statement("a command cannot be made".to_owned())),
            });
            self.duplicates += usize::from(matches!(answers.last(), Some(Ok(Outcome::Duplicate(..)))));
        }
        Ok(OnceAnswer::Decided(answers))
    }

    fn count_transition(&mut self, lifecycle: LifecycleId, from: Option<StateId>, to: StateId) {
        let transition = Transition { lifecycle, from, to };
        *self.transitions.entry(transition).or_default() += 1;
    }

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
        if let Some(slot) = self.orders.get(place).filter(|slot| slot.is_archived()) {
            let loaded = slot.loaded.clone();
            return self.change_archived(&loaded, actor, change, &hashes).map(Some);
        }
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
        let previous = slot.head().status;
        let mut first: Option<(Version, EntryKind, Timestamp)> = None;
        for entry in entries {
            // A report brings the fingerprints of its own entry along; those of any other entry are taken of itself.
            let hashes = match (first, change) {
                (None, Change::Report(report)) => *report.hashes(),
                (_, _) => entry
                    .report_hashes(lifecycle)
                    .map_err(|error| damaged(&error.to_string()))?,
            };
            let head = &mut slot.loaded.head;
            if head.status != entry.status {
                let transition = Transition {
                    lifecycle: head.lifecycle,
                    from: Some(head.status),
                    to: entry.status,
                };
                *self.transitions.entry(transition).or_default() += 1;
            }
            head.apply(&entry, lifecycle, self.deciding.scale, &hashes, &mut slot.spilled)
                .map_err(|error| damaged(&error.to_string()))?;
            first.get_or_insert((entry.version, entry.kind, entry.recorded_at));
            slot.entries.push(self.entries.len());
            self.entries.push((place, entry));
        }
        let (version, kind, recorded_at) =
            first.ok_or_else(|| damaged("a command was accepted without an entry"))?;
        Ok(Outcome::Accepted(Accepted {
            order: slot.head().order,
            created: None,
            version,
            kind,
            last_version: slot.head().version,
            status: slot.head().status,
            previous: Some(previous),
            recorded_at,
            updated_at: slot.head().recorded_at,
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
    fn into_decided(self, answers: Vec<OnceAnswer>) -> Decided {
        let (heads, places) = self.orders.into_changes();
        let placed = |(slot, entry): (usize, Entry)| Some((*places.get(slot)?, entry));
        let entries = self.entries.into_iter().filter_map(placed).collect();
        let writes = GroupWrites {
            orders: self.born,
            heads,
            entries,
            dead_letters: self.dead_letters,
            records: self.records,
        };
        Decided {
            answers,
            writes,
            transitions: self.transitions.into_iter().collect(),
            duplicates: self.duplicates,
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
    let known = |version| Known {
        order: head.order,
        version,
        last_version: head.version,
        status: head.status,
        updated_at: head.recorded_at,
    };
    match decision {
        Decision::Duplicate(version) => Outcome::Duplicate(known(version)),
        Decision::Refused(refusal) => Outcome::Refused(refusal, None),
        Decision::Unchanged | Decision::Accepted(_) => Outcome::Unchanged(known(head.version)),
    }
}

fn damaged(what: &str) -> Error {
    Error::Damaged(what.to_owned())
}
