//! `POST /orders/{order_id}/cancel`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::Lifecycle;
use model::command::{Change, OrderRef};
use model::public_id::PublicId;
use store::OrderRecord;

use super::super::body;
use super::super::idempotency::{self, JsonAnswer};
use super::super::limits::BODY_BYTES;
use super::super::precondition::{Precondition, if_match};
use super::super::problem::{Problem, ProblemSchema};
use super::super::state::AppState;
use super::guest::Guest;
use super::order::{FoodOrder, Found, anothers, find, id_of, unknown};
use crate::engine::{Answer, Command, OnceAnswer, Outcome, Submission};

/// Cancel a food order
///
/// Cancelled again, it is the same order. By its customer, by operators and admins; where `OPEN_ORDERS` is on, by whoever asks.
#[utoipa::path(post, path = "/orders/{order_id}/cancel", tag = "food", security((), ("bearer" = [])),
    params(("order_id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "Cancelled; `ETag` has its version", body = FoodOrder),
        (status = 401, description = "No token, and `OPEN_ORDERS` is off", body = ProblemSchema),
        (status = 403, description = "Another's order", body = ProblemSchema),
        (status = 404, description = "No food order has this id", body = ProblemSchema),
        (status = 409, description = "It has come to its end otherwise", body = ProblemSchema),
        (status = 412, description = "`If-Match` is stale", body = ProblemSchema)))]
pub(super) async fn cancel_order(
    State(state): State<AppState>,
    guest: Guest,
    Path(order_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let id = id_of(&order_id)?;
    body::none(&state.room, body, BODY_BYTES).await?;
    let expected = match if_match(&headers)? {
        Precondition::None => None,
        Precondition::Version(version) => Some(version),
    };
    let guest = Arc::new(guest);
    let before = Arc::new(seen(&state, &guest, &id).await?);
    let now = state.now();
    let path = format!("POST /orders/{id}/cancel");
    let keyed = state
        .under_way
        .key_of_subject(&headers, guest.subject(), &path, b"", now)?;
    let mut submission = Submission {
        label: guest.label(),
        commands: vec![Command::Change {
            order: OrderRef::Public(id.clone()),
            actor: guest.actor(&state).await?,
            expected,
            change: Change::Cancel {
                reason: None,
                source: "api".into(),
            },
        }],
        ..Submission::default()
    };
    if let Some(keyed) = &keyed {
        let before = before.clone();
        keyed.keep(&mut submission, now, move |answers| {
            before.answer(answers.first())
        });
    }
    let done = state.engine.submit_once(submission).await?;
    if let OnceAnswer::Decided(answers) = &done
        && let Some(Ok(Outcome::Unchanged(_))) = answers.first()
    {
        // Cancelled before, perhaps since it was looked at.
        return Ok(seen(&state, &guest, &id).await?.shown().into_response());
    }
    idempotency::respond(done, |answers| {
        Ok(before.answer(answers.first())?.into_response())
    })
}

/// The order as it was read.
struct Seen {
    order: Box<OrderRecord>,
    lifecycle: Arc<Lifecycle>,
}

async fn seen(state: &AppState, guest: &Arc<Guest>, id: &PublicId) -> Result<Seen, Problem> {
    let (reading, guest, id) = (state.clone(), guest.clone(), id.clone());
    let found = state
        .read(move |reader| find(&reading, reader, &guest, &id))
        .await?;
    match found {
        Found::Nothing => Err(unknown()),
        Found::Anothers => Err(anothers()),
        Found::Order(order) => Ok(Seen {
            lifecycle: state
                .engine
                .lifecycle(order.head.lifecycle)
                .ok_or_else(Problem::internal)?,
            order,
        }),
    }
}

impl Seen {
    fn shown(&self) -> JsonAnswer {
        let shown = FoodOrder::of(&self.order, &self.lifecycle);
        JsonAnswer::new(StatusCode::OK, &shown).with_version(self.order.head.version.get())
    }

    /// The order as the change has left it. What was cancelled when it was looked at is shown as it was.
    fn answer(&self, answer: Option<&Answer>) -> Result<JsonAnswer, Problem> {
        match answer {
            Some(Ok(Outcome::Accepted(accepted))) => {
                let mut shown = FoodOrder::of(&self.order, &self.lifecycle);
                self.lifecycle
                    .state_name(accepted.status)
                    .clone_into(&mut shown.status);
                shown.updated_at = accepted.recorded_at.to_string();
                let answer = JsonAnswer::new(StatusCode::OK, &shown);
                Ok(answer.with_version(accepted.last_version.get()))
            }
            Some(Ok(Outcome::Unchanged(_))) if Some(self.order.head.status) == self.lifecycle.cancelled() => {
                Ok(self.shown())
            }
            Some(Ok(Outcome::Refused(refusal, _))) => Err(refusal.into()),
            Some(Err(failure)) => Err((*failure).into()),
            Some(Ok(Outcome::Unchanged(_) | Outcome::Duplicate(_))) | None => Err(Problem::internal()),
        }
    }
}
