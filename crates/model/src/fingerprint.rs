//! Finding duplicates inside the order itself.
//!
//! A report is the same as an earlier one if source, time and status are equal, or the client's own event id
//! is. The head keeps a short hash of both for the last entries, with the version they belong to; a hit is always
//! compared with the stored entry, so a collision costs a look-up and never swallows a report.

use sha2::{Digest, Sha256};

use crate::ids::Version;
use crate::limits::RECENT_FINGERPRINTS;
use crate::time::Timestamp;

const VERSION_BITS: u32 = 14;

/// 50 bits of a hash over what makes a report the same as another. Stored for ever: the recipe may not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FingerprintHash(u64);

impl FingerprintHash {
    /// Of what a report says by itself.
    #[must_use]
    pub fn of_report(source: &str, occurred_at: Timestamp, status: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"r");
        hasher.update(occurred_at.as_nanos().to_be_bytes());
        hasher.update(status.as_bytes());
        hasher.update([0]);
        hasher.update(source.as_bytes());
        Self::of(hasher)
    }

    /// Of an event id that the client gave.
    #[must_use]
    pub fn of_client_event_id(event_id: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"e");
        hasher.update(event_id.as_bytes());
        Self::of(hasher)
    }

    fn of(hasher: Sha256) -> Self {
        let digest = hasher.finalize();
        let first = digest
            .iter()
            .take(8)
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        Self(first & !Fingerprint::VERSION_MASK)
    }

    /// The hash as a stored number; its low 14 bits are zero.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The hashes of one report: of what it says, and of the client's event id if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportHashes {
    /// Of source, time and status.
    pub report: Option<FingerprintHash>,
    /// Of the client's event id.
    pub client_event_id: Option<FingerprintHash>,
}

impl ReportHashes {
    /// Those that are there.
    pub fn iter(&self) -> impl Iterator<Item = FingerprintHash> + use<> {
        self.report.into_iter().chain(self.client_event_id)
    }
}

/// A hash and the version of the entry it was taken of, in 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The bits that hold the version: fingerprints of one hash lie between it with none and with all of them set.
    pub const VERSION_MASK: u64 = (1 << VERSION_BITS) - 1;

    /// Joins the two.
    #[must_use]
    pub fn new(hash: FingerprintHash, version: Version) -> Self {
        Self(hash.0 | (u64::from(version.get()) & Self::VERSION_MASK))
    }

    /// From the stored number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The stored number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The hash.
    #[must_use]
    pub const fn hash(self) -> FingerprintHash {
        FingerprintHash(self.0 & !Self::VERSION_MASK)
    }

    /// The entry it was taken of.
    #[must_use]
    pub fn version(self) -> Version {
        Version::new(u32::try_from(self.0 & Self::VERSION_MASK).expect("14 bits fit 32"))
    }
}

/// The fingerprints in a head: the latest, at most [`RECENT_FINGERPRINTS`], and whether there are older ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentFingerprints {
    latest: Vec<Fingerprint>,
    has_older: bool,
}

/// A stored mark in the place of a fingerprint: older ones lie beside the head. No fingerprint is 0, as versions start at 1.
const OLDER_MARK: u64 = 0;

impl RecentFingerprints {
    /// Whether some were moved out to lie beside the head.
    #[must_use]
    pub const fn has_older(&self) -> bool {
        self.has_older
    }

    /// The versions whose hash is this one, latest first.
    pub fn versions_with(&self, hash: FingerprintHash) -> impl Iterator<Item = Version> {
        self.latest
            .iter()
            .rev()
            .filter(move |found| found.hash() == hash)
            .map(|found| found.version())
    }

    /// Adds one; when full, the older half moves to `spilled`.
    pub(crate) fn push(&mut self, fingerprint: Fingerprint, spilled: &mut Vec<Fingerprint>) {
        if self.latest.len() == RECENT_FINGERPRINTS {
            spilled.extend(self.latest.drain(..RECENT_FINGERPRINTS / 2));
            self.has_older = true;
        }
        self.latest.push(fingerprint);
    }

    /// The stored form: 8 bytes each, little-endian, oldest first, after a mark if there are older ones.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 * (self.latest.len() + 1));
        let mark = self.has_older.then_some(OLDER_MARK);
        for number in mark.into_iter().chain(self.latest.iter().map(|found| found.0)) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads the stored form; `None` if it is damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let mut numbers = words.iter().map(|word| u64::from_le_bytes(*word)).peekable();
        let has_older = numbers.next_if_eq(&OLDER_MARK).is_some();
        let latest: Vec<Fingerprint> = numbers.map(Fingerprint).collect();
        let is_whole = latest.len() <= RECENT_FINGERPRINTS
            && latest.iter().all(|found| found.version() >= Version::FIRST);
        is_whole.then_some(Self { latest, has_older })
    }
}
