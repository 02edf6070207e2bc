//! The internal ids. They are small integers, never shown outside; what clients see is
//! [`PublicId`](crate::public_id::PublicId) and [`EventId`](crate::event_id::EventId).

use std::fmt;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $name {
            /// From the stored number.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The stored number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

key! {
    /// An order's internal number, from 1, growing with creation.
    OrderKey
}
key! {
    /// An entry's place in the whole log, from 1, without gaps. 0 stands before the first.
    Position
}
key! {
    /// A dead letter's number.
    DeadLetterId
}
key! {
    /// A product's internal number.
    ProductKey
}

/// An entry's place in its order, from 1, without gaps. 0 stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The version of an order's first entry.
    pub const FIRST: Self = Self(1);

    /// From the stored number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The stored number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

macro_rules! small_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// From the stored number.
            #[must_use]
            pub const fn new(number: u32) -> Self {
                Self(number)
            }

            /// The stored number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }
    };
}

small_id! {
    /// A stored lifecycle definition.
    LifecycleId
}
small_id! {
    /// A client, a customer or a principal, known by a name outside. 0: nobody.
    PartyId
}
small_id! {
    /// A tenant. Always 0 until tenants are used.
    TenantId
}

impl PartyId {
    /// No such party: an order without a customer, say.
    pub const NOBODY: Self = Self(0);
}

/// Whose an order is: copied into each of its entries, so that a stream is authorized from the entry alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    /// 0 until tenants are used.
    pub tenant: TenantId,
    /// The merchant, carrier account or shop.
    pub client: PartyId,
    /// The customer who placed it, if one is known here.
    pub customer: PartyId,
}
