//! The going: one transaction, which waits for nobody for long and changes nothing until it has everything.
//!
//! Locks are taken in the order in which groups and readers take theirs, so that nobody waits for each other: first the heads, which
//! every group locks some of before anything else; then the log, which readers hold while they read; then the partition.

use std::time::Instant;

use model::public_id::PublicId;
use model::time::Timestamp;

use super::super::connect::one;
use super::super::convert::get;
use super::plan::public_id;
use super::{ArchiveFile, Archiver, BY_INDEX, Going, Partition};
use crate::error::{Error, Trouble};
use crate::limits::{ARCHIVE_NAMED, ARCHIVE_PAUSE, ARCHIVE_STALL, ARCHIVE_TRIES};

impl Archiver {
    /// Detaches the partitions that can go, with their files, all in one transaction. `waiting` is told before each further try
    /// how many were made: others had the log for too long.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was changed, unless the connection was lost; then the plan of another run shows it.
    pub fn detach(
        &mut self,
        going: &[(Partition, ArchiveFile)],
        at: Timestamp,
        waiting: &mut dyn FnMut(u32),
    ) -> Result<Going, Error> {
        self.session.batch("ROLLBACK")?;
        let Some(places_end) = going.iter().map(|(partition, _)| partition.places_end).max() else {
            return Ok(Going::Gone);
        };
        let mut tries = 1;
        loop {
            let moved_on = self.catch_up(places_end)?;
            if !moved_on.is_empty() {
                return Ok(Going::MovedOn(moved_on));
            }
            let tried = self.try_to_detach(going, places_end, at);
            match tried {
                Err(
                    Error::Contended(_)
                    | Error::Unavailable {
                        trouble: Trouble::Busy,
                        ..
                    },
                ) if tries < ARCHIVE_TRIES && !self.session.is_broken() => {
                    self.session.batch("ROLLBACK")?;
                    waiting(tries);
                    std::thread::sleep(ARCHIVE_PAUSE);
                    tries += 1;
                }
                Ok(going) => return Ok(going),
                Err(error) => {
                    if !self.session.is_broken() {
                        self.session.batch("ROLLBACK")?;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Looks through what has been committed meanwhile, so that little is left to be looked through under the locks.
    fn catch_up(&mut self, places_end: i64) -> Result<Vec<PublicId>, Error> {
        // What was committed during the first round is seen in the second one, which is short.
        for _round in 0..2 {
            self.session.batch(&format!("BEGIN; {BY_INDEX}"))?;
            let moved_on = self.moved_on(places_end)?;
            self.session.batch("COMMIT")?;
            if !moved_on.is_empty() {
                return Ok(moved_on);
            }
        }
        Ok(Vec::new())
    }

    /// Orders that begin before a place and got entries in a commit that was not seen yet.
    fn moved_on(&mut self, places_end: i64) -> Result<Vec<PublicId>, Error> {
        let row = one(&mut self.session, "SELECT last_commit FROM log_end")?;
        let last_commit: i64 = get(&row, 0)?;
        let sql = "SELECT DISTINCT o.public_id FROM commits c JOIN LATERAL (SELECT order_key FROM entries e \
                   WHERE e.place >= c.first_place AND e.place < c.first_place + c.entries) e ON TRUE \
                   JOIN order_heads h ON h.order_key = e.order_key JOIN order_identities o ON o.order_key = h.order_key \
                   WHERE c.commit_id > $1 AND c.commit_id <= $2 AND h.first_place < $3 LIMIT $4";
        let named = i64::from(ARCHIVE_NAMED);
        let rows = self
            .session
            .query(sql, &[&self.seen, &last_commit, &places_end, &named])?;
        self.seen = last_commit;
        rows.iter().map(|row| public_id(get(row, 0)?)).collect()
    }

    fn try_to_detach(
        &mut self,
        going: &[(Partition, ArchiveFile)],
        places_end: i64,
        at: Timestamp,
    ) -> Result<Going, Error> {
        let began = Instant::now();
        self.session.batch(&format!("BEGIN; {BY_INDEX}"))?;
        self.within(began, "LOCK TABLE order_heads IN EXCLUSIVE MODE")?;
        self.within(began, "LOCK TABLE ONLY entries IN ACCESS EXCLUSIVE MODE")?;
        let moved_on = self.moved_on(places_end)?;
        if !moved_on.is_empty() {
            self.session.batch("ROLLBACK")?;
            return Ok(Going::MovedOn(moved_on));
        }
        for (partition, file) in going {
            let sql = "INSERT INTO log_archives (first_place, places_end, partition, entries, orders, file, sha256, archived_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let Partition { name, .. } = partition;
            self.session.execute(
                sql,
                &[
                    &partition.first_place,
                    &partition.places_end,
                    name,
                    &partition.entries.cast_signed(),
                    &partition.orders.cast_signed(),
                    &file.name,
                    &file.sha256.as_slice(),
                    &at.as_nanos(),
                ],
            )?;
            let name = name.replace('"', "\"\"");
            self.within(began, &format!("ALTER TABLE entries DETACH PARTITION \"{name}\""))?;
        }
        self.session.batch("COMMIT")?;
        Ok(Going::Gone)
    }

    /// A statement that waits for locks, but not beyond the time for which others may have to wait for them.
    fn within(&mut self, began: Instant, statement: &str) -> Result<(), Error> {
        let left = ARCHIVE_STALL.saturating_sub(began.elapsed()).as_millis().max(1);
        self.session
            .batch(&format!("SET LOCAL lock_timeout = {left}; {statement}"))
    }
}
