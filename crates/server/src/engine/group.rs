//! Deciding the commands of one group, in order, against what they and those before them left.

use std::collections::HashMap;
use std::sync::Arc;

use model::command::{Actor, Change, Create, NewId, OrderRef};
use model::decide::{Context, Decision, decide as judge, decide_create, decide_create_again};
use model::fingerprint::{Fingerprint, ReportHashes};
use model::head::DelayScale;
use model::ids::{DeadLetterId, LifecycleId, OrderKey, Version};
use model::public_id::PublicId;
use model::time::Timestamp;
use model::{Entry, EntryKind, Head, Lifecycle, Refusal};
use rand::RngExt;
use rand::rngs::StdRng;
use store::{DeadLetter, Error, Group, GroupWrites, HeadChange, Loaded, NewDeadLetter, NewOrder};

use super::answer::{Accepted, Answer, Failure, Outcome};
use super::commands::Command;
use super::limits::ID_TRIES;
use super::receipt::dead_letter_content;

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
    let mut state = GroupState::load(deciding, group, commands)?;
    let mut answers = Vec::with_capacity(commands.len());
    for (command, keep_refusal) in commands {
        let outcome = match command {
            Command::Create(create) => state.create(create)?,
            Command::Change {
                order,
                actor,
                expected,
                change,
            } => state.change(order, actor, *expected, change)?,
        };
        answers.push(match outcome {
            Some(Outcome::Refused(refusal, _)) if *keep_refusal => Ok(state.keep_refusal(command, refusal)?),
            Some(outcome) => Ok(outcome),
            None => Err(Failure::Internal),
        });
    }
    Ok((answers, state.into_writes()))
}

/// An order while its group is decided.
struct Slot {
    /// What was loaded; `None` for an order born in this group.
    loaded: Option<Loaded>,
    head: Head,
    spilled: Vec<Fingerprint>,
    /// Its entries of this group, by their places in the group's.
    entries: Vec<usize>,
}

struct GroupState<'a> {
    deciding: Deciding<'a>,
    group: &'a mut dyn Group,
    slots: Vec<Slot>,
    by_id: HashMap<PublicId, usize>,
    by_key: HashMap<OrderKey, usize>,
    orders: Vec<NewOrder>,
    entries: Vec<(usize, Entry)>,
    dead_letters: Vec<NewDeadLetter>,
}

impl<'a> GroupState<'a> {
    /// Loads every order that a command names, each once.
    fn load(
        deciding: Deciding<'a>,
        group: &'a mut dyn Group,
        commands: &[(&Command, bool)],
    ) -> Result<Self, Error> {
        let mut state = Self {
            deciding,
            group,
            slots: Vec::with_capacity(commands.len()),
            by_id: HashMap::with_capacity(commands.len()),
            by_key: HashMap::with_capacity(commands.len()),
            orders: Vec::new(),
            entries: Vec::with_capacity(commands.len()),
            dead_letters: Vec::new(),
        };
        let created: Vec<OrderRef> = commands
            .iter()
            .filter_map(|(command, _)| created_ref(command))
            .collect();
        let changed = commands.iter().filter_map(|(command, _)| match command {
            Command::Change { order, .. } => Some(order),
            Command::Create(_) => None,
        });
        let mut seen = std::collections::HashSet::with_capacity(commands.len());
        let named: Vec<&OrderRef> = created
            .iter()
            .chain(changed)
            .filter(|order| seen.insert(*order))
            .collect();
        let loaded = state.group.load(&named)?;
        for (order, loaded) in named.into_iter().zip(loaded) {
            if let Some(loaded) = loaded {
                state.add_loaded(order, loaded);
            }
        }
        Ok(state)
    }

    fn add_loaded(&mut self, order: &OrderRef, loaded: Loaded) {
        let next = self.slots.len();
        let slot = *self.by_key.entry(loaded.head.order).or_insert(next);
        if let OrderRef::Public(id) = order {
            self.by_id.insert(id.clone(), slot);
        }
        if slot == next {
            let head = loaded.head.clone();
            self.slots.push(Slot {
                loaded: Some(loaded),
                head,
                spilled: Vec::new(),
                entries: Vec::new(),
            });
        }
    }

    fn find(&self, order: &OrderRef) -> Option<usize> {
        match order {
            OrderRef::Public(id) => self.by_id.get(id).copied(),
            OrderRef::Key(key) => self.by_key.get(key).copied(),
        }
    }

