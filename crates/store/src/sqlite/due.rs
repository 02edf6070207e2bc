//! What is due, through the index of the few heads that wait for a time. Those are never deferred, so their table tells the truth.

use model::ids::OrderKey;
use model::time::Timestamp;
use rusqlite::Connection;

use super::statements::all;
use crate::error::Error;
use crate::limits::MAX_PAGE;

const DUE: &str = "SELECT order_key, due_at FROM order_heads WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";

/// Orders with something due by an instant, the longest due first.
pub(super) fn by(
    connection: &Connection,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
    all(connection, DUE, (by.as_nanos(), limit.min(MAX_PAGE)), |row| {
        Ok((OrderKey::new(row.get(0)?), Timestamp::from_nanos(row.get(1)?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::connect::MIGRATIONS;

    #[test]
    fn what_is_due_is_found_by_its_index_and_in_its_order() {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {DUE}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get("detail"));
        let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert_eq!(
            plan,
            ["SEARCH order_heads USING COVERING INDEX order_heads_due (due_at<?)"]
        );
    }
}
