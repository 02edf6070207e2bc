//! `GET /shipments/{tracking_number}`.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use model::EntryKind;
use model::entry::PrivateBody;
use model::ids::Version;
use model::public_id::PublicId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Error, LogEntry, OrderRecord, Reader};
use utoipa::ToSchema;

use super::super::auth::{Asker, Principal};
use super::super::found::{self, Found};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;

/// A shipment with its history.
#[derive(Serialize, ToSchema)]
pub(super) struct Shipment {
    tracking_number: String,
    /// Whose it is.
    client_id: String,
    /// Where its lifecycle stands.
    current_status: String,
    origin: Place,
    destination: Place,
    package: Package,
    /// When its creation was recorded.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its last entry was recorded.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Oldest first.
    status_history: Vec<StatusEntry>,
    /// That the shipment has ended and its history was archived: `status_history` is empty. Left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_archived: Option<bool>,
}

/// One end of the way.
#[derive(Serialize, ToSchema)]
struct Place {
    address: String,
    coordinates: RawCoordinates,
}

/// A place in degrees, as it was given.
#[derive(Serialize, ToSchema)]
struct RawCoordinates {
    #[schema(value_type = f64)]
    lat: Box<RawValue>,
    #[schema(value_type = f64)]
    lng: Box<RawValue>,
}

/// What is sent.
#[derive(Serialize, ToSchema)]
struct Package {
    #[schema(value_type = f64)]
    weight_kg: Box<RawValue>,
    dimensions: Dimensions,
    content_description: String,
}

/// In centimetres.
#[derive(Serialize, ToSchema)]
struct Dimensions {
    #[schema(value_type = f64)]
    length: Box<RawValue>,
    #[schema(value_type = f64)]
    width: Box<RawValue>,
    #[schema(value_type = f64)]
    height: Box<RawValue>,
}

/// A status that the shipment came to.
#[derive(Serialize, ToSchema)]
struct StatusEntry {
    status: String,
    /// When, in the world.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The device or system that said so.
    source: Option<String>,
    /// Where.
    location: Option<Coordinates>,
}

/// A place in degrees.
#[derive(Serialize, ToSchema)]
struct Coordinates {
    lat: f64,
    lng: f64,
}

/// The creation's fields, as they are kept.
#[derive(Deserialize)]
struct Details {
    origin_address: String,
    origin_lat: Box<RawValue>,
    origin_lng: Box<RawValue>,
    destination_address: String,
    destination_lat: Box<RawValue>,
    destination_lng: Box<RawValue>,
    weight_kg: Box<RawValue>,
    length_cm: Box<RawValue>,
    width_cm: Box<RawValue>,
    height_cm: Box<RawValue>,
    content_description: String,
}

/// A shipment
///
/// For its own client and its drivers, for operators and admins; for anybody else 403.
#[utoipa::path(get, path = "/shipments/{tracking_number}", tag = "shipments",
    params(("tracking_number" = String, Path, description = "Its number")),
    responses(
        (status = 200, description = "With its history, oldest first, unless that is archived; `ETag` has its version", body = Shipment),
        (status = 404, description = "No shipment has this number", body = ProblemSchema)))]
pub(super) async fn shipment(
    State(state): State<AppState>,
    asker: Asker,
    Path(tracking_number): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let unknown = || Problem::not_found("no shipment has this tracking number");
    let id = PublicId::new(&tracking_number).map_err(|_| unknown())?;
    let reading = state.clone();
    let found = state
        .read(move |reader| find(&reading, reader, &asker, &id))
        .await?;
    let (shipment, version) = found.or_told("shipment", unknown)?;
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(shipment)))
}

fn find(
    state: &AppState,
    reader: &mut dyn Reader,
    principal: &Principal,
    id: &PublicId,
) -> Result<Found<(Shipment, Version)>, Error> {
    let found = found::find(reader, id, |reader| Ok(principal.known_actor(reader)?.scope))?;
    found.of_lifecycle(state, "shipment").try_map(|order| {
        let history = if order.placement.is_archived() {
            Vec::new()
        } else {
            reader.history(&order)?
        };
        Ok((render(state, reader, &order, &history)?, order.head.version))
    })
}

fn render(
    state: &AppState,
    reader: &mut dyn Reader,
    order: &OrderRecord,
    history: &[LogEntry],
) -> Result<Shipment, Error> {
    let damaged = |what: &str| Error::Damaged(format!("{}: {what}", order.public_id));
    let lifecycle = state.lifecycle_of(order)?;
    let details = order
        .details
        .as_ref()
        .ok_or_else(|| damaged("it has no details"))?;
    let details: Details =
        serde_json::from_slice(details.content()).map_err(|_| damaged("its details cannot be read"))?;
    Ok(Shipment {
        client_id: state.party_name(reader, order.head.owner.client)?.to_string(),
        current_status: lifecycle.state_name(order.head.status).to_owned(),
        origin: Place {
            address: details.origin_address,
            coordinates: RawCoordinates {
                lat: details.origin_lat,
                lng: details.origin_lng,
            },
        },
        destination: Place {
            address: details.destination_address,
            coordinates: RawCoordinates {
                lat: details.destination_lat,
                lng: details.destination_lng,
            },
        },
        package: Package {
            weight_kg: details.weight_kg,
            dimensions: Dimensions {
                length: details.length_cm,
                width: details.width_cm,
                height: details.height_cm,
            },
            content_description: details.content_description,
        },
        created_at: order.created_at.to_string(),
        updated_at: order.head.recorded_at.to_string(),
        status_history: statuses(&lifecycle, history).map_err(|error| damaged(&error.to_string()))?,
        history_archived: order.placement.is_archived().then_some(true),
        tracking_number: order.public_id.to_string(),
    })
}

/// The statuses it came to, those struck by a correction left out.
fn statuses(
    lifecycle: &model::Lifecycle,
    history: &[LogEntry],
) -> Result<Vec<StatusEntry>, model::entry::FormatError> {
    let mut struck = Vec::new();
    for LogEntry { entry, .. } in history {
        if entry.kind == EntryKind::Correction {
            struck.extend(entry.body()?.about);
        }
    }
    let mut statuses = Vec::with_capacity(history.len());
    for LogEntry { entry, .. } in history {
        if !entry.kind.bears_status() || struck.contains(&entry.version) {
            continue;
        }
        let private = entry.private()?;
        let PrivateBody { location, .. } = private;
        let mut timestamp = String::with_capacity(32);
        // Writing into a text does not fail.
        write!(timestamp, "{}", entry.occurred_at).ok();
        statuses.push(StatusEntry {
            status: lifecycle.state_name(entry.status).to_owned(),
            timestamp,
            source: entry.body()?.source.map(str::to_owned),
            location: location.map(|at| Coordinates {
                lat: at.lat,
                lng: at.lng,
            }),
        });
    }
    Ok(statuses)
}
