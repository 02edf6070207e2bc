//! What a group made of a head, and its stored form.

use std::sync::atomic::{AtomicBool, Ordering};

use model::fingerprint::RecentFingerprints;
use model::head::Head;
use model::ids::{OrderKey, Position, Version};
use model::lifecycle::StateId;
use model::time::Timestamp;
use rusqlite::CachedStatement;

use super::super::mapping::Mapping;
use crate::error::Error;
use crate::records::{CommitId, HeadChange, Placement};

/// The part of a head that entries change, where nothing of it waits for a time.
pub(in crate::sqlite) struct HeadUpdate {
    status: StateId,
    version: Version,
    last: Position,
    recorded_at: Timestamp,
    /// As [`RecentFingerprints::to_bytes`] gives it.
    recent: Box<[u8]>,
    /// The group's.
    commit: CommitId,
    /// It is in its table, or a later one took its place: no new reader needs it.
    is_past: AtomicBool,
}

/// Bytes of a stored update before its fingerprints: key, version, status, position, time, and how many bytes those are.
const FIXED_BYTES: usize = 8 + 4 + 1 + 8 + 8 + 2;

/// Whether something waits for a time: such a head is found by its due time, in its table.
pub(in crate::sqlite) fn is_timed(head: &Head) -> bool {
    head.due_at().is_some() || !head.parked.is_empty()
}

/// Whether a head may go into its table later: it is there, no due time is or was in its row, and no other tool reads it.
pub(super) fn can_be_deferred(change: &HeadChange, mapping: &Mapping) -> bool {
    change.before.is_some_and(|(_, before)| !before.timed)
        && !is_timed(&change.head)
        && !mapping.has(change.head.lifecycle)
}

impl HeadUpdate {
    pub(super) fn of(head: &Head, placement: &Placement, commit: CommitId) -> Self {
        Self {
            status: head.status,
            version: head.version,
            last: placement.last,
            recorded_at: head.recorded_at,
            recent: head.recent.to_bytes().into(),
            commit,
            is_past: AtomicBool::new(false),
        }
    }

    /// The status, if this is newer than a version.
    pub(in crate::sqlite) fn status_after(&self, version: Version) -> Option<StateId> {
        (self.version > version).then_some(self.status)
    }

    pub(in crate::sqlite) const fn version(&self) -> Version {
        self.version
    }

    pub(in crate::sqlite) const fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Brings a head up to date that was read from its table. One that is newer stays as it is.
    pub(in crate::sqlite) fn bring_up(
        &self,
        head: &mut Head,
        placement: &mut Placement,
    ) -> Result<(), Error> {
        if self.version <= head.version {
            return Ok(());
        }
        head.recent = RecentFingerprints::from_bytes(&self.recent)
            .ok_or_else(|| Error::damaged("fingerprints of a deferred head"))?;
        head.status = self.status;
        head.version = self.version;
        head.recorded_at = self.recorded_at;
        placement.last = self.last;
        placement.last_version = self.version;
        Ok(())
    }

    pub(super) const fn commit(&self) -> CommitId {
        self.commit
    }

    pub(super) fn is_past(&self) -> bool {
        self.is_past.load(Ordering::Relaxed)
    }

    pub(super) fn set_past(&self) {
        self.is_past.store(true, Ordering::Relaxed);
    }

    /// Into its table, which may have a newer one: then that stays.
    pub(super) fn write(&self, order: OrderKey, update: &mut CachedStatement<'_>) -> Result<(), Error> {
        update.execute((
            order.get(),
            self.status.number(),
            self.version.get(),
            self.last.get(),
            self.recorded_at.as_nanos(),
            &self.recent,
        ))?;
        Ok(())
    }

    /// Adds the stored form: the fixed part little-endian, then the fingerprints.
    pub(super) fn append_to(&self, order: OrderKey, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let recent = u16::try_from(self.recent.len())
            .map_err(|_| Error::Statement("too many fingerprints in a head".to_owned()))?;
        bytes.extend_from_slice(&order.get().to_le_bytes());
        bytes.extend_from_slice(&self.version.get().to_le_bytes());
        bytes.push(self.status.number());
        bytes.extend_from_slice(&self.last.get().to_le_bytes());
        bytes.extend_from_slice(&self.recorded_at.as_nanos().to_le_bytes());
        bytes.extend_from_slice(&recent.to_le_bytes());
        bytes.extend_from_slice(&self.recent);
        Ok(())
    }

    /// How many bytes [`HeadUpdate::append_to`] adds.
    pub(super) const fn stored_bytes(&self) -> usize {
        FIXED_BYTES + self.recent.len()
    }

    /// Takes the next one off the stored bytes of a commit; `None` if they are damaged.
    pub(super) fn take_from(bytes: &mut &[u8], commit: CommitId) -> Option<(OrderKey, Self)> {
        let order = OrderKey::new(i64::from_le_bytes(*take(bytes)?));
        let version = Version::new(u32::from_le_bytes(*take(bytes)?));
        let [status] = *take(bytes)?;
        let last = Position::new(i64::from_le_bytes(*take(bytes)?));
        let recorded_at = Timestamp::from_nanos(i64::from_le_bytes(*take(bytes)?));
        let recent = usize::from(u16::from_le_bytes(*take(bytes)?));
        let (recent, rest) = bytes.split_at_checked(recent)?;
        *bytes = rest;
        let update = Self {
            status: StateId::new(status),
            version,
            last,
            recorded_at,
            recent: recent.into(),
            commit,
            is_past: AtomicBool::new(false),
        };
        Some((order, update))
    }
}

fn take<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}
