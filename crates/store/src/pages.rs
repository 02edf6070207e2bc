//! Pages of orders by falling key: what both databases do about them alike. See `docs/adr/0014-lists-without-a-mutable-index.md`.
//!
//! One index is walked downwards, the one that narrows most, and what else is asked for is looked up of each order on the way. Where nobody's
//! orders in particular are wanted, blocks of keys without a wanted status are passed over. Times are turned into keys first: keys
//! grow with creation, but for what [`CREATION_SLACK`] allows.

use std::collections::{BTreeMap, BTreeSet};

use model::StateId;
use model::command::Scope;
use model::ids::{LifecycleId, OrderKey, PartyId};
use model::time::{Span, Timestamp};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::limits::{BLOCK_ORDERS, CREATION_PROBES, CREATION_SLACK, MAX_PAGE, PAGE_SCAN};
use crate::records::{OrderPage, OrderRecord, PageFilter};

/// Makes of a contact the number by which its orders are found. It is keyed, so that a stolen database does not tell whether
/// somebody is in it.
pub(crate) struct ContactHasher(Sha256);

impl ContactHasher {
    pub(crate) fn new(event_id_key: &[u8; 16]) -> Self {
        Self(Sha256::new_with_prefix(event_id_key))
    }

    pub(crate) fn hash(&self, contact: &str) -> i64 {
        let digest: [u8; 32] = self.0.clone().chain_update(contact).finalize().into();
        digest.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
    }
}

/// Which index is walked.
#[derive(Clone, Copy)]
pub(crate) enum Walk<'a> {
    /// That of all orders.
    All,
    /// That of a client's.
    Client(PartyId),
    /// That of a customer's.
    Customer(PartyId),
    /// Those of references and of contacts, side by side.
    Reference(&'a str),
}

/// What is asked of an order.
pub(crate) struct Wanted<'a> {
    pub(crate) walk: Walk<'a>,
    pub(crate) client: Option<PartyId>,
    pub(crate) customer: Option<PartyId>,
    /// `None`: any.
    pub(crate) statuses: Option<BTreeSet<(LifecycleId, StateId)>>,
    pub(crate) created_from: Timestamp,
    pub(crate) created_to: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    /// `None`: no order can be.
    fn of(filter: &'a PageFilter) -> Option<Self> {
        let (mut client, mut customer) = (filter.client, None);
        match filter.owner {
            Scope::All => {}
            Scope::Client(PartyId::NOBODY) | Scope::Customer(PartyId::NOBODY) => return None,
            Scope::Client(owner) => {
                if client.is_some_and(|client| client != owner) {
                    return None;
                }
                client = Some(owner);
            }
            Scope::Customer(owner) => customer = Some(owner),
        }
        if filter.statuses.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let walk = match (&filter.reference, customer, client) {
            (Some(reference), ..) => Walk::Reference(reference),
            (None, Some(customer), _) => Walk::Customer(customer),
            (None, None, Some(client)) => Walk::Client(client),
            (None, None, None) => Walk::All,
        };
        Some(Self {
            walk,
            client,
            customer,
            statuses: filter
                .statuses
                .as_ref()
                .map(|statuses| statuses.iter().copied().collect()),
            created_from: filter.created_from.unwrap_or(Timestamp::from_nanos(i64::MIN)),
            created_to: filter.created_to,
        })
    }
}

/// Keys, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// What a walk came to.
pub(crate) struct Walked {
    /// Of wanted orders, falling.
    pub(crate) keys: Vec<i64>,
    /// How many orders were looked at, or might have been.
    pub(crate) scanned: u32,
    /// The last one looked at, if the walk ended there because it may not look at more.
    pub(crate) ended_at: Option<i64>,
}

/// What a database does for a page, in the transaction of one reader.
pub(crate) trait Pages {
    /// The highest key, 0 if there is none.
    fn last_key(&mut self) -> Result<i64, Error>;

