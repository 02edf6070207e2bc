//! What is wished for: the request's fields, checked, and the command they make.

use model::command::{Actor, Create, NewId};
use model::ids::{LifecycleId, Owner, PartyId, TenantId};
use model::public_id::PublicId;
use model::time::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::auth::Principal;
use super::super::event_time;
use super::super::fields::Fields;
use super::super::limits::ADDRESS_CHARS;
use super::super::problem::{FieldProblem, Problem};
use super::super::state::{AppState, random};

/// A shipment to be made.
#[derive(ToSchema)]
#[schema(as = NewShipment)]
#[expect(dead_code, reason = "describes what `Wish::read` reads")]
pub(super) struct WishSchema {
    /// Where it starts: at most 500 characters.
    origin_address: String,
    /// −90 to 90 degrees.
    origin_lat: f64,
    /// −180 to 180 degrees.
    origin_lng: f64,
    /// Where it goes: at most 500 characters.
    destination_address: String,
    /// −90 to 90 degrees.
    destination_lat: f64,
    /// −180 to 180 degrees.
    destination_lng: f64,
    /// Above 0.
    weight_kg: f64,
    /// Above 0.
    length_cm: f64,
    /// Above 0.
    width_cm: f64,
    /// Above 0.
    height_cm: f64,
    /// At most 500 characters.
    content_description: String,
    /// Whose it is: at most 200 characters.
    client_id: String,
    /// When it began in the world, if earlier than now.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
}

/// A checked wish for a shipment.
pub(super) struct Wish {
    pub(super) client: Box<str>,
    occurred_at: Option<Timestamp>,
    /// The object as received.
    details: Box<[u8]>,
}

impl Wish {
    /// Reads one shipment. `raw` are the bytes of `value`; `now` bounds its time.
    pub(super) fn read(value: &Value, raw: &[u8], now: Timestamp) -> Result<Self, Vec<FieldProblem>> {
        let mut fields = Fields::of(value);
        for end in [
            ["origin_address", "origin_lat", "origin_lng"],
            ["destination_address", "destination_lat", "destination_lng"],
        ] {
            let [address, lat, lng] = end;
            fields.text(address, ADDRESS_CHARS);
            fields.number(lat, "must lie between -90 and 90 degrees", |lat| {
                lat.abs() <= 90.0
            });
            fields.number(lng, "must lie between -180 and 180 degrees", |lng| {
                lng.abs() <= 180.0
            });
        }
        for size in ["weight_kg", "length_cm", "width_cm", "height_cm"] {
            fields.number(size, "must be greater than 0", |size| size > 0.0);
        }
        fields.text("content_description", ADDRESS_CHARS);
        let client = fields.text("client_id", model::limits::MAX_SOURCE_CHARS);
        let occurred_at = event_time::occurred_at(&mut fields, now);
        let problems = fields.problems();
        match client {
            Some(client) if problems.is_empty() => Ok(Self {
                client: client.into(),
                occurred_at,
                details: raw.into(),
            }),
            Some(_) | None => Err(problems),
        }
    }

    /// A client makes its own only.
    pub(super) fn must_be_own(&self, principal: &Principal) -> Result<(), Problem> {
        match &principal.client {
            Some(own) if !principal.is_staff() && **own != *self.client => Err(Problem::forbidden(
                "client_id names another client: you may make shipments for your own only",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The command, under a fresh tracking number.
    pub(super) fn into_command(
        self,
        state: &AppState,
        lifecycle: LifecycleId,
        actor: Actor,
        client: PartyId,
        now: Timestamp,
    ) -> Result<Create, Problem> {
        let id = PublicId::tracking_number(&state.tracking_prefix, random()?);
        Ok(Create {
            id: NewId::Random(id.map_err(|_| Problem::internal())?),
            lifecycle,
            owner: Owner {
                tenant: TenantId::default(),
                client,
                customer: PartyId::NOBODY,
            },
            actor,
            reference: None,
            contact: None,
            details: self.details,
            occurred_at: self.occurred_at,
            source: "api".into(),
            received_at: now,
        })
    }
}
