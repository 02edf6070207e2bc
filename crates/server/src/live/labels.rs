//! What orders are called outside, remembered.

use std::sync::Arc;

use foldhash::HashMap;
use model::ids::OrderKey;
use store::{Error, LogEntry, OrderLabel, Reader};

use super::limits::LABELS;

/// The latest that were asked for: when the young ones are too many they become the old ones, which go.
#[derive(Default)]
pub(super) struct Labels {
    young: HashMap<OrderKey, Arc<OrderLabel>>,
    old: HashMap<OrderKey, Arc<OrderLabel>>,
}

impl Labels {
    /// Makes room for what these entries need, and gives the orders among them that are not known.
    pub(super) fn missing(&mut self, entries: &[LogEntry]) -> Vec<OrderKey> {
        if self.young.len() + entries.len() > LABELS {
            self.old = std::mem::take(&mut self.young);
        }
        let mut missing = Vec::new();
        for LogEntry { entry, .. } in entries {
            if self.young.contains_key(&entry.order) {
                continue;
            }
            match self.old.remove(&entry.order) {
                Some(label) => drop(self.young.insert(entry.order, label)),
                None => missing.push(entry.order),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    pub(super) fn learn(&mut self, labels: Vec<OrderLabel>) {
        let labels = labels.into_iter().map(|label| (label.order, Arc::new(label)));
        self.young.extend(labels);
    }

    /// One of those that were asked for last.
    pub(super) fn get(&self, order: OrderKey) -> Option<&Arc<OrderLabel>> {
        self.young.get(&order)
    }
}

/// Reads labels, if any are wanted.
pub(super) fn read(reader: &mut dyn Reader, missing: &[OrderKey]) -> Result<Vec<OrderLabel>, Error> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    reader.labels(missing)
}
