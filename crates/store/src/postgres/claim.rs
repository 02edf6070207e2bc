//! A writer's session and what it has claimed: a chain of digests that nobody else writes to meanwhile, and a number that
//! tells this session from every other one, ever.
//!
//! Both are held by locks that end with the session, however it ends. When a connection is lost in the middle of a commit,
//! the lock of the lost session says when its outcome is final, and the number in the commit's row whose commit it is.

use std::time::{Instant, SystemTime};

use super::address::{Address, Purpose};
use super::connect::one;
use super::convert::{bytes, get};
use super::numbers::Sequences;
use super::session::Session;
use crate::digest::{ONE_WRITER, genesis};
use crate::error::{Error, Trouble};
use crate::limits::{MAX_WRITERS, SESSION_END_PAUSE, SESSION_END_WAIT};

/// Advisory locks: of chains by their writer's number, and of sessions by their claim's. See also [`super::connect::LOCKS`].
const CHAINS: i32 = 0x5742_494D;
const CLAIMS: i32 = 0x5742_494F;

/// What a session holds.
#[derive(Clone)]
pub(super) struct Claim {
    /// The number of the chain.
    pub(super) writer: i32,
    /// The number of the session.
    pub(super) claim: i64,
    lock: i32,
    process: i32,
    began: SystemTime,
}

/// The end of a writer's chain.
#[derive(Clone, Copy)]
pub(super) struct ChainEnd {
    pub(super) number: i64,
    pub(super) digest: [u8; 32],
}

/// A session with its claim.
pub(super) struct Claimed {
    pub(super) session: Session,
    pub(super) claim: Claim,
    pub(super) end: ChainEnd,
    pub(super) sequences: Sequences,
    /// The first place for which there is no partition yet.
    pub(super) places_end: i64,
    /// About where places are being taken now.
    pub(super) last_place: i64,
}

impl Claimed {
    /// Logs in and claims the first chain that is free.
    pub(super) fn open(address: &Address, store_id: &[u8; 16]) -> Result<Self, Error> {
        let mut session = address.reconnect(Purpose::Write)?;
        Self::claim(session_of(&mut session)?, session, store_id)
    }

    /// As [`Claimed::open`], after a session was lost: ends it, and waits until it has ended, so that what it did is final. Where
    /// nothing it did is in doubt, it need not have ended: then another chain is claimed.
    pub(super) fn open_after(
        address: &Address,
        store_id: &[u8; 16],
        lost: &Claim,
        is_in_doubt: bool,
    ) -> Result<Self, Error> {
        let mut session = address.reconnect(Purpose::Write)?;
        let has_ended = end_session(&mut session, lost)?;
        if is_in_doubt && !has_ended {
            return Err(Error::Unavailable {
                trouble: Trouble::Busy,
                detail: "the session that was lost has not ended yet: what it did last is not known"
                    .to_owned(),
            });
        }
        Self::claim(session_of(&mut session)?, session, store_id)
    }

    fn claim(claim: Claim, mut session: Session, store_id: &[u8; 16]) -> Result<Self, Error> {
        check_end(&mut session)?;
        let end = chain_end(&mut session, claim.writer, store_id)?;
        let sequences = Sequences::find(&mut session)?;
        let row = one(&mut session, "SELECT last_value FROM places")?;
        let last_place = get(&row, 0)?;
        let places_end = make_partitions(&mut session, last_place)?;
        Ok(Self {
            session,
            claim,
            end,
            sequences,
            places_end,
            last_place,
        })
    }
}

