//! Numbers that a group gives out: taken from a sequence of the database in blocks; what is left of a block is given back with the commit.
//!
//! With one writer they have no gaps but for groups that were dropped. With several they have, by what a writer held while another one took more, and after
//! a crash. A number that was stored is never given again.

use tokio_postgres::types::Oid;

use super::convert::get;
use super::session::{Session, Step};
use crate::error::{Error, Trouble};
use crate::limits::{FIRST_BLOCK, LARGEST_BLOCK};

const TAKE: &str = "SELECT take_numbers($1::oid::regclass, $2)";
const GIVE_BACK: &str = "SELECT give_back_numbers($1::oid::regclass, $2, $3)";

/// The numbers that one group took of one sequence.
pub(super) struct Numbers {
    sequence: Oid,
    /// The next of what was taken last, and the end of it, which is not part of it.
    next: i64,
    end: i64,
    block: i64,
}

impl Numbers {
    pub(super) const fn of(sequence: Oid) -> Self {
        Self {
            sequence,
            next: 0,
            end: 0,
            block: FIRST_BLOCK,
        }
    }

    /// The next number.
    pub(super) fn next(&mut self, session: &mut Session) -> Result<i64, Error> {
        if self.next == self.end {
            let taken = take(session, self.sequence, self.block)?;
            if taken != self.end {
                self.next = taken;
            }
            self.end = taken.saturating_add(self.block);
            self.block = (self.block * 4).min(LARGEST_BLOCK);
        }
        let number = self.next;
        self.next += 1;
        Ok(number)
    }

    /// What is left, to be given back: nobody will use it.
    pub(super) fn rest(&mut self) -> Option<Return> {
        let rest = self.give(self.next);
        self.end = self.next;
        rest
    }

    fn give(&self, unused_from: i64) -> Option<Return> {
        (unused_from < self.end).then(|| Return {
            sequence: self.sequence,
            unused_from,
            taken_to: self.end - 1,
        })
    }
}

/// Numbers on their way back.
pub(super) struct Return {
    sequence: Oid,
    unused_from: i64,
    taken_to: i64,
}

impl Return {
    pub(super) fn step(&self) -> Step<'_> {
        Step::new(GIVE_BACK, &[&self.sequence, &self.unused_from, &self.taken_to])
    }
}

/// Takes so many numbers in a row; gives the first.
pub(super) fn take(session: &mut Session, sequence: Oid, wanted: i64) -> Result<i64, Error> {
    let taken = session.first(TAKE, &[&sequence, &wanted]).inspect_err(|_| {
        // The lock within may have been taken and not given back: it ends with the session.
        session.set_broken();
    })?;
    let row = taken.ok_or_else(|| Error::Unavailable {
        trouble: Trouble::Failed,
        detail: "no number was given".to_owned(),
    })?;
    get(&row, 0)
}

/// The sequences that numbers are taken from.
#[derive(Clone, Copy)]
pub(super) struct Sequences {
    pub(super) order_keys: Oid,
    pub(super) dead_letter_ids: Oid,
    pub(super) places: Oid,
}

impl Sequences {
    pub(super) fn find(session: &mut Session) -> Result<Self, Error> {
        let sql =
            "SELECT 'order_keys'::regclass::oid, 'dead_letter_ids'::regclass::oid, 'places'::regclass::oid";
        let row = super::connect::one(session, sql)?;
        Ok(Self {
            order_keys: get(&row, 0)?,
            dead_letter_ids: get(&row, 1)?,
            places: get(&row, 2)?,
        })
    }
}
