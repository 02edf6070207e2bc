//! What a reader reads, in the one transaction it is lent for. What is not of the log reads its own tables in its own file.

use std::collections::BTreeMap;
use std::time::Instant;

use model::command::OrderRef;
use model::fingerprint::Fingerprint;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::sealed::Sealed;
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::convert::number;
use super::deferred::AsOf;
use super::group::walk;
use super::lists::Statuses;
use super::statements::{HEAD_COLUMNS, all, entry_columns, entry_from_row, head_columns, head_from_row};
use super::{api_keys, audit, counts, dead_letters, due, lists, log, mapping, pages, receipts, users};
use crate::accounts::{ApiKey, AuditRecord, User, UserRef};
use crate::api::Reader;
use crate::digest::ONE_WRITER;
use crate::error::Error;
use crate::follow::{Interest, LogPage, OrderLabel};
use crate::limits::{FOLLOWED_ENTRIES, MAX_PAGE};
use crate::pages::{Keys, Pages, Walked, Wanted};
use crate::records::{
    BatchReceipt, BlockCount, CommitId, CommitRecord, KeptDeadLetter, LogEntry, Miscount, NamedState,
    OrderFilter, OrderList, OrderPage, OrderRecord, PageFilter, PartyKind, StatusCount, Totals,
};

pub(super) struct SqliteReader<'a> {
    connection: &'a Connection,
    deferred: &'a AsOf,
    /// `None`: as long as it takes.
    ends_at: Option<Instant>,
}

/// [`head_columns`], then the written-once part.
macro_rules! order_select {
    ($tail:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", o.public_id, o.reference, o.created_at, o.details \
             FROM order_identities o JOIN order_heads h ON h.order_key = o.order_key ",
            $tail
        )
    };
}

