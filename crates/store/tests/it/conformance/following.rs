//! The log, of which only a part is wanted.

use model::ids::{OrderKey, PartyId, Position};
use store::limits::{FOLLOWED_ENTRIES, MAX_PAGE};
use store::{Interest, LogEntry, Store, Wanted};

use crate::backend::Backend;
use crate::orders::{Clerk, created, created_for, id, named, reported};

/// Orders of three clients, side by side, and a customer's.
fn fill(store: &dyn Store) {
    let mut clerk = Clerk::of(store);
    for round in 0..30 {
        let names: Vec<String> = (1..=3).map(|client| format!("{client}-{round}")).collect();
        for (client, name) in (1..).zip(&names) {
            clerk.write(&[created_for(name, "parcel", client)]);
        }
        let moved: Vec<_> = names.iter().map(|name| reported(name, "picked_up")).collect();
        clerk.write(&moved);
    }
}

fn interests(store: &dyn Store) -> Vec<Interest> {
    let order = |name: &str| {
        let found = store.reading(|reader| reader.order(&named(name))).unwrap();
        found.unwrap().head.order
    };
    let wanted = |wanted| Interest::Some(wanted);
    vec![
        Interest::All,
        wanted(Wanted::default()),
        wanted(Wanted {
            clients: [PartyId::new(2)].into_iter().collect(),
            ..Wanted::default()
        }),
        wanted(Wanted {
            orders: [order("1-3"), order("3-29"), OrderKey::new(1 << 40)]
                .into_iter()
                .collect(),
            clients: [PartyId::new(77)].into_iter().collect(),
            customers: [PartyId::new(1)].into_iter().collect(),
        }),
    ]
}

pub(super) fn what_is_wanted_comes_once_and_nothing_else_whatever_the_pages(backend: &dyn Backend) {
    let store = backend.open();
    fill(&*store);
    let log = store
        .reading(|reader| reader.log(Position::new(0), MAX_PAGE))
        .unwrap();
    assert_eq!(log.len(), 180);
    for interest in interests(&*store) {
        let wanted = log.iter().filter(|found| interest.covers(&found.entry));
        let wanted: Vec<&LogEntry> = wanted.collect();
        for limit in [1, 7, 50, 1_000] {
            let (mut at, mut given) = (Position::new(0), Vec::new());
            loop {
                let page = store
                    .reading(|reader| reader.log_of(at, limit, &interest))
                    .unwrap();
                assert!(page.through.get() <= at.get() + i64::from(limit));
                assert!(page.entries.iter().all(|found| found.position <= page.through));
                given.extend(page.entries);
                if page.through == at {
                    break;
                }
                at = page.through;
            }
            assert_eq!(at, Position::new(180), "{interest:?} by {limit}");
            assert_eq!(
                given.iter().collect::<Vec<_>>(),
                wanted,
                "{interest:?} by {limit}"
            );
        }
    }
}

pub(super) fn a_page_of_the_wanted_ends_where_it_has_as_many_as_it_may(backend: &dyn Backend) {
    let store = backend.open();
    let names: Vec<String> = (0..FOLLOWED_ENTRIES + 10)
        .map(|number| format!("A-{number}"))
        .collect();
    let wishes: Vec<_> = names.iter().map(|name| created(name)).collect();
    Clerk::of(&*store).write(&wishes);
    let by_client = Interest::Some(Wanted {
        clients: [PartyId::new(1)].into_iter().collect(),
        ..Wanted::default()
    });
    for interest in [Interest::All, by_client] {
        let page = |after| {
            store
                .reading(|reader| reader.log_of(after, MAX_PAGE, &interest))
                .unwrap()
        };
        let first = page(Position::new(0));
        assert_eq!(first.entries.len(), usize::try_from(FOLLOWED_ENTRIES).unwrap());
        assert_eq!(first.through, Position::new(i64::from(FOLLOWED_ENTRIES)));
        let second = page(first.through);
        assert_eq!(
            (second.entries.len(), second.through.get()),
            (10, i64::from(FOLLOWED_ENTRIES) + 10)
        );
        let beyond = page(second.through);
        assert_eq!((beyond.entries.len(), beyond.through), (0, second.through));
    }
}

pub(super) fn labels_say_what_orders_are_called(backend: &dyn Backend) {
    let store = backend.open();
    let mut clerk = Clerk::of(&*store);
    clerk.write(&[created("A-1"), created("A-2")]);
    let orders = store
        .reading(|reader| reader.orders(OrderKey::new(0), 10))
        .unwrap();
    let mut keys: Vec<OrderKey> = orders.iter().map(|order| order.head.order).collect();
    keys.push(OrderKey::new(1 << 40));
    let mut labels = store.reading(|reader| reader.labels(&keys)).unwrap();
    labels.sort_by_key(|label| label.order);
    assert_eq!(labels.len(), 2);
    for (label, order) in labels.iter().zip(&orders) {
        assert_eq!(label.order, order.head.order);
        assert_eq!(label.public_id, order.public_id);
        assert_eq!(label.reference, order.reference);
        assert_eq!(label.created_at, order.created_at);
    }
    assert_eq!(labels[0].public_id, id("A-1"));
    assert_eq!(store.reading(|reader| reader.labels(&[])).unwrap(), []);
}
