//! The trail. The schema refuses to change or delete a record.

use model::time::Timestamp;
use rusqlite::{Connection, params};

use super::convert::role;
use super::statements::all;
use crate::accounts::AuditRecord;
use crate::error::Error;

pub(super) fn append(connection: &Connection, record: &AuditRecord) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit_log (at, actor, role, action, entity_type, entity_id, before, after, ip, request_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        record.at.as_nanos(),
        record.actor,
        record.role.number(),
        record.action,
        record.entity_type,
        record.entity_id,
        record.before,
        record.after,
        record.ip,
        record.request_id,
    ])?;
    Ok(())
}

pub(super) fn before(
    connection: &Connection,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<AuditRecord>, Error> {
    let sql = "SELECT audit_id, at, actor, role, action, entity_type, entity_id, before, after, ip, request_id \
               FROM audit_log WHERE audit_id < ?1 ORDER BY audit_id DESC LIMIT ?2";
    all(connection, sql, (before.unwrap_or(i64::MAX), limit), |row| {
        Ok(AuditRecord {
            audit_id: row.get(0)?,
            at: Timestamp::from_nanos(row.get(1)?),
            actor: row.get(2)?,
            role: role(row.get(3)?)?,
            action: row.get(4)?,
            entity_type: row.get(5)?,
            entity_id: row.get(6)?,
            before: row.get(7)?,
            after: row.get(8)?,
            ip: row.get(9)?,
            request_id: row.get(10)?,
        })
    })
}
