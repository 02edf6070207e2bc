//! The head: what an order is now, in a few fields. It is always what the order's entries, folded, say it is.

use crate::entry::{Entry, EntryKind, FormatError};
use crate::fingerprint::{Fingerprint, RecentFingerprints, ReportHashes};
use crate::ids::{LifecycleId, OrderKey, Owner, Version};
use crate::lifecycle::{Lifecycle, StateId};
use crate::limits::MAX_ENTRIES;
use crate::role::Role;
use crate::time::{Span, Timestamp};

/// A report that waits for a step in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its entry.
    pub version: Version,
    /// The status it reports.
    pub status: StateId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The role in which it came: asked again when an arrow is there.
    pub role: Role,
    /// When it is given up.
    pub until: Timestamp,
}

impl Parked {
    fn from_entry(entry: &Entry) -> Result<Self, FormatError> {
        let body = entry.body()?;
        Ok(Self {
            version: entry.version,
            status: body.reported.unwrap_or(entry.status),
            occurred_at: entry.occurred_at,
            role: body.role.unwrap_or(Role::System),
            until: body.wait_until.unwrap_or(Timestamp::MAX),
        })
    }
}

/// An order's present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The order.
    pub order: OrderKey,
    /// Its lifecycle, from birth.
    pub lifecycle: LifecycleId,
    /// Whose it is, from birth.
    pub owner: Owner,
    /// Its status.
    pub status: StateId,
    /// Its last entry.
    pub version: Version,
    /// When that was recorded.
    pub recorded_at: Timestamp,
    /// When the server takes the next step by itself.
    pub step_due: Option<Timestamp>,
    /// Reports that wait, in the order in which they came.
    pub parked: Vec<Parked>,
    /// By which repeated reports are found.
    pub recent: RecentFingerprints,
}

/// How automatic delays are stretched: parts per million of what the lifecycle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayScale(u64);

impl DelayScale {
    /// As the lifecycle says.
    pub const ONE: Self = Self(1_000_000);

    /// So many parts per million of it: 10,000 is a hundredth.
    #[must_use]
    pub const fn from_parts_per_million(parts: u64) -> Self {
        Self(parts)
    }
}

impl Head {
    /// The head of an order whose first entry this is.
    ///
    /// # Errors
    /// [`FormatError`] if the entry cannot be read.
    pub fn born(entry: &Entry, lifecycle: &Lifecycle, scale: DelayScale) -> Result<Self, FormatError> {
        let mut head = Self {
            order: entry.order,
            lifecycle: entry.lifecycle,
            owner: entry.owner,
            status: entry.status,
            version: Version::default(),
            recorded_at: entry.recorded_at,
            step_due: None,
            parked: Vec::new(),
            recent: RecentFingerprints::default(),
        };
        head.apply(entry, lifecycle, scale, &ReportHashes::default(), &mut Vec::new())?;
        Ok(head)
    }

    /// Takes the next entry in. `hashes` are its [`Entry::report_hashes`]; fingerprints that no longer fit the head are added to `spilled`.
    ///
    /// # Errors
    /// [`FormatError`] if the entry cannot be read; the head is then as before.
    pub fn apply(
        &mut self,
        entry: &Entry,
        lifecycle: &Lifecycle,
        scale: DelayScale,
        hashes: &ReportHashes,
        spilled: &mut Vec<Fingerprint>,
    ) -> Result<(), FormatError> {
        self.apply_parking(entry)?;
        if entry.kind.bears_status() || entry.status != self.status {
            self.step_due = step_due(entry, lifecycle, scale);
        }
        self.status = entry.status;
        self.version = entry.version;
        self.recorded_at = entry.recorded_at;
        if self.is_full() {
            self.step_due = None;
        }
        for hash in hashes.iter() {
            self.recent.push(Fingerprint::new(hash, entry.version), spilled);
        }
        Ok(())
    }

    /// The next time at which something has to be done by itself: never again for a full order, which can do nothing.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let due = self.parked.iter().map(|parked| parked.until).chain(self.step_due);
        due.min().filter(|_| !self.is_full())
    }

    /// Whether the order holds as many entries as an order may.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.version.get() >= MAX_ENTRIES
    }

    fn apply_parking(&mut self, entry: &Entry) -> Result<(), FormatError> {
        match entry.kind {
            EntryKind::Parked => self.parked.push(Parked::from_entry(entry)?),
            EntryKind::Released | EntryKind::Abandoned | EntryKind::Correction => {
                let about = entry.body()?.about;
                self.parked.retain(|parked| Some(parked.version) != about);
            }
            EntryKind::Created | EntryKind::StatusApplied | EntryKind::Recorded | EntryKind::Override => {}
        }
        Ok(())
    }
}

/// When the automatic arrow from the entry's status is due: counted from when it occurred, so that a server that was down
/// for an hour makes the same history.
fn step_due(entry: &Entry, lifecycle: &Lifecycle, scale: DelayScale) -> Option<Timestamp> {
    let (_, after) = lifecycle.automatic(entry.status)?;
    let delay = jittered(after, lifecycle.jitter_percent(), entry.order, entry.version);
    Some(entry.occurred_at + delay.scaled(scale.0))
}

/// Spreads a delay by ± `percent`, evenly over orders, by a fixed function of what it is for: folding a
/// log again gives the same times.
fn jittered(delay: Span, percent: u8, order: OrderKey, version: Version) -> Span {
    let seed = order.get().unsigned_abs() ^ u64::from(version.get()) << 48;
    let width = u64::from(percent) * 20_000 + 1;
    let parts_per_million = 1_000_000 - u64::from(percent) * 10_000 + mixed(seed) % width;
    delay.scaled(parts_per_million)
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
const fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
