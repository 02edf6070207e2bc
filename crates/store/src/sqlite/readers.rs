//! Reading connections, lent for one short transaction each.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use model::command::OrderRef;
use model::fingerprint::Fingerprint;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::sealed::Sealed;
use model::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::connect::Database;
use super::convert::{lifecycle_id, number, owner, state};
use super::group::walk;
use super::statements::{HEAD_COLUMNS, entry_columns, entry_from_row, head_columns, head_from_row};
use crate::api::Reader;
use crate::error::{Error, Trouble};
use crate::limits::{MAX_PAGE, MAX_READ, READERS};
use crate::records::{
    CommitId, CommitRecord, DeadLetter, LogEntry, OrderRecord, PartyKind, StatusCount, Totals,
};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_LOOK: i32 = 10_000;

pub(super) struct Readers {
    database: Database,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn read(
        &self,
        job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let connection = Lent {
            readers: self,
            connection: Some(self.take()?),
        };
        let Some(open) = &connection.connection else {
            return Err(closed());
        };
        let began = Instant::now();
        open.progress_handler(STEPS_PER_LOOK, Some(move || began.elapsed() > MAX_READ))?;
        open.execute_batch("BEGIN")?;
        let result = job(&mut SqliteReader {
            connection: open,
            ends_at: Some(began + MAX_READ),
        });
        let ended = open
            .progress_handler(0, None::<fn() -> bool>)
            .and_then(|()| open.execute_batch("COMMIT"));
        // The job's own error first: an input/output error also ends the transaction, and with it goes the commit.
        result.and(ended.map_err(Error::from))
    }

    /// Closes what is idle and lends nothing any more.
    pub(super) fn close(&self) {
        let mut pool = self.lock();
        pool.closed = true;
        pool.idle.clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        let full = |pool: &mut Pool| !pool.closed && pool.idle.is_empty() && pool.lent >= READERS;
        let mut pool = self
            .returned
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if pool.closed {
            return Err(closed());
        }
        pool.lent += 1;
        match pool.idle.pop() {
            Some(connection) => Ok(connection),
            None => {
                drop(pool);
                self.database
                    .connect_reader()
                    .inspect_err(|_| self.give_back(None))
            }
        }
    }

    /// A connection that failed is not given back, but closed.
    fn give_back(&self, connection: Option<Connection>) {
        let mut pool = self.lock();
        pool.lent -= 1;
        if !pool.closed {
            pool.idle.extend(connection);
        }
        self.returned.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan: it goes back, or is closed where its transaction did not end, however the job ends.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers
            .give_back(self.connection.take().filter(Connection::is_autocommit));
    }
}

fn closed() -> Error {
    Error::Unavailable {
        trouble: Trouble::Busy,
        detail: "the store is closed".to_owned(),
    }
}

