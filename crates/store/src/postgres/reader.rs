//! What a reader reads, in the one transaction it is lent for. What is not of the log reads its own tables in its own file.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use model::command::OrderRef;
use model::fingerprint::Fingerprint;
use model::ids::{DeadLetterId, OrderKey, PartyId, Position};
use model::public_id::PublicId;
use model::time::Timestamp;
use tokio_postgres::Row;

use super::address::READ_WHOLE_TABLES;
use super::convert::{get, optional_text_of_bytes};
use super::lists::Statuses;
use super::loads::check_whole;
use super::log::shift_of;
use super::session::Session;
use super::statements::{
    HEAD_COLUMNS, PLACEMENT_COLUMNS, head_columns, head_from_row, live_from, placement_from_row, sealed,
};
use super::{
    api_keys, audit, clock, counts, dead_letters, due, integrity, lifecycles, lists, log, pages, parties,
    receipts, users,
};
use crate::accounts::{ApiKey, AuditRecord, User, UserRef};
use crate::api::Reader;
use crate::error::Error;
use crate::follow::{Interest, LogPage, OrderLabel};
use crate::limits::{FOLLOWED_ENTRIES, MAX_PAGE, WHOLE_TABLE};
use crate::pages::{Keys, Pages, Walked, Wanted};
use crate::records::{
    ArchiveRecord, BatchReceipt, BlockCount, CommitId, CommitRecord, KeptDeadLetter, LogEntry, Miscount,
    NamedState, OrderFilter, OrderList, OrderPage, OrderRecord, PageFilter, PartyKind, StatusCount, Totals,
};

pub(super) struct PostgresReader<'a> {
    session: &'a mut Session,
    /// `None`: as long as it takes.
    ends_at: Option<Instant>,
}

/// [`head_columns`], the positions of the first and the last entry, whether they are archived, then the written-once part.
macro_rules! order_select {
    ($tail:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", h.first_place + ",
            shift_of!("h.first_place"),
            ", h.last_place + ",
            shift_of!("h.last_place"),
            ", h.first_place < ",
            live_from!(),
            ", o.public_id, o.reference, o.created_at, o.details \
             FROM order_identities o JOIN order_heads h ON h.order_key = o.order_key ",
            $tail
        )
    };
}

