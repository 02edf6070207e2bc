//! Large groups: each is decided while the one before it is written, whatever comes of that one.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use server::engine::{Answer, Command, Failure, GROUP_COMMANDS, Outcome, Submission};
use store::Trouble;

use super::refused_data::{REFUSED, refuse_a_time};
use super::unsure_store::{Commit, Script, UnsureStore};
use super::{Gate, Setting, Stand, accepted, begun, submission};

/// Large enough to be written behind.
const ORDERS: usize = 600;

/// A stand on which each submission is a group; and how many groups were begun while another was on its way.
async fn stand_of(script: &Script) -> (Stand, Arc<AtomicUsize>) {
    let begun_ahead = Arc::new(AtomicUsize::new(0));
    let (script, counter) = (script.clone(), begun_ahead.clone());
    let setting = Setting {
        queue_commands: 20_000,
        group_commands: ORDERS,
        between: Box::new(move |store| Arc::new(UnsureStore::new(store, script).counting(counter))),
        ..Setting::default()
    };
    (Stand::start_with(setting).await, begun_ahead)
}

async fn submit(stand: &Stand, commands: Vec<Command>) -> Vec<Answer> {
    let submission = Submission {
        commands,
        ..Submission::default()
    };
    stand.handle().submit(submission).await.unwrap()
}

fn name(caller: usize, order: usize) -> String {
    format!("A-{caller}-{order}")
}

#[tokio::test]
async fn a_group_that_fails_while_the_next_is_decided_on_top_of_it_fails_nobody_else() {
    const STEPS: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];
    let (stand, begun_ahead) = stand_of(&Script::default()).await;
    let creations = (0..ORDERS).map(|order| stand.create(&name(0, order))).collect();
    submit(&stand, creations).await.into_iter().for_each(|answer| {
        accepted(answer);
    });
    refuse_a_time(&stand);
    // In each step one order is reported at the refused time: it stays where it is from then on.
    let sticks_in = |order: usize, step: usize| order == 7 * (step + 1);
    let reports = |step: usize| {
        let report = |order: usize| {
            let time = if sticks_in(order, step) {
                REFUSED
            } else {
                20 + i64::try_from(step).unwrap()
            };
            stand.report(&name(0, order), STEPS[step], time)
        };
        let commands = (0..ORDERS).map(report).collect();
        submit(&stand, commands)
    };
    let steps = tokio::join!(reports(0), reports(1), reports(2), reports(3));
    assert!(begun_ahead.load(Ordering::Relaxed) > 0, "none was decided ahead");
    for (step, answers) in [steps.0, steps.1, steps.2, steps.3].into_iter().enumerate() {
        for (order, answer) in answers.into_iter().enumerate() {
            if sticks_in(order, step) {
                assert_eq!(answer, Err(Failure::Internal), "{order} in step {step}");
            } else if (0..step).any(|earlier| sticks_in(order, earlier)) {
                assert!(matches!(answer, Ok(Outcome::Refused(..))), "{answer:?}");
            } else {
                accepted(answer);
            }
        }
    }
    assert_eq!(stand.statuses(&name(0, 1)).len(), 5);
    assert_eq!(stand.statuses(&name(0, 14)), ["created", "picked_up"]);
    stand.verify();
}

#[tokio::test]
async fn groups_of_unknown_outcome_are_told_right_and_found_when_sent_again() {
    const CALLERS: usize = 4;
    let script = Script::default();
    let (stand, begun_ahead) = stand_of(&script).await;
    let outcomes = [
        Commit::Known,
        Commit::Made,
        Commit::NotMade,
        Commit::MadeButSilent,
        Commit::Known,
        Commit::NotMade,
        Commit::MadeButSilent,
    ];
    script
        .lock()
        .unwrap()
        .extend(outcomes.into_iter().cycle().take(60));
    let caller = |caller: usize| {
        let stand = &stand;
        async move {
            let commands: Vec<Command> = (0..ORDERS)
                .map(|order| stand.create(&name(caller, order)))
                .collect();
            // As a client does that is told to come again.
            for _ in 0..20 {
                let answers = submit(stand, commands.clone()).await;
                if answers.iter().all(Result::is_ok) {
                    return;
                }
                let unavailable = Err(Failure::Unavailable(Trouble::Io));
                assert!(
                    answers
                        .iter()
                        .all(|answer| answer.is_ok() || *answer == unavailable)
                );
            }
            panic!("caller {caller} never came through");
        }
    };
    for _ in 0..3 {
        // The same again: everything is known by then.
        tokio::join!(caller(0), caller(1), caller(2), caller(3));
    }
    assert!(begun_ahead.load(Ordering::Relaxed) > 0, "none was decided ahead");
    let totals = stand.handle().store().reading(|reader| reader.totals()).unwrap();
    assert_eq!(
        totals.last_position.get(),
        i64::try_from(CALLERS * ORDERS).unwrap()
    );
    assert_eq!(*stand.handle().wake_ups().borrow(), totals.last_position);
    for caller in 0..CALLERS {
        assert_eq!(stand.history(&name(caller, ORDERS - 1)).len(), 1);
    }
    stand.verify();
}

