//! The trail of every change to users, keys and the like.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use model::role::Role;
use model::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::accounts::AuditRecord;
use store::{Error, Reader};
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::limits::{AUDIT_CHUNK, AUDIT_CLOCK_SLACK, AUDIT_SCAN};
use super::super::page;
use super::super::problem::Problem;
use super::super::query::Parameters;
use super::super::state::AppState;
use crate::accounts::Entity;

/// A page of the trail.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// Newest first. With filters there may be fewer than `limit` although there are more: follow `next_cursor`.
    data: Vec<AuditBody>,
    next_cursor: Option<String>,
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
struct AuditBody {
    audit_id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// A username, `key:{id}`, or `system`.
    actor: String,
    #[schema(value_type = String)]
    role: &'static str,
    /// Such as `user.create`.
    action: String,
    entity_type: String,
    entity_id: String,
    /// What it was.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it is.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    ip: Option<String>,
    request_id: Option<String>,
}

impl From<AuditRecord> for AuditBody {
    fn from(record: AuditRecord) -> Self {
        let state = |text: Option<Box<str>>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            audit_id: record.audit_id,
            at: record.at.to_string(),
            actor: record.actor.into(),
            role: record.role.name(),
            action: record.action.into(),
            entity_type: record.entity_type.into(),
            entity_id: record.entity_id.into(),
            before: state(record.before),
            after: state(record.after),
            ip: record.ip.map(Into::into),
            request_id: record.request_id.map(Into::into),
        }
    }
}

/// The trail of changes
///
/// For admins; newest first. Nothing in it is ever changed or deleted.
#[utoipa::path(get, path = "/api/v1/admin/audit-logs", tag = "administration",
    params(("entity" = Option<String>, Query, description = "Of this kind of thing, or of one: `user` or `user:usr_…`"),
        ("actor" = Option<String>, Query, description = "By this username, `key:{id}` or `system`"),
        ("from" = Option<String>, Query, description = "At this time or later"),
        ("to" = Option<String>, Query, description = "Before this time"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = AuditPage)))]
pub(super) async fn audit_logs(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Admin])?;
    let filter = Filter::read(&mut parameters);
    let limit = parameters.limit();
    let before = page::numbered_cursor_of(&mut parameters);
    parameters.finish()?;
    let scan = Scan {
        filter,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let (records, next) = state.read(move |reader| scan.page(reader, before)).await?;
    let page = AuditPage {
        data: records.into_iter().map(AuditBody::from).collect(),
        next_cursor: next.map(|place| page::cursor_to(&place.to_string())),
    };
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

/// Which records are wanted.
struct Filter {
    entity: Option<(&'static str, Option<String>)>,
    actor: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Filter {
    fn read(parameters: &mut Parameters) -> Self {
        let entity = parameters.text("entity").and_then(|text| {
            let (kind, id) = match text.split_once(':') {
                Some((kind, id)) => (kind, Some(id.to_owned())),
                None => (text.as_str(), None),
            };
            let known = Entity::ALL.into_iter().find(|known| known.name() == kind);
            if known.is_none() {
                let names = Entity::ALL.map(Entity::name).join(", ");
                let message = format!("must begin with one of {names}");
                parameters.complain("entity", "value", &message);
            }
            Some((known?.name(), id))
        });
        Self {
            entity,
            actor: parameters.text("actor"),
            from: parameters.timestamp("from"),
            to: parameters.timestamp("to"),
        }
    }

    fn takes(&self, record: &AuditRecord) -> bool {
        let entity = self.entity.as_ref().is_none_or(|(kind, id)| {
            *record.entity_type == **kind && id.as_ref().is_none_or(|id| *record.entity_id == **id)
        });
        entity
            && self.actor.as_ref().is_none_or(|actor| *record.actor == **actor)
            && self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at < to)
    }

    /// Whether neither this record nor any older one is wanted.
    fn is_past(&self, record: &AuditRecord) -> bool {
        let slack = i64::try_from(AUDIT_CLOCK_SLACK.as_nanos()).unwrap_or(i64::MAX);
        self.from
            .is_some_and(|from| record.at.as_nanos() < from.as_nanos().saturating_sub(slack))
    }
}

/// One page of a filtered trail.
struct Scan {
    filter: Filter,
    limit: usize,
}

impl Scan {
    /// The records, and the one after which the next page begins.
    fn page(
        &self,
        reader: &mut dyn Reader,
        before: Option<i64>,
    ) -> Result<(Vec<AuditRecord>, Option<i64>), Error> {
        let (mut found, mut place) = (Vec::new(), before);
        for _ in 0..AUDIT_SCAN / AUDIT_CHUNK {
            let chunk = reader.audit(place, AUDIT_CHUNK)?;
            let is_last = chunk.len() < usize::try_from(AUDIT_CHUNK).unwrap_or(usize::MAX);
            for record in chunk {
                if self.filter.is_past(&record) {
                    return Ok((found, None));
                }
                if self.filter.takes(&record) {
                    // One more tells that there is another page.
                    if found.len() == self.limit {
                        return Ok((found, place));
                    }
                    found.push(record.clone());
                }
                place = Some(record.audit_id);
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, place))
    }
}
