//! What orders do by themselves, one look at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use model::EntryKind;
use model::command::{Change, NewId, OrderRef};
use rusqlite::Connection;
use server::engine::{Answer, Command, Outcome};
use store::folder::DATABASE_FILE;

use super::unsure_store::{Commit, Script, UnsureStore};
use super::{Setting, Stand, accepted, at, public_id, seconds};

/// More than any of these tests makes.
const ALL: u32 = 10_000;
/// Tries of what can only go wrong by chance.
const TRIES: usize = 200;

impl Stand {
    fn create_of(&self, lifecycle: &str, id: &str) -> Command {
        let (lifecycle, _) = self.handle().lifecycle_named(lifecycle).unwrap();
        self.create_as(NewId::Given(public_id(id)), lifecycle, self.client)
    }

    async fn deliveries(&self, count: usize) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(|number| format!("D-{number}")).collect();
        let create = |id: &String| self.create_of("delivery", id);
        let made = self.submit(ids.iter().map(create).collect()).await;
        made.into_iter().map(accepted).for_each(drop);
        ids
    }

    fn cancel(&self, id: &str) -> Command {
        let change = Change::Cancel {
            reason: None,
            source: "api".into(),
        };
        self.change(OrderRef::Public(public_id(id)), change)
    }

    async fn advance_due(&self) -> usize {
        self.handle().advance_due(ALL).await.unwrap()
    }

    /// Does all that is due, also what becomes due by it.
    async fn advance_all(&self) -> usize {
        let mut taken = 0;
        loop {
            match self.advance_due().await {
                0 => return taken,
                more => taken += more,
            }
        }
    }

    fn database(&self) -> Connection {
        Connection::open(self.dir.path().join(DATABASE_FILE)).unwrap()
    }

    /// Has the database refuse every further entry of an order.
    fn poison(&self, order: i64) {
        let trigger = format!(
            "CREATE TRIGGER poison_{order} BEFORE INSERT ON entries WHEN NEW.order_key = {order} \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        );
        self.database().execute_batch(&trigger).unwrap();
    }
}

#[tokio::test]
async fn a_delivery_and_a_meal_walk_to_their_end_by_themselves() {
    let stand = Stand::start().await;
    let wishes = vec![stand.create_of("delivery", "D-1"), stand.create_of("food", "M-1")];
    stand
        .submit(wishes)
        .await
        .into_iter()
        .map(accepted)
        .for_each(drop);
    let mut taken = 0;
    assert_eq!(stand.advance_due().await, 0, "nothing is due yet");
    for _ in 0..300 {
        stand.clock.advance(seconds(1));
        taken += stand.advance_due().await;
    }
    assert_eq!(taken, 7);
    assert_eq!(
        stand.statuses("D-1"),
        ["created", "dispatched", "in_transit", "delivered"]
    );
    assert_eq!(
        stand.statuses("M-1"),
        ["PLACED", "PREPARING", "COOKING", "OUT_FOR_DELIVERY", "DELIVERED"]
    );
    for entry in stand.history("M-1").iter().skip(1) {
        let late = entry.recorded_at.since(entry.occurred_at);
        assert!(
            (seconds(0)..=seconds(1)).contains(&late),
            "it occurred when it was due: {late:?}"
        );
    }
    stand.verify();
}

#[tokio::test]
async fn a_server_that_was_down_for_an_hour_makes_the_same_history() {
    let awake = Stand::start().await;
    let asleep = Stand::start().await;
    let ids = awake.deliveries(50).await;
    asleep.deliveries(50).await;
    for _ in 0..200 {
        awake.clock.advance(seconds(1));
        awake.advance_due().await;
    }
    asleep.clock.advance(seconds(3_600));
    let asleep = asleep.restart().await;
    assert_eq!(asleep.advance_all().await, 150);
    let story = |stand: &Stand, id: &str| -> Vec<_> {
        let history = stand.history(id);
        let told = history.iter();
        told.map(|entry| (entry.version, entry.kind, entry.status, entry.occurred_at))
            .collect()
    };
    for id in &ids {
        assert_eq!(story(&awake, id), story(&asleep, id));
        assert_eq!(story(&awake, id).len(), 4);
    }
    awake.verify();
    asleep.verify();
}

