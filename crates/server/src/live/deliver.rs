//! Handing a part of the log to streams.

use std::sync::Arc;

use foldhash::HashMap;
use model::Lifecycle;
use model::ids::LifecycleId;
use store::LogEntry;

use super::hub::Core;
use super::index::Index;
use super::labels::Labels;
use super::rendered::{Candidate, Rendered};
use super::stream::{Offered, Shared, WhenFull};

/// Makes messages of entries, each once, however many streams are told of it.
pub(super) struct Delivery<'a> {
    core: &'a Core,
    labels: &'a Labels,
    /// Asked for once a delivery.
    lifecycles: HashMap<LifecycleId, Option<Arc<Lifecycle>>>,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(core: &'a Core, labels: &'a Labels) -> Self {
        Self {
            core,
            labels,
            lifecycles: HashMap::default(),
        }
    }

    /// Hands entries to the streams that they concern. Gives those that were filled, each once: they take nothing from then on.
    pub(super) fn all(
        &mut self,
        entries: &[LogEntry],
        index: &Index,
        when_full: WhenFull,
    ) -> Vec<Arc<Shared>> {
        let mut filled = Vec::new();
        for found in entries {
            let concerned = index.concerned(&found.entry);
            self.one(found, concerned, when_full, |stream, offered| {
                if offered == Offered::Filled {
                    filled.push(stream.clone());
                }
            });
        }
        filled
    }

    /// Hands entries to one stream. False if it does not take them all now.
    pub(super) fn alone(&mut self, entries: &[LogEntry], stream: &Arc<Shared>) -> bool {
        for found in entries {
            let mut took = true;
            self.one(found, std::iter::once(stream), WhenFull::Stall, |_, _| {
                took = false
            });
            if !took {
                return false;
            }
        }
        true
    }

    fn one<'s>(
        &mut self,
        found: &LogEntry,
        streams: impl Iterator<Item = &'s Arc<Shared>>,
        when_full: WhenFull,
        mut not_taken: impl FnMut(&Arc<Shared>, Offered),
    ) {
        let order = found.entry.order;
        let Some(lifecycle) = self.lifecycle(found.entry.lifecycle) else {
            tracing::error!(order.key = %order, "an order's lifecycle is not stored: live streams are not told of it");
            return;
        };
        let Some(label) = self.labels.get(order) else {
            tracing::error!(order.key = %order, "an entry's order is not stored: live streams are not told of it");
            return;
        };
        let Some(candidate) = Candidate::of(found, &lifecycle, label) else {
            return;
        };
        let mut message: Option<Arc<Rendered>> = None;
        for stream in streams.filter(|stream| stream.wants(&candidate)) {
            let message = match &message {
                Some(message) => message,
                None => match candidate.render(&self.core.cursors, self.core.held(when_full)) {
                    Ok(rendered) => message.insert(Arc::new(rendered)),
                    Err(error) => {
                        tracing::error!(order.key = %order, error.detail = %error, "live streams are not told of an entry");
                        return;
                    }
                },
            };
            let offered = stream.offer(message, self.core.room(when_full), when_full);
            match offered {
                Offered::Has => {}
                Offered::Filled | Offered::Left => not_taken(stream, offered),
            }
        }
    }

    /// A definition; of one that another node stored a moment ago the store is asked.
    fn lifecycle(&mut self, id: LifecycleId) -> Option<Arc<Lifecycle>> {
        let engine = &self.core.engine;
        self.lifecycles
            .entry(id)
            .or_insert_with(|| engine.lifecycle(id))
            .clone()
    }
}
