//! Pages of orders by key.

use model::StateId;
use model::command::Scope;
use model::ids::{LifecycleId, OrderKey, Owner, PartyId};
use model::time::{Span, Timestamp};
use store::limits::{BLOCK_ORDERS, PAGE_SCAN};
use store::{OrderPage, OrderRecord, PageFilter, Store};

use crate::backend::Backend;
use crate::orders::{Clerk, Wish, created, id, reported};

const ANY: PageFilter = PageFilter {
    owner: Scope::All,
    client: None,
    reference: None,
    statuses: None,
    created_from: None,
    created_to: None,
};

fn page(store: &dyn Store, filter: &PageFilter, before: Option<OrderKey>, limit: u32) -> OrderPage {
    store
        .reading(|reader| reader.page_orders(filter, before, limit))
        .unwrap()
}

fn keys(orders: &[OrderRecord]) -> Vec<i64> {
    orders.iter().map(|order| order.head.order.get()).collect()
}

/// All pages, one after the other, and how many there were.
fn walked(store: &dyn Store, filter: &PageFilter, limit: u32) -> (Vec<i64>, usize) {
    let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = page(store, filter, before, limit);
        assert!(page.orders.len() <= usize::try_from(limit).unwrap());
        found.extend(keys(&page.orders));
        pages += 1;
        assert!(
            page.next
                .is_none_or(|next| before.is_none_or(|before| next < before))
        );
        before = page.next;
        if before.is_none() {
            return (found, pages);
        }
    }
}

fn all(store: &dyn Store) -> Vec<OrderRecord> {
    let (mut all, mut after) = (Vec::new(), OrderKey::new(0));
    loop {
        let page = store.reading(|reader| reader.orders(after, 1_000)).unwrap();
        let Some(last) = page.last() else { break };
        after = last.head.order;
        all.extend(page);
    }
    all.reverse();
    all
}

fn status(clerk: &Clerk, lifecycle: &str, name: &str) -> (LifecycleId, StateId) {
    let stored = clerk.rules.lifecycle(lifecycle);
    (stored.id, stored.lifecycle.state_named(name).unwrap())
}

fn of(
    lifecycle: &'static str,
    key: i64,
    (client, customer): (u32, u32),
    contact: Option<&'static str>,
) -> Wish {
    Wish::Create {
        id: id(&format!("A-{key}")),
        lifecycle,
        owner: Owner {
            client: PartyId::new(client),
            customer: PartyId::new(customer),
            ..Owner::default()
        },
        contact,
        details: None,
    }
}

const CONTACTS: [&str; 3] = ["ana@example.com", "+1 555 0100", "ref\0A-77"];

/// Two blocks and the beginning of a third, made on three days: clients 1 to 3, customers 0 to 6, three contacts. The middle block has no
/// parcel that was picked up.
fn three_days(clerk: &mut Clerk) {
    for keys in [1..3_000, 3_000..6_000, 6_000..2 * BLOCK_ORDERS + 300] {
        let wishes: Vec<Wish> = keys
            .map(|key| {
                let number = |of: i64| u32::try_from(key % of).unwrap();
                let contact = CONTACTS.get(usize::try_from(key % 1_000).unwrap()).copied();
                let lifecycle = if key % 5 == 0 { "food" } else { "parcel" };
                of(lifecycle, key, (number(3) + 1, number(7)), contact)
            })
            .collect();
        clerk.write(&wishes);
        clerk.rules.now = clerk.rules.now + Span::from_seconds(24 * 3_600);
    }
    let moved = [1, 7, 4_091, 8_192, 8_203, 8_401];
    let wishes: Vec<Wish> = moved.map(|key| reported(&format!("A-{key}"), "picked_up")).into();
    clerk.write(&wishes);
}

