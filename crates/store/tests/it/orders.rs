//! Orders as the engine makes them: wishes, judged by the model, become the writes of a group.

use std::collections::HashMap;

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields};
use model::decide::{Context, Decision, decide, decide_create};
use model::fingerprint::ReportHashes;
use model::head::DelayScale;
use model::ids::{Owner, PartyId};
use model::public_id::PublicId;
use model::time::{Span, Timestamp};
use model::{Head, Lifecycle};
use store::{
    Committed, Error, Group, GroupWrites, HeadChange, NewOrder, Record, Store, StoredLifecycle, Writer,
};

/// Reports that come too early wait, those that come too late are kept.
pub(crate) const PARCEL: &str = r#"
name = "parcel"
version = 1
description = "A parcel."
initial = "created"
cancelled = "cancelled"
created_by = ["admin", "system"]

[reports]
late = "record"
early = "park"

[[state]]
name = "created"
phase = "pending"

[[state]]
name = "picked_up"
phase = "moving"

[[state]]
name = "in_transit"
phase = "moving"

[[state]]
name = "delivered"
phase = "done"

[[state]]
name = "cancelled"
phase = "stopped"

[[arrow]]
from = "created"
to = "picked_up"
by = ["admin", "system"]

[[arrow]]
from = "picked_up"
to = "in_transit"
by = ["admin", "system"]

[[arrow]]
from = "in_transit"
to = "delivered"
by = ["admin", "system"]

[[arrow]]
from = ["created", "picked_up", "in_transit"]
to = "cancelled"
by = ["admin", "system"]
"#;

pub(crate) fn parcel() -> Lifecycle {
    Lifecycle::from_toml("parcel.toml", PARCEL).unwrap()
}

pub(crate) fn id(text: &str) -> PublicId {
    PublicId::new(text).unwrap()
}

pub(crate) fn named(text: &str) -> OrderRef {
    OrderRef::Public(id(text))
}

/// Something to be done to an order.
#[derive(Clone)]
pub(crate) enum Wish {
    Create {
        id: PublicId,
        lifecycle: &'static str,
        owner: Owner,
        contact: Option<&'static str>,
        /// What is told of it, where it matters.
        details: Option<&'static str>,
    },
    /// Of an order of an earlier group.
    Change { order: OrderRef, change: Change },
    Report {
        order: OrderRef,
        status: &'static str,
        notes: Option<Box<str>>,
    },
}

/// A parcel of client 1.
pub(crate) fn created(text: &str) -> Wish {
    created_for(text, "parcel", 1)
}

pub(crate) fn created_for(text: &str, lifecycle: &'static str, client: u32) -> Wish {
    Wish::Create {
        id: id(text),
        lifecycle,
        owner: Owner {
            client: PartyId::new(client),
            ..Owner::default()
        },
        contact: None,
        details: None,
    }
}

/// A meal of nobody in particular.
pub(crate) fn meal(text: &str, details: &'static str) -> Wish {
    Wish::Create {
        id: id(text),
        lifecycle: "food",
        owner: Owner::default(),
        contact: None,
        details: Some(details),
    }
}

pub(crate) fn changed(text: &str, change: Change) -> Wish {
    Wish::Change {
        order: named(text),
        change,
    }
}

pub(crate) fn reported(text: &str, status: &'static str) -> Wish {
    Wish::Report {
        order: named(text),
        status,
        notes: None,
    }
}

pub(crate) fn reported_with_notes(text: &str, status: &'static str, notes: &str) -> Wish {
    Wish::Report {
        order: named(text),
        status,
        notes: Some(notes.into()),
    }
}

/// Writes to a store what it is asked to, a microsecond or more apart.
pub(crate) struct Clerk {
    pub(crate) writer: Box<dyn Writer>,
    pub(crate) rules: Rules,
}

/// What wishes are judged by.
pub(crate) struct Rules {
    lifecycles: HashMap<String, StoredLifecycle>,
    pub(crate) now: Timestamp,
}

