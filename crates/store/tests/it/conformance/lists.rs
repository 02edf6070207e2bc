//! Lists of orders by status and client.

use model::StateId;
use model::command::OrderRef;
use model::ids::{LifecycleId, OrderKey, PartyId};
use store::limits::BLOCK_ORDERS;
use store::{ListedOrder, OrderFilter, OrderList, Store};

use crate::backend::Backend;
use crate::orders::{Clerk, Rules, Wish, created, created_for, reported};

/// Three blocks: two whole ones (but for key 0, which nobody has) and the beginning of a third.
const ORDERS: i64 = 2 * BLOCK_ORDERS + 300;

fn status(rules: &Rules, lifecycle: &str, name: &str) -> (LifecycleId, StateId) {
    let stored = rules.lifecycle(lifecycle);
    (stored.id, stored.lifecycle.state_named(name).unwrap())
}

/// Orders of three clients, every fifth a meal; of the parcels some were picked up, none of them in the middle block, and those next
/// to the blocks' borders are in transit.
fn three_blocks(clerk: &mut Clerk) {
    let wishes: Vec<Wish> = (1..=ORDERS)
        .map(|key| {
            let lifecycle = if key % 5 == 0 { "food" } else { "parcel" };
            let client = u32::try_from(key % 3).unwrap() + 1;
            created_for(&format!("A-{key}"), lifecycle, client)
        })
        .collect();
    clerk.write(&wishes);
    let reported = |key: i64, status: &'static str| Wish::Report {
        order: OrderRef::Key(OrderKey::new(key)),
        status,
        notes: None,
    };
    let middle = BLOCK_ORDERS..2 * BLOCK_ORDERS;
    let wishes: Vec<Wish> = (1..=ORDERS)
        .filter(|key| key % 5 != 0 && key % 13 == 0 && !middle.contains(key))
        .map(|key| reported(key, "picked_up"))
        .collect();
    clerk.write(&wishes);
    let borders = [
        BLOCK_ORDERS - 2,
        BLOCK_ORDERS,
        2 * BLOCK_ORDERS - 1,
        2 * BLOCK_ORDERS,
    ];
    for key in borders {
        assert!(
            key % 5 != 0 && key % 13 != 0,
            "{key} is a parcel not yet picked up"
        );
        clerk.write(&[reported(key, "picked_up"), reported(key, "in_transit")]);
    }
}

/// Every order there is, newest first, as a list would show it.
fn all(store: &dyn Store) -> Vec<ListedOrder> {
    let mut all = Vec::new();
    let mut after = OrderKey::new(0);
    loop {
        let page = store.reading(|reader| reader.orders(after, 1_000)).unwrap();
        let Some(last) = page.last() else { break };
        after = last.head.order;
        all.extend(page.into_iter().map(|order| ListedOrder {
            order: order.head.order,
            public_id: order.public_id,
            owner: order.head.owner,
            lifecycle: order.head.lifecycle,
            status: order.head.status,
            version: order.head.version,
            created_at: order.created_at,
            updated_at: order.head.recorded_at,
        }));
    }
    all.reverse();
    all
}

/// Where pages begin: at both ends, and about where a block's orders do.
fn offsets(wanted: &[ListedOrder]) -> Vec<usize> {
    let mut offsets = vec![0, 1, wanted.len() / 2, wanted.len(), wanted.len() + 5];
    offsets.push(wanted.len().saturating_sub(1));
    for border in [BLOCK_ORDERS, 2 * BLOCK_ORDERS] {
        let above = wanted
            .iter()
            .filter(|listed| listed.order.get() >= border)
            .count();
        offsets.extend([above.saturating_sub(1), above, above + 1]);
    }
    offsets
}

pub(super) fn pages_are_those_of_a_naive_filter(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    three_blocks(&mut clerk);
    let parcel = |name| status(&clerk.rules, "parcel", name);
    let meal = status(&clerk.rules, "food", "PLACED");
    let filters = [
        vec![parcel("created")],
        vec![parcel("picked_up")],
        vec![parcel("in_transit")],
        vec![parcel("delivered")],
        vec![parcel("in_transit"), parcel("picked_up"), parcel("delivered")],
        vec![meal],
        vec![meal, parcel("picked_up"), meal],
        vec![parcel("created"), parcel("picked_up"), parcel("in_transit"), meal],
    ];
    let all = all(&*store);
    assert_eq!(i64::try_from(all.len()).unwrap(), ORDERS);
    for statuses in &filters {
        for client in [None, Some(1), Some(3), Some(9)].map(|client| client.map(PartyId::new)) {
            let wanted: Vec<ListedOrder> = all
                .iter()
                .filter(|listed| statuses.contains(&(listed.lifecycle, listed.status)))
                .filter(|listed| client.is_none_or(|client| listed.owner.client == client))
                .cloned()
                .collect();
            let filter = OrderFilter {
                statuses: statuses.clone(),
                client,
            };
            for offset in offsets(&wanted) {
                for limit in [0, 1, 60] {
                    let expected = OrderList {
                        total: u64::try_from(wanted.len()).unwrap(),
                        orders: wanted.iter().skip(offset).take(limit).cloned().collect(),
                    };
                    let (offset, limit) = (u64::try_from(offset).unwrap(), u32::try_from(limit).unwrap());
                    let found = store.reading(|reader| reader.list_orders(&filter, offset, limit));
                    assert!(found.unwrap() == expected, "{filter:?} from {offset}, {limit}");
                }
            }
        }
    }
}

pub(super) fn an_empty_filter_lists_nothing(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1")]);
    for client in [None, Some(PartyId::new(1))] {
        let filter = OrderFilter {
            statuses: Vec::new(),
            client,
        };
        let found = store.reading(|reader| reader.list_orders(&filter, 0, 10));
        let nothing = OrderList {
            total: 0,
            orders: Vec::new(),
        };
        assert_eq!(found.unwrap(), nothing);
    }
}

pub(super) fn a_list_follows_every_change_of_status(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let statuses = ["created", "picked_up", "in_transit"].map(|name| status(&clerk.rules, "parcel", name));
    let listed_for = |client| {
        statuses.map(|status| {
            let filter = OrderFilter {
                statuses: vec![status],
                client,
            };
            let list = store
                .reading(|reader| reader.list_orders(&filter, 0, 10))
                .unwrap();
            let keys: Vec<i64> = list.orders.iter().map(|listed| listed.order.get()).collect();
            assert_eq!(u64::try_from(keys.len()).unwrap(), list.total);
            keys
        })
    };
    let listed = || {
        let listed = listed_for(None);
        assert_eq!(listed_for(Some(PartyId::new(1))), listed, "all are of client 1");
        listed
    };
    assert_eq!(listed(), [vec![], vec![], vec![]]);
    clerk.write(&[created("A-1"), created("A-2"), created("A-3")]);
    assert_eq!(listed(), [vec![3, 2, 1], vec![], vec![]]);
    clerk.write(&[reported("A-2", "picked_up"), reported("A-1", "picked_up")]);
    assert_eq!(listed(), [vec![3], vec![2, 1], vec![]]);
    clerk.write(&[reported("A-2", "in_transit"), created("A-4")]);
    assert_eq!(listed(), [vec![4, 3], vec![1], vec![2]]);
    clerk.write(&[
        reported("A-1", "in_transit"),
        reported("A-1", "delivered"),
        reported("A-2", "cancelled"),
    ]);
    assert_eq!(listed(), [vec![4, 3], vec![], vec![]]);
}
