//! What SQL by other tools is shown of food orders: where their entries are, and what statuses are called. See
//! `docs/adr/0025-relational-mapping.md`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;

use model::ids::{LifecycleId, OrderKey, Position};
use model::{Entry, Lifecycle};
use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::convert::{lifecycle_id, state};
use super::lifecycles;
use super::statements::all;
use crate::error::Error;
use crate::records::NamedState;

/// Entries that are not where `mapped_entries` says, and those it does not name.
const UNMAPPED: &str = "SELECT m.order_key FROM mapped_entries m LEFT JOIN entries e ON e.position = m.position \
                        LEFT JOIN lifecycles l ON l.lifecycle_id = e.lifecycle_id \
                        WHERE (e.order_key, e.version, l.name) IS NOT (m.order_key, m.version, 'food') \
                        UNION ALL SELECT e.order_key FROM entries e \
                        WHERE e.lifecycle_id IN (SELECT lifecycle_id FROM lifecycles WHERE name = 'food') \
                        AND NOT EXISTS (SELECT 1 FROM mapped_entries m \
                        WHERE (m.order_key, m.version, m.position) = (e.order_key, e.version, e.position)) LIMIT ?1";

/// Which definitions are those of mapped orders, as far as a writer has come by them.
#[derive(Default)]
pub(super) struct Mapping(BTreeMap<LifecycleId, bool>);

impl Mapping {
    /// Looks up the definitions of a group's entries that were not met before.
    pub(super) fn learn(&mut self, connection: &Connection, entries: &[(usize, Entry)]) -> Result<(), Error> {
        for (_, entry) in entries {
            if let Vacant(unknown) = self.0.entry(entry.lifecycle) {
                let sql = "SELECT name = 'food' FROM lifecycles WHERE lifecycle_id = ?1";
                let mut find = connection.prepare_cached(sql)?;
                let found = find.query_row([entry.lifecycle.get()], |row| row.get(0));
                if let Some(is_mapped) = found.optional()? {
                    unknown.insert(is_mapped);
                }
            }
        }
        Ok(())
    }

    /// Whether orders of a definition are mapped.
    pub(super) fn has(&self, lifecycle: LifecycleId) -> bool {
        self.0.get(&lifecycle).copied().unwrap_or(false)
    }
}

/// Notes where the entries of mapped orders are.
pub(super) struct MappedInsert<'a> {
    mapping: &'a Mapping,
    insert: CachedStatement<'a>,
}

impl<'a> MappedInsert<'a> {
    pub(super) fn new(connection: &'a Connection, mapping: &'a Mapping) -> Result<Self, Error> {
        let insert = "INSERT INTO mapped_entries (order_key, version, position) VALUES (?1, ?2, ?3)";
        Ok(Self {
            mapping,
            insert: connection.prepare_cached(insert)?,
        })
    }

    pub(super) fn run(&mut self, position: Position, entry: &Entry) -> Result<(), Error> {
        if self.mapping.has(entry.lifecycle) {
            let row = (entry.order.get(), entry.version.get(), position.get());
            self.insert.execute(row)?;
        }
        Ok(())
    }
}

/// Orders of which not every entry is where it is said to be.
pub(super) fn unmapped(connection: &Connection, limit: u32) -> Result<Vec<OrderKey>, Error> {
    all(connection, UNMAPPED, [limit], |row| {
        Ok(OrderKey::new(row.get(0)?))
    })
}

/// Writes what a definition calls its statuses.
pub(super) fn name_states(
    connection: &Connection,
    id: LifecycleId,
    lifecycle: &Lifecycle,
) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO lifecycle_states (lifecycle_id, status, name, phase) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (status, state) in lifecycle.state_ids().zip(lifecycle.states()) {
        insert.execute((id.get(), status.number(), &state.name, state.phase.name()))?;
    }
    Ok(())
}

/// The same of definitions that were stored before this was written.
pub(super) fn name_states_of_old(connection: &mut Connection) -> Result<(), Error> {
    let sql = "SELECT lifecycle_id FROM lifecycles WHERE lifecycle_id NOT IN (SELECT lifecycle_id FROM lifecycle_states)";
    let unnamed = all(connection, sql, [], |row| lifecycle_id(row.get(0)?))?;
    if unnamed.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for stored in lifecycles::all(&transaction)? {
        if unnamed.contains(&stored.id) {
            name_states(&transaction, stored.id, &stored.lifecycle)?;
        }
    }
    Ok(transaction.commit()?)
}

/// What statuses are called, sorted.
pub(super) fn named_states(connection: &Connection) -> Result<Vec<NamedState>, Error> {
    let sql = "SELECT lifecycle_id, status, name, phase FROM lifecycle_states ORDER BY lifecycle_id, status";
    all(connection, sql, [], |row| {
        Ok(NamedState {
            lifecycle: lifecycle_id(row.get(0)?)?,
            status: state(row.get(1)?)?,
            name: row.get(2)?,
            phase: row.get(3)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::sqlite::lists::tests::{in_memory, plan};

    #[test]
    fn the_relations_find_one_order_by_index() {
        let connection = in_memory();
        for view in ["orders", "order_events"] {
            let plan = plan(
                &connection,
                &format!("SELECT * FROM {view} WHERE order_id = 'ORD-1'"),
            );
            let scans = plan.iter().filter(|step| {
                step.starts_with("SCAN") && !step.contains("part") && !step.contains("CONSTANT")
            });
            assert_eq!(scans.count(), 0, "{plan:#?}");
        }
    }
}
