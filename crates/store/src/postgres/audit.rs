//! The trail. The schema refuses to change or delete a record.

use model::time::Timestamp;

use super::convert::{get, role};
use super::session::Session;
use crate::accounts::AuditRecord;
use crate::error::Error;

pub(super) fn append(session: &mut Session, record: &AuditRecord) -> Result<(), Error> {
    let sql = "INSERT INTO audit_log (at, actor, role, action, entity_type, entity_id, before, after, ip, request_id) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    session.execute(
        sql,
        &[
            &record.at.as_nanos(),
            &&*record.actor,
            &i16::from(record.role.number()),
            &&*record.action,
            &&*record.entity_type,
            &&*record.entity_id,
            &record.before.as_deref(),
            &record.after.as_deref(),
            &record.ip.as_deref(),
            &record.request_id.as_deref(),
        ],
    )?;
    Ok(())
}

pub(super) fn before(
    session: &mut Session,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditRecord>, Error> {
    let sql = "SELECT audit_id, at, actor, role, action, entity_type, entity_id, before, after, ip, request_id \
               FROM audit_log WHERE audit_id < $1 ORDER BY audit_id DESC LIMIT $2";
    let rows = session.query(sql, &[&before.unwrap_or(i64::MAX), &limit])?;
    rows.iter()
        .map(|row| {
            Ok(AuditRecord {
                audit_id: get(row, 0)?,
                at: Timestamp::from_nanos(get(row, 1)?),
                actor: get(row, 2)?,
                role: role(row, 3)?,
                action: get(row, 4)?,
                entity_type: get(row, 5)?,
                entity_id: get(row, 6)?,
                before: get(row, 7)?,
                after: get(row, 8)?,
                ip: get(row, 9)?,
                request_id: get(row, 10)?,
            })
        })
        .collect()
}
