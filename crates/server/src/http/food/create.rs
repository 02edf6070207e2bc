//! `POST /orders`.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::command::{Create, NewId, Scope};
use model::ids::{Owner, PartyId, TenantId};
use model::limits::MAX_SOURCE_CHARS;
use model::public_id::PublicId;
use model::role::Role;
use model::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::idempotency::{self, JsonAnswer};
use super::super::limits::{ADDRESS_CHARS, BODY_BYTES};
use super::super::orders::details::FoodDetails;
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::{AppState, random};
use super::super::{body, event_time, fields};
use super::LIFECYCLE;
use super::guest::Guest;
use crate::engine::{Answer, Command, Outcome, Submission};

const SIZES: [&str; 3] = ["small", "medium", "large"];

/// A meal to be ordered.
#[derive(ToSchema)]
#[schema(as = NewFoodOrder)]
#[expect(dead_code, reason = "describes what `check` reads")]
pub(super) struct WishSchema {
    /// At most 200 characters.
    customer_name: String,
    /// At most 500 characters.
    address: String,
    /// At most 500 characters.
    item: String,
    /// `small`, `medium` or `large`.
    size: String,
    /// When it was ordered, if that was before it is told here.
    occurred_at: Option<String>,
}

/// A food order that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedOrder {
    /// Its id: `ORD-` and symbols that nobody can guess.
    order_id: String,
}

/// Order food
///
/// By a customer for itself, by operators and admins for anyone; where `OPEN_ORDERS` is on, by whoever asks.
#[utoipa::path(post, path = "/orders", tag = "food", request_body = WishSchema, security((), ("bearer" = [])),
    responses(
        (status = 201, description = "Made; `Location` has its path, `ETag` its version", body = CreatedOrder),
        (status = 401, description = "No token, and `OPEN_ORDERS` is off", body = ProblemSchema),
        (status = 403, description = "Clients and drivers order no food", body = ProblemSchema),
        (status = 409, description = "A request with the same Idempotency-Key is under way", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key was used with another body", body = ProblemSchema)))]
pub(super) async fn create_order(
    State(state): State<AppState>,
    guest: Guest,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    guest.must_be(&[Role::Customer, Role::Operator, Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, BODY_BYTES).await?;
    let now = state.now();
    let (wish, occurred_at) = check(&fields::parse(&received.bytes)?, now)?;
    let keyed =
        state
            .under_way
            .key_of_subject(&headers, guest.subject(), "POST /orders", &received.bytes, now)?;
    let actor = guest.actor(&state).await?;
    let customer = match actor.scope {
        Scope::Customer(customer) => customer,
        Scope::All | Scope::Client(_) => PartyId::NOBODY,
    };
    let (lifecycle, _) = state
        .engine
        .lifecycle_named(LIFECYCLE)
        .ok_or_else(Problem::internal)?;
    let create = Create {
        id: NewId::Random(PublicId::order_id(random()?)),
        lifecycle,
        owner: Owner {
            tenant: TenantId::default(),
            client: PartyId::NOBODY,
            customer,
        },
        actor,
        reference: None,
        contact: None,
        details: wish.to_json(),
        occurred_at,
        source: "api".into(),
        received_at: now,
    };
    let mut submission = Submission {
        label: guest.label(),
        commands: vec![Command::Create(Box::new(create))],
        ..Submission::default()
    };
    if let Some(keyed) = &keyed {
        keyed.keep(&mut submission, now, |answers| answer(answers.first()));
    }
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(answer(answers.first())?.into_response())
    })
}

/// What is to be kept: names every field that is missing, unknown or out of bounds.
fn check(wish: &Value, now: Timestamp) -> Result<(FoodDetails, Option<Timestamp>), Problem> {
    let mut fields = fields::Fields::of(wish);
    let customer_name = fields.text("customer_name", MAX_SOURCE_CHARS);
    let address = fields.text("address", ADDRESS_CHARS);
    let item = fields.text("item", ADDRESS_CHARS);
    let size = fields.text("size", MAX_SOURCE_CHARS);
    if size.is_some_and(|size| !SIZES.contains(&size)) {
        fields.complain("size", "value", format!("must be one of {}", SIZES.join(", ")));
    }
    let occurred_at = event_time::occurred_at(&mut fields, now);
    fields.finish()?;
    // Complete, or there would have been something to complain of.
    let complete = || {
        Some(FoodDetails {
            customer_name: customer_name?.into(),
            address: address?.into(),
            item: item?.into(),
            size: size?.into(),
        })
    };
    let complete = complete().ok_or_else(Problem::internal)?;
    Ok((complete, occurred_at))
}

fn answer(answer: Option<&Answer>) -> Result<JsonAnswer, Problem> {
    let accepted = match answer {
        Some(Ok(Outcome::Accepted(accepted))) => accepted,
        Some(Ok(Outcome::Refused(refusal, _))) => return Err(refusal.into()),
        Some(Err(failure)) => return Err((*failure).into()),
        Some(Ok(Outcome::Duplicate(..) | Outcome::Unchanged(..))) | None => return Err(Problem::internal()),
    };
    let order_id = accepted.created.as_ref().map(ToString::to_string);
    let order_id = order_id.unwrap_or_default();
    let location = format!("/orders/{order_id}");
    let answer = JsonAnswer::new(StatusCode::CREATED, &CreatedOrder { order_id });
    Ok(answer
        .with_location(location)
        .with_version(accepted.version.get()))
}
