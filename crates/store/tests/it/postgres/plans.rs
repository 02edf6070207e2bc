//! How statements find what they look for: by index, and no more rows than there are to be found.

use model::command::{OrderRef, Scope};
use model::ids::{OrderKey, PartyId, Position};
use model::time::Timestamp;
use store::limits::BLOCK_ORDERS;
use store::{CommitId, OrderFilter, PageFilter, Store, StoredLifecycle};

use super::Peer;
use crate::backend::{Backend, PostgresDatabase};
use crate::orders::{Wish, created_for, named, reported};

/// Rows that were read of these tables since they were last counted: in scans from end to end, and by index.
fn read_of(database: &PostgresDatabase, tables: &str) -> (i64, i64) {
    let sql = format!(
        "SELECT sum(seq_scan)::bigint, sum(idx_tup_fetch + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i \
         WHERE i.relid = t.relid))::bigint FROM pg_stat_user_tables t WHERE relname ~ '^({tables})$'"
    );
    let row = database.raw().query_one(&*sql, &[]).unwrap();
    (row.get(0), row.get(1))
}

/// Waits until every session of a store has ended: only then it has told its counts.
fn wait_for_the_end_of_sessions(database: &PostgresDatabase) {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'waybill%'";
    while database.raw().query_one(sql, &[]).unwrap().get::<_, i64>(0) > 0 {
        std::thread::yield_now();
    }
}

/// What a job reads, by a store of its own.
fn counting(database: &PostgresDatabase, job: impl FnOnce(&dyn Store)) -> (i64, i64) {
    wait_for_the_end_of_sessions(database);
    database.raw().query("SELECT pg_stat_reset()", &[]).unwrap();
    let store = database.open();
    job(&*store);
    drop(store);
    wait_for_the_end_of_sessions(database);
    read_of(database, "order_identities|order_heads|commits|entries_[0-9]+")
}

/// Three blocks of orders of two clients; one of them, in the middle block, was picked up.
fn fill(database: &PostgresDatabase) -> StoredLifecycle {
    let store = database.open();
    let mut peer = Peer::of(&*store);
    let wishes: Vec<Wish> = (1..3 * BLOCK_ORDERS)
        .map(|key| created_for(&format!("A-{key}"), "parcel", u32::try_from(key % 2).unwrap()))
        .collect();
    for wishes in wishes.chunks(4_000) {
        peer.write(&[], wishes).unwrap();
    }
    let moved = format!("A-{}", 2 * BLOCK_ORDERS - 1);
    peer.write(std::slice::from_ref(&moved), &[reported(&moved, "picked_up")])
        .unwrap();
    peer.rules.lifecycle("parcel").clone()
}

#[test]
fn a_page_of_a_list_looks_at_no_more_orders_than_it_must() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let stored = fill(&database);
    let filter = |status: &str, client| OrderFilter {
        statuses: vec![(stored.id, stored.lifecycle.state_named(status).unwrap())],
        client,
    };
    let (all, of_client) = (filter("created", None), filter("created", Some(PartyId::new(1))));
    let rare = [
        filter("picked_up", None),
        filter("picked_up", Some(PartyId::new(1))),
    ];
    let offset = u64::try_from(2 * BLOCK_ORDERS + 10).unwrap();
    let read = counting(&database, |store| {
        let page = store.reading(|reader| reader.list_orders(&all, offset, 20));
        assert_eq!(page.unwrap().orders.len(), 20);
    });
    assert!(
        read.0 == 0 && read.1 < 2 * BLOCK_ORDERS + 500,
        "a page of all: {read:?}"
    );
    let read = counting(&database, |store| {
        let page = store.reading(|reader| reader.list_orders(&of_client, 1_000, 20));
        assert_eq!(page.unwrap().orders.len(), 20);
    });
    assert!(read.0 == 0 && read.1 < 6_000, "a page of a client: {read:?}");
    for filter in &rare {
        let read = counting(&database, |store| {
            let page = store.reading(|reader| reader.list_orders(filter, 0, 20));
            assert_eq!(page.unwrap().orders.len(), 1);
        });
        assert!(read.0 == 0 && read.1 < 3 * BLOCK_ORDERS, "what is rare: {read:?}");
    }
}

