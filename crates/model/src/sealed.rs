//! Personal data, kept so that it can be erased.
//!
//! The log's digests must not change when somebody's data is erased, and must not let it be guessed afterwards. So
//! a digest covers only a hash of the data together with 16 random bytes that are stored, and erased, with it.

use std::fmt;

use sha2::{Digest, Sha256};

/// Random bytes in front of sealed content.
pub type Salt = [u8; 16];

/// Bytes of a [`SealDigest`]: 128 bits of SHA-256 are out of reach for a second preimage, and half the disk.
const DIGEST_BYTES: usize = 16;

/// The first 16 bytes of SHA-256 over salt and content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealDigest([u8; DIGEST_BYTES]);

impl SealDigest {
    /// From stored bytes; `None` if it is not 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The stored bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Content with its salt in front: the form in which it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Seals content.
    #[must_use]
    pub fn new(salt: &Salt, content: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(salt.len() + content.len());
        bytes.extend_from_slice(salt);
        bytes.extend_from_slice(content);
        Self(bytes)
    }

    /// From stored bytes; `None` if they are too short to hold a salt.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= size_of::<Salt>()).then_some(Self(bytes))
    }

    /// The stored bytes: salt, then content.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was sealed.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.0.get(size_of::<Salt>()..).unwrap_or_default()
    }

    /// What stands for it where it may not stand itself.
    #[must_use]
    pub fn digest(&self) -> SealDigest {
        first_bytes(Sha256::new().chain_update(&self.0))
    }

    /// What stands for it together with a text that is stored beside it in the open, if there is one.
    #[must_use]
    pub fn digest_with(&self, beside: Option<&str>) -> SealDigest {
        let Some(beside) = beside else {
            return self.digest();
        };
        let length = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let hasher = Sha256::new()
            .chain_update(length.to_be_bytes())
            .chain_update(&self.0);
        first_bytes(hasher.chain_update(beside))
    }
}

fn first_bytes(hasher: Sha256) -> SealDigest {
    let mut digest = [0; DIGEST_BYTES];
    for (to, from) in digest.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    SealDigest(digest)
}

/// What was sealed is nobody's to read in a log line.
impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sealed({} bytes)", self.content().len())
    }
}
