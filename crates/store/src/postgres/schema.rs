//! What the schema was when it was made, kept beside it: so that `verify` can tell that somebody has changed it since.
//!
//! What is missing or different is found, not what was added: an operator's own index is no fault.

use std::collections::BTreeSet;

use super::convert::get;
use super::session::Session;
use crate::error::Error;

/// A line for each column, also of views, and what else is said of it, storage option, constraint, index, trigger, sequence and function. Partitions come
/// and go, and are left out, also those that were detached.
macro_rules! lines {
    () => {
        "WITH ours AS (SELECT oid, relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
         AND relkind IN ('r', 'p', 'v') AND NOT relispartition AND relname !~ '^entries_[0-9]+$') \
         SELECT format('column %s of %s, %s%s', a.attname, o.relname, format_type(a.atttypid, a.atttypmod), \
         CASE WHEN a.attnotnull THEN ', not null' END) AS line \
         FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped \
         UNION ALL SELECT format('collation %s of column %s of %s', c.collname, a.attname, o.relname) \
         FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_collation c ON c.oid = a.attcollation \
         UNION ALL SELECT format('default %s of column %s of %s', pg_get_expr(d.adbin, d.adrelid), a.attname, o.relname) \
         FROM ours o JOIN pg_attrdef d ON d.adrelid = o.oid JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.adnum \
         UNION ALL SELECT format('identity %s of column %s of %s', a.attidentity, a.attname, o.relname) \
         FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attidentity <> '' AND NOT a.attisdropped \
         UNION ALL SELECT format('storage option %s of %s', option, o.relname) \
         FROM ours o JOIN pg_class t ON t.oid = o.oid CROSS JOIN unnest(t.reloptions) option \
         UNION ALL SELECT format('constraint %s of %s, %s', c.conname, o.relname, pg_get_constraintdef(c.oid)) \
         FROM ours o JOIN pg_constraint c ON c.conrelid = o.oid \
         UNION ALL SELECT format('index %s of %s, %s%s', i.relname, o.relname, \
         substring(pg_get_indexdef(i.oid) FROM ' USING .*'), CASE WHEN x.indisunique THEN ', unique' END) \
         FROM ours o JOIN pg_index x ON x.indrelid = o.oid AND x.indisvalid JOIN pg_class i ON i.oid = x.indexrelid \
         UNION ALL SELECT format('trigger %s of %s, calling %s, enabled %s', t.tgname, o.relname, p.proname, t.tgenabled) \
         FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal JOIN pg_proc p ON p.oid = t.tgfoid \
         UNION ALL SELECT format('sequence %s', relname) FROM pg_class \
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' \
         UNION ALL SELECT format('function %s, %s', proname, md5(prosrc)) FROM pg_proc \
         WHERE pronamespace = current_schema()::regnamespace"
    };
}

/// Notes what the schema is, in the transaction that made it so.
pub(super) fn note(session: &mut Session) -> Result<(), Error> {
    let sql = concat!(
        "INSERT INTO store_meta (name, value) SELECT 'schema', convert_to(string_agg(line, E'\\n' ORDER BY line), 'UTF8') FROM (",
        lines!(),
        ") lines ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    );
    session.execute(sql, &[])?;
    Ok(())
}

/// What is not as it was made.
pub(super) fn problems(session: &mut Session) -> Result<Vec<String>, Error> {
    let noted = "SELECT convert_from(value, 'UTF8') FROM store_meta WHERE name = 'schema'";
    let noted: String = match session.first(noted, &[])? {
        Some(row) => get(&row, 0)?,
        None => return Ok(vec!["what the schema was is not noted".to_owned()]),
    };
    let rows = session.query(lines!(), &[])?;
    let lines: Result<BTreeSet<&str>, Error> = rows.iter().map(|row| get(row, 0)).collect();
    let lines = lines?;
    let missing = noted.lines().filter(|line| !lines.contains(line));
    Ok(missing
        .map(|line| format!("the schema was changed: missing or different is {line}"))
        .collect())
}
