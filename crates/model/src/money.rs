//! Money: integer minor units and a currency. There are no floats and no conversion.

use std::fmt;

/// An ISO 4217 alphabetic code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Takes a code: three upper-case letters. Whether a payment provider knows it is its to say.
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(out, "{}", char::from(*letter)))
    }
}

/// An amount of one currency, in its minor unit (cents).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The sum; `None` for two currencies or one that does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let amount = self
            .amount
            .checked_add(other.amount)
            .filter(|_| self.currency == other.currency)?;
        Some(Self { amount, ..self })
    }

    /// So many times the amount; `None` if that does not fit.
    #[must_use]
    pub fn times(self, count: u32) -> Option<Self> {
        Some(Self {
            amount: self.amount.checked_mul(i64::from(count))?,
            ..self
        })
    }
}
