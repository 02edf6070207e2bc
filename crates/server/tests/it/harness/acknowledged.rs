//! What `waybill simulate --acknowledge` said was accepted, against what a store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::Entry;
use model::command::OrderRef;
use model::lifecycle::Lifecycle;
use model::public_id::PublicId;
use server::place::StorePlace;
use store::Store;

/// A report that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) shipment: String,
    pub(crate) version: u32,
    pub(crate) status: String,
    pub(crate) occurred_at_nanos: i64,
    pub(crate) source: String,
}

/// Everything that was accepted. A set: what is sent twice is acknowledged twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) created: BTreeSet<String>,
    pub(crate) events: BTreeSet<Event>,
}

/// What is wrong with a store, by what was acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) lost: Vec<String>,
    pub(crate) doubled: Vec<String>,
}

impl Acknowledged {
    /// Reads the lines of one run. Others than acknowledgements are left out.
    pub(crate) fn read(stdout: &str) -> Self {
        let mut acknowledged = Self::default();
        for line in stdout.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["created", shipment] => {
                    acknowledged.created.insert(shipment.to_owned());
                }
                ["event", shipment, version, status, occurred_at, source] => {
                    acknowledged.events.insert(Event {
                        shipment: shipment.to_owned(),
                        version: version.parse().unwrap(),
                        status: status.to_owned(),
                        occurred_at_nanos: occurred_at.parse().unwrap(),
                        source: source.to_owned(),
                    });
                }
                _ => {}
            }
        }
        acknowledged
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.created.extend(other.created.iter().cloned());
        self.events.extend(other.events.iter().cloned());
    }

    pub(crate) fn len(&self) -> usize {
        self.created.len() + self.events.len()
    }

    /// Opens the store of a folder and looks for each of them.
    pub(crate) fn compare(&self, data_dir: &Path) -> Losses {
        let store = StorePlace::from(data_dir).look_into().unwrap();
        let lifecycles: BTreeMap<_, _> = store
            .lifecycles()
            .unwrap()
            .into_iter()
            .map(|stored| (stored.id, stored.lifecycle))
            .collect();
        let mut by_shipment: BTreeMap<&str, Vec<&Event>> = self
            .created
            .iter()
            .map(|shipment| (shipment.as_str(), Vec::new()))
            .collect();
        for event in &self.events {
            by_shipment.entry(&event.shipment).or_default().push(event);
        }
        let mut losses = Losses::default();
        for (shipment, events) in by_shipment {
            let history = history(&*store, shipment);
            let Some(first) = history.first() else {
                losses.lost.push(format!("shipment {shipment}"));
                continue;
            };
            let lifecycle = &lifecycles[&first.lifecycle];
            for event in events {
                losses.look_for(event, &history, lifecycle);
            }
        }
        losses
    }
}

impl Losses {
    fn look_for(&mut self, event: &Event, history: &[Entry], lifecycle: &Lifecycle) {
        let found: Vec<u32> = history
            .iter()
            .filter(|entry| {
                entry.occurred_at.as_nanos() == event.occurred_at_nanos
                    && lifecycle.state_name(entry.reported_status().unwrap()) == event.status
                    && entry.body().unwrap().source == Some(&event.source)
            })
            .map(|entry| entry.version.get())
            .collect();
        if !found.contains(&event.version) {
            self.lost.push(format!("{event:?}, found as {found:?}"));
        }
        if found.len() > 1 {
            self.doubled.push(format!("{event:?}, found as {found:?}"));
        }
    }
}

/// The entries of an order; none if there is no such order.
pub(crate) fn history(store: &dyn Store, order: &str) -> Vec<Entry> {
    let order = OrderRef::Public(PublicId::new(order).unwrap());
    store
        .reading(|reader| match reader.order(&order)? {
            Some(order) => reader.history(&order),
            None => Ok(Vec::new()),
        })
        .unwrap()
        .into_iter()
        .map(|found| found.entry)
        .collect()
}