impl Clerk {
    /// Pins the shipped lifecycles and `parcel`, and takes the writer.
    pub(crate) fn of(store: &dyn Store) -> Self {
        let rules = Rules::of(store);
        Self {
            writer: store.writer().unwrap(),
            rules,
        }
    }

    pub(crate) fn write(&mut self, wishes: &[Wish]) -> Committed {
        self.try_write(wishes).unwrap()
    }

    pub(crate) fn try_write(&mut self, wishes: &[Wish]) -> Result<Committed, Error> {
        let commit = self.writer.next_commit().unwrap();
        let mut group = self.writer.begin()?;
        let writes = self.rules.judge(&mut *group, wishes);
        group.commit(commit, self.rules.now, writes)
    }
}

impl Clerk {
    /// A group of records alone.
    pub(crate) fn record(&mut self, records: Vec<Record>) -> Committed {
        let commit = self.writer.next_commit().unwrap();
        let group = self.writer.begin().unwrap();
        let writes = GroupWrites {
            records,
            ..GroupWrites::default()
        };
        group.commit(commit, self.rules.now, writes).unwrap()
    }
}

impl Rules {
    pub(crate) fn of(store: &dyn Store) -> Self {
        let mut lifecycles = model::lifecycle::shipped();
        lifecycles.push(parcel());
        let at = Timestamp::from_seconds(1_760_000_000).unwrap();
        let pinned = store.pin_lifecycles(&lifecycles, at).unwrap();
        let last = store.reading(|reader| {
            let before = reader.totals()?.last_commit;
            let last = store::CommitId(before.0 - 1);
            Ok(reader.commits(last, 1)?.pop().map(|commit| commit.at))
        });
        Self {
            lifecycles: pinned
                .into_iter()
                .map(|stored| (stored.lifecycle.name().to_owned(), stored))
                .collect(),
            now: last.unwrap().unwrap_or(at),
        }
    }

    /// Pins one more definition, in the place of one of its name.
    pub(crate) fn add(&mut self, store: &dyn Store, lifecycle: Lifecycle) {
        let pinned = store.pin_lifecycles(&[lifecycle], self.now).unwrap();
        self.lifecycles.extend(
            pinned
                .into_iter()
                .map(|stored| (stored.lifecycle.name().to_owned(), stored)),
        );
    }

    pub(crate) fn lifecycle(&self, name: &str) -> &StoredLifecycle {
        self.lifecycles.get(name).unwrap()
    }

    fn tick(&mut self) {
        self.now = self.now + Span::from_nanos(1_000_000);
    }

    /// Every wish must be granted.
    pub(crate) fn judge(&mut self, group: &mut dyn Group, wishes: &[Wish]) -> GroupWrites {
        let mut writes = GroupWrites::default();
        for wish in wishes {
            self.tick();
            match wish {
                Wish::Create { .. } => self.create(group, &mut writes, wish),
                Wish::Change { order, change } => self.change(group, &mut writes, order, change),
                Wish::Report { order, status, notes } => {
                    self.report(group, &mut writes, order, status, notes.clone());
                }
            }
        }
        writes
    }

