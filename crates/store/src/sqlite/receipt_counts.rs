//! As how many the receipts of principals count, kept in memory by the writer: it is the only one, and who sends batches in a row
//! does not wait for each group before the next is decided.

use std::collections::HashMap;

use model::ids::PartyId;

use crate::limits::CACHED_RECEIPT_COUNTS;
use crate::records::Record;

/// Of what is stored and of what is on its way.
#[derive(Default)]
pub(super) struct ReceiptCounts(HashMap<PartyId, u64>);

impl ReceiptCounts {
    pub(super) fn of(&self, principal: PartyId) -> Option<u64> {
        self.0.get(&principal).copied()
    }

    pub(super) fn put(&mut self, principal: PartyId, count: u64) {
        if self.0.len() >= CACHED_RECEIPT_COUNTS {
            self.0.clear();
        }
        self.0.insert(principal, count);
    }

    /// Counts the receipts of a group. Of principals that were not asked for nothing is known, and nothing is kept.
    pub(super) fn add(&mut self, records: &[Record]) {
        for record in records {
            if let Record::Batch(receipt) = record
                && let Some(count) = self.0.get_mut(&receipt.actor)
            {
                *count = count.saturating_add(receipt.weight());
            }
        }
    }

    /// Forgets everything: after a failure nothing in memory is believed.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
