//! Lifecycles as data: the states of an order, the arrows between them and who may follow them.
//!
//! A lifecycle is written as a TOML file (`parse`), checked as a whole (`validate`) and known for ever by the hash
//! of its canonical text (`canonical`): an order is pinned to the definition it was born under, so no later
//! edit of a file can change an order under way.
//!
//! A value of [`Lifecycle`] has passed validation; there is no other way to get one.

mod canonical;
mod delay;
mod parse;
mod report;
mod shipped;
mod terms;
mod validate;

use crate::role::{Role, RoleSet};
use crate::time::Span;

pub use canonical::ContentHash;
pub use report::{DefinitionError, DefinitionErrors};
pub use shipped::{SHIPPED, Shipped, shipped};
pub use terms::{EarlyPolicy, Effect, LatePolicy, Phase};

/// Most states a lifecycle may have: a [`StateSet`] is one machine word.
pub const MAX_STATES: usize = 64;
/// Longest name of a lifecycle or a state, in bytes.
pub const MAX_NAME_BYTES: usize = 40;
/// Longest description, in characters: the bound every description has on the wire.
pub const MAX_DESCRIPTION_CHARS: usize = 500;
/// Most that automatic delays may vary: beyond it some would come to nothing.
pub const MAX_JITTER_PERCENT: u8 = 90;
/// Longest automatic delay and longest wait of a parked report: a year.
pub const MAX_DELAY: Span = Span::from_seconds(366 * 24 * 3600);
/// How long a parked report waits when the definition does not say: a day. Never to change: stored
/// definitions leave it out.
pub const DEFAULT_PARK_FOR: Span = Span::from_seconds(24 * 3600);

/// A delay as lifecycle files write it, such as `20s`.
#[must_use]
pub fn delay_text(delay: Span) -> String {
    delay::write(delay)
}

/// A state's number inside its lifecycle: its place in the definition, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(u8);

impl StateId {
    /// The state at this place of the definition.
    #[must_use]
    pub const fn new(place: u8) -> Self {
        Self(place)
    }

    /// The place in the definition, as stored.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One state of a lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The name clients see as `status`.
    pub name: Box<str>,
    /// Its meaning across lifecycles.
    pub phase: Phase,
}

/// An allowed change of status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Status before.
    pub from: StateId,
    /// Status after.
    pub to: StateId,
    /// Who may follow it.
    pub by: RoleSet,
    /// Followed by the server itself this long after `from` was reached (± the lifecycle's jitter).
    pub after: Option<Span>,
    /// What else following it does.
    pub effects: Vec<Effect>,
    /// What a correction that strikes this step must do. `None`: such a correction is refused where the step has
    /// effects or is the one into a final state; an empty list: nothing has to be made good.
    pub compensation: Option<Vec<Effect>>,
}

/// How a wished change of status stands to the status an order has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// There is an arrow.
    Allowed(&'a Arrow),
    /// The order has this status already.
    Same,
    /// The order has passed that status.
    Late,
    /// The order can still come to that status, but a step is missing in between.
    Early,
    /// Neither way: the lifecycle never leads from the one to the other.
    Never,
}

/// A set of states of one lifecycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSet(u64);

impl StateSet {
    /// Adds a state. One beyond [`MAX_STATES`] is of no lifecycle and is not added.
    pub fn insert(&mut self, state: StateId) {
        self.0 |= Self::bit(state);
    }

    /// Whether the state is a member.
    #[must_use]
    pub const fn contains(self, state: StateId) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// All members of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn bit(state: StateId) -> u64 {
        match 1u64.checked_shl(state.number() as u32) {
            Some(bit) => bit,
            None => 0,
        }
    }
}

/// A validated lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    name: Box<str>,
    version: u32,
    description: Box<str>,
    initial: StateId,
    cancelled: Option<StateId>,
    created_by: RoleSet,
    late: LatePolicy,
    early: EarlyPolicy,
    park_for: Span,
    jitter_percent: u8,
    states: Vec<State>,
    arrows: Vec<Arrow>,
    /// For each state, what can be reached from it by one arrow or more.
    reachable: Vec<StateSet>,
    hash: ContentHash,
}

