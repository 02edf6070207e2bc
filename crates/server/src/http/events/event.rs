//! An event as it comes: parsed once, borrowed where it can be, and checked.
//!
//! What is well-formed takes the short way, straight into its fields. Whatever that cannot read is looked at again, member by
//! member, to name everything that is wrong with it.

use std::borrow::Cow;

use model::command::{Report, ReportFields};
use model::entry::Location;
use model::lifecycle::Lifecycle;
use model::limits::{MAX_EVENT_ID_CHARS, MAX_METADATA_BYTES, MAX_SOURCE_CHARS, MAX_TEXT_CHARS};
use model::public_id::PublicId;
use model::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::event_time;
use super::super::fields::{self, Fields, Object, is_too_deep, text_problem, too_deep};
use super::super::problem::{FieldProblem, Problem};

/// An event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventIn<'a> {
    #[serde(borrow)]
    tracking_number: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(default)]
    location: Option<Object<LocationIn>>,
    #[serde(borrow, default)]
    notes: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocationIn {
    lat: f64,
    lng: f64,
}

/// A scan event.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "describes what `EventIn` reads")]
pub(in crate::http) struct EventSchema {
    /// The shipment.
    tracking_number: String,
    /// The status it has come to, one of its lifecycle's.
    status: String,
    /// When that happened: from 2000 to 24 hours ahead.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The device or system that says so: at most 200 characters.
    source: String,
    /// Where.
    location: Option<LocationSchema>,
    /// At most 500 characters.
    notes: Option<String>,
    /// The sender's own id of the event, of which this shipment has one: at most 200 characters.
    event_id: Option<String>,
    /// Anything: at most 16 KiB.
    metadata: Option<serde_json::Map<String, Value>>,
}

/// A place in degrees.
#[derive(ToSchema)]
#[schema(as = Location)]
#[expect(dead_code, reason = "describes what `LocationIn` reads")]
pub(in crate::http) struct LocationSchema {
    /// −90 to 90.
    lat: f64,
    /// −180 to 180.
    lng: f64,
}

/// What events are measured by.
#[derive(Clone, Copy)]
pub(in crate::http) struct Expected<'a> {
    /// The lifecycle of new shipments: another status is a mistake.
    pub(in crate::http) lifecycle: &'a Lifecycle,
    /// Now.
    pub(in crate::http) now: Timestamp,
}

/// An event that is well-formed.
pub(in crate::http) struct CheckedEvent {
    pub(in crate::http) shipment: PublicId,
    pub(in crate::http) report: Report,
}

impl Expected<'_> {
    /// Reads one event from its text.
    pub(in crate::http) fn read(&self, text: &str) -> Result<CheckedEvent, Problem> {
        match serde_json::from_str::<Object<EventIn<'_>>>(text) {
            Ok(Object(event)) => self.check(&event),
            Err(error) => Err(explain(text, &error)),
        }
    }

    /// Checks what the fields say.
    pub(super) fn check(&self, event: &EventIn<'_>) -> Result<CheckedEvent, Problem> {
        let mut problems = Vec::new();
        let mut complain = |field: &str, code, message: String| {
            problems.push(FieldProblem::new(field, code, message));
        };
        let shipment = PublicId::new(&event.tracking_number);
        if let Err(error) = &shipment {
            complain("tracking_number", "format", format!("is none: {error}"));
        }
        if self.lifecycle.state_named(&event.status).is_none() {
            let known: Vec<&str> = self.lifecycle.states().iter().map(|state| &*state.name).collect();
            complain("status", "value", format!("must be one of {}", known.join(", ")));
        }
        let occurred_at = Timestamp::parse(&event.timestamp);
        match &occurred_at {
            Err(error) => complain("timestamp", "format", error.to_string()),
            Ok(at) if !event_time::is_in_range(*at, self.now) => {
                complain("timestamp", "range", event_time::OUT_OF_RANGE.to_owned());
            }
            Ok(_) => {}
        }
        for (field, text, most) in [
            ("source", Some(&event.source), MAX_SOURCE_CHARS),
            ("event_id", event.event_id.as_ref(), MAX_EVENT_ID_CHARS),
        ] {
            if let Some(message) = text.and_then(|text| text_problem(text, most)) {
                complain(field, "length", message);
            }
        }
        if let Some(metadata) = event.metadata.map(RawValue::get) {
            if !metadata.starts_with('{') {
                complain("metadata", "type", "must be an object".to_owned());
            } else if metadata.len() > MAX_METADATA_BYTES {
                complain(
                    "metadata",
                    "length",
                    format!(
                        "must have at most {MAX_METADATA_BYTES} bytes, this has {}",
                        metadata.len()
                    ),
                );
            } else if is_too_deep(metadata) {
                problems.push(too_deep("metadata"));
            }
        }
        match (shipment, occurred_at) {
            (Ok(shipment), Ok(occurred_at)) if problems.is_empty() => {
                let report = self.report(event, occurred_at);
                let report = report.map_err(|error| Problem::fields(vec![error.into()]))?;
                Ok(CheckedEvent { shipment, report })
            }
            (_, _) => Err(Problem::fields(problems)),
        }
    }

    fn report(
        &self,
        event: &EventIn<'_>,
        occurred_at: Timestamp,
    ) -> Result<Report, model::command::FieldError> {
        Report::new(ReportFields {
            status: (*event.status).into(),
            source: (*event.source).into(),
            occurred_at,
            client_event_id: event.event_id.as_deref().map(Into::into),
            location: event.location.as_ref().map(|Object(at)| Location {
                lat: at.lat,
                lng: at.lng,
            }),
            notes: event.notes.as_deref().map(Into::into),
            metadata: event.metadata.map(|metadata| metadata.get().as_bytes().into()),
            received_at: self.now,
        })
    }
}

/// Everything that is wrong with a text that is no event.
pub(super) fn explain(text: &str, error: &serde_json::Error) -> Problem {
    let value = match fields::parse(text.as_bytes()) {
        Ok(value) => value,
        Err(problem) => return problem,
    };
    let mut event = Fields::of(&value);
    event.text("tracking_number", usize::MAX);
    event.text("status", usize::MAX);
    event.text("timestamp", usize::MAX);
    event.text("source", MAX_SOURCE_CHARS);
    event.optional_text("notes", MAX_TEXT_CHARS);
    event.optional_text("event_id", MAX_EVENT_ID_CHARS);
    event.optional("metadata");
    let location = event.optional("location");
    let mut problems = event.problems();
    if let Some(location) = location {
        let mut location = Fields::under(location, "location.".to_owned());
        location.number("lat", "must lie between -90 and 90 degrees", |lat| {
            lat.abs() <= 90.0
        });
        location.number("lng", "must lie between -180 and 180 degrees", |lng| {
            lng.abs() <= 180.0
        });
        problems.extend(location.problems());
    }
    if problems.is_empty() {
        // Such as a member that stands there twice.
        problems.push(FieldProblem::new("", "value", format!("is no event: {error}")));
    }
    Problem::fields(problems)
}
