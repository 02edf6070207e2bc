//! Which orders are wanted: the parameters that lists and live streams have in common.

use model::StateId;
use model::ids::LifecycleId;
use model::lifecycle::{Lifecycle, Phase};
use model::limits::MAX_CONTACT_CHARS;
use model::time::Timestamp;
use utoipa::IntoParams;

use super::auth::Principal;
use super::limits::NAME_CHARS;
use super::problem::Problem;
use super::query::Parameters;
use super::state::AppState;

/// Orders to which all of this applies. The default: all.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderFilter {
    /// Of a lifecycle of this name, whatever its version.
    pub(crate) lifecycle: Option<String>,
    /// In a status of this name.
    pub(crate) status: Option<String>,
    /// In a status of this phase.
    pub(crate) phase: Option<Phase>,
    /// True: in a status in which an order has not ended; false: in one in which it has.
    pub(crate) is_active: Option<bool>,
    /// Of this client.
    pub(crate) merchant: Option<String>,
    /// With this reference, or this contact of its customer.
    pub(crate) reference: Option<String>,
    /// Whose creation was recorded then or later.
    pub(crate) created_from: Option<Timestamp>,
    /// Whose creation was recorded before.
    pub(crate) created_to: Option<Timestamp>,
}

/// The parameters of an [`OrderFilter`]. A stream is told of such orders; of their status, phase and activity its messages decide.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `OrderFilter::read` reads")]
pub(crate) struct OrderFilterSchema {
    /// Of this lifecycle.
    lifecycle: Option<String>,
    /// In this status; on a stream: messages that say so.
    status: Option<String>,
    /// In a status of this phase: `pending`, `active`, `moving`, `done` or `stopped`; on a stream: messages that say so.
    phase: Option<String>,
    /// `true`: those that have not ended; `false`: those that have; on a stream: messages that say so.
    active: Option<bool>,
    /// Of this client; of another than the caller's own: 403.
    merchant: Option<String>,
    /// With this `customer_reference` or `customer.contact`.
    customer_reference: Option<String>,
    /// Created at this time or later.
    from: Option<String>,
    /// Created before this time.
    to: Option<String>,
}

impl OrderFilter {
    /// Reads it. What is wrong is left for `parameters` to complain of.
    pub(crate) fn read(state: &AppState, parameters: &mut Parameters) -> Self {
        let filter = Self {
            lifecycle: parameters.text("lifecycle"),
            status: parameters.text("status"),
            phase: phase(parameters),
            is_active: is_active(parameters),
            merchant: at_most(parameters, "merchant", NAME_CHARS),
            reference: at_most(parameters, "customer_reference", MAX_CONTACT_CHARS),
            created_from: parameters.timestamp("from"),
            created_to: parameters.timestamp("to"),
        };
        filter.must_be_known(state, parameters);
        filter
    }

    /// Whoever does not see everybody's names no other merchant.
    pub(crate) fn must_be_own(&self, asker: &Principal) -> Result<(), Problem> {
        match &self.merchant {
            Some(merchant) if !asker.is_staff() && asker.client.as_deref() != Some(merchant) => Err(
                Problem::forbidden("merchant names another client: you see your own orders only"),
            ),
            Some(_) | None => Ok(()),
        }
    }

    /// The statuses that are wanted, of every definition that there ever was; `None`: any.
    pub(crate) fn statuses(&self, state: &AppState) -> Option<Vec<(LifecycleId, StateId)>> {
        let Self {
            lifecycle: None,
            status: None,
            phase: None,
            is_active: None,
            ..
        } = self
        else {
            let definitions = state.engine.lifecycles().into_iter();
            let wanted = definitions
                .filter(|(_, definition)| self.is_of(definition))
                .flat_map(|(id, definition)| {
                    let states: Vec<StateId> = definition
                        .state_ids()
                        .filter(|status| self.wants(&definition, *status))
                        .collect();
                    states.into_iter().map(move |status| (id, status))
                });
            return Some(wanted.collect());
        };
        None
    }

    fn is_of(&self, definition: &Lifecycle) -> bool {
        self.lifecycle
            .as_deref()
            .is_none_or(|name| name == definition.name())
    }

    fn wants(&self, definition: &Lifecycle, status: StateId) -> bool {
        let name = definition.state_name(status);
        let phase = definition.state(status).map(|state| state.phase);
        self.status.as_deref().is_none_or(|wanted| wanted == name)
            && self.phase.is_none_or(|wanted| phase == Some(wanted))
            && self
                .is_active
                .is_none_or(|wanted| definition.is_final(status) != wanted)
    }

    /// A lifecycle is one that there is, and a status is one of that lifecycle, or of any if none is named.
    fn must_be_known(&self, state: &AppState, parameters: &mut Parameters) {
        let mut definitions = state.engine.lifecycles();
        if self.lifecycle.is_some() {
            let known = listed(definitions.iter().map(|(_, definition)| definition.name()));
            definitions.retain(|(_, definition)| self.is_of(definition));
            if definitions.is_empty() {
                parameters.complain("lifecycle", "value", &format!("must be one of {known}"));
                return;
            }
        }
        let is_known = |status: &str| {
            let mut definitions = definitions.iter();
            definitions.any(|(_, definition)| definition.state_named(status).is_some())
        };
        if self.status.as_deref().is_some_and(|status| !is_known(status)) {
            let states = definitions.iter().flat_map(|(_, definition)| definition.states());
            let known = listed(states.map(|state| &*state.name));
            parameters.complain("status", "value", &format!("must be one of {known}"));
        }
    }
}

fn phase(parameters: &mut Parameters) -> Option<Phase> {
    let name = parameters.text("phase")?;
    let phase = Phase::from_name(&name);
    if phase.is_none() {
        let known = Phase::ALL.map(Phase::name).join(", ");
        parameters.complain("phase", "value", &format!("must be one of {known}"));
    }
    phase
}

fn is_active(parameters: &mut Parameters) -> Option<bool> {
    let is_active = parameters.text("active")?.parse().ok();
    if is_active.is_none() {
        parameters.complain("active", "value", "must be true or false");
    }
    is_active
}

fn at_most(parameters: &mut Parameters, name: &'static str, chars: usize) -> Option<String> {
    let text = parameters.text(name)?;
    if text.chars().count() > chars {
        parameters.complain(name, "length", &format!("must have at most {chars} characters"));
    }
    Some(text)
}

/// Names, each once and in order, as they are listed in a sentence.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