#[tokio::test]
async fn no_more_is_taken_at_once_than_was_asked_for_and_the_longest_due_comes_first() {
    let stand = Stand::start().await;
    let ids = stand.deliveries(30).await;
    stand.clock.advance(seconds(25));
    assert_eq!(stand.handle().advance_due(10).await.unwrap(), 10);
    let due_at = |id: &String| stand.history(id).get(1).map(|entry| entry.occurred_at);
    let taken: Vec<_> = ids.iter().filter_map(due_at).collect();
    assert_eq!(taken.len(), 10);
    assert_eq!(stand.handle().advance_due(100).await.unwrap(), 20);
    let earlier = ids
        .iter()
        .filter_map(due_at)
        .filter(|due_at| due_at <= taken.iter().max().unwrap());
    assert_eq!(earlier.count(), 10);
    stand.verify();
}

#[tokio::test]
async fn reports_that_waited_too_long_are_given_up_when_their_time_has_come() {
    let stand = Stand::start().await;
    accepted(stand.one(stand.create_of("patient", "P-1")).await);
    accepted(stand.one(stand.report("P-1", "delivered", 1)).await);
    accepted(stand.one(stand.report("P-1", "in_transit", 2)).await);
    stand.clock.advance(seconds(3_599));
    assert_eq!(stand.advance_due().await, 0);
    stand.clock.advance(seconds(10));
    assert_eq!(stand.advance_all().await, 1);
    let kinds: Vec<EntryKind> = stand.history("P-1").iter().map(|entry| entry.kind).collect();
    let (parked, given_up) = (EntryKind::Parked, EntryKind::Abandoned);
    assert_eq!(kinds, [EntryKind::Created, parked, parked, given_up, given_up]);
    assert_eq!(stand.history("P-1")[4].occurred_at, at(3_600));
    stand.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cancelled_as_its_timer_fires_is_cancelled_and_stays_so() {
    let stand = Stand::start().await;
    let ids: Vec<String> = (0..TRIES).map(|number| format!("D-{number}")).collect();
    let mut both_ways = [0, 0];
    for ids in ids.chunks(20) {
        let create = |id: &String| stand.create_of("delivery", id);
        stand.submit(ids.iter().map(create).collect()).await;
        stand.clock.advance(seconds(25));
        // All are due now. Some are cancelled before their turn, some after.
        let advance = async {
            for _ in ids {
                stand.handle().advance_due(2).await.unwrap();
            }
        };
        let cancel = async {
            for id in ids.iter().rev() {
                accepted(stand.one(stand.cancel(id)).await);
            }
        };
        tokio::join!(advance, cancel);
    }
    stand.clock.advance(seconds(3_600));
    stand.advance_all().await;
    for id in &ids {
        let statuses = stand.statuses(id);
        let ends = statuses.iter().position(|status| status == "cancelled");
        assert_eq!(ends, Some(statuses.len() - 1), "{statuses:?}");
        both_ways[usize::from(statuses.len() > 2)] += 1;
    }
    assert!(both_ways.iter().all(|times| *times > 0), "{both_ways:?}");
    stand.verify();
}

#[tokio::test]
async fn an_order_that_the_server_fails_on_is_left_out_and_the_others_go_on() {
    let tries = Arc::new(Mutex::new(0));
    let counted = tries.clone();
    let stand = Stand::start_with(Setting {
        observer: Some(Box::new(move |_: &server::engine::GroupObservation| {
            *counted.lock().unwrap() += 1;
        })),
        ..Setting::default()
    })
    .await;
    let ids = stand.deliveries(40).await;
    stand.poison(7);
    stand.poison(23);
    stand.clock.advance(seconds(25));
    assert_eq!(stand.advance_due().await, 40);
    let moved = |stand: &Stand| ids.iter().filter(|id| stand.history(id).len() == 2).count();
    assert_eq!(moved(&stand), 38);
    // Not tried again at once: the writer is not even asked.
    let commits = *tries.lock().unwrap();
    for _ in 0..10 {
        assert_eq!(stand.advance_due().await, 0);
    }
    assert_eq!(*tries.lock().unwrap(), commits);
    // New ones are not held up by those.
    accepted(stand.one(stand.create_of("delivery", "D-new")).await);
    stand.clock.advance(seconds(25));
    stand.advance_all().await;
    assert_eq!(stand.history("D-new").len(), 2);
    // Whoever mends the cause sees them go on before long.
    let mended = "DROP TRIGGER poison_7; DROP TRIGGER poison_23";
    stand.database().execute_batch(mended).unwrap();
    stand.clock.advance(seconds(300));
    stand.advance_all().await;
    assert!(ids.iter().all(|id| stand.history(id).len() == 4));
    stand.verify();
}

#[tokio::test]
async fn an_order_whose_head_is_damaged_does_not_stop_the_others() {
    let stand = Stand::start().await;
    let ids = stand.deliveries(5).await;
    let Stand { dir, clock, .. } = stop(stand).await;
    let database = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    let damage = "UPDATE order_heads SET waiting = x'00' WHERE order_key = 3";
    assert_eq!(database.execute(damage, []).unwrap(), 1);
    drop(database);
    let stand = Stand::start_in(dir, clock, Setting::default()).await;
    stand.clock.advance(seconds(25));
    assert_eq!(stand.advance_due().await, 5);
    assert_eq!(stand.advance_due().await, 0);
    let statuses = |id: &String| stand.statuses(id);
    let moved = [&ids[0], &ids[1], &ids[3], &ids[4]].map(statuses);
    assert_eq!(moved, [["created", "dispatched"]; 4]);
}

/// Stops the engine of a stand whose store is to be looked at meanwhile.
async fn stop(stand: Stand) -> Stand {
    let other = Stand::start().await;
    let Stand {
        dir,
        clock,
        engine,
        client,
        lifecycle,
    } = stand;
    engine.stop().await;
    Stand {
        dir,
        clock,
        engine: other.engine,
        client,
        lifecycle,
    }
}

#[tokio::test]
async fn what_is_due_is_done_once_whatever_became_of_a_commit() {
    let script: Script = Arc::new(Mutex::new(VecDeque::new()));
    let given = script.clone();
    let stand = Stand::start_with(Setting {
        between: Box::new(move |store| Arc::new(UnsureStore::new(store, given))),
        ..Setting::default()
    })
    .await;
    let ids = stand.deliveries(20).await;
    for scripted in [
        vec![Commit::Made],
        vec![Commit::NotMade, Commit::Overtaken],
        vec![Commit::NotMade, Commit::NotMade, Commit::Made],
    ] {
        stand.clock.advance(seconds(75));
        script.lock().unwrap().extend(scripted);
        assert_eq!(stand.advance_due().await, 20);
        assert!(script.lock().unwrap().is_empty());
    }
    assert!(ids.iter().all(|id| stand.history(id).len() == 4));
    stand.verify();
}

#[tokio::test]
async fn what_is_due_while_storage_fails_is_done_later() {
    let script: Script = Script::default();
    let given = script.clone();
    let stand = Stand::start_with(Setting {
        between: Box::new(move |store| Arc::new(UnsureStore::new(store, given))),
        ..Setting::default()
    })
    .await;
    let ids = stand.deliveries(3).await;
    stand.clock.advance(seconds(25));
    script.lock().unwrap().push_back(Commit::MadeButSilent);
    stand.handle().advance_due(ALL).await.unwrap_err();
    // It was made after all: nothing is left to do, and nothing is done twice.
    assert_eq!(stand.advance_due().await, 0);
    assert!(ids.iter().all(|id| stand.history(id).len() == 2));
    stand.verify();
}

#[tokio::test]
async fn a_timer_of_an_order_that_has_moved_does_nothing() {
    let stand = Stand::start().await;
    accepted(stand.one(stand.create_of("delivery", "D-1")).await);
    let due_at = stand
        .handle()
        .store()
        .reading(|reader| reader.due(at(60), 1))
        .unwrap()[0]
        .1;
    accepted(stand.one(stand.report("D-1", "dispatched", 1)).await);
    stand.clock.advance(seconds(25));
    let late: Answer = stand
        .one(stand.change(OrderRef::Public(public_id("D-1")), Change::Due { due_at }))
        .await;
    assert!(matches!(late, Ok(Outcome::Unchanged(_))), "{late:?}");
    assert_eq!(stand.statuses("D-1"), ["created", "dispatched"]);
}
