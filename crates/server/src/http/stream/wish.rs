//! What a request wants of a stream: its filters, and where to begin.

use axum::http::HeaderMap;
use model::command::{OrderRef, Scope};
use model::ids::{OrderKey, PartyId, Position};
use model::lifecycle::Phase;
use model::public_id::PublicId;
use model::time::Timestamp;
use store::{PartyKind, Reader};

use super::super::auth::Principal;
use super::super::limits::NAME_CHARS;
use super::super::problem::Problem;
use super::super::query::Parameters;
use super::super::state::AppState;
use crate::live::{Filter, Opening, Reset};

const LAST_EVENT_ID: &str = "last-event-id";

/// A wish whose every value is of the right form.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    after: Option<String>,
    order_id: Option<String>,
    merchant: Option<String>,
    filter: Filter,
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
    pub(super) fn read(state: &AppState, parameters: &mut Parameters) -> Self {
        let lifecycle = parameters.text("lifecycle");
        let status = parameters.text("status");
        must_be_known(state, parameters, lifecycle.as_deref(), status.as_deref());
        let phase = parameters.text("phase").and_then(|name| {
            let phase = Phase::from_name(&name);
            if phase.is_none() {
                let names = Phase::ALL.map(Phase::name).join(", ");
                parameters.complain("phase", "value", &format!("must be one of {names}"));
            }
            phase
        });
        let active = parameters.text("active").is_some_and(|text| {
            if text != "true" {
                parameters.complain("active", "value", "must be true, or left out");
            }
            true
        });
        let reference = parameters.text("customer_reference");
        let merchant = parameters.text("merchant");
        for (name, text) in [("customer_reference", &reference), ("merchant", &merchant)] {
            if text
                .as_ref()
                .is_some_and(|text| text.chars().count() > NAME_CHARS)
            {
                parameters.complain(
                    name,
                    "length",
                    &format!("must have at most {NAME_CHARS} characters"),
                );
            }
        }
        Self {
            order_id: parameters.text("order_id"),
            merchant,
            filter: Filter {
                lifecycle: lifecycle.map(Into::into),
                status: status.map(Into::into),
                phase,
                active,
                reference: reference.map(Into::into),
                created_from: time(parameters, "from"),
                created_to: time(parameters, "to"),
                ..Filter::default()
            },
            after: parameters.text("after"),
        }
    }

    /// Takes `Last-Event-ID` for `after`, as browsers that come back send it.
    pub(super) fn resume_by(&mut self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut values = headers.get_all(LAST_EVENT_ID).iter();
        let Some(value) = values.next().filter(|value| !value.is_empty()) else {
            return Ok(());
        };
        // What is no text is no cursor, and is told so on the stream.
        let told = value.to_str().unwrap_or("?").to_owned();
        if values.next().is_some() || self.after.as_ref().is_some_and(|after| *after != told) {
            return Err(Problem::field(
                "after",
                "value",
                "differs from Last-Event-ID: send one of them, once",
            ));
        }
        self.after = Some(told);
        Ok(())
    }

    /// Whether what is wished for may be seen, and where it begins.
    pub(super) async fn begin(self, state: &AppState, principal: &Principal) -> Result<Beginning, Problem> {
        let client = self.client(state, principal).await?;
        let scope = scope(state, principal).await?;
        let order_id = self.order_id.as_deref().map(PublicId::new).transpose();
        let order_id = order_id.map_err(|_| unknown_order())?;
        let looked = state
            .read(move |reader| look(reader, order_id.as_ref(), scope))
            .await?;
        let (order, head) = looked?;
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
                filter: Filter {
                    order,
                    client,
                    ..self.filter
                },
                after,
                head,
            },
            reset,
        })
    }

    /// The number of the merchant that is wished for, if it may be.
    async fn client(&self, state: &AppState, principal: &Principal) -> Result<Option<PartyId>, Problem> {
        let Some(merchant) = &self.merchant else {
            return Ok(None);
        };
        if !principal.is_staff() && principal.client.as_deref() != Some(merchant) {
            return Err(Problem::forbidden(
                "merchant names another party: you see your own orders only",
            ));
        }
        let name = merchant.clone();
        let known = state
            .read(move |reader| reader.party(PartyKind::Client, &name))
            .await?;
        match known {
            Some(known) => Ok(Some(known)),
            // Its first order may come at any time, and must be told.
            None => Ok(Some(state.engine.party(PartyKind::Client, merchant).await?)),
        }
    }
}

/// Whose orders a principal may see. One who has none yet gets a number, by which the first will be known.
async fn scope(state: &AppState, principal: &Principal) -> Result<Scope, Problem> {
    if principal.is_staff() {
        return Ok(Scope::All);
    }
    Ok(principal.actor(&state.engine).await?.scope)
}

/// The order that is wished for, if it is there and may be seen, and where the log ends.
fn look(
    reader: &mut dyn Reader,
    order_id: Option<&PublicId>,
    scope: Scope,
) -> Result<Result<(Option<OrderKey>, Position), Problem>, store::Error> {
    let order = match order_id {
        None => None,
        Some(id) => match reader.order(&OrderRef::Public(id.clone()))? {
            None => return Ok(Err(unknown_order())),
            Some(order) if !scope.covers(&order.head.owner) => {
                return Ok(Err(Problem::forbidden("this order belongs to someone else")));
            }
            Some(order) => Some(order.head.order),
        },
    };
    Ok(Ok((order, reader.last_position()?)))
}

fn unknown_order() -> Problem {
    Problem::not_found("no order has the id that order_id says")
}

/// A status is one of the lifecycle that is named, or of any.
fn must_be_known(
    state: &AppState,
    parameters: &mut Parameters,
    lifecycle: Option<&str>,
    status: Option<&str>,
) {
    let all: Vec<_> = state
        .engine
        .lifecycles()
        .into_iter()
        .map(|(_, lifecycle)| lifecycle)
        .collect();
    if let Some(name) = lifecycle
        && !all.iter().any(|known| known.name() == name)
    {
        let mut names: Vec<&str> = all.iter().map(|known| known.name()).collect();
        names.sort_unstable();
        names.dedup();
        parameters.complain(
            "lifecycle",
            "value",
            &format!("must be one of {}", names.join(", ")),
        );
        return;
    }
    let mut asked = all
        .iter()
        .filter(|known| lifecycle.is_none_or(|name| known.name() == name));
    if let Some(status) = status
        && !asked.any(|known| known.state_named(status).is_some())
    {
        let message = match lifecycle {
            Some(name) => format!("is no status of the lifecycle {name}"),
            None => "is no status of any lifecycle".to_owned(),
        };
        parameters.complain("status", "value", &message);
    }
}

fn time(parameters: &mut Parameters, name: &'static str) -> Option<Timestamp> {
    let text = parameters.text(name)?;
    let time = Timestamp::parse(&text).ok();
    if time.is_none() {
        parameters.complain(
            name,
            "format",
            "must be a time such as 2026-01-31T10:00:00Z (RFC 3339)",
        );
    }
    time
}