#[test]
fn a_page_by_key_looks_at_no_more_orders_than_it_must() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let stored = fill(&database);
    let any = PageFilter {
        owner: Scope::All,
        client: None,
        reference: None,
        statuses: None,
        created_from: None,
        created_to: None,
    };
    let of_client = PageFilter {
        owner: Scope::Client(PartyId::new(1)),
        ..any.clone()
    };
    let in_status = |filter: &PageFilter, status: &str| PageFilter {
        statuses: Some(vec![(stored.id, stored.lifecycle.state_named(status).unwrap())]),
        ..filter.clone()
    };
    let of_reference = PageFilter {
        reference: Some("ref\0A-77".into()),
        ..of_client.clone()
    };
    let of_a_day = PageFilter {
        created_from: Some(Timestamp::from_nanos(1)),
        created_to: Some(Timestamp::MAX),
        ..any.clone()
    };
    let block = BLOCK_ORDERS;
    for (filter, found, most) in [
        (&any, 20, 500),
        (&of_client, 20, 500),
        (&in_status(&of_client, "created"), 20, 500),
        (&in_status(&any, "created"), 20, 500),
        (&in_status(&any, "picked_up"), 1, 3 * block),
        (&of_reference, 1, 500),
        (&of_a_day, 20, 1_500),
    ] {
        let read = counting(&database, |store| {
            // Often enough for the server to plan it once and for all.
            for _ in 0..8 {
                let page = store.reading(|reader| reader.page_orders(filter, None, 20));
                assert_eq!(page.unwrap().orders.len(), found, "{filter:?}");
            }
        });
        assert!(read.0 == 0 && read.1 < 8 * most, "{filter:?}: {read:?}");
    }
}

#[test]
fn no_statement_reads_a_table_from_end_to_end() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    fill(&database);
    let read = counting(&database, |store| {
        store
            .reading(|reader| {
                let order = reader.order(&named("A-77"))?.unwrap();
                assert_eq!(reader.history(&order)?.len(), 1);
                assert!(reader.order(&OrderRef::Key(OrderKey::new(9)))?.is_some());
                assert_eq!(reader.log(Position::new(5_000), 10)?.len(), 10);
                assert_eq!(reader.orders(OrderKey::new(5_000), 10)?.len(), 10);
                assert_eq!(reader.commits(CommitId(1), 2)?.len(), 2);
                assert_eq!(reader.due(Timestamp::MAX, 10)?, []);
                reader.totals()
            })
            .unwrap();
    });
    assert!(read.0 == 0 && read.1 < 500, "what is looked up: {read:?}");
    let read = counting(&database, |store| {
        let mut peer = Peer::of(store);
        peer.write(
            &["A-1".to_owned(), "A-9000".to_owned()],
            &[reported("A-9000", "picked_up")],
        )
        .unwrap();
    });
    assert!(read.0 == 0 && read.1 < 500, "what is written: {read:?}");
}

#[test]
fn what_is_due_is_found_by_its_index_and_no_more_of_it_is_locked_than_was_asked_for() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    fill(&database);
    let store = database.open();
    let meals: Vec<Wish> = (0..1_000)
        .map(|key| created_for(&format!("M-{key}"), "food", 1))
        .collect();
    Peer::of(&*store).write(&[], &meals).unwrap();
    drop(store);
    let read = counting(&database, |store| {
        let mut peers = [Peer::of(store), Peer::of(store)];
        let mut groups = peers.each_mut().map(|peer| peer.writer.begin().unwrap());
        let [one, other] = groups.each_mut();
        let mut taken = one.due(Timestamp::MAX, 10).unwrap();
        taken.extend(other.due(Timestamp::MAX, 10).unwrap());
        let asked = store.reading(|reader| reader.due(Timestamp::MAX, 20)).unwrap();
        assert_eq!(taken, asked, "the other takes what the one has left");
        let load = |(order, _): &(OrderKey, Timestamp)| OrderRef::Key(*order);
        let names: Vec<OrderRef> = taken[..10].iter().map(load).collect();
        let loaded = one.load(&names.iter().collect::<Vec<_>>()).unwrap();
        assert!(loaded.iter().all(Option::is_some));
    });
    assert!(read.0 == 0 && read.1 < 500, "what is due: {read:?}");
}