fn is_wanted(filter: &PageFilter, order: &OrderRecord) -> bool {
    let Owner { client, customer, .. } = order.head.owner;
    let contact = CONTACTS.get(usize::try_from(order.head.order.get() % 1_000).unwrap());
    let owned = match filter.owner {
        Scope::All => true,
        Scope::Client(owner) => client == owner,
        Scope::Customer(owner) => customer == owner && owner != PartyId::NOBODY,
    };
    let reference = filter.reference.as_ref();
    let status = (order.head.lifecycle, order.head.status);
    owned
        && filter.client.is_none_or(|wanted| client == wanted)
        && reference
            .is_none_or(|wanted| order.reference.as_ref() == Some(wanted) || contact == Some(&&**wanted))
        && filter
            .statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&status))
        && filter.created_from.is_none_or(|from| order.created_at >= from)
        && filter.created_to.is_none_or(|to| order.created_at < to)
}

pub(super) fn pages_by_key_are_those_of_a_naive_filter(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    three_days(&mut clerk);
    let all = all(&*store);
    let (one, three) = (PartyId::new(1), PartyId::new(3));
    let owners = [
        Scope::All,
        Scope::Client(one),
        Scope::Client(PartyId::NOBODY),
        Scope::Customer(three),
        Scope::Customer(PartyId::NOBODY),
        Scope::Customer(PartyId::new(9)),
    ];
    let picked_up = status(&clerk, "parcel", "picked_up");
    let statuses = [
        None,
        Some(Vec::new()),
        Some(vec![picked_up]),
        Some(vec![
            picked_up,
            status(&clerk, "food", "PLACED"),
            status(&clerk, "parcel", "delivered"),
        ]),
    ];
    let references = [None, Some(CONTACTS[0]), Some(CONTACTS[2]), Some("nobody's")];
    for owner in owners {
        for client in [None, Some(one), Some(three)] {
            for statuses in &statuses {
                for reference in references {
                    let filter = PageFilter {
                        owner,
                        client,
                        reference: reference.map(Into::into),
                        statuses: statuses.clone(),
                        ..ANY
                    };
                    let wanted: Vec<i64> = all
                        .iter()
                        .filter(|order| is_wanted(&filter, order))
                        .map(|order| order.head.order.get())
                        .collect();
                    assert!(walked(&*store, &filter, 300).0 == wanted, "{filter:?}");
                }
            }
        }
    }
}

pub(super) fn pages_of_a_time_have_the_first_instant_and_not_the_last(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    three_days(&mut clerk);
    let all = all(&*store);
    let made_at = |key: i64| {
        let found = all.iter().find(|order| order.head.order.get() == key);
        found.unwrap().created_at
    };
    let later = |at: Timestamp| at + Span::from_nanos(1);
    let times = [
        (Some(made_at(3_000)), None),
        (Some(later(made_at(3_000))), Some(made_at(6_000))),
        (Some(made_at(2_999)), Some(later(made_at(6_000)))),
        (Some(made_at(1)), Some(made_at(1))),
        (Some(made_at(1)), Some(later(made_at(1)))),
        (None, Some(made_at(1))),
        (None, Some(made_at(3_000))),
        (Some(later(made_at(2 * BLOCK_ORDERS + 299))), None),
        (Some(Timestamp::MAX), Some(Timestamp::from_nanos(0))),
    ];
    for owner in [Scope::All, Scope::Client(PartyId::new(2))] {
        for statuses in [None, Some(vec![status(&clerk, "food", "PLACED")])] {
            for (created_from, created_to) in times {
                let filter = PageFilter {
                    owner,
                    statuses: statuses.clone(),
                    created_from,
                    created_to,
                    ..ANY
                };
                let wanted: Vec<i64> = all
                    .iter()
                    .filter(|order| is_wanted(&filter, order))
                    .map(|order| order.head.order.get())
                    .collect();
                assert!(walked(&*store, &filter, 500).0 == wanted, "{filter:?}");
            }
        }
    }
}

