//! The one id of an order that clients see: a tracking number such as `99M-7K3QXW9HV`, or `ORD-…`.
//!
//! Symbols come from an alphabet without look-alikes (no 0/O, 1/I/L). It has 31 symbols, a prime number, so that a check
//! symbol by weighted sum modulo 31 finds every single wrong symbol and every swap of two.

use std::fmt;

use crate::limits::MAX_PUBLIC_ID_BYTES;

const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// Random symbols of a tracking number: 8 and a check symbol are the 9 of the wire contract, ≈ 2^39.6 numbers.
const TRACKING_SYMBOLS: usize = 8;
/// Random symbols of an order id: ≈ 2^74 ids and a check symbol.
const ORDER_SYMBOLS: usize = 15;

/// An order's public id: 1 to 64 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicId(Box<str>);

/// A text that cannot be a public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order's id has 1 to {MAX_PUBLIC_ID_BYTES} visible ASCII characters")]
pub struct BadPublicId;

impl PublicId {
    /// Takes an id as it came from outside. Whether there is such an order is another question.
    ///
    /// # Errors
    /// [`BadPublicId`] for an empty text, one over 64 bytes, or one with other than visible ASCII characters.
    pub fn new(text: &str) -> Result<Self, BadPublicId> {
        let fits = (1..=MAX_PUBLIC_ID_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(BadPublicId)
        }
    }

    /// A new tracking number from 64 random bits.
    ///
    /// # Errors
    /// [`BadPublicId`] if the prefix makes the whole too long or is not visible ASCII.
    pub fn tracking_number(prefix: &str, random: u64) -> Result<Self, BadPublicId> {
        Self::new(&with_symbols(prefix, u128::from(random), TRACKING_SYMBOLS))
    }

    /// A new order id, `ORD-` and 16 symbols, from 128 random bits.
    #[must_use]
    pub fn order_id(random: u128) -> Self {
        Self(with_symbols("ORD-", random, ORDER_SYMBOLS).into())
    }

    /// An id of the same form with other symbols after the last `-`: for when this one is taken.
    #[must_use]
    pub fn with_fresh_symbols(&self, random: u128) -> Self {
        let (prefix, symbols) = self.0.split_at(self.0.rfind('-').map_or(0, |dash| dash + 1));
        Self(with_symbols(prefix, random, symbols.len().saturating_sub(1)).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the symbols after the last `-` end in the right check symbol: false says that a typed number has a slip.
    #[must_use]
    pub fn check_symbol_holds(&self) -> bool {
        let symbols = self.0.rsplit('-').next().unwrap_or_default();
        let values: Option<Vec<usize>> = symbols
            .bytes()
            .map(|symbol| ALPHABET.iter().position(|known| *known == symbol))
            .collect();
        values.is_some_and(|values| values.len() > 1 && weighted_sum(&values) == 0)
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

fn with_symbols(prefix: &str, mut random: u128, count: usize) -> String {
    let base = 31u128;
    let mut values = Vec::with_capacity(count + 1);
    for _ in 0..count {
        values.push(usize::try_from(random % base).expect("below 31"));
        random /= base;
    }
    values.push(0);
    let check = (ALPHABET.len() - weighted_sum(&values)) % ALPHABET.len();
    values.pop();
    values.push(check);
    prefix
        .chars()
        .chain(values.into_iter().map(|value| char::from(ALPHABET[value])))
        .collect()
}

/// The last symbol has weight 1, the one before it 2, and so on, modulo 31.
fn weighted_sum(values: &[usize]) -> usize {
    values
        .iter()
        .rev()
        .zip(1..)
        .map(|(value, weight): (&usize, usize)| value * weight)
        .sum::<usize>()
        % ALPHABET.len()
}
