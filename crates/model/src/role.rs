//! Who acts: the roles of the wire contract, plus the server itself.

/// A role. `System` is the server acting by itself: timers, payment and fulfilment jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// Someone who orders for themselves.
    Customer = 1,
    /// A merchant or enterprise account, bound to one client.
    Client = 2,
    /// Reports for the orders of one client.
    Driver = 3,
    /// Sees and corrects every order.
    Operator = 4,
    /// May do everything, including overrides.
    Admin = 5,
    /// The server itself.
    System = 6,
}

impl Role {
    /// Every role, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Customer,
        Self::Client,
        Self::Driver,
        Self::Operator,
        Self::Admin,
        Self::System,
    ];

    /// The name used in tokens, lifecycle files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Client => "client",
            Self::Driver => "driver",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }

    /// The role of that name; `None` for an unknown one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The number kept in stored entries.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Customer => 1,
            Self::Client => 2,
            Self::Driver => 3,
            Self::Operator => 4,
            Self::Admin => 5,
            Self::System => 6,
        }
    }

    /// The role of a stored number; `None` for one this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoleSet(u8);

impl RoleSet {
    /// The set with these members.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |set, role| set | (1 << role.number())))
    }

    /// The set with one member more.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | (1 << role.number()))
    }

    /// Whether `role` is a member.
    #[must_use]
    pub const fn contains(self, role: Role) -> bool {
        self.0 & (1 << role.number()) != 0
    }

    /// The members, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }

    /// Whether nobody is a member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
