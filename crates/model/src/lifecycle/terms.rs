//! The words a lifecycle file may use: phases, effects, policies. Roles are in [`crate::role`].

/// What a status means to someone who does not know the lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Known, nothing begun.
    Pending,
    /// Being worked on.
    Active,
    /// On its way.
    Moving,
    /// Ended as wished: final.
    Done,
    /// Ended otherwise: final.
    Stopped,
}

impl Phase {
    /// Every phase, in the order an order passes them.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Active,
        Self::Moving,
        Self::Done,
        Self::Stopped,
    ];

    /// The name used in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Moving => "moving",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    /// The phase of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Whether an order in this phase has ended. An order counts as active while it has not.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Active | Self::Moving => false,
            Self::Done | Self::Stopped => true,
        }
    }
}

/// What following an arrow does besides changing the status. See `docs/adr/0008-stock-and-money.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Raise `reserved` of every product of the order.
    ReserveStock,
    /// Lower `reserved` again.
    ReleaseStock,
    /// Lower `reserved` and `on_hand`: the units leave the house.
    ConsumeStock,
    /// Raise `on_hand` again.
    ReturnStock,
    /// Take the order's payment.
    Charge,
    /// Give the payment back, once.
    Refund,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 6] = [
        Self::ReserveStock,
        Self::ReleaseStock,
        Self::ConsumeStock,
        Self::ReturnStock,
        Self::Charge,
        Self::Refund,
    ];

    /// The name used in lifecycle files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReserveStock => "reserve_stock",
            Self::ReleaseStock => "release_stock",
            Self::ConsumeStock => "consume_stock",
            Self::ReturnStock => "return_stock",
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }

    /// The effect of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }
}

/// What becomes of a report whose step the order has already passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatePolicy {
    /// Refused: 409, a dead letter.
    #[default]
    Reject,
    /// Kept in the history, the status unchanged.
    Record,
}

impl LatePolicy {
    /// Every policy.
    pub const ALL: [Self; 2] = [Self::Reject, Self::Record];

    /// The name used in lifecycle files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Record => "record",
        }
    }
}

/// What becomes of a report that comes before a step it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyPolicy {
    /// Refused: 409, a dead letter.
    #[default]
    Reject,
    /// Kept in the history, the status unchanged.
    Record,
    /// Kept, and applied by itself as soon as its arrow is allowed, given up after [`Lifecycle::park_for`](super::Lifecycle::park_for).
    Park,
}

impl EarlyPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Reject, Self::Record, Self::Park];

    /// The name used in lifecycle files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Record => "record",
            Self::Park => "park",
        }
    }
}