struct SqliteReader<'a> {
    connection: &'a Connection,
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
             FROM orders o JOIN order_heads h ON h.order_key = o.order_key ",
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
                rows.next()?.map(order_from_row).transpose()
            }
            OrderRef::Key(key) => {
                let mut find = self.prepare(order_select!("WHERE o.order_key = ?1"))?;
                let mut rows = find.query([key.get()])?;
                rows.next()?.map(order_from_row).transpose()
            }
        }
    }

    fn history(&mut self, order: &OrderRecord) -> Result<Vec<LogEntry>, Error> {
        self.check_time()?;
        let mut entries = walk(self.connection, order.head.order, order.placement)?;
        entries.reverse();
        Ok(entries)
    }

    fn orders(&mut self, after: OrderKey, limit: u32) -> Result<Vec<OrderRecord>, Error> {
        let sql = order_select!("WHERE o.order_key > ?1 ORDER BY o.order_key LIMIT ?2");
        self.page(sql, after.get(), limit, order_from_row)
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

    fn commits(&mut self, after: CommitId, limit: u32) -> Result<Vec<CommitRecord>, Error> {
        let sql = "SELECT commit_id, committed_at, first_position, entries, digest FROM commits \
                   WHERE commit_id > ?1 ORDER BY commit_id LIMIT ?2";
        self.page(sql, after.0, limit, |row| {
            Ok(CommitRecord {
                commit: CommitId(row.get(0)?),
                at: Timestamp::from_nanos(row.get(1)?),
                first_position: Position::new(row.get(2)?),
                entries: number(row.get(3)?, "entries of a commit")?,
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

    fn dead_letter(&mut self, id: DeadLetterId) -> Result<Option<crate::records::KeptDeadLetter>, Error> {
        let mut find = self.prepare(
            "SELECT received_at, decided_at, order_key, public_id, actor_id, code, detail, content, \
             tenant_id, client_id, customer_id FROM dead_letters \
             WHERE dead_letter_id = ?1",
        )?;
        let mut rows = find.query([id.get()])?;
        let letter = rows.next()?.map(dead_letter_from_row).transpose()?;
        Ok(letter.map(|letter| crate::records::KeptDeadLetter {
            id,
            letter,
            redriven: None,
        }))
    }

    fn dead_letters(
        &mut self,
        _b: Option<DeadLetterId>,
        _l: u32,
    ) -> Result<Vec<crate::records::KeptDeadLetter>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn list_orders(
        &mut self,
        _f: &crate::records::OrderFilter,
        _o: u64,
        _l: u32,
    ) -> Result<crate::records::OrderList, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn batch(&mut self, _b: &str) -> Result<Option<crate::records::BatchReceipt>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn user(&mut self, _u: crate::accounts::UserRef<'_>) -> Result<Option<crate::accounts::User>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn users(&mut self, _a: &str, _l: u32) -> Result<Vec<crate::accounts::User>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn api_key(&mut self, _h: &[u8; 32]) -> Result<Option<crate::accounts::ApiKey>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn api_keys(&mut self, _b: Option<&str>, _l: u32) -> Result<Vec<crate::accounts::ApiKey>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn is_token_revoked(&mut self, _t: &str) -> Result<bool, Error> {
        Err(Error::Statement("not built".to_owned()))
    }
    fn audit(&mut self, _b: Option<i64>, _l: u32) -> Result<Vec<crate::accounts::AuditRecord>, Error> {
        Err(Error::Statement("not built".to_owned()))
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        let sql = "SELECT order_key, due_at FROM order_heads WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
        self.page(sql, by.as_nanos(), limit, |row| {
            Ok((OrderKey::new(row.get(0)?), Timestamp::from_nanos(row.get(1)?)))
        })
    }

    fn status_counts(&mut self) -> Result<Vec<StatusCount>, Error> {
        let mut select = self.prepare(
            "SELECT client_id, lifecycle_id, status, orders FROM status_counts WHERE orders > 0 \
             ORDER BY client_id, lifecycle_id, status",
        )?;
        let mut rows = select.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(StatusCount {
                client: PartyId::new(number(row.get(0)?, "client")?),
                lifecycle: lifecycle_id(row.get(1)?)?,
                status: state(row.get(2)?)?,
                orders: number(row.get(3)?, "count")?,
            });
        }
        Ok(found)
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

    fn totals(&mut self) -> Result<Totals, Error> {
        self.check_time()?;
        let max = |sql: &str| -> Result<i64, Error> {
            Ok(self
                .connection
                .query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?
                .unwrap_or(0))
        };
        Ok(Totals {
            last_position: Position::new(max("SELECT max(position) FROM entries")?),
            last_commit: CommitId(max("SELECT max(commit_id) FROM commits")?),
            last_order: OrderKey::new(max("SELECT max(order_key) FROM orders")?),
            dead_letters: number(max("SELECT count(*) FROM dead_letters")?, "count")?,
        })
    }

    fn unpaired_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error> {
        // As long as the tables are: see `integrity_problems`.
        self.take_as_long_as_it_takes()?;
        let sql = "SELECT o.order_key FROM orders o LEFT JOIN order_heads h USING (order_key) WHERE o.order_key > ?1 AND \
                   (o.lifecycle_id, o.tenant_id, o.client_id, o.customer_id) IS NOT \
                   (h.lifecycle_id, h.tenant_id, h.client_id, h.customer_id) \
                   UNION ALL SELECT h.order_key FROM order_heads h LEFT JOIN orders o USING (order_key) \
                   WHERE h.order_key > ?1 AND o.order_key IS NULL LIMIT ?2";
        self.page(sql, i64::MIN, limit, |row| Ok(OrderKey::new(row.get(0)?)))
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

impl<'a> SqliteReader<'a> {
    /// SQLite looks at the clock while it works, not between two short statements of a job that dawdles.
    fn check_time(&self) -> Result<(), Error> {
        match self.ends_at {
            Some(ends_at) if Instant::now() > ends_at => Err(Error::ReadTooLong),
            Some(_) | None => Ok(()),
        }
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, Error> {
        self.check_time()?;
        Ok(self.connection.prepare_cached(sql)?)
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
        let mut select = self.prepare(sql)?;
        let mut rows = select.query((from, limit.min(MAX_PAGE)))?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read(row)?);
        }
        Ok(page)
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

fn dead_letter_from_row(row: &Row<'_>) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        received_at: Timestamp::from_nanos(row.get(0)?),
        decided_at: Timestamp::from_nanos(row.get(1)?),
        order: row.get::<_, Option<i64>>(2)?.map(OrderKey::new),
        public_id: row.get(3)?,
        actor: PartyId::new(number(row.get(4)?, "actor")?),
        code: row.get(5)?,
        detail: row.get(6)?,
        content: row.get(7)?,
        owner: owner(row.get(8)?, row.get(9)?, row.get(10)?)?,
    })
}
