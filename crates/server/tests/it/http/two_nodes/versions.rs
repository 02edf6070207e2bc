//! Nodes of two versions side by side, as during an upgrade.

use model::Lifecycle;
use model::time::Timestamp;
use store::postgres::{PostgresOptions, PostgresStore};
use store::{Birth, Store};

use crate::harness::front::{Front, driver, new_event};
use crate::harness::home::Home;

const SHIPMENT: &str = include_str!("../../../../../model/lifecycles/shipment.toml");

#[tokio::test(flavor = "multi_thread")]
async fn an_order_under_a_definition_that_a_newer_node_stored_is_none_the_stranger_to_an_older_one() {
    let Some(home) = Home::database() else {
        return;
    };
    let dsn = home.dsn().unwrap();
    let older = Front::start_over(&dsn).await;
    // What a newer version does when it starts.
    let newer = SHIPMENT.replacen("version = 1", "version = 2", 1);
    let newer = Lifecycle::from_toml("shipment.toml", &newer).unwrap();
    let birth = Birth {
        store_id: [0; 16],
        event_id_key: [0; 16],
        at: Timestamp::default(),
    };
    let store = PostgresStore::open(&PostgresOptions::new(&dsn), &birth).unwrap();
    store.pin_lifecycles(&[newer], Timestamp::default()).unwrap();
    drop(store);
    let newer = Front::start_over(&dsn).await;

    let numbers = [
        newer.shipment_of("client_001").await,
        newer.shipment_of("client_001").await,
    ];
    // The one asks by reading, the other by writing first.
    assert_eq!(older.statuses(&numbers[0]).await, ["created"]);
    for number in &numbers {
        let event = new_event(number, "picked_up", "2026-01-31T10:00:00Z");
        let told = older.report(&driver("client_001"), &event).await.is(200);
        assert_eq!(told["outcome"], "applied");
        assert_eq!(newer.statuses(number).await, ["created", "picked_up"]);
    }
    newer.end().await;
    older.end().await;
}
