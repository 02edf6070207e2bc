//! What a group does to the counts that are kept with it, added up: each count is written once.

use std::collections::BTreeMap;

use model::StateId;

use crate::limits::BLOCK_ORDERS;
use crate::records::HeadChange;

/// Changes of counts, by rising key. Some are 0.
#[derive(Default)]
pub(crate) struct Deltas {
    /// By client, lifecycle and status.
    pub(crate) clients: BTreeMap<(u32, u32, u8), i64>,
    /// By lifecycle, status and block of keys.
    pub(crate) blocks: BTreeMap<(u32, u8, i64), i64>,
}

impl Deltas {
    pub(crate) fn of(heads: &[HeadChange]) -> Self {
        let mut deltas = Self::default();
        for change in heads {
            let status = change.head.status;
            match change.before {
                Some((before, _)) if before == status => {}
                Some((before, _)) => {
                    deltas.add(change, before, -1);
                    deltas.add(change, status, 1);
                }
                None => deltas.add(change, status, 1),
            }
        }
        deltas
    }

    fn add(&mut self, change: &HeadChange, status: StateId, delta: i64) {
        let head = &change.head;
        let (client, lifecycle) = (head.owner.client.get(), head.lifecycle.get());
        let block = head.order.get().div_euclid(BLOCK_ORDERS);
        let status = status.number();
        *self.clients.entry((client, lifecycle, status)).or_default() += delta;
        *self.blocks.entry((lifecycle, status, block)).or_default() += delta;
    }
}
