//! Every limit of accounts, with the reason for its number.

use std::ops::RangeInclusive;

/// A username, a user's name, a client's, a key's: a name (wire contract §1).
pub const NAME_CHARS: usize = 200;
/// An e-mail address: a contact (wire contract §1).
pub const EMAIL_CHARS: usize = 320;
/// A password (wire contract §6): shorter ones are guessed, longer ones cost the server more than they help.
pub const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;
/// Symbols of five bits in an id: 130 bits, nobody meets another's by chance or by trying.
pub const ID_SYMBOLS: usize = 26;
/// Symbols of five bits in a password that the server makes: 100 bits, and still typed off a screen.
pub const GENERATED_PASSWORD_SYMBOLS: usize = 20;
/// Passwords hashed at once when users are seeded: each takes 19 MiB and a core.
pub const HASHES_AT_ONCE: usize = 4;
