//! What a partition holds, page by page, as of the instant of the plan.

use std::collections::HashMap;

use model::ids::{OrderKey, Position};
use model::time::Timestamp;
use tokio_postgres::Row;

use super::super::convert::{bytes, get, optional_text_of_bytes, unsigned};
use super::super::statements::{ENTRY_COLUMNS, entry_columns, entry_from_row};
use super::plan::public_id;
use super::{ArchivedCommit, ArchivedOrder, Archiver, Partition};
use crate::error::Error;
use crate::limits::{ARCHIVED_ENTRIES, MAX_PAGE};
use crate::records::{CommitId, CommitRecord};

impl Archiver {
    /// The next orders after one, by rising key, each with all its entries in the partition. None: there are no more.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn orders_after(
        &mut self,
        partition: &Partition,
        after: OrderKey,
    ) -> Result<Vec<ArchivedOrder>, Error> {
        let sql = concat!(
            "SELECT ",
            entry_columns!(),
            ", e.place FROM entries e WHERE e.place >= $1 AND e.place < $2 AND e.order_key > $3 \
             ORDER BY e.order_key, e.version LIMIT $4"
        );
        let limit = i64::from(ARCHIVED_ENTRIES);
        let bounds = (partition.first_place, partition.places_end);
        let rows = self
            .session
            .query(sql, &[&bounds.0, &bounds.1, &after.get(), &limit])?;
        let mut orders: Vec<ArchivedOrder> = Vec::new();
        let keys = keys(&rows)?;
        let mut known = self.known(&keys)?;
        for row in &rows {
            let (entry, place) = (entry_from_row(row)?, get(row, ENTRY_COLUMNS)?);
            if orders.last().is_none_or(|last| last.order != entry.order) {
                let order = known.remove(&entry.order.get());
                let what = || Error::damaged(format!("order {} has entries and no row", entry.order));
                orders.push(order.ok_or_else(what)?);
            }
            if let Some(last) = orders.last_mut() {
                last.entries.push((place, entry));
            }
        }
        // The last one may go on behind the page. No order has as many entries as a page.
        if rows.len() == usize::try_from(ARCHIVED_ENTRIES).unwrap_or(usize::MAX) {
            orders.pop();
        }
        Ok(orders)
    }

    /// The next commits after one that have entries in the partition, by rising number. None: there are no more.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn commits_after(
        &mut self,
        partition: &Partition,
        after: CommitId,
    ) -> Result<Vec<ArchivedCommit>, Error> {
        let sql = "SELECT c.commit_id, c.writer, c.number, c.committed_at, c.first_position, c.entries, c.digest, c.first_place, c.node, \
                   p.digest FROM commits c LEFT JOIN commits p ON p.writer = c.writer AND p.number = c.number - 1 \
                   WHERE c.commit_id > $1 AND c.first_place < $3 AND c.first_place + c.entries > $2 ORDER BY c.commit_id LIMIT $4";
        let bounds = (partition.first_place, partition.places_end);
        let limit = i64::from(MAX_PAGE);
        let rows = self
            .session
            .query(sql, &[&after.0, &bounds.0, &bounds.1, &limit])?;
        rows.iter().map(commit_from_row).collect()
    }

    /// Orders by their keys, without entries yet.
    fn known(&mut self, keys: &[i64]) -> Result<HashMap<i64, ArchivedOrder>, Error> {
        let sql = "SELECT o.order_key, o.public_id, o.lifecycle_id, o.created_at, c.name, k.name FROM order_identities o \
                   LEFT JOIN parties c ON c.party_id = o.client_id LEFT JOIN parties k ON k.party_id = o.customer_id \
                   WHERE o.order_key = ANY($1)";
        let mut orders = HashMap::with_capacity(keys.len());
        for row in self.session.query(sql, &[&keys])? {
            let number: i32 = get(&row, 2)?;
            let lifecycle = self.lifecycles.iter().find(|(id, ..)| *id == number);
            let (_, name, version) = lifecycle
                .ok_or_else(|| Error::damaged(format!("an order has the unknown lifecycle {number}")))?;
            let order = ArchivedOrder {
                order: OrderKey::new(get(&row, 0)?),
                public_id: public_id(get(&row, 1)?)?,
                lifecycle: name.clone(),
                lifecycle_version: *version,
                client: optional_text_of_bytes(&row, 4)?,
                customer: optional_text_of_bytes(&row, 5)?,
                created_at: Timestamp::from_nanos(get(&row, 3)?),
                entries: Vec::new(),
            };
            orders.insert(order.order.get(), order);
        }
        Ok(orders)
    }
}

fn keys(rows: &[Row]) -> Result<Vec<i64>, Error> {
    let mut keys: Vec<i64> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    keys.dedup();
    Ok(keys)
}

fn commit_from_row(row: &Row) -> Result<ArchivedCommit, Error> {
    let previous: Option<&[u8]> = get(row, 9)?;
    let entries = unsigned(row, 5, "entries of a commit")?;
    Ok(ArchivedCommit {
        commit: CommitRecord {
            commit: CommitId(get(row, 0)?),
            writer: unsigned(row, 1, "writer")?,
            number: CommitId(get(row, 2)?),
            at: Timestamp::from_nanos(get(row, 3)?),
            first_position: Position::new(get(row, 4)?),
            entries,
            archived_entries: 0,
            digest: bytes(row, 6)?,
        },
        first_place: get(row, 7)?,
        node: get(row, 8)?,
        previous_digest: previous.map(|_| bytes(row, 9)).transpose()?,
    })
}