impl Lifecycle {
    /// Reads and validates a definition. `file` names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line, column and cure.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, DefinitionErrors> {
        parse::parse(file, text)
    }

    /// The name orders give as `lifecycle`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The definition's own version, from 1; two definitions of one name and version must be equal.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// One line for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The status of an order at its creation.
    #[must_use]
    pub const fn initial(&self) -> StateId {
        self.initial
    }

    /// Where a cancellation leads, if orders of this lifecycle can be cancelled.
    #[must_use]
    pub const fn cancelled(&self) -> Option<StateId> {
        self.cancelled
    }

    /// Who may create orders.
    #[must_use]
    pub const fn created_by(&self) -> RoleSet {
        self.created_by
    }

    /// What becomes of late reports.
    #[must_use]
    pub const fn late(&self) -> LatePolicy {
        self.late
    }

    /// What becomes of early reports.
    #[must_use]
    pub const fn early(&self) -> EarlyPolicy {
        self.early
    }

    /// How long a parked report waits before it is given up.
    #[must_use]
    pub const fn park_for(&self) -> Span {
        self.park_for
    }

    /// How far an automatic delay may lie from its nominal value, either way.
    #[must_use]
    pub const fn jitter_percent(&self) -> u8 {
        self.jitter_percent
    }

    /// The states, in the definition's order: the place is the [`StateId`].
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The ids of all states.
    pub fn state_ids(&self) -> impl Iterator<Item = StateId> + use<> {
        (0u8..).take(self.states.len()).map(StateId)
    }

    /// The state with this id; `None` for an id of another lifecycle.
    #[must_use]
    pub fn state(&self, id: StateId) -> Option<&State> {
        self.states.get(id.index())
    }

    /// The name of a state, `"?"` for an id that is not of this lifecycle (a damaged store).
    #[must_use]
    pub fn state_name(&self, id: StateId) -> &str {
        self.state(id).map_or("?", |state| &state.name)
    }

    /// The state of that name.
    #[must_use]
    pub fn state_named(&self, name: &str) -> Option<StateId> {
        self.state_ids()
            .zip(&self.states)
            .find(|(_, state)| &*state.name == name)
            .map(|(id, _)| id)
    }

    /// Whether an order in this state has ended.
    #[must_use]
    pub fn is_final(&self, id: StateId) -> bool {
        self.state(id).is_some_and(|state| state.phase.is_final())
    }

    /// All arrows, ordered by the places of the states they leave, then of those they lead to.
    #[must_use]
    pub fn arrows(&self) -> &[Arrow] {
        &self.arrows
    }

    /// The arrow between two states.
    #[must_use]
    pub fn arrow(&self, from: StateId, to: StateId) -> Option<&Arrow> {
        self.arrows
            .iter()
            .find(|arrow| arrow.from == from && arrow.to == to)
    }

    /// The arrow that the server follows by itself from this state; there is at most one.
    #[must_use]
    pub fn automatic(&self, from: StateId) -> Option<(&Arrow, Span)> {
        self.arrows
            .iter()
            .filter(|arrow| arrow.from == from)
            .find_map(|arrow| arrow.after.map(|after| (arrow, after)))
    }

    /// The states that `role` may bring an order to from `from`, in the definition's order.
    pub fn allowed(&self, from: StateId, role: Role) -> impl Iterator<Item = StateId> {
        self.arrows
            .iter()
            .filter(move |arrow| arrow.from == from && arrow.by.contains(role))
            .map(|arrow| arrow.to)
    }

    /// How the wish to come from `from` to `to` is to be judged.
    #[must_use]
    pub fn step(&self, from: StateId, to: StateId) -> Step<'_> {
        if from == to {
            Step::Same
        } else if let Some(arrow) = self.arrow(from, to) {
            Step::Allowed(arrow)
        } else if self.leads(to, from) {
            Step::Late
        } else if self.leads(from, to) {
            Step::Early
        } else {
            Step::Never
        }
    }

    /// The hash that identifies the definition for ever.
    #[must_use]
    pub const fn hash(&self) -> &ContentHash {
        &self.hash
    }

    /// The text that [`Lifecycle::hash`] is taken over and that stores keep: TOML, the same for two
    /// files that mean the same.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        canonical::text(self)
    }

    fn leads(&self, from: StateId, to: StateId) -> bool {
        self.reachable
            .get(from.index())
            .is_some_and(|set| set.contains(to))
    }
}
