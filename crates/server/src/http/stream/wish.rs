//! What a request wants of a stream: its filters, and where to begin.

use std::sync::Arc;

use axum::http::HeaderMap;
use model::command::Scope;
use model::ids::{OrderKey, PartyId, Position};
use model::public_id::PublicId;
use store::{PartyKind, Reader};

use super::super::auth::Principal;
use super::super::found;
use super::super::order_filter::OrderFilter;
use super::super::problem::Problem;
use super::super::query::Parameters;
use super::super::state::AppState;
use crate::live::{Filter, Opening, Reference, Reset};

const LAST_EVENT_ID: &str = "last-event-id";

/// A wish whose every value is of the right form.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    after: Option<String>,
    order_id: Option<String>,
    orders: OrderFilter,
}

/// A stream that may be opened.
pub(super) struct Beginning {
    pub(super) opening: Opening,
    /// The cursor that was named is none to go on from.
    pub(super) reset: Option<Reset>,
}

/// A secret in a URL is in every log on the way.
pub(super) fn must_have_no_token(parameters: &Parameters, names: &[&str]) -> Result<(), Problem> {
    match names.iter().find(|name| parameters.has(name)) {
        Some(name) => Err(Problem::unauthenticated(format!(
            "{name} is not taken from the URL: send `Authorization: Bearer`"
        ))),
        None => Ok(()),
    }
}

impl Wish {
    /// Reads the filters and `after`. What is wrong is left for `parameters` to complain of.
    fn read(state: &AppState, parameters: &mut Parameters) -> Self {
        Self {
            order_id: parameters.text("order_id"),
            orders: OrderFilter::read(state, parameters),
            after: parameters.text("after"),
        }
    }

    /// All that a request says.
    pub(super) fn of_all(state: &AppState, mut parameters: Parameters) -> Result<Self, Problem> {
        let wish = Self::read(state, &mut parameters);
        parameters.finish()?;
        Ok(wish)
    }

    /// Takes `Last-Event-ID` for `after`. Who comes back asks for the URL that it began with, and says by this where it has come to since
    /// (WHATWG HTML, 9.2.3).
    pub(super) fn resume_by(&mut self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut values = headers.get_all(LAST_EVENT_ID).iter();
        let Some(value) = values.next().filter(|value| !value.is_empty()) else {
            return Ok(());
        };
        // What is no text is no cursor, and is told so on the stream.
        let told = value.to_str().unwrap_or("?").to_owned();
        if values.next().is_some() {
            return Err(Problem::field("Last-Event-ID", "value", "must be sent once"));
        }
        self.after = Some(told);
        Ok(())
    }

    /// Whether what is wished for may be seen. Writes nothing.
    pub(super) async fn is_allowed(
        &self,
        state: &AppState,
        principal: &Arc<Principal>,
    ) -> Result<(), Problem> {
        self.orders.must_be_own(principal)?;
        let order_id = self.order()?;
        let asker = principal.clone();
        let looked = state
            .read(move |reader| {
                let scope = asker.known_actor(reader)?.scope;
                look(reader, order_id.as_ref(), None, scope)
            })
            .await?;
        looked.map(drop)
    }

    fn order(&self) -> Result<Option<PublicId>, Problem> {
        let order_id = self.order_id.as_deref().map(PublicId::new).transpose();
        order_id.map_err(|_| unknown_order())
    }

    /// Whether what is wished for may be seen, and where it begins.
    pub(super) async fn begin(self, state: &AppState, principal: &Principal) -> Result<Beginning, Problem> {
        self.orders.must_be_own(principal)?;
        let scope = scope(state, principal).await?;
        let order_id = self.order()?;
        let merchant = self.orders.merchant.clone();
        let looked = state
            .read(move |reader| look(reader, order_id.as_ref(), merchant.as_deref(), scope))
            .await?;
        let Looked { order, client, head } = looked?;
        let told = self
            .after
            .as_deref()
            .map(|cursor| state.live.cursors().decode(cursor));
        let (after, reset) = match told {
            // From now on.
            None => (head, None),
            Some(Some(position)) if position <= head => (position, None),
            Some(Some(_) | None) => (head, Some(Reset::Unknown)),
        };
        Ok(Beginning {
            opening: Opening {
                scope,
                filter: filter(state, self.orders, order, client),
                after,
                head,
            },
            reset,
        })
    }
}

/// What of the messages about these orders is wanted.
fn filter(state: &AppState, orders: OrderFilter, order: Option<OrderKey>, client: Option<PartyId>) -> Filter {
    let reference = orders.reference.map(|text| Reference {
        contact_hash: state.engine.store().identity().contact_hash(&text),
        text: text.into(),
    });
    // Its first order may come at any time, and is told.
    let newcomer = orders.merchant.filter(|_| client.is_none());
    Filter {
        newcomer: newcomer.map(Into::into),
        lifecycle: orders.lifecycle.map(Into::into),
        status: orders.status.map(Into::into),
        phase: orders.phase,
        is_active: orders.is_active,
        order,
        client,
        reference,
        created_from: orders.created_from,
        created_to: orders.created_to,
    }
}

/// Whose orders a principal may see. One who has none yet gets a number, by which the first will be known.
async fn scope(state: &AppState, principal: &Principal) -> Result<Scope, Problem> {
    if principal.is_staff() {
        return Ok(Scope::All);
    }
    Ok(principal.actor(&state.engine).await?.scope)
}

/// What the store knows of a wish.
struct Looked {
    order: Option<OrderKey>,
    /// The merchant, if anything is known of it.
    client: Option<PartyId>,
    /// Where the log ends.
    head: Position,
}

/// Looks for the order that is wished for, which may have to be there and to be seen, and for the merchant.
fn look(
    reader: &mut dyn Reader,
    order_id: Option<&PublicId>,
    merchant: Option<&str>,
    scope: Scope,
) -> Result<Result<Looked, Problem>, store::Error> {
    let order = match order_id {
        None => None,
        Some(id) => match found::find(reader, id, |_| Ok(scope))?.or_told("order", unknown_order) {
            Ok(order) => Some(order.head.order),
            Err(problem) => return Ok(Err(problem)),
        },
    };
    let client = match merchant {
        None => None,
        Some(name) => reader.party(PartyKind::Client, name)?,
    };
    let head = reader.last_position()?;
    Ok(Ok(Looked { order, client, head }))
}

fn unknown_order() -> Problem {
    Problem::not_found("no order has the id that order_id says")
}
