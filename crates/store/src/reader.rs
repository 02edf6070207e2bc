//! What can be read of a store: each database says it in its own way, and none shows through.

use model::command::OrderRef;
use model::fingerprint::Fingerprint;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use model::time::Timestamp;

use crate::accounts::{ApiKey, AuditRecord, User, UserRef};
use crate::error::Error;
use crate::follow::{Interest, LogPage, OrderLabel};
use crate::records::{
    ArchiveRecord, BatchReceipt, BlockCount, CommitId, CommitRecord, KeptDeadLetter, LogEntry, Miscount,
    NamedState, OrderFilter, OrderList, OrderPage, OrderRecord, PageFilter, PartyKind, StatusCount, Totals,
};

/// Reads, in one short transaction: everything a reader says belongs together.
pub trait Reader {
    /// An order by its public id or its key.
    ///
    /// # Errors
    /// Here and below: [`Error::Unavailable`], [`Error::Damaged`], [`Error::ReadTooLong`].
    fn order(&mut self, order: &OrderRef) -> Result<Option<OrderRecord>, Error>;

    /// All entries of an order, oldest first.
    ///
    /// # Errors
    /// As [`Reader::order`]; [`Error::Archived`]: see [`Placement::is_archived`](crate::Placement::is_archived).
    fn history(&mut self, order: &OrderRecord) -> Result<Vec<LogEntry>, Error>;

    /// All entries of each of these orders, oldest first: what [`Reader::history`] says of each, in one go.
    ///
    /// # Errors
    /// As [`Reader::history`].
    fn histories(&mut self, orders: &[OrderRecord]) -> Result<Vec<Vec<LogEntry>>, Error> {
        orders.iter().map(|order| self.history(order)).collect()
    }

    /// Orders after a key, by rising key.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn orders(&mut self, after: OrderKey, limit: u32) -> Result<Vec<OrderRecord>, Error>;

    /// The archives that have the entries of an archived order, the oldest first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn archives_of(&mut self, order: OrderKey) -> Result<Vec<ArchiveRecord>, Error> {
        let _nothing_is_archived = order;
        Ok(Vec::new())
    }

    /// Entries after a position, by rising position.
    ///
    /// # Errors
    /// As [`Reader::order`]; [`Error::Archived`] where one of them is.
    fn log(&mut self, after: Position, limit: u32) -> Result<Vec<LogEntry>, Error>;

    /// The part of the log after a position that is at most `limit` entries long, and of those what is wanted. It ends early where
    /// [`FOLLOWED_ENTRIES`](crate::limits::FOLLOWED_ENTRIES) are. What is not wanted is passed over without being read whole.
    ///
    /// # Errors
    /// As [`Reader::log`].
    fn log_of(&mut self, after: Position, limit: u32, interest: &Interest) -> Result<LogPage, Error>;

    /// What tells these orders to those outside, in no order; of one that is not there, nothing.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn labels(&mut self, orders: &[OrderKey]) -> Result<Vec<OrderLabel>, Error>;

    /// Commits after one, by rising number.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn commits(&mut self, after: CommitId, limit: u32) -> Result<Vec<CommitRecord>, Error>;

    /// Fingerprints of an order that lie beside its head, in no order.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn older_fingerprints(&mut self, order: OrderKey) -> Result<Vec<Fingerprint>, Error>;

    /// The same of each of these orders.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn older_fingerprints_of(&mut self, orders: &[OrderRecord]) -> Result<Vec<Vec<Fingerprint>>, Error> {
        let each = orders.iter();
        each.map(|order| self.older_fingerprints(order.head.order))
            .collect()
    }

    /// A dead letter.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn dead_letter(&mut self, id: DeadLetterId) -> Result<Option<KeptDeadLetter>, Error>;

    /// Dead letters before one, the newest first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn dead_letters(
        &mut self,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<KeptDeadLetter>, Error>;

    /// A page of orders, newest first, and how many there are in all. Pages may be slow only where the status is rare among
    /// the orders of one client.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn list_orders(&mut self, filter: &OrderFilter, offset: u64, limit: u32) -> Result<OrderList, Error>;

    /// A page of orders before one, newest first: at most `limit`, at least 1. A bounded number of rows is looked at
    /// ([`PAGE_SCAN`](crate::limits::PAGE_SCAN)), so that the page may have fewer, or none, and say where to go on.
    ///
    /// Pages stay in step while orders are made: what was passed does not come again, what is new comes before it. Only an order
    /// that another node makes at the very same moment may get a key that was passed.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn page_orders(
        &mut self,
        filter: &PageFilter,
        before: Option<OrderKey>,
        limit: u32,
    ) -> Result<OrderPage, Error>;

    /// What became of a batch.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn batch(&mut self, batch_id: &str) -> Result<Option<BatchReceipt>, Error>;

    /// As how many the receipts of a principal's batches count: see [`BatchReceipt::weight`].
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error>;

    /// A user.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error>;

    /// Users after a username, by rising username.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn users(&mut self, after: &str, limit: u32) -> Result<Vec<User>, Error>;

    /// A key by its hash.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn api_key(&mut self, secret_hash: &[u8; 32]) -> Result<Option<ApiKey>, Error>;

    /// A key by its id.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn api_key_of_id(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error>;

    /// Keys before one, the newest first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn api_keys(&mut self, before: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, Error>;

    /// Whether a token was voided.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn is_token_revoked(&mut self, token_id: &str) -> Result<bool, Error>;

    /// The trail before a record, the newest first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn audit(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditRecord>, Error>;

    /// Orders with something due by an instant, the longest due first.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error>;

    /// The kept counts, sorted.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn status_counts(&mut self) -> Result<Vec<StatusCount>, Error>;

    /// The kept counts by block after one, sorted by lifecycle, status and block.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn block_counts(&mut self, after: Option<&BlockCount>, limit: u32) -> Result<Vec<BlockCount>, Error>;

    /// Principals whose dead letters are not as many as their count says: there are none in a sound store.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn miscounted_dead_letters(&mut self, limit: u32) -> Result<Vec<Miscount>, Error>;

    /// Principals whose receipts of batches do not count as many as their count says: there are none in a sound store.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn miscounted_batch_receipts(&mut self, limit: u32) -> Result<Vec<Miscount>, Error>;

    /// The number of a party, if the name is known.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn party(&mut self, kind: PartyKind, name: &str) -> Result<Option<PartyId>, Error>;

    /// The name of a party.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn party_name(&mut self, party: PartyId) -> Result<Option<String>, Error>;

    /// How many definitions of lifecycles are kept.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn lifecycles_stored(&mut self) -> Result<usize, Error>;

    /// Where the log ends.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn last_position(&mut self) -> Result<Position, Error>;

    /// How much there is.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn totals(&mut self) -> Result<Totals, Error>;

    /// When this read began, by the clock that all nodes share: everything that was stored by then is seen. `None` where the one node's
    /// own clock is that.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn shared_time(&mut self) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    /// Orders without a head, heads without an order, and pairs that differ in lifecycle or owner: there are none in a sound
    /// store.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn unpaired_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error>;

    /// What statuses are called where SQL by other tools reads it, sorted.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn named_states(&mut self) -> Result<Vec<NamedState>, Error>;

    /// Orders of which SQL by other tools is not shown every entry, each as often as it has such: there are none in a sound store.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn unmapped_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error> {
        let _found_by_their_order = limit;
        Ok(Vec::new())
    }

    /// What the database itself finds wrong with its files; empty when all is well.
    ///
    /// # Errors
    /// As [`Reader::order`].
    fn integrity_problems(&mut self) -> Result<Vec<String>, Error>;
}
