//! Made-up traffic: it ends when it is told to, and at once when it cannot begin.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use server::engine::Failure;
use server::traffic::{Counters, Traffic, TrafficOptions};
use store::Trouble;
use store::folder::DATABASE_FILE;
use tokio::sync::Notify;

use super::Stand;

/// Longer than anything here takes, and far shorter than the pauses of slow traffic.
const PATIENCE: Duration = Duration::from_secs(30);

fn traffic(stand: &Stand, rate: Option<f64>) -> Traffic {
    Traffic {
        handle: stand.handle().clone(),
        options: TrafficOptions {
            submitters: 2,
            batch: 5,
            under_way: 10,
            rate,
            seed: 1,
        },
        counters: Arc::new(Counters::default()),
        listener: None,
    }
}

#[tokio::test]
async fn slow_traffic_ends_within_its_pause() {
    let stand = Stand::start().await;
    let begun = Arc::new(Notify::new());
    let heard = begun.clone();
    let traffic = Traffic {
        listener: Some(Arc::new(move |_| heard.notify_one())),
        ..traffic(&stand, Some(0.01))
    };
    let ran = tokio::time::timeout(PATIENCE, traffic.run(begun.notified())).await;
    assert_eq!(ran, Ok(Ok(())));
    stand.verify();
}

#[tokio::test]
async fn traffic_that_cannot_begin_ends_before_its_time() {
    let stand = Stand::start().await;
    let other = Connection::open(stand.dir.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = tokio::time::timeout(PATIENCE, traffic(&stand, None).run(pending())).await;
    assert_eq!(ran, Ok(Err(Failure::Unavailable(Trouble::Busy))));
}
