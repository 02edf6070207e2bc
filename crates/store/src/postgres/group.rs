//! One group: its loads, and its one commit.
//!
//! Locks are taken in one order by every group of every writer, so that no two wait for each other: the orders of the group
//! by rising key, all at once; rows that have to be unique, sorted; the end of the log. An idempotency key is held only if
//! it is free, and so is an order that is asked for later: a group that finds it held is begun again. What is due is taken by
//! passing over what is held.
//!
//! The end of the log is taken after everything else was written, and the end of the transaction is sent right behind: the
//! server waits for no answer of this process while it is held.

use model::Entry;
use model::command::OrderRef;
use model::fingerprint::FingerprintHash;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position, Version};
use model::time::Timestamp;

use super::convert::get;
use super::counts::CountColumns;
use super::dead_letters::{LetterColumns, RedrivenColumns};
use super::log::CommitRow;
use super::numbers::{Numbers, Return, take};
use super::receipts::{AnswerColumns, BatchColumns, ReceiptCounts, answers_of};
use super::rows::{EntryColumns, HeadColumns, OrderColumns, SpilledColumns};
use super::session::Step;
use super::writer::PostgresWriter;
use super::{audit, dead_letters, due, loads, receipts, rows};
use crate::api::Group;
use crate::deltas::Deltas;
use crate::digest::CommitDigest;
use crate::error::{Error, Trouble};
use crate::records::{CommitId, Committed, DeadLetter, GroupWrites, KeyState, Loaded, Placement, Record};

pub(super) struct PostgresGroup<'a> {
    writer: &'a mut PostgresWriter,
    order_keys: Numbers,
    dead_letter_ids: Numbers,
    /// Orders are locked already.
    has_loaded: bool,
    /// A number could not be had: the group cannot be committed.
    failed: Option<Error>,
}

impl<'a> PostgresGroup<'a> {
    /// The transaction has begun.
    pub(super) fn new(writer: &'a mut PostgresWriter) -> Self {
        let sequences = writer.claimed.sequences;
        Self {
            writer,
            order_keys: Numbers::of(sequences.order_keys),
            dead_letter_ids: Numbers::of(sequences.dead_letter_ids),
            has_loaded: false,
            failed: None,
        }
    }

    /// Gives numbers back that nobody uses; takes places for so many entries, and gives the first.
    fn take_places(&mut self, entries: i64) -> Result<Option<i64>, Error> {
        let rests: Vec<Return> = [self.order_keys.rest(), self.dead_letter_ids.rest()]
            .into_iter()
            .flatten()
            .collect();
        let steps: Vec<Step<'_>> = rests.iter().map(Return::step).collect();
        if !steps.is_empty() {
            self.writer.in_group(|session| {
                let given = session.pipeline(&steps);
                given.inspect_err(|_| session.set_broken())
            })?;
        }
        if entries == 0 {
            return Ok(None);
        }
        let places = self.writer.claimed.sequences.places;
        let first = self.writer.in_group(|session| take(session, places, entries))?;
        self.writer.claimed.last_place = first + entries - 1;
        Ok(Some(first))
    }

    /// Writes everything but what stands at the end of the log.
    fn write(
        &mut self,
        writes: &GroupWrites,
        first_place: i64,
        placements: &[Placement],
    ) -> Result<(), Error> {
        let orders = OrderColumns::of(&writes.orders, &self.writer.contacts)?;
        let entries = EntryColumns::of(&writes.entries, first_place)?;
        let (born, changed) = HeadColumns::of(&writes.heads, placements)?;
        let spilled = SpilledColumns::of(&writes.heads);
        let letters = LetterColumns::of(&writes.dead_letters)?;
        let redriven = RedrivenColumns::of(&writes.records)?;
        let answers = AnswerColumns::of(answers_of(&writes.records));
        let batches = BatchColumns::of(&writes.records)?;
        let mut steps = vec![changed.update()];
        steps.extend(orders.step());
        steps.extend(born.insert());
        steps.extend(entries.step());
        steps.extend(spilled.step());
        steps.extend(letters.step());
        steps.extend(redriven.step());
        steps.extend(answers.step());
        steps.extend(batches.step());
        let done = self.writer.in_group(|session| session.pipeline(&steps))?;
        let heads = done.first().and_then(|rows| rows.first());
        let heads: i64 = heads.map_or(Ok(0), |row| get(row, 0))?;
        if heads != changed.len() {
            return Err(Error::damaged("a head is not as its group loaded it"));
        }
        for record in &writes.records {
            match record {
                Record::Audit(record) => self.writer.in_group(|session| audit::append(session, record))?,
                Record::Answer(_) | Record::Batch(_) | Record::Redriven(..) => {}
            }
        }
        Ok(())
    }

    /// Takes the end of the log, writes what stands there, and commits. Gives the last position.
    fn end(&mut self, row: &CommitRow<'_>, writes: &GroupWrites) -> Result<Position, Error> {
        let counts = CountColumns::of(&Deltas::of(&writes.heads))?;
        let letters = LetterColumns::of(&writes.dead_letters)?.counts();
        let receipts = ReceiptCounts::of(&BatchColumns::of(&writes.records)?);
        let mut steps = vec![row.step()];
        steps.extend(letters.add());
        steps.extend(receipts.add());
        steps.extend(counts.steps());
        steps.push(Step::new("COMMIT", &[]));
        let session = &mut self.writer.claimed.session;
        let done = session.pipeline(&steps)?;
        let position = done.first().and_then(|rows| rows.first());
        let position = position.map_or(Ok(0), |row| get(row, 0))?;
        Ok(Position::new(position))
    }
}

