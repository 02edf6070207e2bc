//! What is counted while orders are looked at, compared with the counts that are kept.

use std::collections::{BTreeMap, BTreeSet};

use model::ids::{LifecycleId, PartyId};
use model::{Head, StateId};

use super::{PAGE, Verification};
use crate::error::Error;
use crate::limits::BLOCK_ORDERS;
use crate::records::{BlockCount, Miscount};

/// Orders by client, lifecycle and status, and by lifecycle, status and block.
#[derive(Default)]
pub(super) struct Counts {
    clients: BTreeMap<(PartyId, LifecycleId, StateId), u64>,
    blocks: BTreeMap<(LifecycleId, StateId, i64), u64>,
}

impl Counts {
    pub(super) fn add(&mut self, head: &Head) {
        let client = (head.owner.client, head.lifecycle, head.status);
        *self.clients.entry(client).or_default() += 1;
        let block = head.order.get().div_euclid(BLOCK_ORDERS);
        let block = (head.lifecycle, head.status, block);
        *self.blocks.entry(block).or_default() += 1;
    }
}

impl Verification<'_> {
    /// When all orders have been looked at.
    pub(super) fn compare_counts(&mut self) {
        let counted = std::mem::take(&mut self.counts);
        let kept = self.store.reading(|reader| reader.status_counts());
        if let Some(kept) = self.noting("counts", kept) {
            let kept = kept.iter().map(|count| {
                let place = (count.client, count.lifecycle, count.status);
                (place, count.orders)
            });
            self.compare_with_kept(
                &kept.collect(),
                &counted.clients,
                |(client, lifecycle, status)| {
                    let (client, lifecycle, status) = (client.get(), lifecycle.get(), status.number());
                    format!("count of client {client}, lifecycle {lifecycle}, status {status}")
                },
            );
        }
        let kept = self.block_counts();
        if let Some(kept) = self.noting("counts of blocks", kept) {
            self.compare_with_kept(&kept, &counted.blocks, |(lifecycle, status, block)| {
                let (lifecycle, status) = (lifecycle.get(), status.number());
                format!("count of block {block}, lifecycle {lifecycle}, status {status}")
            });
        }
        let wrong = self.store.reading(|reader| reader.miscounted_dead_letters(PAGE));
        self.tell_miscounts("dead letters", wrong);
        let wrong = self
            .store
            .reading(|reader| reader.miscounted_batch_receipts(PAGE));
        self.tell_miscounts("batch receipts", wrong);
    }

    fn tell_miscounts(&mut self, of: &str, wrong: Result<Vec<Miscount>, Error>) {
        for wrong in self.noting(&format!("counts of {of}"), wrong).unwrap_or_default() {
            self.found(
                format!("count of {of} of principal {}", wrong.actor.get()),
                differs(wrong.kept, wrong.counted),
            );
        }
    }

    fn block_counts(&self) -> Result<BTreeMap<(LifecycleId, StateId, i64), u64>, Error> {
        let mut all = BTreeMap::new();
        let mut after: Option<BlockCount> = None;
        loop {
            let page = self
                .store
                .reading(|reader| reader.block_counts(after.as_ref(), PAGE))?;
            for count in &page {
                all.insert((count.lifecycle, count.status, count.block), count.orders);
            }
            match page.last() {
                Some(last) => after = Some(*last),
                None => return Ok(all),
            }
        }
    }

    fn compare_with_kept<K: Ord + Copy>(
        &mut self,
        kept: &BTreeMap<K, u64>,
        counted: &BTreeMap<K, u64>,
        place: impl Fn(K) -> String,
    ) {
        let keys: BTreeSet<K> = kept.keys().chain(counted.keys()).copied().collect();
        for key in keys {
            let of = |counts: &BTreeMap<K, u64>| counts.get(&key).copied().unwrap_or(0);
            let (kept, counted) = (of(kept), of(counted));
            if kept != counted {
                self.found(place(key), differs(kept, counted));
            }
        }
    }
}

fn differs(kept: u64, counted: u64) -> String {
    format!("says {kept}, there are {counted}")
}
