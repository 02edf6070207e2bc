//! What is kept beside the log of a group's answers: under keys, and receipts of batches, of which a principal has a quota.

use model::ids::PartyId;
use store::{Error, KeyState, Record};

use super::super::answer::OnceAnswer;
use super::super::commands::Submission;
use super::GroupState;

impl GroupState<'_> {
    /// What a submission's key says of it, if it is known.
    pub(super) fn answered_before(&mut self, submission: &Submission) -> Result<Option<OnceAnswer>, Error> {
        let Some(once) = &submission.once else {
            return Ok(None);
        };
        // Also one of this very group: a caller that went away may have come again with the same key.
        let of_group = self.records.iter().find_map(|record| match record {
            Record::Answer(answer) if answer.key == once.key => Some(answer.clone()),
            Record::Answer(_) | Record::Batch(_) | Record::Redriven(..) | Record::Audit(_) => None,
        });
        let known = match of_group {
            Some(answer) => Some(answer),
            None => match self.group.answer(&once.key)? {
                // Only its caller is told to wait: nobody else in the group does.
                KeyState::UnderWay => return Ok(Some(OnceAnswer::UnderWay)),
                KeyState::Answered(answer) => Some(answer),
                KeyState::Free => None,
            },
        };
        let known = known.filter(|known| known.stored_at >= once.not_before);
        Ok(known.map(|known| {
            if known.body_hash == once.body_hash {
                OnceAnswer::Before(known)
            } else {
                OnceAnswer::KeyReused
            }
        }))
    }

    /// Takes records in, and counts the receipts among them.
    pub(super) fn keep_records(&mut self, records: Vec<Record>) -> Result<(), Error> {
        for record in &records {
            if let Record::Batch(receipt) = record {
                let kept = self.receipts_of(receipt.actor)?;
                self.receipts_kept
                    .insert(receipt.actor, kept.saturating_add(receipt.weight()));
            }
        }
        self.records.extend(records);
        Ok(())
    }

    /// How much a receipt counts is known once its batch is decided: the last one may be over the quota in part.
    pub(super) fn may_keep_another_receipt(&mut self, principal: PartyId) -> Result<bool, Error> {
        Ok(self.receipts_of(principal)? < self.deciding.quotas.batch_receipts)
    }

    fn receipts_of(&mut self, principal: PartyId) -> Result<u64, Error> {
        match self.receipts_kept.get(&principal) {
            Some(kept) => Ok(*kept),
            None => self.group.batch_receipts_of(principal),
        }
    }
}