    fn context<'a>(&self, lifecycle: &'a Lifecycle) -> Context<'a> {
        Context {
            lifecycle,
            now: self.now,
            salt: [7; 16],
            scale: DelayScale::ONE,
            suspects: &[],
            history: &[],
        }
    }

    fn create(&self, group: &mut dyn Group, writes: &mut GroupWrites, wish: &Wish) {
        let Wish::Create {
            id,
            lifecycle,
            owner,
            contact,
            details,
        } = wish
        else {
            return;
        };
        let owner = *owner;
        let stored = self.lifecycle(lifecycle);
        let create = Create {
            id: NewId::Given(id.clone()),
            lifecycle: stored.id,
            owner,
            actor: admin(),
            // Whatever a client may write.
            reference: Some(format!("ref\0{id}").into()),
            contact: contact.map(Into::into),
            details: details
                .map_or_else(|| format!("{{\"for\":\"{id}\"}}"), str::to_owned)
                .into_bytes()
                .into(),
            occurred_at: None,
            source: "test".into(),
            received_at: self.now,
        };
        let order = group.next_order_key();
        let (decision, details) =
            decide_create(&self.context(&stored.lifecycle), order, create.id.id(), &create);
        let Decision::Accepted(mut entries) = decision else {
            panic!("{id} was not created: {decision:?}");
        };
        let first = entries.pop().unwrap();
        writes.orders.push(NewOrder {
            order,
            public_id: id.clone(),
            lifecycle: stored.id,
            owner,
            reference: create.reference,
            contact: create.contact,
            created_at: first.recorded_at,
            details,
        });
        writes.entries.push((writes.heads.len(), first.clone()));
        writes.heads.push(HeadChange {
            before: None,
            head: Head::born(&first, &stored.lifecycle, DelayScale::ONE).unwrap(),
            spilled: Vec::new(),
        });
    }

    fn change(&self, group: &mut dyn Group, writes: &mut GroupWrites, order: &OrderRef, change: &Change) {
        let loaded = group.load(&[order]).unwrap().pop().unwrap().unwrap();
        let history = group.history(&loaded).unwrap();
        let place = place_of(group, writes, order);
        let HeadChange { head, spilled, .. } = &mut writes.heads[place];
        let known = |stored: &&StoredLifecycle| stored.id == head.lifecycle;
        let lifecycle = &self.lifecycles.values().find(known).unwrap().lifecycle;
        let context = Context {
            history: &history,
            ..self.context(lifecycle)
        };
        let decision = decide(&context, head, &admin(), None, change);
        let Decision::Accepted(entries) = decision else {
            panic!("{change:?} was not accepted: {decision:?}");
        };
        for entry in entries {
            let hashes = entry.report_hashes(lifecycle).unwrap();
            head.apply(&entry, lifecycle, DelayScale::ONE, &hashes, spilled)
                .unwrap();
            writes.entries.push((place, entry));
        }
    }

    fn report(
        &self,
        group: &mut dyn Group,
        writes: &mut GroupWrites,
        order: &OrderRef,
        status: &str,
        notes: Option<Box<str>>,
    ) {
        let place = place_of(group, writes, order);
        let head = &writes.heads[place].head;
        let known = |stored: &&StoredLifecycle| stored.id == head.lifecycle;
        let lifecycle = &self.lifecycles.values().find(known).unwrap().lifecycle;
        let report = Report::new(ReportFields {
            status: status.into(),
            source: "scanner".into(),
            occurred_at: self.now,
            client_event_id: None,
            location: None,
            notes,
            metadata: None,
            received_at: self.now,
        });
        let report = report.unwrap();
        let mut hashes = *report.hashes();
        let change = Change::Report(report);
        let decision = decide(&self.context(lifecycle), head, &admin(), None, &change);
        let Decision::Accepted(entries) = decision else {
            panic!("{status} was not accepted: {decision:?}");
        };
        let HeadChange { head, spilled, .. } = &mut writes.heads[place];
        for entry in entries {
            head.apply(&entry, lifecycle, DelayScale::ONE, &hashes, spilled)
                .unwrap();
            hashes = ReportHashes::default();
            writes.entries.push((place, entry));
        }
    }
}

/// The order's place in the group, loaded if it is not there yet.
fn place_of(group: &mut dyn Group, writes: &mut GroupWrites, order: &OrderRef) -> usize {
    let key = match order {
        OrderRef::Public(id) => {
            let born = writes.orders.iter().find(|born| born.public_id == *id);
            born.map(|born| born.order)
        }
        OrderRef::Key(key) => Some(*key),
    };
    let here = |key| writes.heads.iter().position(|change| change.head.order == key);
    if let Some(place) = key.and_then(here) {
        return place;
    }
    let loaded = group.load(&[order]).unwrap().pop().unwrap().unwrap();
    if let Some(place) = here(loaded.head.order) {
        return place;
    }
    writes.heads.push(HeadChange {
        before: Some((loaded.head.status, loaded.placement)),
        head: loaded.head,
        spilled: Vec::new(),
    });
    writes.heads.len() - 1
}

pub(crate) fn admin() -> Actor {
    Actor {
        role: model::role::Role::Admin,
        ..Actor::SYSTEM
    }
}
