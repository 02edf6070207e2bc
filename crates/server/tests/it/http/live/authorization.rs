//! Nobody is told of another's orders, neither live nor on replay.

use reqwest::Method;

use crate::harness::front::{Front, client, customer, driver, operator, token};
use crate::harness::live::{Events, step};

async fn asked(front: &Front, token: &str, query: &str) -> crate::harness::front::Reply {
    front.get(token, &format!("/api/v1/stream{query}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_side_by_side_see_their_own_live_and_on_replay() {
    let front = Front::start().await;
    let mut begun = Events::begin(&front, &operator(), "", None).await;
    let from_the_beginning = begun.next().await.id;
    let (one, two) = (client("client_001"), client("client_002"));
    let mut live = [
        Events::open(&front, &one, "").await,
        Events::open(&front, &two, "").await,
        Events::open(&front, &driver("client_001"), "").await,
    ];
    let mut staff = Events::open(&front, &operator(), "").await;
    let mut nobody = Events::open(&front, &customer(), "").await;
    let first = front.shipment_of("client_001").await;
    let second = front.shipment_of("client_002").await;
    step(&front, &second, 0).await;
    step(&front, &first, 0).await;
    let of_first = [(first.clone(), 1), (first.clone(), 2)];
    let of_second = [(second.clone(), 1), (second.clone(), 2)];
    for (events, expected) in live.iter_mut().zip([&of_first, &of_second, &of_first]) {
        assert_eq!(events.versions(2).await, *expected);
        events.is_silent().await;
    }
    assert_eq!(staff.versions(4).await.len(), 4);
    nobody.is_silent().await;
    let replayed = [
        (one, &of_first),
        (two, &of_second),
        (driver("client_002"), &of_second),
    ];
    for (token, expected) in replayed {
        let mut events = Events::resume(&front, &token, "", &from_the_beginning).await;
        assert_eq!(events.versions(2).await, *expected);
        events.is_silent().await;
    }
    let mut nobody = Events::resume(&front, &customer(), "", &from_the_beginning).await;
    nobody.is_silent().await;
    drop((begun, live, staff, nobody));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_has_no_order_yet_is_told_of_its_first() {
    let front = Front::start().await;
    let mut own = Events::open(&front, &client("a_new_one"), "").await;
    let mut watched = Events::open(&front, &operator(), "?merchant=another_new_one").await;
    let first = front.shipment_of("a_new_one").await;
    let second = front.shipment_of("another_new_one").await;
    assert_eq!(own.versions(1).await, [(first, 1)]);
    assert_eq!(watched.versions(1).await, [(second, 1)]);
    drop((own, watched));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_for_a_merchant_that_is_unknown_writes_nothing_and_misses_nothing() {
    let front = Front::start().await;
    front.shipment_of("client_001").await;
    let query = "?merchant=newcomer";
    let known = |name: &str| {
        let store = front.engine.store();
        store.reading(|reader| reader.party(store::PartyKind::Client, name))
    };
    let head = front.request(Method::HEAD, &format!("/api/v1/stream{query}"));
    assert_eq!(
        front.send(head.bearer_auth(operator())).await.status.as_u16(),
        200
    );
    let mut begun = Events::begin(&front, &operator(), query, None).await;
    let start = begun.next().await.id;
    let mut other = Events::open(&front, &operator(), "?merchant=nobody").await;
    // By then the follower has looked for them.
    let mut all = Events::open(&front, &operator(), "").await;
    let second = front.shipment_of("client_001").await;
    assert_eq!(all.versions(1).await, [(second, 1)]);
    assert_eq!(known("newcomer").unwrap(), None);
    let number = front.shipment_of("newcomer").await;
    step(&front, &number, 0).await;
    let expected = [(number.clone(), 1), (number.clone(), 2)];
    assert_eq!(begun.versions(2).await, expected);
    let mut replayed = Events::resume(&front, &operator(), query, &start).await;
    assert_eq!(replayed.versions(2).await, expected);
    other.is_silent().await;
    assert_eq!(known("nobody").unwrap(), None);
    drop((begun, other, all, replayed));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_order_or_merchant_is_forbidden_and_an_unknown_order_is_not_there() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let on_it = format!("?order_id={number}");
    for stranger in [client("client_002"), driver("client_002"), customer()] {
        asked(&front, &stranger, &on_it)
            .await
            .is_problem(403, "FORBIDDEN");
        asked(&front, &stranger, "?merchant=client_001")
            .await
            .is_problem(403, "FORBIDDEN");
    }
    for own in [client("client_001"), driver("client_001"), operator()] {
        drop(Events::open(&front, &own, &on_it).await);
        drop(Events::open(&front, &own, "?merchant=client_001").await);
    }
    for unknown in ["99M-NOSUCH000", "no%20id%20at%20all"] {
        asked(&front, &operator(), &format!("?order_id={unknown}"))
            .await
            .is_problem(404, "NOT_FOUND");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_or_with_one_in_the_url_there_is_no_stream() {
    let front = Front::start().await;
    let bare = front.send(front.request(Method::GET, "/api/v1/stream")).await;
    bare.is_problem(401, "UNAUTHENTICATED");
    for name in ["token", "access_token", "ticket"] {
        let query = format!("?{name}={}", operator());
        let bare = front.request(Method::GET, &format!("/api/v1/stream{query}"));
        front.send(bare).await.is_problem(401, "UNAUTHENTICATED");
        asked(&front, &operator(), &query)
            .await
            .is_problem(401, "UNAUTHENTICATED");
    }
    asked(&front, &token("somebody", "client", None), "")
        .await
        .is_problem(401, "UNAUTHENTICATED");
    front.end().await;
}
