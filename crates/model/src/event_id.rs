//! Event ids: `evt_` and 26 symbols that say where an entry or a dead letter stands, readable only to this store.
//!
//! The 16 bytes are one block: what it points to (1), its key (7), its version (4), zeros (4), encrypted with the store's own
//! key (AES-128, FIPS 197). So a receipt is a look-up by key with no index, ids neither count orders nor can be guessed,
//! and an altered or foreign id fails the zeros (once in 2^32 it would not, and then points to some other entry,
//! which authorization guards as it does any).

use std::fmt;

use aes::Aes128;
use aes::cipher::KeyInit;

use crate::block;
use crate::ids::{DeadLetterId, OrderKey, Version};

const PREFIX: &str = "evt_";
const ENTRY: u8 = 1;
const DEAD_LETTER: u8 = 2;

/// What an event id points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventRef {
    /// An entry of the log: accepted.
    Entry(OrderKey, Version),
    /// A dead letter: refused.
    DeadLetter(DeadLetterId),
}

/// An event id as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId(String);

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Makes and reads the event ids of one store.
#[derive(Clone)]
pub struct EventIdCodec(Aes128);

impl fmt::Debug for EventIdCodec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EventIdCodec(..)")
    }
}

impl EventIdCodec {
    /// With the store's key.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self(Aes128::new(key.into()))
    }

    /// The id that points there.
    #[must_use]
    pub fn encode(&self, to: EventRef) -> EventId {
        let (kind, key, version) = match to {
            EventRef::Entry(order, version) => (ENTRY, order.get(), version.get()),
            EventRef::DeadLetter(id) => (DEAD_LETTER, id.get(), 0),
        };
        let mut block = [0u8; 16];
        block[..8].copy_from_slice(&key.to_be_bytes());
        block[0] = kind;
        block[8..12].copy_from_slice(&version.to_be_bytes());
        EventId(block::to_text(&self.0, PREFIX, block))
    }

    /// Where an id points; `None` for a text that is no event id of this store.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<EventRef> {
        let block = block::from_text(&self.0, PREFIX, text)?;
        let [kind, key @ .., v0, v1, v2, v3, 0, 0, 0, 0] = block else {
            return None;
        };
        let key = key
            .iter()
            .fold(0i64, |number, byte| number << 8 | i64::from(*byte));
        let version = Version::new(u32::from_be_bytes([v0, v1, v2, v3]));
        match (kind, version.get()) {
            (ENTRY, 1..) => Some(EventRef::Entry(OrderKey::new(key), version)),
            (DEAD_LETTER, 0) => Some(EventRef::DeadLetter(DeadLetterId::new(key))),
            (_, _) => None,
        }
    }
}