fn session_of(session: &mut Session) -> Result<Claim, Error> {
    let sql = "SELECT nextval('writer_claims'), pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = one(session, sql)?;
    let claim: i64 = get(&row, 0)?;
    let lock = i32::try_from(claim % i64::from(i32::MAX)).unwrap_or_default();
    let (process, began) = (get(&row, 1)?, get(&row, 2)?);
    // At once: nobody else has this number.
    session.query("SELECT pg_advisory_lock($1, $2)", &[&CLAIMS, &lock])?;
    let sql = "SELECT writer FROM generate_series($1::int, $2::int) AS writer WHERE pg_try_advisory_lock($3, writer) LIMIT 1";
    let first = first_open_chain(session)?;
    let free = session.first(sql, &[&first, &MAX_WRITERS, &CHAINS])?;
    let row = free.ok_or_else(|| Error::Unavailable {
        trouble: Trouble::Busy,
        detail: format!("{MAX_WRITERS} writers are at work already"),
    })?;
    Ok(Claim {
        writer: get(&row, 0)?,
        claim,
        lock,
        process,
        began,
    })
}

/// Ends a session that was lost on our side and may live on the server's, and waits for its end. Whether it has ended.
fn end_session(session: &mut Session, lost: &Claim) -> Result<bool, Error> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2";
    session.query(sql, &[&lost.process, &lost.began])?;
    let began = Instant::now();
    loop {
        let sql = "SELECT pg_try_advisory_lock($1, $2)";
        let row = session.first(sql, &[&CLAIMS, &lost.lock])?;
        if row.map_or(Ok(false), |row| get(&row, 0))? {
            session.query("SELECT pg_advisory_unlock($1, $2)", &[&CLAIMS, &lost.lock])?;
            return Ok(true);
        }
        if began.elapsed() > SESSION_END_WAIT {
            return Ok(false);
        }
        std::thread::sleep(SESSION_END_PAUSE);
    }
}

/// Behind the chain of an embedded store that was copied here, which is closed: should somebody start the old store again, what it writes
/// and what is written here are not taken for each other. Its commits were made by no session, so by the claim 0.
fn first_open_chain(session: &mut Session) -> Result<i32, Error> {
    let sql =
        "SELECT coalesce(max(writer), 0) + 1 FROM commits WHERE writer = $1 AND number = 1 AND claim = 0";
    let row = session.first(sql, &[&ONE_WRITER.cast_signed()])?;
    row.map_or(Ok(1), |row| get(&row, 0))
}

/// Nothing is built on a log whose end is damaged.
fn check_end(session: &mut Session) -> Result<(), Error> {
    let sql = "SELECT l.last_position, l.last_commit, coalesce(c.commit_id, 0), coalesce(c.first_position + c.entries - 1, 0) \
               FROM log_end l LEFT JOIN (SELECT * FROM commits ORDER BY commit_id DESC LIMIT 1) c ON TRUE";
    let row = one(session, sql)?;
    let (position, commit): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
    let (last_commit, last_position): (i64, i64) = (get(&row, 2)?, get(&row, 3)?);
    if (position, commit) != (last_position, last_commit) {
        return Err(Error::damaged(format!(
            "the log ends at position {position} with commit {commit}, its last commit {last_commit} at {last_position}: \
             run `waybill verify`"
        )));
    }
    Ok(())
}

/// Where a writer's chain ends.
fn chain_end(session: &mut Session, writer: i32, store_id: &[u8; 16]) -> Result<ChainEnd, Error> {
    let sql = "SELECT number, digest FROM commits WHERE writer = $1 ORDER BY number DESC LIMIT 1";
    match session.first(sql, &[&writer])? {
        Some(row) => Ok(ChainEnd {
            number: get(&row, 0)?,
            digest: bytes(&row, 1)?,
        }),
        None => Ok(ChainEnd {
            number: 0,
            digest: genesis(store_id, writer.unsigned_abs()),
        }),
    }
}

/// Makes the partitions that are needed about a place. Gives the first place beyond them.
pub(super) fn make_partitions(session: &mut Session, place: i64) -> Result<i64, Error> {
    let made = session.first("SELECT make_log_partitions($1)", &[&place])?;
    made.map_or(Ok(0), |row| get(&row, 0))
}
