//! `GET /api/v1/orders/{order_id}/history`: every event of an order.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use model::Entry;
use model::entry::FormatError;
use model::event_id::{EventIdCodec, EventRef};
use model::history::History;
use model::ids::Version;
use model::lifecycle::Lifecycle;
use model::role::Role;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Error, LogEntry, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::page;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::order;

/// A page of an order's history.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryPage {
    /// Oldest first.
    data: Vec<EventBody>,
    next_cursor: Option<String>,
    /// That the order has ended and its history was archived: `data` is empty. Left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_archived: Option<bool>,
}

/// An event of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryEvent)]
struct EventBody {
    event_id: String,
    /// `created`, `status_applied`, `recorded` (kept, changed nothing), `parked` (waits for a step in between), `released` (a parked one
    /// was applied), `abandoned` (a parked one was given up), `correction` (an event was struck), `override` (set against the arrows).
    #[schema(value_type = String)]
    kind: &'static str,
    /// The order's version with this event.
    version: u32,
    /// The order's status with this event.
    status: String,
    /// What was reported, where the order did not come to it by this event.
    reported_status: Option<String>,
    /// When it happened in the world.
    #[schema(format = DateTime)]
    occurred_at: String,
    /// When the server learned of it.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// The device or system that said so.
    source: Option<String>,
    /// Who submitted it: a username, `key:{id}`, or `system`.
    actor: Option<String>,
    /// Where it happened.
    location: Option<Place>,
    notes: Option<String>,
    /// As it was given.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Why: of a cancellation, a correction, a status that was set. Whoever sees the order reads it.
    reason: Option<String>,
    /// The event that this one is about: the one struck, released or given up.
    about: Option<String>,
    /// Whether a correction has struck it: then it counts no more.
    struck: bool,
}

/// A place in degrees.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPlace)]
struct Place {
    lat: f64,
    lng: f64,
}

/// The history of an order
///
/// Every event, oldest first; those that were struck by a correction too.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}/history", tag = "orders",
    params(("order_id" = String, Path, description = "An order's id, or a tracking number"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses(
        (status = 200, description = "A page; `Link` has the next", body = HistoryPage),
        (status = 404, description = "No order has this id", body = ProblemSchema)))]
pub(super) async fn history(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    Path(order_id): Path<String>,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    let limit = parameters.limit();
    let after = page::numbered_cursor_of(&mut parameters).unwrap_or_default();
    parameters.finish()?;
    let page = order::read(
        &state,
        asker.principal(),
        &order_id,
        move |state, reader, record| {
            if record.placement.is_archived() {
                return Ok(HistoryPage {
                    data: Vec::new(),
                    next_cursor: None,
                    history_archived: Some(true),
                });
            }
            let shown = Shown::read(state, reader, record)?;
            shown.page(state, reader, after, limit)
        },
    )
    .await?;
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

/// A history that is to be shown.
struct Shown {
    lifecycle: std::sync::Arc<Lifecycle>,
    entries: Vec<Entry>,
    struck: Vec<Version>,
    event_ids: EventIdCodec,
}

impl Shown {
    fn read(state: &AppState, reader: &mut dyn Reader, record: &OrderRecord) -> Result<Self, Error> {
        let lifecycle = state.lifecycle_of(record)?;
        let entries: Vec<Entry> = reader
            .history(record)?
            .into_iter()
            .map(|LogEntry { entry, .. }| entry)
            .collect();
        let struck = History::new(&lifecycle, &entries).struck();
        Ok(Self {
            lifecycle,
            entries,
            struck,
            event_ids: state.engine.event_ids().clone(),
        })
    }

    /// The events after a version.
    fn page(
        &self,
        state: &AppState,
        reader: &mut dyn Reader,
        after: i64,
        limit: u32,
    ) -> Result<HistoryPage, Error> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let wanted = |entry: &&Entry| i64::from(entry.version.get()) > after;
        let mut entries: Vec<&Entry> = self.entries.iter().filter(wanted).take(most + 1).collect();
        let next_cursor = page::cut(&mut entries, limit, |last| last.version.to_string());
        let mut data = Vec::with_capacity(entries.len());
        for entry in entries {
            let event = self.event(entry, actor(state, reader, entry)?);
            data.push(event.map_err(|error| Error::Damaged(error.to_string()))?);
        }
        Ok(HistoryPage {
            data,
            next_cursor,
            history_archived: None,
        })
    }

    fn event(&self, entry: &Entry, actor: Option<String>) -> Result<EventBody, FormatError> {
        let (body, private) = (entry.body()?, entry.private()?);
        let event_id = |version| {
            let place = EventRef::Entry(entry.order, version);
            self.event_ids.encode(place).to_string()
        };
        let name = |status| self.lifecycle.state_name(status).to_owned();
        let metadata = private
            .metadata
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        Ok(EventBody {
            event_id: event_id(entry.version),
            kind: entry.kind.name(),
            version: entry.version.get(),
            status: name(entry.status),
            reported_status: body.reported.filter(|status| *status != entry.status).map(name),
            occurred_at: entry.occurred_at.to_string(),
            recorded_at: entry.recorded_at.to_string(),
            source: body.source.map(str::to_owned),
            actor,
            location: private.location.map(|at| Place {
                lat: at.lat,
                lng: at.lng,
            }),
            notes: private.notes.map(str::to_owned),
            metadata,
            reason: private.reason.map(str::to_owned),
            about: body.about.map(event_id),
            struck: self.struck.contains(&entry.version),
        })
    }
}

/// The name of who submitted an event.
fn actor(state: &AppState, reader: &mut dyn Reader, entry: &Entry) -> Result<Option<String>, Error> {
    let body = entry.body().map_err(|error| Error::Damaged(error.to_string()))?;
    match (body.role, body.actor) {
        (Some(Role::System), _) => Ok(Some(Role::System.name().to_owned())),
        (_, Some(party)) => state.party_name(reader, party).map(|name| Some(name.to_string())),
        (_, None) => Ok(None),
    }
}