impl Drop for PostgresGroup<'_> {
    fn drop(&mut self) {
        // Its numbers are given to nobody else: what was decided with them may be known outside.
        if self.writer.in_transaction {
            self.writer.roll_back();
        }
    }
}

impl Group for PostgresGroup<'_> {
    fn load(&mut self, orders: &[&OrderRef]) -> Result<Vec<Option<Loaded>>, Error> {
        let holds_others = self.has_loaded;
        let found = self
            .writer
            .in_group(|session| loads::lock(session, orders, holds_others))?;
        self.has_loaded |= !orders.is_empty();
        Ok(found)
    }

    fn history(&mut self, loaded: &Loaded) -> Result<Vec<Entry>, Error> {
        self.writer.in_group(|session| loads::history(session, loaded))
    }

    fn entry(&mut self, loaded: &Loaded, version: Version) -> Result<Option<Entry>, Error> {
        self.writer
            .in_group(|session| loads::entry(session, loaded, version))
    }

    fn older_versions(&mut self, order: OrderKey, hash: FingerprintHash) -> Result<Vec<Version>, Error> {
        self.writer
            .in_group(|session| rows::older_versions(session, order, hash))
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        let due = self.writer.in_group(|session| due::lock(session, by, limit))?;
        self.has_loaded |= !due.is_empty();
        Ok(due)
    }

    fn next_order_key(&mut self) -> OrderKey {
        let numbers = &mut self.order_keys;
        let next = self.writer.in_group(|session| numbers.next(session));
        OrderKey::new(next.unwrap_or_else(|error| {
            self.failed = Some(error);
            0
        }))
    }

    fn next_dead_letter_id(&mut self) -> DeadLetterId {
        let numbers = &mut self.dead_letter_ids;
        let next = self.writer.in_group(|session| numbers.next(session));
        DeadLetterId::new(next.unwrap_or_else(|error| {
            self.failed = Some(error);
            0
        }))
    }

    fn same_dead_letter(&mut self, letter: &DeadLetter) -> Result<Option<DeadLetterId>, Error> {
        self.writer
            .in_group(|session| dead_letters::same(session, letter))
    }

    fn dead_letters_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        self.writer
            .in_group(|session| dead_letters::count_of(session, actor))
    }

    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        self.writer.in_group(|session| receipts::count_of(session, actor))
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<KeyState, Error> {
        self.writer
            .in_group(|session| receipts::answer_held(session, key))
    }

    fn commit(
        mut self: Box<Self>,
        commit: CommitId,
        at: Timestamp,
        writes: GroupWrites,
    ) -> Result<Committed, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let next = self.writer.next();
        if commit != next {
            let (commit, next) = (commit.0, next.0);
            return Err(Error::Statement(format!(
                "commit {commit} is not the next, which is {next}"
            )));
        }
        let count = i32::try_from(writes.entries.len())
            .map_err(|_| Error::Statement("too many entries".to_owned()))?;
        let mut digest = CommitDigest::new(&self.writer.claimed.end.digest, commit, at, count.unsigned_abs());
        for (_, entry) in &writes.entries {
            digest.add(entry);
        }
        let digest = digest.finish();
        // Before anything is asked of the database: most of what can be wrong with a group is seen here.
        place(&writes, 1)?;
        let first_place = self.take_places(i64::from(count))?;
        let placements = place(&writes, first_place.unwrap_or_default())?;
        self.write(&writes, first_place.unwrap_or_default(), &placements)?;
        let claim = self.writer.claimed.claim.clone();
        let node = self.writer.node.clone();
        let row = CommitRow {
            writer: claim.writer,
            number: commit.0,
            claim: claim.claim,
            node: &node,
            at: at.as_nanos(),
            first_place,
            entries: count,
            digest: &digest,
        };
        match self.end(&row, &writes) {
            Ok(last_position) => {
                self.writer.in_transaction = false;
                self.writer.unsettled = None;
                self.writer.claimed.end.number = commit.0;
                self.writer.claimed.end.digest = digest;
                if count > 0 {
                    self.writer.announcer.announce();
                }
                Ok(Committed {
                    commit,
                    last_position,
                })
            }
            Err(error) if self.writer.claimed.session.is_broken() => {
                self.writer.in_transaction = false;
                self.writer.unsettled = Some((commit, claim));
                Err(outcome_unknown(error))
            }
            // The server refused, so the transaction is over without effect.
            Err(error) => Err(error),
        }
    }
}

/// Where the group's entries lie, if the first lies there: what their heads say of it.
fn place(writes: &GroupWrites, first_place: i64) -> Result<Vec<Placement>, Error> {
    let befores = writes.heads.iter().filter_map(|change| change.before);
    if befores.into_iter().any(|(_, placement)| placement.is_archived) {
        return Err(Error::Archived);
    }
    let mut placements: Vec<Option<Placement>> = writes
        .heads
        .iter()
        .map(|change| change.before.map(|(_, placement)| placement))
        .collect();
    for (place, (slot, entry)) in (first_place..).zip(&writes.entries) {
        let place = Position::new(place);
        let placement = placements
            .get_mut(*slot)
            .ok_or_else(|| Error::damaged("an entry names no head of its group"))?;
        *placement = Some(Placement {
            first: placement.map_or(place, |placement| placement.first),
            last: place,
            last_version: entry.version,
            timed: false,
            is_archived: false,
        });
    }
    let placements: Option<Vec<Placement>> = placements.into_iter().collect();
    placements.ok_or_else(|| Error::damaged("a head without entries"))
}

/// The connection went with the commit.
fn outcome_unknown(error: Error) -> Error {
    match error {
        Error::Unavailable { trouble, detail } => Error::OutcomeUnknown { trouble, detail },
        error => Error::OutcomeUnknown {
            trouble: Trouble::Failed,
            detail: error.to_string(),
        },
    }
}
