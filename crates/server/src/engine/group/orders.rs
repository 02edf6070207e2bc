//! The orders of one group: each is looked for once, however many commands name it.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::command::OrderRef;
use model::fingerprint::Fingerprint;
use model::ids::OrderKey;
use model::{Head, StateId};
use store::{Error, Group, HeadChange, Loaded, Placement};

use super::super::commands::Command;

/// An order while its group is decided.
pub(super) struct Slot {
    /// The order as the commands so far have left it.
    pub(super) loaded: Loaded,
    /// Its status when it was loaded; `None` for an order born in this group.
    pub(super) before: Option<StateId>,
    /// Fingerprints that no longer fit its head.
    pub(super) spilled: Vec<Fingerprint>,
    /// Its entries of this group, by their places in the group's.
    pub(super) entries: Vec<usize>,
}

impl Slot {
    pub(super) const fn head(&self) -> &Head {
        &self.loaded.head
    }

    /// Whether there is nothing of it but its head.
    pub(super) const fn is_archived(&self) -> bool {
        self.loaded.placement.is_archived()
    }
}

/// The slot of each command's order.
pub(super) struct Orders {
    slots: Vec<Slot>,
    /// For each command, which name it uses.
    name_of: Vec<usize>,
    /// For each name, the slot of the order that has it.
    slot_of: Vec<Option<usize>>,
}

impl Orders {
    /// Loads every order that a command names or would create.
    pub(super) fn load<'c>(
        group: &mut dyn Group,
        commands: impl Iterator<Item = &'c Command> + Clone,
    ) -> Result<Self, Error> {
        let created: Vec<OrderRef> = commands.clone().filter_map(created).collect();
        let count = commands.clone().count();
        let mut next_created = created.iter();
        let mut names: HashMap<&OrderRef, usize, RandomState> =
            HashMap::with_capacity_and_hasher(count, RandomState::default());
        let mut named: Vec<&OrderRef> = Vec::with_capacity(count);
        let mut name_of = Vec::with_capacity(count);
        for command in commands {
            let order = match command {
                Command::Change { order, .. } => Some(order),
                Command::Create(_) => next_created.next(),
            };
            let Some(order) = order else { continue };
            let name = *names.entry(order).or_insert_with(|| {
                named.push(order);
                named.len() - 1
            });
            name_of.push(name);
        }
        let loaded = group.load(&named)?;
        let by_key = named.iter().any(|order| matches!(order, OrderRef::Key(_)));
        let mut orders = Self {
            slots: Vec::with_capacity(named.len()),
            name_of,
            slot_of: Vec::with_capacity(named.len()),
        };
        let mut slots_by_key: HashMap<OrderKey, usize> = HashMap::new();
        for loaded in loaded {
            let slot = loaded.map(|loaded| {
                let key = loaded.head.order;
                // The same order may be named by its public id and by its key: it still is one order.
                let known = if by_key {
                    slots_by_key.get(&key).copied()
                } else {
                    None
                };
                let slot = known.unwrap_or_else(|| orders.add(Some(loaded.head.status), loaded));
                if by_key {
                    slots_by_key.insert(key, slot);
                }
                slot
            });
            orders.slot_of.push(slot);
        }
        Ok(orders)
    }

    /// The slot of the order that a command names.
    pub(super) fn find(&self, command: usize) -> Option<usize> {
        let name = self.name_of.get(command)?;
        self.slot_of.get(*name).copied().flatten()
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Slot> {
        self.slots.get_mut(slot)
    }

    /// Adds an order that the command created. Later commands find it under the name it was wished for, if it got that.
    pub(super) fn add_born(&mut self, command: usize, head: Head) -> usize {
        let slot = self.add(
            None,
            Loaded {
                head,
                placement: Placement::UNBORN,
            },
        );
        let name = self
            .name_of
            .get(command)
            .and_then(|name| self.slot_of.get_mut(*name));
        if let Some(nobody @ None) = name {
            *nobody = Some(slot);
        }
        slot
    }

    /// The heads that got entries, and for each slot the place of its head among them.
    pub(super) fn into_changes(self) -> (Vec<HeadChange>, Vec<usize>) {
        let mut places = Vec::with_capacity(self.slots.len());
        let mut changes = Vec::with_capacity(self.slots.len());
        for slot in self.slots {
            places.push(changes.len());
            if !slot.entries.is_empty() {
                let before = slot.before.map(|status| (status, slot.loaded.placement));
                changes.push(HeadChange {
                    before,
                    head: slot.loaded.head,
                    spilled: slot.spilled,
                });
            }
        }
        (changes, places)
    }

    fn add(&mut self, before: Option<StateId>, loaded: Loaded) -> usize {
        self.slots.push(Slot {
            loaded,
            before,
            spilled: Vec::new(),
            entries: Vec::new(),
        });
        self.slots.len() - 1
    }
}

fn created(command: &Command) -> Option<OrderRef> {
    match command {
        Command::Create(create) => Some(OrderRef::Public(create.id.id().clone())),
        Command::Change { .. } => None,
    }
}