impl Reader for PostgresReader<'_> {
    fn order(&mut self, order: &OrderRef) -> Result<Option<OrderRecord>, Error> {
        let session = self.session()?;
        let found = match order {
            OrderRef::Public(id) => {
                session.first(order_select!("WHERE o.public_id = $1"), &[&id.as_str()])?
            }
            OrderRef::Key(key) => session.first(order_select!("WHERE o.order_key = $1"), &[&key.get()])?,
        };
        found.map(|row| order_from_row(&row)).transpose()
    }

    fn history(&mut self, order: &OrderRecord) -> Result<Vec<LogEntry>, Error> {
        check_kept(order)?;
        let entries = log::of_order(self.session()?, order.head.order)?;
        let versions = entries.iter().map(|found| found.entry.version);
        check_whole(order.head.order, order.placement.last_version, versions)?;
        Ok(entries)
    }

    fn histories(&mut self, orders: &[OrderRecord]) -> Result<Vec<Vec<LogEntry>>, Error> {
        orders.iter().try_for_each(check_kept)?;
        let keys = keys_of(orders);
        let mut of_order: HashMap<OrderKey, Vec<LogEntry>> = HashMap::with_capacity(keys.len());
        for found in log::of_orders(self.session()?, &keys)? {
            of_order.entry(found.entry.order).or_default().push(found);
        }
        let history = |order: &OrderRecord| {
            let mut entries = of_order.remove(&order.head.order).unwrap_or_default();
            entries.sort_by_key(|found| found.entry.version);
            let versions = entries.iter().map(|found| found.entry.version);
            check_whole(order.head.order, order.placement.last_version, versions)?;
            Ok(entries)
        };
        orders.iter().map(history).collect()
    }

    fn archives_of(&mut self, order: OrderKey) -> Result<Vec<ArchiveRecord>, Error> {
        log::archives_of(self.session()?, order)
    }

    fn orders(&mut self, after: OrderKey, limit: u32) -> Result<Vec<OrderRecord>, Error> {
        let sql = order_select!("WHERE o.order_key > $1 ORDER BY o.order_key LIMIT $2");
        let rows = self.session()?.query(sql, &[&after.get(), &page(limit)])?;
        rows.iter().map(order_from_row).collect()
    }

    fn log(&mut self, after: Position, limit: u32) -> Result<Vec<LogEntry>, Error> {
        log::after(self.session()?, after, page(limit))
    }

    fn log_of(&mut self, after: Position, limit: u32, interest: &Interest) -> Result<LogPage, Error> {
        log::of_interest(self.session()?, after, page(limit), interest, FOLLOWED_ENTRIES)
    }

    fn labels(&mut self, orders: &[OrderKey]) -> Result<Vec<OrderLabel>, Error> {
        log::labels(self.session()?, orders)
    }

    fn commits(&mut self, after: CommitId, limit: u32) -> Result<Vec<CommitRecord>, Error> {
        log::commits(self.session()?, after, page(limit))
    }

    fn older_fingerprints(&mut self, order: OrderKey) -> Result<Vec<Fingerprint>, Error> {
        let sql = "SELECT fingerprint FROM older_fingerprints WHERE order_key = $1";
        let rows = self.session()?.query(sql, &[&order.get()])?;
        rows.iter()
            .map(|row| Ok(Fingerprint::from_number(get::<i64>(row, 0)?.cast_unsigned())))
            .collect()
    }

    fn older_fingerprints_of(&mut self, orders: &[OrderRecord]) -> Result<Vec<Vec<Fingerprint>>, Error> {
        let sql = "SELECT order_key, fingerprint FROM older_fingerprints WHERE order_key = ANY($1)";
        let mut of_order: HashMap<i64, Vec<Fingerprint>> = HashMap::new();
        for row in self.session()?.query(sql, &[&keys_of(orders)])? {
            let fingerprint = Fingerprint::from_number(get::<i64>(&row, 1)?.cast_unsigned());
            of_order.entry(get(&row, 0)?).or_default().push(fingerprint);
        }
        let of = |order: &OrderRecord| of_order.remove(&order.head.order.get()).unwrap_or_default();
        Ok(orders.iter().map(of).collect())
    }

    fn dead_letter(&mut self, id: DeadLetterId) -> Result<Option<KeptDeadLetter>, Error> {
        dead_letters::find(self.session()?, id)
    }

    fn dead_letters(
        &mut self,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<KeptDeadLetter>, Error> {
        dead_letters::before(self.session()?, before, page(limit))
    }

    fn list_orders(&mut self, filter: &OrderFilter, offset: u64, limit: u32) -> Result<OrderList, Error> {
        lists::list(self.session()?, filter, offset, limit.min(MAX_PAGE))
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
        receipts::batch(self.session()?, batch_id)
    }

    fn batch_receipts_of(&mut self, actor: PartyId) -> Result<u64, Error> {
        receipts::count_of(self.session()?, actor)
    }

    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error> {
        users::find(self.session()?, user)
    }

    fn users(&mut self, after: &str, limit: u32) -> Result<Vec<User>, Error> {
        users::after(self.session()?, after, page(limit))
    }

    fn api_key(&mut self, secret_hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        api_keys::by_secret(self.session()?, secret_hash)
    }

    fn api_key_of_id(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error> {
        api_keys::by_id(self.session()?, key_id)
    }

    fn api_keys(&mut self, before: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, Error> {
        api_keys::before(self.session()?, before, page(limit))
    }

    fn is_token_revoked(&mut self, token_id: &str) -> Result<bool, Error> {
        api_keys::is_token_revoked(self.session()?, token_id)
    }

    fn audit(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        audit::before(self.session()?, before, page(limit))
    }

    fn due(&mut self, by: Timestamp, limit: u32) -> Result<Vec<(OrderKey, Timestamp)>, Error> {
        due::by(self.session()?, by, limit)
    }

    fn status_counts(&mut self) -> Result<Vec<StatusCount>, Error> {
        counts::statuses(self.session()?)
    }

    fn block_counts(&mut self, after: Option<&BlockCount>, limit: u32) -> Result<Vec<BlockCount>, Error> {
        counts::blocks(self.session()?, after, page(limit))
    }

    fn miscounted_dead_letters(&mut self, limit: u32) -> Result<Vec<Miscount>, Error> {
        dead_letters::miscounted(self.unbounded()?, page(limit))
    }

    fn miscounted_batch_receipts(&mut self, limit: u32) -> Result<Vec<Miscount>, Error> {
        receipts::miscounted(self.unbounded()?, page(limit))
    }

    fn party(&mut self, kind: PartyKind, name: &str) -> Result<Option<PartyId>, Error> {
        parties::number(self.session()?, kind, name)
    }

    fn party_name(&mut self, party: PartyId) -> Result<Option<String>, Error> {
        parties::name(self.session()?, party)
    }

    fn lifecycles_stored(&mut self) -> Result<usize, Error> {
        lifecycles::stored(self.session()?)
    }

    fn last_position(&mut self) -> Result<Position, Error> {
        log::last_position(self.session()?)
    }

    fn totals(&mut self) -> Result<Totals, Error> {
        log::totals(self.session()?)
    }

    fn shared_time(&mut self) -> Result<Option<Timestamp>, Error> {
        clock::beginning(self.session()?).map(Some)
    }

    fn unpaired_orders(&mut self, limit: u32) -> Result<Vec<OrderKey>, Error> {
        integrity::unpaired_orders(self.unbounded()?, page(limit))
    }

    fn named_states(&mut self) -> Result<Vec<NamedState>, Error> {
        lifecycles::named_states(self.session()?)
    }

    fn integrity_problems(&mut self) -> Result<Vec<String>, Error> {
        integrity::problems(self.unbounded()?)
    }
}

impl Pages for PostgresReader<'_> {
    fn last_key(&mut self) -> Result<i64, Error> {
        pages::last_key(self.session()?)
    }

    fn created_at(&mut self, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error> {
        pages::created_at(self.session()?, keys)
    }

    fn blocks(&mut self, statuses: &Statuses, blocks: Keys) -> Result<BTreeMap<i64, u64>, Error> {
        pages::blocks(self.session()?, statuses, blocks)
    }

    fn walk(&mut self, wanted: &Wanted<'_>, keys: Keys, most: usize, scan: u32) -> Result<Walked, Error> {
        pages::walk(self.session()?, wanted, keys, (most, scan))
    }

    fn records(&mut self, keys: &[i64]) -> Result<Vec<OrderRecord>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = order_select!("WHERE o.order_key = ANY($1) ORDER BY o.order_key DESC");
        let rows = self.session()?.query(sql, &[&keys])?;
        if rows.len() != keys.len() {
            return Err(Error::damaged("an order of a page has no head"));
        }
        rows.iter().map(order_from_row).collect()
    }
}

impl<'a> PostgresReader<'a> {
    pub(super) const fn new(session: &'a mut Session, ends_at: Instant) -> Self {
        Self {
            session,
            ends_at: Some(ends_at),
        }
    }

    /// The session, if there is time left. The server looks at the clock while it works, not between two short statements
    /// of a job that dawdles.
    fn session(&mut self) -> Result<&mut Session, Error> {
        match self.ends_at {
            Some(ends_at) if Instant::now() > ends_at => Err(Error::ReadTooLong),
            Some(_) | None => Ok(self.session),
        }
    }

    /// The session, for reading whole tables: nobody waits.
    fn unbounded(&mut self) -> Result<&mut Session, Error> {
        self.ends_at = None;
        self.session.batch(READ_WHOLE_TABLES)?;
        self.session.set_patience(WHOLE_TABLE);
        Ok(self.session)
    }
}

fn page(limit: u32) -> i64 {
    i64::from(limit.min(MAX_PAGE))
}

fn keys_of(orders: &[OrderRecord]) -> Vec<i64> {
    orders.iter().map(|order| order.head.order.get()).collect()
}

const fn check_kept(order: &OrderRecord) -> Result<(), Error> {
    if order.placement.is_archived {
        Err(Error::Archived)
    } else {
        Ok(())
    }
}

fn order_from_row(row: &Row) -> Result<OrderRecord, Error> {
    let head = head_from_row(row)?;
    let placement = placement_from_row(row, HEAD_COLUMNS, &head)?;
    let written_once = HEAD_COLUMNS + PLACEMENT_COLUMNS;
    Ok(OrderRecord {
        public_id: PublicId::new(get(row, written_once)?)
            .map_err(|error| Error::damaged(error.to_string()))?,
        reference: optional_text_of_bytes(row, written_once + 1)?,
        created_at: Timestamp::from_nanos(get(row, written_once + 2)?),
        details: sealed(row, written_once + 3)?,
        head,
        placement,
    })
}
