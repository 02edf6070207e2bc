//! A writer: one session, which is claimed anew when it was lost.

use std::sync::Arc;

use model::ids::PartyId;

use super::accounts::PostgresAccounts;
use super::address::Address;
use super::claim::{Claim, Claimed, make_partitions};
use super::connect::{ACCOUNTS, LOCKS};
use super::group::PostgresGroup;
use super::news::Announcer;
use super::session::{Session, Step};
use super::{expiry, parties};
use crate::accounts::Accounts;
use crate::api::{Group, Writer};
use crate::error::{Error, Trouble};
use crate::limits::PARTITION_AHEAD;
use crate::pages::ContactHasher;
use crate::records::{CommitId, Expiry, Identity, PartyKind};

pub(super) struct PostgresWriter {
    address: Address,
    store_id: [u8; 16],
    pub(super) node: String,
    pub(super) contacts: ContactHasher,
    pub(super) announcer: Arc<Announcer>,
    pub(super) claimed: Claimed,
    /// A transaction has begun and not ended.
    pub(super) in_transaction: bool,
    /// The last commit whose outcome was not known, with the session that made it.
    pub(super) unsettled: Option<(CommitId, Claim)>,
}

impl PostgresWriter {
    pub(super) fn new(
        address: Address,
        node: String,
        identity: &Identity,
        announcer: Arc<Announcer>,
    ) -> Result<Self, Error> {
        Ok(Self {
            claimed: Claimed::open(&address, &identity.store_id)?,
            address,
            store_id: identity.store_id,
            contacts: ContactHasher::new(&identity.event_id_key),
            node,
            announcer,
            in_transaction: false,
            unsettled: None,
        })
    }

    /// The id of the next commit.
    pub(super) const fn next(&self) -> CommitId {
        CommitId(self.claimed.end.number + 1)
    }

    /// After a failure: leaves the transaction, or the session that was lost.
    fn settle(&mut self) -> Result<(), Error> {
        self.roll_back();
        if self.claimed.session.is_broken() {
            let lost = &self.claimed.claim;
            let is_in_doubt = self.unsettled.is_some();
            self.claimed = Claimed::open_after(&self.address, &self.store_id, lost, is_in_doubt)?;
        }
        Ok(())
    }

    /// Should this fail, the session is lost, and the transaction ends with it.
    pub(super) fn roll_back(&mut self) {
        if self.in_transaction {
            self.in_transaction = false;
            if !self.claimed.session.is_broken() && self.claimed.session.batch("ROLLBACK").is_err() {
                self.claimed.session.set_broken();
            }
        }
    }

    /// Asks for something within a group whose end has not been sent. Should the session be lost, nothing of the group is stored, and a
    /// new session will do: the group is to be begun again. A server that is gone is told of when there is no new session.
    pub(super) fn in_group<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let session = &mut self.claimed.session;
        work(session).map_err(|error| match error {
            Error::Unavailable {
                trouble: Trouble::Io,
                detail,
            } if session.is_broken() => Error::Contended(format!("the connection was lost: {detail}")),
            error => error,
        })
    }

    /// Begins a transaction. A session that was lost while nothing was under way is replaced, unseen by the caller.
    fn begin_transaction(&mut self, steps: &[Step<'_>]) -> Result<(), Error> {
        self.settle()?;
        self.in_transaction = true;
        let mut began = self.claimed.session.pipeline(steps);
        if began.is_err() && self.claimed.session.is_broken() {
            self.settle()?;
            self.in_transaction = true;
            began = self.claimed.session.pipeline(steps);
        }
        if began.is_err() {
            self.roll_back();
        }
        began.map(|_| ())
    }

    /// Where places run low, partitions are made before they are needed.
    fn make_room(&mut self) -> Result<(), Error> {
        let last_place = self.claimed.last_place;
        if last_place > self.claimed.places_end - PARTITION_AHEAD {
            self.claimed.places_end = self.in_group(|session| make_partitions(session, last_place))?;
        }
        Ok(())
    }
}

impl Drop for PostgresWriter {
    fn drop(&mut self) {
        // What is claimed is free when the writer is gone, not when the server has seen the connection close.
        self.roll_back();
        if !self.claimed.session.is_broken() {
            drop(self.claimed.session.batch("SELECT pg_advisory_unlock_all()"));
        }
    }
}

impl Writer for PostgresWriter {
    fn begin(&mut self) -> Result<Box<dyn Group + '_>, Error> {
        let next = self.next();
        self.settle()?;
        self.make_room()?;
        self.begin_transaction(&[Step::new("BEGIN", &[])])?;
        if self.next() != next {
            // Another chain was claimed, in which the id that the caller asked for is not the next.
            self.roll_back();
            return Err(Error::Contended("the connection was lost".to_owned()));
        }
        Ok(Box::new(PostgresGroup::new(self)))
    }

    fn next_commit(&mut self) -> Result<CommitId, Error> {
        self.settle()?;
        Ok(self.next())
    }

    fn is_committed(&mut self, commit: CommitId) -> Result<bool, Error> {
        self.settle()?;
        let session = &mut self.claimed.session;
        let found = match &self.unsettled {
            Some((unsettled, claim)) if *unsettled == commit => {
                let sql = "SELECT 1 FROM commits WHERE writer = $1 AND number = $2 AND claim = $3";
                session.first(sql, &[&claim.writer, &commit.0, &claim.claim])?
            }
            Some(_) | None => {
                let sql = "SELECT 1 FROM commits WHERE writer = $1 AND number = $2";
                session.first(sql, &[&self.claimed.claim.writer, &commit.0])?
            }
        };
        if found.is_some() {
            // Nobody may have been told of it.
            self.announcer.announce();
        }
        Ok(found.is_some())
    }

    fn parties(&mut self, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error> {
        self.settle()?;
        let found = parties::numbers(&mut self.claimed.session, kind, names);
        if found.is_err() && self.claimed.session.is_broken() {
            // Asking twice gives the same numbers.
            self.settle()?;
            return parties::numbers(&mut self.claimed.session, kind, names);
        }
        found
    }

    fn accounts(&mut self) -> Result<Box<dyn Accounts + '_>, Error> {
        // One after the other, on all nodes: what was looked at before writing is still so.
        self.begin_transaction(&[
            Step::new("BEGIN", &[]),
            Step::new("SELECT pg_advisory_xact_lock($1, $2)", &[&LOCKS, &ACCOUNTS]),
        ])?;
        Ok(Box::new(PostgresAccounts::new(self)))
    }

    fn expire(&mut self, expiry: &Expiry, limit: u32) -> Result<u64, Error> {
        self.begin_transaction(&[Step::new("BEGIN", &[])])?;
        let expired = expiry::expire(&mut self.claimed.session, expiry, i64::from(limit));
        if expired.is_ok() {
            self.in_transaction = false;
        } else {
            self.roll_back();
        }
        expired
    }
}
