//! Each stream is told what it asked for.

use crate::harness::front::{Front, admin, client, operator};
use crate::harness::live::{Events, step};

/// Opens a stream with each filter, has things happen, and compares what each was told.
#[tokio::test(flavor = "multi_thread")]
async fn each_filter_lets_through_what_it_says_live_and_on_replay() {
    let front = Front::start().await;
    let one = front.shipment_of("client_001").await;
    let mut begun = Events::begin(&front, &operator(), "", None).await;
    let start = begun.next().await.id;
    drop(begun);
    let on_one = format!("?order_id={one}");
    let created_at = front.shipment(&one).await["created_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let until_one = format!("?to={created_at}");
    let from_one = format!("?from={created_at}");
    let filters: [(&str, &[(usize, u64)]); 12] = [
        ("", &[(0, 2), (1, 1), (0, 3), (1, 2), (0, 4), (0, 5)]),
        (&on_one, &[(0, 2), (0, 3), (0, 4), (0, 5)]),
        ("?merchant=client_002", &[(1, 1), (1, 2)]),
        ("?status=picked_up", &[(0, 2), (1, 2)]),
        ("?phase=moving", &[(0, 2), (0, 3), (1, 2), (0, 4)]),
        ("?phase=done", &[(0, 5)]),
        ("?active=true&merchant=client_001", &[(0, 2), (0, 3), (0, 4)]),
        ("?lifecycle=shipment&status=created", &[(1, 1)]),
        ("?lifecycle=food", &[]),
        ("?customer_reference=none", &[]),
        (&until_one, &[]),
        (&from_one, &[(0, 2), (1, 1), (0, 3), (1, 2), (0, 4), (0, 5)]),
    ];
    let mut live = Vec::new();
    for (query, _) in &filters {
        live.push(Events::open(&front, &operator(), query).await);
    }
    step(&front, &one, 0).await;
    let two = front.shipment_of("client_002").await;
    step(&front, &one, 1).await;
    step(&front, &two, 0).await;
    step(&front, &one, 2).await;
    step(&front, &one, 3).await;
    let orders = [&one, &two];
    for ((query, expected), events) in filters.iter().zip(&mut live) {
        let expected: Vec<(String, u64)> = expected
            .iter()
            .map(|(order, version)| (orders[*order].clone(), *version))
            .collect();
        let mut replayed = Events::resume(&front, &admin(), query, &start).await;
        for events in [events, &mut replayed] {
            assert_eq!(events.versions(expected.len()).await, expected, "{query}");
        }
    }
    for events in &mut live {
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(20), events.try_next())
                .await
                .is_err()
        );
    }
    drop(live);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_merchant_changes_nothing() {
    let front = Front::start().await;
    let mut events = Events::open(&front, &client("client_001"), "?merchant=client_001&active=true").await;
    let number = front.shipment_of("client_001").await;
    front.shipment_of("client_002").await;
    assert_eq!(events.versions(1).await, [(number, 1)]);
    events.is_silent().await;
    drop(events);
    front.end().await;
}
