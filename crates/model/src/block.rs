//! One encrypted block as text: what ids and cursors look like outside. Nobody can read it, count by it, or make one up.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};

/// Crockford's base 32, lower case: <https://www.crockford.com/base32.html>.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five.
const SYMBOLS: usize = 26;

/// A block, encrypted (AES-128, FIPS 197), behind a prefix.
pub(crate) fn to_text(cipher: &Aes128, prefix: &str, block: [u8; 16]) -> String {
    let mut cipher_block = block.into();
    cipher.encrypt_block(&mut cipher_block);
    let mut bits = u128::from_be_bytes(cipher_block.into());
    let mut symbols = [0u8; SYMBOLS];
    for symbol in symbols.iter_mut().rev() {
        *symbol = ALPHABET[usize::try_from(bits & 31).expect("five bits")];
        bits >>= 5;
    }
    let mut text = String::with_capacity(prefix.len() + SYMBOLS);
    text.push_str(prefix);
    text.extend(symbols.into_iter().map(char::from));
    text
}

/// What such a text decrypts to; whether it means anything is for the caller to see. `None` for a text of another form.
pub(crate) fn from_text(cipher: &Aes128, prefix: &str, text: &str) -> Option<[u8; 16]> {
    let symbols = text
        .strip_prefix(prefix)
        .filter(|symbols| symbols.len() == SYMBOLS)?;
    let mut bits = 0u128;
    for symbol in symbols.bytes() {
        let value = ALPHABET.iter().position(|known| *known == symbol)?;
        // The first symbol carries three bits only: one that does not fit is another spelling, not an id.
        bits = bits.checked_mul(32)?.checked_add(u128::try_from(value).ok()?)?;
    }
    let mut cipher_block = bits.to_be_bytes().into();
    cipher.decrypt_block(&mut cipher_block);
    Some(cipher_block.into())
}
