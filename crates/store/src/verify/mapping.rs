//! What SQL by other tools is shown, compared with what it is made of.

use std::collections::{BTreeMap, HashMap};

use model::Lifecycle;
use model::ids::LifecycleId;

use super::{PAGE, Verification};

impl Verification<'_> {
    /// Statuses must be called what their definitions call them, and entries be found by their order.
    pub(super) fn compare_mapping(&mut self, lifecycles: &HashMap<LifecycleId, Lifecycle>) {
        let named = self.store.reading(|reader| reader.named_states());
        let mut named: BTreeMap<_, _> = self
            .noting("names of statuses", named)
            .unwrap_or_default()
            .into_iter()
            .map(|named| ((named.lifecycle, named.status), (named.name, named.phase)))
            .collect();
        for (id, lifecycle) in lifecycles {
            for (status, state) in lifecycle.state_ids().zip(lifecycle.states()) {
                let (name, phase) = named.remove(&(*id, status)).unwrap_or_default();
                if *name != *state.name || *phase != *state.phase.name() {
                    let (id, number) = (id.get(), status.number());
                    let problem = format!(
                        "is called '{name}' ({phase}), in its definition '{}' ({})",
                        state.name,
                        state.phase.name()
                    );
                    self.found(format!("status {number} of lifecycle {id}"), problem);
                }
            }
        }
        for ((lifecycle, status), (name, _)) in named {
            let place = format!("status {} of lifecycle {}", status.number(), lifecycle.get());
            self.found(place, format!("is called '{name}' and in no definition"));
        }
        let unmapped = self.store.reading(|reader| reader.unmapped_orders(PAGE));
        let unmapped = self.noting("mapped entries", unmapped).unwrap_or_default();
        for order in unmapped {
            self.found(
                format!("order {order}"),
                "is not shown as its entries say: mapped_entries is not the log",
            );
        }
    }
}