    /// `None`: the command names a definition that is not there, which is the caller's mistake in the code.
    fn create(&mut self, create: &Create) -> Result<Option<Outcome>, Error> {
        let Some(lifecycle) = self.deciding.lifecycles.get(&create.lifecycle).cloned() else {
            return Ok(None);
        };
        let id = match &create.id {
            NewId::Given(id) => match self.by_id.get(id).and_then(|slot| self.slots.get(*slot)) {
                Some(slot) => {
                    return Ok(Some(outcome_without_entry(
                        &slot.head,
                        decide_create_again(&slot.head, create),
                    )));
                }
                None => id.clone(),
            },
            NewId::Random(id) => match self.free_id(id.clone())? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let order = self.group.next_order_key();
        let context = Context {
            lifecycle: &lifecycle,
            now: self.deciding.now,
            salt: self.deciding.random.random(),
            scale: self.deciding.scale,
            suspects: &[],
            history: &[],
        };
        let (decision, details) = decide_create(&context, order, create);
        let entries = match decision {
            Decision::Accepted(entries) => entries,
            Decision::Refused(refusal) => return Ok(Some(Outcome::Refused(refusal, None))),
            Decision::Duplicate(_) | Decision::Unchanged => return Ok(None),
        };
        let Some(first) = entries.first() else {
            return Ok(None);
        };
        let head = Head::born(first, &lifecycle, self.deciding.scale).map_err(|error| damaged(&error))?;
        self.orders.push(NewOrder {
            order,
            public_id: id.clone(),
            lifecycle: create.lifecycle,
            owner: create.owner,
            reference: create.reference.clone(),
            created_at: first.recorded_at,
            details,
        });
        let slot = self.slots.len();
        self.by_id.insert(id.clone(), slot);
        self.by_key.insert(order, slot);
        self.slots.push(Slot {
            loaded: None,
            head,
            spilled: Vec::new(),
            entries: vec![self.entries.len()],
        });
        let accepted = Accepted {
            order,
            created: Some(id),
            version: first.version,
            kind: first.kind,
            last_version: first.version,
            status: first.status,
        };
        self.entries
            .extend(entries.into_iter().map(|entry| (slot, entry)));
        Ok(Some(Outcome::Accepted(accepted)))
    }

    /// The id itself, or one like it that nobody has.
    fn free_id(&mut self, mut id: PublicId) -> Result<Option<PublicId>, Error> {
        for _ in 0..ID_TRIES {
            if !self.by_id.contains_key(&id) {
                return Ok(Some(id));
            }
            id = id.with_fresh_symbols(self.deciding.random.random());
            let order = OrderRef::Public(id.clone());
            if let Some(loaded) = self.group.load(&[&order])?.pop().flatten() {
                self.add_loaded(&order, loaded);
            }
        }
        Ok(None)
    }

    fn change(
        &mut self,
        order: &OrderRef,
        actor: &Actor,
        expected: Option<Version>,
        change: &Change,
    ) -> Result<Option<Outcome>, Error> {
        let Some(place) = self.find(order) else {
            return Ok(Some(Outcome::Refused(Refusal::UnknownOrder, None)));
        };
        let Some(lifecycle) = self
            .slots
            .get(place)
            .and_then(|slot| self.deciding.lifecycles.get(&slot.head.lifecycle))
        else {
            return Err(Error::Damaged(
                "an order names a lifecycle that is not stored".to_owned(),
            ));
        };
        let lifecycle = lifecycle.clone();
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
        let context = Context {
            lifecycle: &lifecycle,
            now: self.deciding.now,
            salt: self.deciding.random.random(),
            scale: self.deciding.scale,
            suspects: &suspects,
            history: &history,
        };
        let Some(slot) = self.slots.get(place) else {
            return Ok(None);
        };
        match judge(&context, &slot.head, actor, expected, change) {
            Decision::Accepted(entries) => self.accept(place, &lifecycle, entries, change).map(Some),
            decision @ (Decision::Duplicate(_) | Decision::Unchanged | Decision::Refused(_)) => {
                Ok(Some(outcome_without_entry(&slot.head, decision)))
            }
        }
    }

    fn accept(
        &mut self,
        place: usize,
        lifecycle: &Lifecycle,
        entries: Vec<Entry>,
        change: &Change,
    ) -> Result<Outcome, Error> {
        let slot = self
            .slots
            .get_mut(place)
            .ok_or_else(|| Error::Damaged("no such slot".to_owned()))?;
        let mut first: Option<(Version, EntryKind)> = None;
        for entry in entries {
            // A report brings the fingerprints of its own entry along; those of any other entry are taken of itself.
            let hashes = match (first, &change) {
                (None, Change::Report(report)) => *report.hashes(),
                (_, _) => entry.report_hashes(lifecycle).map_err(|error| damaged(&error))?,
            };
            slot.head
                .apply(&entry, lifecycle, self.deciding.scale, &hashes, &mut slot.spilled)
                .map_err(|error| damaged(&error))?;
            first.get_or_insert((entry.version, entry.kind));
            slot.entries.push(self.entries.len());
            self.entries.push((place, entry));
        }
        let (version, kind) = first.ok_or_else(|| Error::Damaged("accepted without an entry".to_owned()))?;
        Ok(Outcome::Accepted(Accepted {
            order: slot.head.order,
            created: None,
            version,
            kind,
            last_version: slot.head.version,
            status: slot.head.status,
        }))
    }

    /// Entries that have one of the hashes: nearly always none.
    fn suspects(&mut self, place: usize, hashes: &ReportHashes) -> Result<Vec<Entry>, Error> {
        let mut suspects = Vec::new();
        for hash in hashes.iter() {
            let Some(slot) = self.slots.get(place) else { break };
            let mut versions: Vec<Version> = slot.head.recent.versions_with(hash).collect();
            if slot.head.recent.has_older() {
                versions.extend(
                    slot.spilled
                        .iter()
                        .filter(|old| old.hash() == hash)
                        .map(|old| old.version()),
                );
                versions.extend(self.group.older_versions(slot.head.order, hash)?);
            }
            for version in versions {
                suspects.extend(self.entry(place, version)?);
            }
        }
        Ok(suspects)
    }

    fn entry(&mut self, place: usize, version: Version) -> Result<Option<Entry>, Error> {
        let Some(slot) = self.slots.get(place) else {
            return Ok(None);
        };
        let of_group = slot
            .entries
            .iter()
            .filter_map(|at| self.entries.get(*at))
            .map(|(_, entry)| entry);
        match (
            of_group.clone().find(|entry| entry.version == version),
            &slot.loaded,
        ) {
            (Some(entry), _) => Ok(Some(entry.clone())),
            (None, Some(loaded)) => self.group.entry(loaded, version),
            (None, None) => Ok(None),
        }
    }

    fn history(&mut self, place: usize) -> Result<Vec<Entry>, Error> {
        let Some(slot) = self.slots.get(place) else {
            return Ok(Vec::new());
        };
        let mut history = match &slot.loaded {
            Some(loaded) => self.group.history(loaded)?,
            None => Vec::new(),
        };
        history.extend(
            slot.entries
                .iter()
                .filter_map(|at| self.entries.get(*at))
                .map(|(_, entry)| entry.clone()),
        );
        Ok(history)
    }

    fn keep_refusal(&mut self, command: &Command, refusal: Refusal) -> Result<Outcome, Error> {
        let Command::Change {
            order, actor, change, ..
        } = command
        else {
            return Ok(Outcome::Refused(refusal, None));
        };
        let letter = DeadLetter {
            received_at: command.received_at().unwrap_or(self.deciding.now),
            decided_at: self.deciding.now,
            order: self
                .find(order)
                .and_then(|place| self.slots.get(place))
                .map(|slot| slot.head.order),
            public_id: match order {
                OrderRef::Public(id) => id.as_str().into(),
                OrderRef::Key(key) => key.to_string().into(),
            },
            actor: actor.party,
            code: refusal.code().into(),
            detail: refusal.to_string().into(),
            content: dead_letter_content(order, change),
        };
        let id = match self.group.same_dead_letter(&letter)? {
            Some(kept) => kept,
            None => self.new_dead_letter(letter),
        };
        Ok(Outcome::Refused(refusal, Some(id)))
    }

    fn new_dead_letter(&mut self, letter: DeadLetter) -> DeadLetterId {
        let id = self.group.next_dead_letter_id();
        self.dead_letters.push(NewDeadLetter { id, letter });
        id
    }

    /// Of the orders loaded, only those that got entries are written.
    fn into_writes(self) -> GroupWrites {
        let mut places = vec![0; self.slots.len()];
        let mut heads = Vec::new();
        for (place, slot) in self
            .slots
            .into_iter()
            .enumerate()
            .filter(|(_, slot)| !slot.entries.is_empty())
        {
            if let Some(new_place) = places.get_mut(place) {
                *new_place = heads.len();
            }
            let before = slot.loaded.map(|loaded| (loaded.head.status, loaded.placement));
            heads.push(HeadChange {
                before,
                head: slot.head,
                spilled: slot.spilled,
            });
        }
        let entries = self
            .entries
            .into_iter()
            .filter_map(|(place, entry)| places.get(place).map(|place| (*place, entry)))
            .collect();
        GroupWrites {
            orders: self.orders,
            heads,
            entries,
            dead_letters: self.dead_letters,
        }
    }
}

fn created_ref(command: &Command) -> Option<OrderRef> {
    match command {
        Command::Create(create) => Some(OrderRef::Public(create.id.id().clone())),
        Command::Change { .. } => None,
    }
}

fn outcome_without_entry(head: &Head, decision: Decision) -> Outcome {
    match decision {
        Decision::Duplicate(version) => Outcome::Duplicate(head.order, version),
        Decision::Refused(refusal) => Outcome::Refused(refusal, None),
        Decision::Unchanged | Decision::Accepted(_) => Outcome::Unchanged(head.order, head.version),
    }
}

fn damaged(error: &model::entry::FormatError) -> Error {
    Error::Damaged(error.to_string())
}
