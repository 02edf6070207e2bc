//! `GET /api/v1/orders` and `GET /api/v1/admin/orders`: orders, newest first.
//!
//! Who sees which orders is part of what the store is asked for, never sorted out afterwards. A page ends where its limit is reached, or
//! its orders are long, or the store has looked at enough of them: it may be short and still have a next one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use model::StateId;
use model::event_id::{EventIdCodec, EventRef};
use model::ids::{LifecycleId, OrderKey, PartyId, Version};
use model::role::Role;
use serde::Serialize;
use store::{Error, OrderRecord, PageFilter, Reader};
use utoipa::ToSchema;

use super::super::auth::{Asker, Principal};
use super::super::limits::{ORDERS_AT_ONCE, ORDERS_PAGE_BYTES};
use super::super::order_filter::{OrderFilter, OrderFilterSchema};
use super::super::page;
use super::super::problem::Problem;
use super::super::query::Parameters;
use super::super::standing::Standing;
use super::super::state::{AppState, Shared};
use super::order::{Order, OrderBody};

/// A page of orders.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderPage {
    /// Newest first. There may be fewer than `limit` although there are more: follow `next_cursor`.
    data: Vec<OrderBody>,
    next_cursor: Option<String>,
}

/// Orders
///
/// Customers see their own, clients and drivers those of their client, operators and admins all.
#[utoipa::path(get, path = "/api/v1/orders", tag = "orders", params(OrderFilterSchema,
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = OrderPage)))]
pub(super) async fn list_orders(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    answer(&state, asker.principal(), &uri, parameters).await
}

/// All orders
///
/// For operators and admins: everybody's.
#[utoipa::path(get, path = "/api/v1/admin/orders", tag = "orders", params(OrderFilterSchema,
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = OrderPage)))]
pub(super) async fn list_all_orders(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Operator, Role::Admin])?;
    answer(&state, asker.principal(), &uri, parameters).await
}

async fn answer(
    state: &AppState,
    asker: &Arc<Principal>,
    uri: &Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse + use<>, Problem> {
    let wanted = OrderFilter::read(state, &mut parameters);
    let limit = usize::try_from(parameters.limit()).unwrap_or(usize::MAX);
    let before = cursor_of(&mut parameters, state.engine.event_ids());
    parameters.finish()?;
    wanted.must_be_own(asker)?;
    let statuses = wanted.statuses(state);
    let (reading, asker) = (state.clone(), asker.clone());
    let (data, next) = state
        .read_list(
            move |reader| match page_filter(&wanted, statuses.clone(), reader, &asker)? {
                Some(filter) => Walk::new(&filter, limit).page(&reading, reader, before),
                None => Ok((Vec::new(), None)),
            },
        )
        .await?;
    let next_cursor = next.map(|next| cursor_to(next, state.engine.event_ids()));
    let page = OrderPage { data, next_cursor };
    Ok((page::link(uri, page.next_cursor.as_deref()), Json(page)))
}

/// As the store is asked; `None` where nothing can be found.
fn page_filter(
    wanted: &OrderFilter,
    statuses: Option<Vec<(LifecycleId, StateId)>>,
    reader: &mut dyn Reader,
    asker: &Principal,
) -> Result<Option<PageFilter>, Error> {
    let client = match &wanted.merchant {
        None => None,
        // Nobody has heard of it: it has no orders.
        Some(merchant) => match Shared::known_client(reader, merchant)? {
            None | Some(PartyId::NOBODY) => return Ok(None),
            known @ Some(_) => known,
        },
    };
    Ok(Some(PageFilter {
        owner: asker.known_actor(reader)?.scope,
        client,
        reference: wanted.reference.as_deref().map(Into::into),
        statuses,
        created_from: wanted.created_from,
        created_to: wanted.created_to,
    }))
}

/// The cursor before which one goes on: the id of an event, so that it neither counts orders nor can be made up.
fn cursor_to(order: OrderKey, event_ids: &EventIdCodec) -> String {
    let place = EventRef::Entry(order, Version::FIRST);
    page::cursor_to(&event_ids.encode(place).to_string())
}

fn cursor_of(parameters: &mut Parameters, event_ids: &EventIdCodec) -> Option<OrderKey> {
    let place = page::cursor_of(parameters)?;
    match event_ids.decode(&place) {
        Some(EventRef::Entry(order, Version::FIRST)) => Some(order),
        Some(EventRef::Entry(..) | EventRef::DeadLetter(_)) | None => {
            page::not_of_this_list(parameters);
            None
        }
    }
}

/// One page while it is read.
struct Walk<'a> {
    filter: &'a PageFilter,
    limit: usize,
    data: Vec<OrderBody>,
    details_bytes: usize,
}

impl<'a> Walk<'a> {
    fn new(filter: &'a PageFilter, limit: usize) -> Self {
        Self {
            filter,
            limit,
            data: Vec::new(),
            details_bytes: 0,
        }
    }

    /// The orders, and before which one the next page begins.
    fn page(
        mut self,
        state: &AppState,
        reader: &mut dyn Reader,
        mut before: Option<OrderKey>,
    ) -> Result<(Vec<OrderBody>, Option<OrderKey>), Error> {
        loop {
            let wanted = (self.limit - self.data.len()).min(ORDERS_AT_ONCE);
            let page = reader.page_orders(self.filter, before, u32::try_from(wanted).unwrap_or(u32::MAX))?;
            // Fewer than there was room for: the store has looked at enough.
            let is_short = page.orders.len() < wanted;
            for record in &page.orders {
                self.take(state, reader, record)?;
            }
            before = page.next;
            let is_full = self.data.len() >= self.limit || self.details_bytes >= ORDERS_PAGE_BYTES;
            if before.is_none() || is_short || is_full {
                return Ok((self.data, before));
            }
        }
    }

    fn take(&mut self, state: &AppState, reader: &mut dyn Reader, record: &OrderRecord) -> Result<(), Error> {
        let order = Order::of(state, reader, record)?;
        if self
            .filter
            .reference
            .as_deref()
            .is_none_or(|wanted| has(&order, wanted))
        {
            self.details_bytes += record
                .details
                .as_ref()
                .map_or(0, |details| details.content().len());
            self.data.push(order.body(Standing::from(&record.head)));
        }
        Ok(())
    }
}

/// Whether an order has this reference or contact itself: the store goes by a hash of the contact.
fn has(order: &Order, wanted: &str) -> bool {
    let customer = order.told.details.customer.as_ref();
    let contact = customer.and_then(|customer| customer.contact.as_deref());
    order.told.reference.as_deref() == Some(wanted) || contact == Some(wanted)
}