pub(super) fn pages_are_in_step_while_orders_are_made_and_move(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&["A-1", "A-2", "A-3", "A-4", "A-5"].map(created));
    let first = page(&*store, &ANY, None, 2);
    assert_eq!(
        (keys(&first.orders), first.next),
        (vec![5, 4], Some(OrderKey::new(4)))
    );
    clerk.write(&[created("A-6"), reported("A-3", "picked_up")]);
    let second = page(&*store, &ANY, first.next, 2);
    assert_eq!(keys(&second.orders), [3, 2]);
    let (lifecycle, picked_up) = status(&clerk, "parcel", "picked_up");
    let head = &second.orders[0].head;
    assert_eq!((head.lifecycle, head.status), (lifecycle, picked_up));
    clerk.write(&[created("A-7")]);
    let third = page(&*store, &ANY, second.next, 2);
    assert_eq!((keys(&third.orders), third.next), (vec![1], None));
    let again = page(&*store, &ANY, None, 2);
    assert_eq!(keys(&again.orders), [7, 6]);
    let of_moved = PageFilter {
        statuses: Some(vec![(lifecycle, picked_up)]),
        ..ANY
    };
    assert_eq!(walked(&*store, &of_moved, 2).0, [3]);
    clerk.write(&[reported("A-3", "in_transit")]);
    assert_eq!(walked(&*store, &of_moved, 2).0, [0; 0]);
}

pub(super) fn a_page_that_is_exactly_full_at_the_end_is_the_last(backend: &dyn Backend) {
    let store = backend.open();
    let nothing = page(&*store, &ANY, None, 2);
    assert_eq!((keys(&nothing.orders), nothing.next), (vec![], None));
    let mut clerk = Clerk::of(&*store);
    clerk.write(&["A-1", "A-2", "A-3", "A-4"].map(created));
    assert_eq!(walked(&*store, &ANY, 2), (vec![4, 3, 2, 1], 2));
    assert_eq!(page(&*store, &ANY, None, 4).next, None);
    let below = page(&*store, &ANY, Some(OrderKey::new(1)), 4);
    assert_eq!((keys(&below.orders), below.next), (vec![], None));
    let above = page(&*store, &ANY, Some(OrderKey::new(i64::MAX)), 4);
    assert_eq!(keys(&above.orders), [4, 3, 2, 1]);
}

pub(super) fn a_page_that_has_looked_at_enough_says_where_to_go_on(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    let last = i64::from(PAGE_SCAN) + 2_500;
    for from in (1..=last).step_by(4_000) {
        let wishes: Vec<Wish> = (from..=last.min(from + 3_999))
            .map(|key| of("parcel", key, (1, 1), None))
            .collect();
        clerk.write(&wishes);
    }
    clerk.write(&[reported("A-11", "picked_up")]);
    let picked_up = status(&clerk, "parcel", "picked_up");
    let food = status(&clerk, "food", "PLACED");
    let (client, customer) = (PartyId::new(1), PartyId::new(1));
    for owner in [Scope::Client(client), Scope::Customer(customer)] {
        let filter = |status| PageFilter {
            owner,
            statuses: Some(vec![status]),
            ..ANY
        };
        let first = page(&*store, &filter(picked_up), None, 10);
        let stopped_at = last + 1 - i64::from(PAGE_SCAN);
        assert_eq!(keys(&first.orders), [0; 0]);
        assert_eq!(first.next, Some(OrderKey::new(stopped_at)), "{owner:?}");
        let second = page(&*store, &filter(picked_up), first.next, 10);
        assert_eq!((keys(&second.orders), second.next), (vec![11], None));
        assert_eq!(walked(&*store, &filter(food), 10), (vec![], 2));
    }
    // Of nobody in particular: blocks without such an order are not looked into.
    let filter = PageFilter {
        statuses: Some(vec![picked_up]),
        ..ANY
    };
    assert_eq!(walked(&*store, &filter, 10), (vec![11], 1));
    // In every block there is one, just above its lower border: the bound lies within the last of them.
    let spread = ["A-4101", "A-8201", "A-12301"];
    clerk.write(&spread.map(|name| reported(name, "picked_up")));
    let (found, pages) = walked(&*store, &filter, 10);
    assert_eq!((found, pages), (vec![12_301, 8_201, 4_101, 11], 2));
}
