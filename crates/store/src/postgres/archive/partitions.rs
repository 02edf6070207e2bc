//! Which partitions there are, and whether they and what is noted of the others are together the whole log.

use super::super::convert::get;
use super::super::session::Session;
use super::super::statements::live_from;
use crate::error::Error;

/// An attached partition.
pub(super) struct Attached {
    pub(super) name: String,
    pub(super) first_place: i64,
    pub(super) places_end: i64,
    pub(super) bytes: i64,
}

/// Name, bounds and object id of the attached partitions.
macro_rules! attached {
    () => {
        "(SELECT c.relname::text AS name, c.oid, bounds[1]::bigint AS first_place, bounds[2]::bigint AS places_end \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), \
         'FROM \\(''?([0-9]+)''?\\) TO \\(''?([0-9]+)''?\\)') AS bounds WHERE i.inhparent = 'entries'::regclass AND bounds IS NOT NULL)"
    };
}

/// The attached partitions, the oldest first.
pub(super) fn attached(session: &mut Session) -> Result<Vec<Attached>, Error> {
    let sql = concat!(
        "SELECT name, first_place, places_end, pg_total_relation_size(oid) FROM ",
        attached!(),
        " attached ORDER BY first_place"
    );
    let rows = session.query(sql, &[])?;
    rows.iter()
        .map(|row| {
            Ok(Attached {
                name: get(row, 0)?,
                first_place: get(row, 1)?,
                places_end: get(row, 2)?,
                bytes: get(row, 3)?,
            })
        })
        .collect()
}

/// Partitions of which the one before ends elsewhere than they begin, whether they are archived or attached; entries that are archived and
/// those that are noted; archived orders of which a part is not.
pub(in crate::postgres) fn problems(session: &mut Session) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for sql in [
        concat!(
            "SELECT format('the log has no partition for places %s to %s, and none that held them is noted as archived: one was detached \
             or dropped by hand', ends_before, first_place - 1) FROM (SELECT first_place, \
             coalesce(lag(places_end) OVER (ORDER BY first_place), 0) AS ends_before FROM \
             (SELECT first_place, places_end FROM log_archives UNION ALL SELECT first_place, places_end FROM ",
            attached!(),
            " attached) every) pairs WHERE first_place > ends_before ORDER BY first_place"
        ),
        concat!(
            "SELECT format('%s is attached, and its places %s to %s are noted as archived', name, first_place, places_end - 1) FROM ",
            attached!(),
            " attached WHERE first_place < ",
            live_from!(),
            " ORDER BY first_place"
        ),
        concat!(
            "SELECT format('the archives have %s entries, the commits %s in their places', noted, there) FROM \
             (SELECT coalesce(sum(entries), 0) AS noted FROM log_archives) n, \
             (SELECT coalesce(sum(least(entries, ",
            live_from!(),
            " - first_place)), 0) AS there FROM commits WHERE first_place < ",
            live_from!(),
            ") t WHERE noted <> there"
        ),
        concat!(
            "SELECT format('order %s is archived and has entries in the live log', order_key) FROM order_heads WHERE first_place < ",
            live_from!(),
            " AND last_place >= ",
            live_from!(),
            " ORDER BY order_key LIMIT 20"
        ),
    ] {
        for row in session.query(sql, &[])? {
            problems.push(get(&row, 0)?);
        }
    }
    Ok(problems)
}
