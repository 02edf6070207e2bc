//! What can be wrong between tables, for `verify`: it is found here because only the database knows of places.

use model::ids::OrderKey;

use super::convert::get;
use super::session::Session;
use super::{archive, schema};
use crate::error::Error;

/// Findings of one kind that are listed.
const LISTED: i64 = 20;

/// The end of the log, and entries that no commit or no head has.
const LOOKS: [&str; 3] = [
    "SELECT format('the log is said to end at position %s with commit %s, its last commit is %s and ends at %s', \
         l.last_position, l.last_commit, coalesce(c.commit_id, 0), coalesce(c.first_position + c.entries - 1, 0)) \
         FROM (SELECT max(last_position) AS last_position, max(last_commit) AS last_commit FROM log_end) l \
         LEFT JOIN (SELECT * FROM commits ORDER BY commit_id DESC LIMIT 1) c ON TRUE \
         WHERE (l.last_position, l.last_commit) IS DISTINCT FROM \
         (coalesce(c.first_position + c.entries - 1, 0), coalesce(c.commit_id, 0)) LIMIT $1",
    "SELECT format('version %s of order %s, at place %s, belongs to no commit', e.version, e.order_key, e.place) FROM entries e \
         LEFT JOIN LATERAL (SELECT c.first_place + c.entries AS places_end FROM commits c WHERE c.first_place <= e.place \
         ORDER BY c.first_place DESC LIMIT 1) c ON TRUE WHERE e.place < c.places_end IS NOT TRUE ORDER BY e.place LIMIT $1",
    "SELECT format('an entry of order %s, at place %s, does not lie where its head says its entries do', e.order_key, e.place) \
         FROM entries e LEFT JOIN order_heads h USING (order_key) \
         WHERE e.place BETWEEN h.first_place AND h.last_place IS NOT TRUE ORDER BY e.place LIMIT $1",
];

/// Orders without a head, heads without an order, and pairs that differ.
pub(super) fn unpaired_orders(session: &mut Session, limit: i64) -> Result<Vec<OrderKey>, Error> {
    let sql = "SELECT coalesce(o.order_key, h.order_key) FROM order_identities o FULL JOIN order_heads h USING (order_key) \
               WHERE (o.lifecycle_id, o.tenant_id, o.client_id, o.customer_id) IS DISTINCT FROM \
               (h.lifecycle_id, h.tenant_id, h.client_id, h.customer_id) ORDER BY 1 LIMIT $1";
    let rows = session.query(sql, &[&limit])?;
    rows.iter().map(|row| Ok(OrderKey::new(get(row, 0)?))).collect()
}

/// The schema, the end of the log, entries that no commit or no head has, and partitions that are neither there nor archived.
pub(super) fn problems(session: &mut Session) -> Result<Vec<String>, Error> {
    let mut problems = schema::problems(session)?;
    for sql in LOOKS {
        match texts(session, sql) {
            Ok(found) => problems.extend(found),
            // Most likely what the schema lacks. Nothing can be asked after it in this transaction.
            Err(Error::Damaged(problem)) => {
                problems.push(problem);
                return Ok(problems);
            }
            Err(error) => return Err(error),
        }
    }
    problems.extend(archive::partitions::problems(session)?);
    Ok(problems)
}

fn texts(session: &mut Session, sql: &'static str) -> Result<Vec<String>, Error> {
    session
        .query(sql, &[&LISTED])?
        .iter()
        .map(|row| get(row, 0))
        .collect()
}
