//! API keys: `sk_live_`, 32 symbols of random and six of a checksum, by which a slip or a made-up key is told without asking
//! the store. Only their hash is kept.

use sha2::{Digest, Sha256};

use super::super::problem::Problem;
use super::super::state::random;

const PREFIX: &str = "sk_live_";
/// RFC 4648 base 32, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 160 random bits.
const RANDOM_SYMBOLS: usize = 32;
const CHECK_SYMBOLS: usize = 6;

/// A new key, to be shown once.
pub(crate) struct NewKey {
    pub(crate) secret: String,
    pub(crate) hash: [u8; 32],
}

impl NewKey {
    pub(crate) fn make() -> Result<Self, Problem> {
        let bits: [u8; RANDOM_SYMBOLS] = random()?;
        let random: String = bits.iter().map(|byte| symbol(*byte)).collect();
        let secret = format!("{PREFIX}{random}{}", check(&random));
        let hash = Sha256::digest(&secret).into();
        Ok(Self { secret, hash })
    }
}

/// The text, if it has the form of a key rather than a token.
pub(super) fn secret_of(token: &str) -> Option<&str> {
    token.starts_with("sk_").then_some(token)
}

/// Whether the checksum holds.
pub(super) fn is_well_formed(secret: &str) -> bool {
    let symbols = secret.strip_prefix(PREFIX).unwrap_or_default();
    symbols.len() == RANDOM_SYMBOLS + CHECK_SYMBOLS
        && symbols
            .split_at_checked(RANDOM_SYMBOLS)
            .is_some_and(|(random, found)| check(random) == found)
}

fn check(random: &str) -> String {
    let hash = Sha256::digest(random);
    hash.iter()
        .take(CHECK_SYMBOLS)
        .map(|byte| symbol(*byte))
        .collect()
}

/// Five bits of a byte as a symbol.
fn symbol(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte & 31)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_well_formed_and_one_with_a_slip_is_not() {
        let key = NewKey::make().ok().unwrap();
        assert!(is_well_formed(&key.secret));
        let mut slip = key.secret.into_bytes();
        slip[10] = if slip[10] == b'a' { b'b' } else { b'a' };
        assert!(!is_well_formed(std::str::from_utf8(&slip).unwrap()));
        for text in ["sk_live_", "sk_live_ünicode", "sk_test_x", ""] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
