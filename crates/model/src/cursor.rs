//! Cursors: where in the log a reader stands, as it is told outside. `cur_` and 26 symbols that only this store can read, and only
//! in the epoch that they are of.
//!
//! The 16 bytes are one block: a format (1), the position (7), zeros (8), encrypted with a key that follows from the store's own and
//! its epoch. So all nodes read each other's, a cursor tells nobody how much happens here, and an altered or foreign one, or one of before
//! the store went back to its past, fails the zeros (once in 2^64 it would not).

use std::fmt;

use aes::Aes128;
use aes::cipher::KeyInit;
use sha2::{Digest, Sha256};

use crate::block;
use crate::ids::Position;

const PREFIX: &str = "cur_";
const FORMAT: u8 = 1;

/// Makes and reads the cursors of one store in one epoch.
#[derive(Clone)]
pub struct CursorCodec {
    cipher: Aes128,
    epoch: [u8; 16],
}

impl fmt::Debug for CursorCodec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CursorCodec(..)")
    }
}

impl CursorCodec {
    /// With the store's key and epoch.
    #[must_use]
    pub fn new(key: &[u8; 16], epoch: &[u8; 16]) -> Self {
        let derived = first_half(&[b"waybill cursors", key, epoch]);
        Self {
            cipher: Aes128::new(&derived.into()),
            epoch: first_half(&[b"waybill epoch", epoch]),
        }
    }

    /// The cursor of whoever has seen everything up to a position.
    #[must_use]
    pub fn encode(&self, position: Position) -> String {
        let mut block = [0u8; 16];
        block[..8].copy_from_slice(&position.get().to_be_bytes());
        // No log is so long that its positions need the first byte.
        block[0] = FORMAT;
        block::to_text(&self.cipher, PREFIX, block)
    }

    /// The position of a cursor; `None` for a text that is no cursor of this store and epoch.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<Position> {
        let block = block::from_text(&self.cipher, PREFIX, text)?;
        let [FORMAT, position @ .., 0, 0, 0, 0, 0, 0, 0, 0] = block else {
            return None;
        };
        let fold = |number: i64, byte: &u8| number << 8 | i64::from(*byte);
        Some(Position::new(position.iter().fold(0, fold)))
    }

    /// What the epoch is called outside: another one has another name.
    #[must_use]
    pub fn epoch(&self) -> String {
        self.epoch.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn first_half(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let (half, _) = hash.split_at(16);
    half.try_into().expect("half of 32 bytes are 16")
}