#[tokio::test]
async fn nothing_overtakes_a_group_of_its_row_that_was_written_behind_and_failed() {
    const STEPS: [&str; 3] = ["picked_up", "in_warehouse", "in_transit"];
    let script = Script::default();
    let (stand, begun_ahead) = stand_of(&script).await;
    // The first step's group fails behind, and then by itself.
    script.lock().unwrap().push_back(Commit::Known);
    script.lock().unwrap().extend([Commit::NotMade; 4]);
    // All are queued before the writer begins.
    let (go, wait) = sync_channel::<()>(1);
    let mut block = pin!(stand.handle().with_writer(move |_| {
        wait.recv().ok();
        Ok(())
    }));
    begun(block.as_mut()).await;
    let row = stand.handle().in_order();
    let creations = (0..ORDERS).map(|order| stand.create(&name(0, order))).collect();
    let mut told = vec![row.enqueue_patiently(submission(creations)).await.unwrap()];
    for (status, seconds) in STEPS.into_iter().zip(1..) {
        let report = |order: usize| stand.report(&name(0, order), status, seconds);
        let step = submission((0..ORDERS).map(report).collect());
        told.push(row.enqueue_patiently(step).await.unwrap());
    }
    go.send(()).unwrap();
    block.await.unwrap();
    let mut groups = Vec::new();
    for told in told {
        groups.push(told.wait().await.unwrap());
    }
    assert!(groups.remove(0).into_iter().all(|answer| answer.is_ok()));
    let unavailable = Err(Failure::Unavailable(Trouble::Io));
    assert!(
        groups.iter().flatten().all(|answer| *answer == unavailable),
        "{groups:?}"
    );
    assert!(begun_ahead.load(Ordering::Relaxed) > 0, "none was decided ahead");
    assert_eq!(stand.statuses(&name(0, 1)), ["created"]);
    stand.verify();
}

#[tokio::test]
async fn what_came_while_a_group_lands_does_not_overtake_what_was_gathered_before() {
    let (closed, mut gate, observer) = Gate::new();
    let stand = Stand::start_with(Setting {
        queue_commands: 20_000,
        observer: Some(observer),
        ..Setting::default()
    })
    .await;
    stand.created("P").await;
    *closed.lock().unwrap() = true;
    let handle = stand.handle();
    let enqueue = |commands| handle.enqueue_patiently(submission(commands));
    // Both are queued before the writer goes on: the first is a group by itself, written behind.
    let (go, wait) = sync_channel::<()>(1);
    let mut block = pin!(handle.with_writer(move |_| {
        wait.recv().ok();
        Ok(())
    }));
    begun(block.as_mut()).await;
    let large = (0..GROUP_COMMANDS)
        .map(|order| stand.create(&name(0, order)))
        .collect();
    let large = enqueue(large).await.unwrap();
    let first = enqueue(vec![stand.report("P", "picked_up", 1)]).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(gate.group().commands, GROUP_COMMANDS, "it lands");
    let second = enqueue(vec![stand.report("P", "in_warehouse", 2)]).await.unwrap();
    let mut task = pin!(handle.with_writer(|_| Ok(())));
    begun(task.as_mut()).await;
    gate.open();
    assert!(large.wait().await.unwrap().iter().all(Result::is_ok));
    for answers in [first, second] {
        accepted(answers.wait().await.unwrap().pop().unwrap());
    }
    task.await.unwrap();
    assert_eq!(stand.statuses("P"), ["created", "picked_up", "in_warehouse"]);
}