impl Reader for SqliteReader<'_> {
    fn order(&mut self, order: &OrderRef) -> Result<Option<OrderRecord>, Error> {
        match order {
            OrderRef::Public(id) => {
                let mut find = self.prepare(order_select!("WHERE o.public_id = ?1"))?;
                let mut rows = find.query([id.as_str()])?;
                rows.next()?.map(|row| self.order_from_row(row)).transpose()
            }
            OrderRef::Key(key) => {
                let mut find = self.prepare(order_select!("WHERE o.order_key = ?1"))?;
                let mut rows = find.query([key.get()])?;
                rows.next()?.map(|row| self.order_from_row(row)).transpose()
            }
        }
    }

    fn history(&mut self, order: &OrderRecord) -> Result<Vec<LogEntry>, Error> {
        let mut entries = walk(self.connection()?, order.head.order, order.placement)?;
        entries.reverse();
        Ok(entries)
    }

    fn orders(&mut self, after: OrderKey, limit: u32) -> Result<Vec<OrderRecord>, Error> {
        let sql = order_select!("WHERE o.order_key > ?1 ORDER BY o.order_key LIMIT ?2");
        self.page(sql, after.get(), limit, |row| self.order_from_row(row))
    }

    fn log(&mut self, after: Position, limit: u32) -> Result<Vec<LogEntry>, Error> {
        let sql = concat!(
            "SELECT ",
            entry_columns!(),
            " FROM entries WHERE position > ?1 ORDER BY position LIMIT ?2"
        );
        self.page(sql, after.get(), limit, |row| {
            entry_from_row(row).map(|(entry, _)| entry)
        })
    }

    fn log_of(&mut self, after: Position, limit: u32, interest: &Interest) -> Result<LogPage, Error> {
        let limit = limit.min(MAX_PAGE);
        log::of_interest(self.connection()?, after, limit, interest, FOLLOWED_ENTRIES)
    }

    fn labels(&mut self, orders: &[OrderKey]) -> Result<Vec<OrderLabel>, Error> {
        log::labels(self.connection()?, orders)
    }

    fn commits(&mut self, after: CommitId, limit: u32) -> Result<Vec<CommitRecord>, Error> {
        let sql = "SELECT commit_id, committed_at, first_position, entries, digest FROM commits \
                   WHERE commit_id > ?1 ORDER BY commit_id LIMIT ?2";
        self.page(sql, after.0, limit, |row| {
            Ok(CommitRecord {
                commit: CommitId(row.get(0)?),
                writer: ONE_WRITER,
                number: CommitId(row.get(0)?),
                at: Timestamp::from_nanos(row.get(1)?),
                first_position: Position::new(row.get(2)?),
                entries: number(row.get(3)?, "entries of a commit")?,
                archived_entries: 0,
                digest: row.get(4)?,
            })
        })
    }

    fn older_fingerprints(&mut self, order: OrderKey) -> Result<Vec<Fingerprint>, Error> {
        let mut select = self.prepare("SELECT fingerprint FROM older_fingerprints WHERE order_key = ?1")?;
        let found = select.query_map([order.get()], |row| row.get::<_, i64>(0))?;
        found
            .map(|number| Ok(Fingerprint::from_number(number?.cast_unsigned())))
            .collect()
    }

    fn dead_letter(&mut self, id: DeadLetterId) -> Result<Option<KeptDeadLetter>, Error> {
        dead_letters::find(self.connection()?, id)
    }

    fn dead_letters(
        &mut self,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<KeptDeadLetter>, Error> {
        dead_letters::before(self.connection()?, before, limit.min(MAX_PAGE))
    }

    fn list_orders(&mut self, filter: &OrderFilter, offset: u64, limit: u32) -> Result<OrderList, Error> {
        lists::list(
            self.connection()?,
            self.deferred,
            filter,
            offset,
            limit.min(MAX_PAGE),
        )
    }

    fn page_orders(
        &mut self,
        filter: &PageFilter,
        before: Option<OrderKey>,
        limit: u32,
    ) -> Result<OrderPage, Error> {
        crate::pages::page(self, filter, before, limit)
    }

    fn batch(&mut self, batch_id: &str) -> Result<Option<BatchReceipt>, Error> {
        receipts::batch(self.connection()?, batch_id)
    }

    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        receipts::count_of(self.connection()?, actor)
    }

    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error> {
        users::find(self.connection()?, user)
    }

    fn users(&mut self, after: &str, limit: u32) -> Result<Vec<User>, Error> {
        users::after(self.connection()?, after, limit.min(MAX_PAGE))
    }

    fn api_key(&mut self, secret_hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        api_keys::by_secret(self.connection()?, secret_hash)
    }

    fn api_key_of_id(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error> {
        api_keys::by_id(self.connection()?, key_id)
    }

    fn api_keys(&mut self, before: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, Error> {
        api_keys::before(self.connection()?, before, limit.min(MAX_PAGE))
    }

    fn is_token_revoked(&mut self, token_id: &str) -> Result<bool, Error> {
        api_keys::is_token_revoked(self.connection()?, token_id)
    }

    fn audit(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        audit::before(self.connection()?, before, limit.min(MAX_PAGE))
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        due::by(self.connection()?, by, limit)
    }

    fn status_counts(&mut self) -> Result<Vec<StatusCount>, Error> {
        counts::statuses(self.connection()?)
    }

    fn block_counts(&mut self, after: Option<&BlockCount>, limit: u32) -> Result<Vec<BlockCount>, Error> {
        counts::blocks(self.connection()?, after, limit.min(MAX_PAGE))
    }

    fn miscounted_dead_letters(&mut self, limit: u32) -> Result<Vec<Miscount>, Error> {
        // As long as the table is: see `integrity_problems`.
        self.take_as_long_as_it_takes()?;
        dead_letters::miscounted(self.connection()?, limit.min(MAX_PAGE))
    }

    fn miscounted_batch_receipts(&mut self, limit: u32) -> Result<Vec<Miscount>, Error> {
        self.take_as_long_as_it_takes()?;
        receipts::miscounted(self.connection()?, limit.min(MAX_PAGE))
    }

    fn party(&mut self, kind: PartyKind, name: &str) -> Result<Option<PartyId>, Error> {
        let mut find =
            self.prepare("SELECT party_id FROM parties WHERE tenant_id = 0 AND kind = ?1 AND name = ?2")?;
        let found: Option<i64> = find
            .query_row((kind.number(), name), |row| row.get(0))
            .optional()?;
        found.map(|id| number(id, "party").map(PartyId::new)).transpose()
    }

    fn party_name(&mut self, party: PartyId) -> Result<Option<String>, Error> {
        let mut find = self.prepare("SELECT name FROM parties WHERE party_id = ?1")?;
        Ok(find.query_row([party.get()], |row| row.get(0)).optional()?)
    }

    fn lifecycles_stored(&mut self) -> Result<usize, Error> {
        self.check_time()?;
        let sql = "SELECT count(*) FROM lifecycles";
        number(
            self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?,
            "count",
        )
    }

    fn last_position(&mut self) -> Result<Position, Error> {
        self.check_time()?;
        let sql = "SELECT coalesce(max(position), 0) FROM entries";
        Ok(Position::new(
            self.connection.query_row(sql, [], |row| row.get(0))?,
        ))
    }

    fn totals(&mut self) -> Result<Totals, Error> {
        let last_position = self.last_position()?;
        let max = |sql: &str| -> Result<i64, Error> {
            Ok(self
                .connection
                .query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?
                .unwrap_or(0))
        };
        Ok(Totals {
            last_position,
            last_commit: CommitId(max("SELECT max(commit_id) FROM commits")?),
            last_order: OrderKey::new(max("SELECT max(order_key) FROM order_identities")?),
            dead_letters: number(max("SELECT count(*) FROM dead_letters")?, "count")?,
        })
    }

    fn unpaired_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error> {
        // As long as the tables are: see `integrity_problems`.
        self.take_as_long_as_it_takes()?;
        let sql = "SELECT o.order_key FROM order_identities o LEFT JOIN order_heads h USING (order_key) WHERE o.order_key > ?1 AND \
                   (o.lifecycle_id, o.tenant_id, o.client_id, o.customer_id) IS NOT \
                   (h.lifecycle_id, h.tenant_id, h.client_id, h.customer_id) \
                   UNION ALL SELECT h.order_key FROM order_heads h LEFT JOIN order_identities o USING (order_key) \
                   WHERE h.order_key > ?1 AND o.order_key IS NULL LIMIT ?2";
        self.page(sql, i64::MIN, limit, |row| Ok(OrderKey::new(row.get(0)?)))
    }

    fn named_states(&mut self) -> Result<Vec<NamedState>, Error> {
        mapping::named_states(self.connection()?)
    }

    fn unmapped_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error> {
        self.take_as_long_as_it_takes()?;
        mapping::unmapped(self.connection()?, limit.min(MAX_PAGE))
    }

    fn integrity_problems(&mut self) -> Result<Vec<String>, Error> {
        // Takes as long as the file is large: the caller holds the store's lock, nobody waits.
        self.take_as_long_as_it_takes()?;
        let mut check = self.connection.prepare("PRAGMA integrity_check(20)")?;
        let lines = check.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Result<Vec<String>, rusqlite::Error> = lines.collect();
        Ok(lines?.into_iter().filter(|line| line != "ok").collect())
    }
}

impl Pages for SqliteReader<'_> {
    fn last_key(&mut self) -> Result<i64, Error> {
        pages::last_key(self.connection()?)
    }

    fn created_at(&mut self, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error> {
        pages::created_at(self.connection()?, keys)
    }

    fn blocks(&mut self, statuses: &Statuses, blocks: Keys) -> Result<BTreeMap<i64, u64>, Error> {
        pages::blocks(self.connection()?, statuses, blocks)
    }

    fn walk(&mut self, wanted: &Wanted<'_>, keys: Keys, most: usize, scan: u32) -> Result<Walked, Error> {
        pages::walk(self.connection()?, self.deferred, wanted, keys, (most, scan))
    }

    fn records(&mut self, keys: &[i64]) -> Result<Vec<OrderRecord>, Error> {
        let record = |key: &i64| {
            let order = self.order(&OrderRef::Key(OrderKey::new(*key)))?;
            order.ok_or_else(|| Error::damaged(format!("order {key} has no head")))
        };
        keys.iter().map(record).collect()
    }
}

impl<'a> SqliteReader<'a> {
    pub(super) const fn new(connection: &'a Connection, deferred: &'a AsOf, ends_at: Instant) -> Self {
        Self {
            connection,
            deferred,
            ends_at: Some(ends_at),
        }
    }

    /// The connection, if there is time left.
    fn connection(&self) -> Result<&'a Connection, Error> {
        self.check_time()?;
        Ok(self.connection)
    }

    /// SQLite looks at the clock while it works, not between two short statements of a job that dawdles.
    fn check_time(&self) -> Result<(), Error> {
        match self.ends_at {
            Some(ends_at) if Instant::now() > ends_at => Err(Error::ReadTooLong),
            Some(_) | None => Ok(()),
        }
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, Error> {
        Ok(self.connection()?.prepare_cached(sql)?)
    }

    /// An order as its row and what is deferred of it say.
    fn order_from_row(&self, row: &Row<'_>) -> Result<OrderRecord, Error> {
        let mut order = order_from_row(row)?;
        if let Some(update) = self.deferred.find(order.head.order) {
            update.bring_up(&mut order.head, &mut order.placement)?;
        }
        Ok(order)
    }

    fn take_as_long_as_it_takes(&mut self) -> Result<(), Error> {
        self.ends_at = None;
        Ok(self.connection.progress_handler(0, None::<fn() -> bool>)?)
    }

    fn page<T>(
        &self,
        sql: &str,
        from: i64,
        limit: u32,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        all(self.connection()?, sql, (from, limit.min(MAX_PAGE)), read)
    }
}

fn order_from_row(row: &Row<'_>) -> Result<OrderRecord, Error> {
    let (head, placement) = head_from_row(row)?;
    let public_id: String = row.get(HEAD_COLUMNS)?;
    let details: Option<Vec<u8>> = row.get(HEAD_COLUMNS + 3)?;
    Ok(OrderRecord {
        public_id: PublicId::new(&public_id).map_err(|error| Error::damaged(error.to_string()))?,
        reference: row.get(HEAD_COLUMNS + 1)?,
        created_at: Timestamp::from_nanos(row.get(HEAD_COLUMNS + 2)?),
        details: details
            .map(|bytes| {
                Sealed::from_bytes(bytes).ok_or_else(|| Error::damaged("details without their salt"))
            })
            .transpose()?,
        head,
        placement,
    })
}