    /// When the first order at each of these keys or after it was made; `None` where there is none.
    fn created_at(&mut self, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error>;

    /// The blocks between two that hold orders of one of the statuses, with how many.
    fn blocks(
        &mut self,
        statuses: &BTreeSet<(LifecycleId, StateId)>,
        blocks: Keys,
    ) -> Result<BTreeMap<i64, u64>, Error>;

    /// Walks down some keys until so many wanted orders are found or so many orders were looked at.
    fn walk(&mut self, wanted: &Wanted<'_>, keys: Keys, most: usize, scan: u32) -> Result<Walked, Error>;

    /// The orders of these keys, in this order.
    fn records(&mut self, keys: &[i64]) -> Result<Vec<OrderRecord>, Error>;
}

/// See [`Reader::page_orders`](crate::Reader::page_orders).
pub(crate) fn page(
    database: &mut dyn Pages,
    filter: &PageFilter,
    before: Option<OrderKey>,
    limit: u32,
) -> Result<OrderPage, Error> {
    let nothing = OrderPage {
        orders: Vec::new(),
        next: None,
    };
    let Some(wanted) = Wanted::of(filter) else {
        return Ok(nothing);
    };
    let Some(range) = range(database, &wanted, before)? else {
        return Ok(nothing);
    };
    let limit = usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(usize::MAX);
    let (mut keys, mut next, mut scan) = (Vec::new(), None, PAGE_SCAN);
    for (stretch, orders) in stretches(database, &wanted, range)? {
        if scan == 0 {
            next = Some(stretch.last.saturating_add(1));
            break;
        }
        // One more than the page has tells whether there is another page.
        let most = (limit + 1 - keys.len()).min(orders);
        let walked = database.walk(&wanted, stretch, most, scan)?;
        keys.extend(walked.keys);
        if keys.len() > limit {
            keys.truncate(limit);
            next = keys.last().copied();
            break;
        }
        if let Some(ended_at) = walked.ended_at {
            next = (ended_at > range.first).then_some(ended_at);
            break;
        }
        scan = scan.saturating_sub(walked.scanned);
    }
    Ok(OrderPage {
        orders: database.records(&keys)?,
        next: next.map(OrderKey::new),
    })
}

/// The keys that a wanted order can have; `None` if none can.
fn range(
    database: &mut dyn Pages,
    wanted: &Wanted<'_>,
    before: Option<OrderKey>,
) -> Result<Option<Keys>, Error> {
    let highest = database.last_key()?;
    let last = before.map_or(highest, |before| before.get().saturating_sub(1).min(highest));
    let mut range = Keys { first: 1, last };
    let slack = CREATION_SLACK.as_nanos();
    let from = wanted.created_from.as_nanos();
    if from > i64::MIN {
        let since = Timestamp::from_nanos(from.saturating_sub(slack));
        range.first = first_key_since(database, since, highest)?;
    }
    if let Some(to) = wanted.created_to {
        let since = to + Span::from_nanos(slack);
        range.last = range.last.min(first_key_since(database, since, highest)? - 1);
    }
    Ok((range.first <= range.last).then_some(range))
}

/// The key behind an order made before a time, with the next order after it made then or later. Should creations be out of the order of
/// keys, there may be several such.
fn first_key_since(database: &mut dyn Pages, since: Timestamp, highest: i64) -> Result<i64, Error> {
    // Of the key at `before` the next order was made before, of the one at `since_then` later, or there is none.
    let (mut before, mut since_then) = (0, highest.saturating_add(1));
    while since_then - before > 1 {
        let probes = probes(before, since_then);
        let made = database.created_at(&probes)?;
        for (key, made) in probes.into_iter().zip(made) {
            if made.is_none_or(|made| made >= since) {
                since_then = key;
                break;
            }
            before = key;
        }
    }
    Ok(since_then)
}

/// Keys between two, evenly apart: at least one, as there is one.
fn probes(after: i64, before: i64) -> Vec<i64> {
    let step = (before - after) / (CREATION_PROBES + 1);
    let step = step.max(1);
    (1..=CREATION_PROBES)
        .map(|number| after.saturating_add(number.saturating_mul(step)))
        .take_while(|key| *key < before)
        .collect()
}

/// What is to be walked, falling, and how many wanted orders each has at most.
fn stretches(
    database: &mut dyn Pages,
    wanted: &Wanted<'_>,
    range: Keys,
) -> Result<Vec<(Keys, usize)>, Error> {
    let (Walk::All, Some(statuses)) = (wanted.walk, &wanted.statuses) else {
        return Ok(vec![(range, usize::MAX)]);
    };
    let blocks = Keys {
        first: range.first.div_euclid(BLOCK_ORDERS),
        last: range.last.div_euclid(BLOCK_ORDERS),
    };
    let blocks = database.blocks(statuses, blocks)?;
    let stretch = |(block, orders): (i64, u64)| {
        let first = block.saturating_mul(BLOCK_ORDERS);
        let keys = Keys {
            first: first.max(range.first),
            last: first.saturating_add(BLOCK_ORDERS - 1).min(range.last),
        };
        (keys, usize::try_from(orders).unwrap_or(usize::MAX))
    };
    Ok(blocks.into_iter().rev().map(stretch).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders made at these times, in the order of their keys; key 3 is nobody's.
    struct Made(Vec<(i64, i64)>);

    impl Pages for Made {
        fn last_key(&mut self) -> Result<i64, Error> {
            Ok(self.0.last().map_or(0, |(key, _)| *key))
        }

        fn created_at(&mut self, keys: &[i64]) -> Result<Vec<Option<Timestamp>>, Error> {
            let at = |key: &i64| self.0.iter().find(|(made, _)| made >= key).map(|(_, at)| *at);
            Ok(keys
                .iter()
                .map(|key| at(key).map(Timestamp::from_nanos))
                .collect())
        }

        fn blocks(
            &mut self,
            _: &BTreeSet<(LifecycleId, StateId)>,
            _: Keys,
        ) -> Result<BTreeMap<i64, u64>, Error> {
            Ok(BTreeMap::new())
        }

        fn walk(&mut self, _: &Wanted<'_>, _: Keys, _: usize, _: u32) -> Result<Walked, Error> {
            Err(Error::damaged("not walked"))
        }

        fn records(&mut self, _: &[i64]) -> Result<Vec<OrderRecord>, Error> {
            Err(Error::damaged("not read"))
        }
    }

    #[test]
    fn the_first_key_since_a_time_is_found_in_any_number_of_orders() {
        for orders in [0, 1, 2, 62, 63, 64, 65, 66, 5_000] {
            let keys = (1..=orders).filter(|key| *key != 3);
            let mut made = Made(keys.map(|key| (key, key * 10)).collect());
            let highest = made.last_key().unwrap();
            for wanted in [1, 2, 4, orders / 2 + 5, orders, orders + 1] {
                let expected = (1..=highest).find(|key| *key >= wanted && *key != 3);
                let since = Timestamp::from_nanos(wanted * 10);
                let found = first_key_since(&mut made, since, highest).unwrap();
                let next = made.0.iter().find(|(key, _)| *key >= found).map(|(key, _)| *key);
                assert_eq!(next, expected, "{wanted} of {orders}");
            }
        }
    }
}
