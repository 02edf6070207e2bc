//! Changing an order: what every path that does so has in common.
//!
//! The order is read, for its owner and for what of it never changes. Then the change goes to the engine, which judges it against what the
//! order is by that time, and the answer is made of the two inside the commit. Nothing is decided on what was read.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::Refusal;
use model::command::{Change, OrderRef};
use model::refusal::CorrectionRefusal;
use store::Record;
use store::accounts::AuditRecord;

use super::super::auth::Asker;
use super::super::event_time;
use super::super::idempotency::{self, JsonAnswer};
use super::super::precondition::if_match;
use super::super::problem::Problem;
use super::super::standing::Standing;
use super::super::state::AppState;
use super::order::{self, Order};
use crate::engine::{Accepted, Answer, Command, Outcome, Submission};

/// A request to change an order, as it came.
pub(super) struct Request<'a> {
    pub(super) state: &'a AppState,
    pub(super) asker: &'a Asker,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// What an idempotency key is scoped to besides who asks.
    pub(super) method_and_path: String,
    pub(super) order_id: &'a str,
}

/// Makes the line of the trail that a change leaves, in the transaction of the change.
pub(super) type Audit = Box<dyn Fn(&Order, &Accepted) -> AuditRecord + Send + Sync>;

impl Request<'_> {
    /// Makes the change and answers with the order.
    pub(super) async fn make(
        self,
        change: impl FnOnce(&Order) -> Result<Change, Problem>,
        audit: Option<Audit>,
    ) -> Result<Response<Body>, Problem> {
        let (state, asker) = (self.state, self.asker);
        let now = state.now();
        let expected = if_match(self.headers)?;
        let keyed = state
            .under_way
            .key(self.headers, asker, &self.method_and_path, self.body, now)?;
        let order = order::read(state, asker.principal(), self.order_id, Order::of).await?;
        let change = change(&order)?.checked();
        let command = Command::Change {
            order: OrderRef::Public(order.id.clone()),
            actor: asker.actor(&state.engine).await?,
            expected,
            change: change.map_err(|error| Problem::fields(vec![error.into()]))?,
        };
        let order = Arc::new(order);
        let mut submission = Submission {
            label: asker.label(),
            commands: vec![command],
            once: keyed.as_ref().map(|keyed| keyed.once().clone()),
            ..Submission::default()
        };
        if keyed.is_some() || audit.is_some() {
            let order = order.clone();
            submission.records = Some(Arc::new(move |answers: &[Answer]| {
                let answer = answer(answers.first(), &order).ok();
                let stored = keyed.as_ref().zip(answer);
                let stored =
                    stored.map(|(keyed, answer)| Record::Answer(answer.to_stored(keyed.once(), now)));
                let line = match (&audit, answers.first()) {
                    (Some(audit), Some(Ok(Outcome::Accepted(accepted)))) => Some(audit(&order, accepted)),
                    (Some(_) | None, _) => None,
                };
                stored.into_iter().chain(line.map(Record::Audit)).collect()
            }));
        }
        idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
            Ok(answer(answers.first(), &order)?.into_response())
        })
    }
}

/// The order, as the change or its repetition has left it.
fn answer(answer: Option<&Answer>, order: &Order) -> Result<JsonAnswer, Problem> {
    let standing = Standing::after(answer, refused)?;
    Ok(order.answer(StatusCode::OK, standing))
}

/// A refusal, in the terms of these paths' fields.
pub(super) fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::OccurredAtOutOfRange => Problem::field("occurred_at", "range", event_time::OUT_OF_RANGE),
        Refusal::Correction(CorrectionRefusal::NoSuchEntry) => {
            Problem::field("event_id", "value", "is no event of this order")
        }
        Refusal::UnknownOrder
        | Refusal::NotYours
        | Refusal::Forbidden(_)
        | Refusal::UnknownStatus { .. }
        | Refusal::InvalidTransition { .. }
        | Refusal::EventIdReused
        | Refusal::VersionMismatch { .. }
        | Refusal::OrderFull
        | Refusal::TooManyParked
        | Refusal::NotCancellable
        | Refusal::IdTaken
        | Refusal::Archived
        | Refusal::Correction(_) => refusal.into(),
    }
}
