//! Refusals that are kept, each once.

use model::Refusal;
use model::command::OrderRef;
use model::ids::PartyId;
use store::{DeadLetter, Error, NewDeadLetter};

use super::super::answer::Outcome;
use super::super::commands::Command;
use super::super::receipt::dead_letter_content;
use super::GroupState;

/// What two refusals must have in common to be kept as one.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct LetterKey {
    public_id: Box<str>,
    actor: PartyId,
    detail: Box<str>,
    content: Box<[u8]>,
}

impl LetterKey {
    fn of(letter: &DeadLetter) -> Self {
        Self {
            public_id: letter.public_id.clone(),
            actor: letter.actor,
            detail: letter.detail.clone(),
            content: letter.content.clone(),
        }
    }
}

impl GroupState<'_> {
    /// Keeps a refused change as a dead letter; the same refusal of the same content is one letter. A principal that
    /// has as many as it may is refused without one.
    pub(super) fn keep_refusal(
        &mut self,
        number: usize,
        command: &Command,
        refusal: Refusal,
        content: impl Fn() -> Option<Box<[u8]>>,
    ) -> Result<Outcome, Error> {
        let Command::Change {
            order, actor, change, ..
        } = command
        else {
            return Ok(Outcome::Refused(refusal, None));
        };
        let slot = self.orders.find(number).and_then(|place| self.orders.get(place));
        let letter = DeadLetter {
            received_at: command.received_at().unwrap_or(self.deciding.now),
            decided_at: self.deciding.now,
            order: slot.map(|slot| slot.head().order),
            owner: slot.map(|slot| slot.head().owner).unwrap_or_default(),
            public_id: match order {
                OrderRef::Public(id) => id.as_str().into(),
                OrderRef::Key(key) => key.to_string().into(),
            },
            actor: actor.party,
            code: refusal.code().into(),
            detail: refusal.to_string().into(),
            content: content().unwrap_or_else(|| dead_letter_content(order, change)),
        };
        let key = LetterKey::of(&letter);
        let kept = match self.letters.get(&key) {
            Some(id) => Some(*id),
            None => self.group.same_dead_letter(&letter)?,
        };
        let id = match kept {
            Some(id) => id,
            None if !self.may_keep_another(actor.party)? => return Ok(Outcome::Refused(refusal, None)),
            None => {
                let id = self.group.next_dead_letter_id();
                self.letters.insert(key, id);
                self.dead_letters.push(NewDeadLetter { id, letter });
                id
            }
        };
        Ok(Outcome::Refused(refusal, Some(id)))
    }

    fn may_keep_another(&mut self, principal: PartyId) -> Result<bool, Error> {
        let kept = match self.letters_kept.get(&principal) {
            Some(kept) => *kept,
            None => self.group.dead_letters_of(principal)?,
        };
        let may = kept < self.deciding.quotas.dead_letters;
        self.letters_kept.insert(principal, kept + u64::from(may));
        Ok(may)
    }
}
