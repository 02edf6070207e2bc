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
use super::super::precondition::if_match;
use super::super::problem::{Problem, ProblemSchema};
use super::super::standing::Standing;
use super::super::state::AppState;
use super::guest::Guest;
use super::order::{FoodOrder, find, id_of, unknown};
use crate::engine::{Answer, Command, Submission};

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
    let expected = if_match(&headers)?;
    let guest = Arc::new(guest);
    let before = Arc::new(Before::read(&state, guest.clone(), &id).await?);
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
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(before.answer(answers.first())?.into_response())
    })
}

/// The order as it was read before it was cancelled: what never changes of it is shown.
struct Before {
    order: OrderRecord,
    lifecycle: Arc<Lifecycle>,
}

impl Before {
    async fn read(state: &AppState, guest: Arc<Guest>, id: &PublicId) -> Result<Self, Problem> {
        let (reading, id) = (state.clone(), id.clone());
        let found = state
            .read(move |reader| {
                find(&reading, reader, &guest, &id)?.try_map(|order| {
                    let lifecycle = reading.lifecycle_of(&order)?;
                    Ok(Self { order, lifecycle })
                })
            })
            .await?;
        found.or_told("order", unknown)
    }

    /// The order as the cancellation, or an earlier one, has left it.
    fn answer(&self, answer: Option<&Answer>) -> Result<JsonAnswer, Problem> {
        let standing = Standing::after(answer, |refusal| refusal.into())?;
        let shown = FoodOrder::of(&self.order, &self.lifecycle, standing);
        Ok(JsonAnswer::new(StatusCode::OK, &shown).with_version(standing.version.get()))
    }
}
