//! Random texts: ids and made-up passwords.

use rand::TryRng;
use rand::rngs::SysRng;

use super::limits::ID_SYMBOLS;

/// RFC 4648 base 32, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The system gives no random numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandom(String);

/// So many symbols of five random bits each.
pub(crate) fn random_text(symbols: usize) -> Result<String, NoRandom> {
    let mut bytes = vec![0; symbols];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| NoRandom(error.to_string()))?;
    let symbol = |byte: u8| char::from(ALPHABET[usize::from(byte & 31)]);
    Ok(bytes.into_iter().map(symbol).collect())
}

/// An id that nothing else has.
pub(crate) fn fresh_id(prefix: &str) -> Result<Box<str>, NoRandom> {
    Ok(format!("{prefix}{}", random_text(ID_SYMBOLS)?).into())
}
