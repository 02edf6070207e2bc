//! Two nodes over one database share what is due.

use std::sync::Arc;

use model::time::Span;
use server::clock::ManualClock;
use server::server::Limits;

use super::{DELIVERED, clock, ids, verify};
use crate::harness::automatic::{cancel, create, entries, statuses, until};
use crate::harness::front::{Front, SECRET};
use crate::harness::home::Home;
use crate::harness::process::Running;

/// Tries of what can only go wrong by chance.
const TRIES: usize = 60;
/// So many orders are due at once.
const RUSH: usize = 1_000;

/// Nodes with one clock.
struct Nodes {
    one: Front,
    other: Front,
    home: Home,
    clock: Arc<ManualClock>,
}

impl Nodes {
    async fn start() -> Option<Self> {
        let (home, clock) = (Home::database()?, clock());
        let node = |name| {
            let (home, clock) = (&home, clock.clone());
            async move { Front::start_at(home, Limits::default(), clock, &[("NODE_NAME", name)]).await }
        };
        let (one, other) = (node("one").await, node("other").await);
        Some(Self {
            one,
            other,
            home,
            clock,
        })
    }

    async fn end(mut self) {
        self.one.stop().await;
        self.other.stop().await;
        verify(&self.one);
    }
}

/// Steps that a node says it has taken.
async fn steps(front: &Front) -> usize {
    let metrics = front.get("", "/metrics").await.text;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("timer_steps_total "));
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_due_at_once_are_each_advanced_once() {
    let Some(nodes) = Nodes::start().await else { return };
    let ids = ids("D", RUSH);
    create(&nodes.one.engine, "delivery", &ids).await;
    // So far on that each step is due, and not yet the next.
    for (step, seconds) in [(2, 25), (3, 50), (4, 75)] {
        nodes.clock.advance(Span::from_seconds(seconds));
        until("all have moved", || {
            let mut moved = ids.iter();
            moved.all(|id| entries(&nodes.other.engine, id).len() == step)
        })
        .await;
    }
    for id in &ids {
        assert_eq!(statuses(&nodes.one.engine, id), DELIVERED);
    }
    let taken = [steps(&nodes.one).await, steps(&nodes.other).await];
    assert_eq!(taken.iter().sum::<usize>(), 3 * RUSH, "{taken:?}");
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cancelled_on_one_node_as_its_timer_fires_on_the_other_stays_cancelled() {
    let Some(nodes) = Nodes::start().await else { return };
    let ids = ids("D", TRIES);
    for ids in ids.chunks(20) {
        create(&nodes.one.engine, "delivery", ids).await;
        nodes.clock.advance(Span::from_seconds(25));
        let advance = async |front: &Front| {
            for _ in ids {
                front.engine.advance_due(2).await.unwrap();
            }
        };
        let cancel = async {
            for (number, id) in ids.iter().rev().enumerate() {
                let near = if number % 2 == 0 { &nodes.one } else { &nodes.other };
                cancel(&near.engine, id).await;
            }
        };
        tokio::join!(advance(&nodes.one), advance(&nodes.other), cancel);
    }
    nodes.clock.advance(Span::from_seconds(3_600));
    until("nothing is due", || {
        let due = nodes.one.engine.store();
        let due =
            tokio::task::block_in_place(|| due.reading(|reader| reader.due(model::time::Timestamp::MAX, 1)));
        due.unwrap().is_empty()
    })
    .await;
    for id in &ids {
        let statuses = statuses(&nodes.one.engine, id);
        let ends = statuses.iter().position(|status| status == "cancelled");
        assert_eq!(ends, Some(statuses.len() - 1), "{statuses:?}");
    }
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_session_holds_is_passed_over_and_done_when_it_is_gone() {
    let Some(nodes) = Nodes::start().await else { return };
    let ids = ids("D", 20);
    create(&nodes.one.engine, "delivery", &ids).await;
    let first = "BEGIN; SELECT 1 FROM order_heads ORDER BY order_key LIMIT 5 FOR UPDATE";
    let held = nodes.home.hold(first);
    nodes.clock.advance(Span::from_seconds(25));
    until("the others have moved", || {
        let moved = ids[5..].iter();
        moved
            .into_iter()
            .all(|id| entries(&nodes.one.engine, id).len() == 2)
    })
    .await;
    assert!(
        ids[..5]
            .iter()
            .all(|id| entries(&nodes.one.engine, id).len() == 1)
    );
    drop(held);
    until("all have moved", || {
        ids.iter().all(|id| entries(&nodes.one.engine, id).len() == 2)
    })
    .await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_the_middle_of_what_was_due_loses_nothing_and_repeats_nothing() {
    let Some(home) = Home::database() else { return };
    let clock = clock();
    let mut left = Front::start_at(&home, Limits::default(), clock.clone(), &[]).await;
    let ids = ids("D", 50);
    create(&left.engine, "delivery", &ids).await;
    // By the system's clock all of that is long due. The log cannot be written, so the group stands with all it has locked.
    let held = home.hold("BEGIN; LOCK TABLE entries IN SHARE MODE");
    let mut command = home.waybill("serve");
    command
        .args(["--port", "0", "--node-name", "victim"])
        .env("JWT_SECRET", SECRET);
    let victim = Running::start(&mut command);
    let waits = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock') THEN RAISE 'nobody waits'; END IF; END $$";
    until("the victim waits for the log", || home.execute(waits).is_ok()).await;
    assert_eq!(victim.kill().code(), None);
    clock.advance(Span::from_seconds(365 * 86_400));
    drop(held);
    until("all are delivered", || {
        ids.iter().all(|id| entries(&left.engine, id).len() == 4)
    })
    .await;
    for id in &ids {
        assert_eq!(statuses(&left.engine, id), DELIVERED);
    }
    left.stop().await;
    verify(&left);
}
