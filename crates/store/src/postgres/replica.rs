//! Reads on a replica, for what may be of a moment ago: never older than its bound, and never slower for a replica that is lost.
//!
//! No clocks are compared. Now and then the primary is asked how far its log of writes reaches. A replica that has replayed to there
//! has everything that was committed before the question was asked. Positions in that log cover every write, also those of accounts
//! and of what expires, which no commit of ours counts.
//!
//! Whenever the replica does not do, for whatever reason, the primary is read: a caller notices nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::PgLsn;

use super::address::{Address, Purpose};
use super::connect::one;
use super::convert::get;
use super::reader::PostgresReader;
use super::readers::{BEGIN, HOLD_LOG, Readers};
use super::session::{Session, Step};
use crate::api::Reader;
use crate::error::Error;
use crate::limits::{ANSWER_GRACE, READER_WAIT, REPLICA_PATIENCE, REPLICA_PAUSE};
use crate::pool::Pool;

pub(super) struct ReplicaReaders {
    address: Address,
    store_id: [u8; 16],
    max_staleness: Duration,
    pool: Pool<Session>,
    state: Mutex<State>,
}

struct State {
    /// How far the primary's log reached when it was asked, the oldest first.
    samples: VecDeque<(Instant, PgLsn)>,
    /// When the primary was asked last, whether it answered or not.
    asked_at: Option<Instant>,
    /// The replica is lost, and not to be asked before.
    lost_until: Option<Instant>,
    /// Why the last read went to the primary.
    trouble: Option<String>,
}

/// Where nothing can be read from a replica.
struct Unfit;

impl ReplicaReaders {
    pub(super) fn new(address: Address, store_id: [u8; 16], max_staleness: Duration, places: usize) -> Self {
        Self {
            address,
            store_id,
            max_staleness,
            pool: Pool::new(places.max(1)),
            state: Mutex::new(State {
                samples: VecDeque::new(),
                asked_at: None,
                // The first to come finds out, alone.
                lost_until: Some(Instant::now()),
                trouble: None,
            }),
        }
    }

    /// Reads here if that does, else on the primary. The job may be begun twice.
    pub(super) fn read(
        &self,
        primary: &Readers,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.read_here(primary, job) {
            Ok(done) => done,
            Err(Unfit) => primary.read(job),
        }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    fn read_here(
        &self,
        primary: &Readers,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<Result<(), Error>, Unfit> {
        if !self.may_be_asked() {
            return Err(Unfit);
        }
        self.sample(primary);
        let longest = self.address.read_statement();
        let mut lent = self.pool.take(READER_WAIT.max(2 * longest)).map_err(|_| Unfit)?;
        let known = lent.idle.take();
        let (mut session, replayed) = self.begin(known).map_err(|error| {
            // Most likely the others have been lost as well.
            self.pool.clear();
            self.rest(&error);
            Unfit
        })?;
        self.lock().lost_until = None;
        let result = if self.is_fresh(replayed) {
            session.set_patience(longest + ANSWER_GRACE);
            job(&mut PostgresReader::new(&mut session, Instant::now() + longest)).map_err(Some)
        } else {
            Err(None)
        };
        let ended = session.batch("COMMIT");
        lent.idle = Some(session).filter(|session| !session.is_broken());
        if let (None, Err(error)) = (&lent.idle, &ended) {
            self.rest(error);
        }
        match result {
            // What the primary would answer, too.
            Err(Some(error @ (Error::Statement(_) | Error::ReadTooLong))) => Ok(Err(error)),
            // Lost on the way, in conflict with what is being replayed, damaged, or not fresh enough.
            Err(_) => Err(Unfit),
            Ok(()) => ended.map(Ok).map_err(|_| Unfit),
        }
    }

    /// Whether it is not lost. After a pause one caller is let through, to find out.
    fn may_be_asked(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        match state.lost_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.lost_until = Some(now + REPLICA_PAUSE);
                true
            }
        }
    }

    fn rest(&self, error: &Error) {
        let mut state = self.lock();
        state.lost_until = Some(Instant::now() + REPLICA_PAUSE);
        state.trouble = Some(error.to_string());
    }

    /// Why the primary is read instead.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// Asks the primary how far its log reaches, if that was long ago. One asks, and nobody waits for it.
    fn sample(&self, primary: &Readers) {
        let now = Instant::now();
        {
            let mut state = self.lock();
            let is_recent = |asked_at| now.duration_since(asked_at) < self.max_staleness / 2;
            if state.asked_at.is_some_and(is_recent) {
                return;
            }
            state.asked_at = Some(now);
        }
        // What is visible is flushed: all of it lies before. What is merely inserted a replica need not get for a while.
        let sql = "SELECT pg_current_wal_flush_lsn()";
        let asked_at = Instant::now();
        let reached = primary.ask(|session| get(&one(session, sql)?, 0));
        if let Ok(reached) = reached {
            self.lock().samples.push_back((asked_at, reached));
        }
    }

    /// Whether what has replayed to there is new enough now.
    fn is_fresh(&self, replayed: PgLsn) -> bool {
        let now = Instant::now();
        let is_old = |(asked_at, _): &(Instant, PgLsn)| now.duration_since(*asked_at) > self.max_staleness;
        let mut state = self.lock();
        while state.samples.front().is_some_and(is_old) {
            state.samples.pop_front();
        }
        // The oldest asks for the least.
        let is_fresh = state
            .samples
            .front()
            .is_some_and(|(_, reached)| replayed >= *reached);
        state.trouble = (!is_fresh).then(|| {
            let bound = self.max_staleness.as_millis();
            format!("it is not known to be less than {bound} ms behind")
        });
        is_fresh
    }

    /// A session whose transaction has begun, and how far the replica had replayed before: what is seen in the transaction is at
    /// least as new.
    fn begin(&self, known: Option<Session>) -> Result<(Session, PgLsn), Error> {
        let mut session = match known {
            Some(session) => session,
            None => self.connect()?,
        };
        session.set_patience(REPLICA_PATIENCE);
        // The snapshot is taken by the first statement after BEGIN.
        let answers = session.pipeline(&[
            Step::new("SELECT pg_last_wal_replay_lsn() WHERE pg_is_in_recovery()", &[]),
            Step::new(BEGIN, &[]),
            Step::new(HOLD_LOG, &[]),
        ])?;
        let replayed = answers.first().and_then(|rows| rows.first());
        let replayed =
            replayed.map_or_else(|| Err(not_ours("it is no standby any more")), |row| get(row, 0))?;
        Ok((session, replayed))
    }

    fn connect(&self) -> Result<Session, Error> {
        let mut session = self.address.reconnect_within(Purpose::Read, REPLICA_PATIENCE)?;
        let sql = "SELECT value FROM store_meta WHERE name = 'store_id'";
        let row = one(&mut session, sql)?;
        if get::<&[u8]>(&row, 0)? != self.store_id {
            return Err(not_ours("it holds another store"));
        }
        Ok(session)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_ours(why: &str) -> Error {
    Error::damaged(format!("a replica that is not one of this store: {why}"))
}
