//! What a group does to the counts that are kept with it, added up: each count is written once.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use model::StateId;

use crate::limits::BLOCK_ORDERS;
use crate::records::HeadChange;

/// By client, lifecycle and status.
type OfClient = (u32, u32, u8);
/// By lifecycle, status and block of keys.
type OfBlock = (u32, u8, i64);

/// Changes of counts, by rising key. Some are 0.
#[derive(Default)]
pub(crate) struct Deltas {
    pub(crate) clients: BTreeMap<OfClient, i64>,
    pub(crate) blocks: BTreeMap<OfBlock, i64>,
}

impl Deltas {
    pub(crate) fn of(heads: &[HeadChange]) -> Self {
        let mut sums = Sums::default();
        for change in heads {
            let status = change.head.status;
            match change.before {
                Some((before, _)) if before == status => {}
                Some((before, _)) => {
                    sums.add(change, before, -1);
                    sums.add(change, status, 1);
                }
                None => sums.add(change, status, 1),
            }
        }
        Self {
            clients: sums.clients.into_iter().collect(),
            blocks: sums.blocks.into_iter().collect(),
        }
    }
}

/// The same while it is added up: sorted once, at the end.
#[derive(Default)]
struct Sums {
    clients: HashMap<OfClient, i64, RandomState>,
    blocks: HashMap<OfBlock, i64, RandomState>,
}

impl Sums {
    fn add(&mut self, change: &HeadChange, status: StateId, delta: i64) {
        let head = &change.head;
        let (client, lifecycle) = (head.owner.client.get(), head.lifecycle.get());
        let block = head.order.get().div_euclid(BLOCK_ORDERS);
        let status = status.number();
        *self.clients.entry((client, lifecycle, status)).or_default() += delta;
        *self.blocks.entry((lifecycle, status, block)).or_default() += delta;
    }
}
