//! Creating orders.

use model::Head;
use model::command::{Create, NewId, OrderRef};
use model::decide::{Context, Decision, decide_create, decide_create_again};
use model::public_id::PublicId;
use rand::RngExt;
use store::{Error, NewOrder};

use super::super::answer::{Accepted, Outcome};
use super::super::limits::ID_TRIES;
use super::{GroupState, damaged, outcome_without_entry};

impl GroupState<'_> {
    /// `None`: no free id was found, or the definition is not there, which is the caller's mistake in the code.
    pub(super) fn create(&mut self, command: usize, create: &Create) -> Result<Option<Outcome>, Error> {
        let Ok(lifecycle) = self.lifecycle(create.lifecycle) else {
            return Ok(None);
        };
        let taken = self.orders.find(command).and_then(|slot| self.orders.get(slot));
        let id = match (&create.id, taken) {
            (NewId::Given(_), Some(slot)) => {
                let born_under = self.lifecycle(slot.head().lifecycle)?;
                let again = decide_create_again(slot.head(), born_under, lifecycle, create);
                return Ok(Some(outcome_without_entry(slot.head(), again)));
            }
            (NewId::Random(id), Some(_)) => match self.free_id(id)? {
                Some(free) => free,
                None => return Ok(None),
            },
            (NewId::Given(id) | NewId::Random(id), None) => id.clone(),
        };
        let order = self.group.next_order_key();
        let context = Context {
            lifecycle,
            now: self.deciding.now,
            salt: self.deciding.random.random(),
            scale: self.deciding.scale,
            suspects: &[],
            history: &[],
        };
        let (decision, details) = decide_create(&context, order, &id, create);
        let entry = match decision {
            Decision::Accepted(entries) => entries.into_iter().next(),
            Decision::Refused(refusal) => return Ok(Some(Outcome::Refused(refusal, None))),
            Decision::Duplicate(_) | Decision::Unchanged => None,
        };
        let entry = entry.ok_or_else(|| damaged("a creation was accepted without an entry"))?;
        let head = Head::born(&entry, lifecycle, self.deciding.scale)
            .map_err(|error| damaged(&error.to_string()))?;
        self.born.push(NewOrder {
            order,
            public_id: id.clone(),
            lifecycle: create.lifecycle,
            owner: create.owner,
            reference: create.reference.clone(),
            contact: create.contact.clone(),
            created_at: entry.recorded_at,
            details,
        });
        let slot = self.orders.add_born(command, head);
        if let Some(born) = self.orders.get_mut(slot) {
            born.entries.push(self.entries.len());
        }
        let accepted = Accepted {
            order,
            created: Some(id),
            version: entry.version,
            kind: entry.kind,
            last_version: entry.version,
            status: entry.status,
            previous: None,
            recorded_at: entry.recorded_at,
            updated_at: entry.recorded_at,
        };
        self.count_transition(create.lifecycle, None, entry.status);
        self.entries.push((slot, entry));
        Ok(Some(Outcome::Accepted(accepted)))
    }

    /// An id like this one that nobody has.
    fn free_id(&mut self, taken: &PublicId) -> Result<Option<PublicId>, Error> {
        for _ in 0..ID_TRIES {
            let id = taken.with_fresh_symbols(self.deciding.random.random());
            let found = self.group.load(&[&OrderRef::Public(id.clone())])?.pop().flatten();
            if found.is_none() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
