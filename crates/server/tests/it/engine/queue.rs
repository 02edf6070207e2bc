//! The bounded queue before the writer, and the engine's end.

use std::pin::pin;
use std::time::{Duration, Instant};

use server::app::App;
use server::engine::{Failure, SubmitError};
use store::OpenError;
use tempfile::TempDir;

use super::{Gate, Setting, Stand, accepted, begun, submission};

/// A stand with a queue of ten, and one command of it held by the writer.
async fn held() -> (Stand, Gate) {
    let (closed, gate, observer) = Gate::new();
    let stand = Stand::start_with(Setting {
        queue_commands: 10,
        queue_wait: Duration::from_millis(30),
        observer: Some(observer),
        ..Setting::default()
    })
    .await;
    for number in 0..10 {
        stand.created(&format!("A-{number}")).await;
    }
    *closed.lock().unwrap() = true;
    (stand, gate)
}

#[tokio::test]
async fn a_full_queue_refuses_after_a_short_wait_and_not_before_it_is_full() {
    let (stand, mut gate) = held().await;
    let pick_up = |number: usize| stand.report(&format!("A-{number}"), "picked_up", 1);
    let mut first = pin!(stand.submit(vec![pick_up(0)]));
    begun(first.as_mut()).await;
    gate.group();
    // Nine more are ten, with the one that is not answered yet.
    let mut nine = pin!(stand.submit((1..10).map(pick_up).collect()));
    begun(nine.as_mut()).await;
    let began = Instant::now();
    let full = stand.handle().submit(submission(vec![pick_up(1)])).await;
    assert_eq!(full, Err(SubmitError::QueueFull));
    assert!(began.elapsed() >= Duration::from_millis(30));
    gate.open();
    accepted(first.await.remove(0));
    assert_eq!(nine.await.into_iter().map(accepted).count(), 9);
    // There is room again, also for more at once than the queue holds.
    let many = (0..10).flat_map(|number| {
        let id = format!("A-{number}");
        [
            stand.report(&id, "in_warehouse", 2),
            stand.report(&id, "in_transit", 3),
        ]
    });
    let answers = stand.submit(many.collect()).await;
    assert_eq!(answers.into_iter().map(accepted).count(), 20);
    stand.verify();
}

#[tokio::test]
async fn a_patient_caller_waits_for_its_place() {
    let (stand, mut gate) = held().await;
    let mut first = pin!(stand.submit(vec![stand.report("A-0", "picked_up", 1); 10]));
    begun(first.as_mut()).await;
    gate.group();
    let patient = submission(vec![stand.report("A-1", "picked_up", 1)]);
    let mut patient = pin!(stand.handle().submit_patiently(patient));
    // Longer than others may wait.
    let waited = tokio::time::timeout(Duration::from_millis(60), patient.as_mut()).await;
    assert!(waited.is_err(), "{waited:?}");
    gate.open();
    first.await;
    accepted(patient.await.unwrap().remove(0));
}

#[tokio::test]
async fn what_was_taken_before_the_end_is_answered_and_durable_and_nothing_after() {
    let (stand, mut gate) = held().await;
    let Stand {
        dir,
        clock,
        engine,
        client,
        lifecycle,
    } = stand;
    {
        let handle = engine.handle().clone();
        let stand = Stand::start().await;
        let report = |number: u32| submission(vec![stand.report(&format!("A-{number}"), "picked_up", 1)]);
        let mut first = pin!(handle.submit(report(0)));
        begun(first.as_mut()).await;
        gate.group();
        let mut second = pin!(handle.submit(report(1)));
        let mut third = pin!(handle.submit_patiently(report(2)));
        begun(second.as_mut()).await;
        begun(third.as_mut()).await;
        let mut stop = pin!(engine.stop());
        begun(stop.as_mut()).await;
        assert_eq!(handle.submit(report(3)).await, Err(SubmitError::Stopping));
        assert_eq!(
            handle.submit_patiently(report(4)).await,
            Err(SubmitError::Stopping)
        );
        gate.open();
        stop.await;
        for answer in [first.await, second.await, third.await] {
            accepted(answer.unwrap().remove(0));
        }
        assert_eq!(handle.submit(report(5)).await, Err(SubmitError::Stopping));
        assert_eq!(handle.with_writer(|_| Ok(())).await, Err(Failure::Stopping));
    }
    let stored = Stand::start_in(dir, clock, Setting::default()).await;
    assert_eq!((stored.client, stored.lifecycle), (client, lifecycle));
    for (number, entries) in [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1), (5, 1)] {
        assert_eq!(
            stored.history(&format!("A-{number}")).len(),
            entries,
            "A-{number}"
        );
    }
    stored.verify();
}

#[tokio::test]
async fn who_waits_for_a_place_when_the_engine_stops_is_told_so() {
    let (stand, mut gate) = held().await;
    let handle = stand.handle().clone();
    let all_places = submission(vec![stand.report("A-0", "picked_up", 1); 10]);
    let mut first = pin!(handle.submit(all_places));
    begun(first.as_mut()).await;
    gate.group();
    let waiting = submission(vec![stand.report("A-1", "picked_up", 1)]);
    let mut waiting = pin!(handle.submit_patiently(waiting));
    begun(waiting.as_mut()).await;
    let mut stop = pin!(stand.engine.stop());
    begun(stop.as_mut()).await;
    assert_eq!(waiting.await, Err(SubmitError::Stopping));
    gate.open();
    stop.await;
    assert_eq!(first.await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_stopped_engine_leaves_folder_and_writer_to_the_next() {
    let dir = TempDir::new().unwrap();
    let first = App::start(dir.path(), None).unwrap();
    let second = App::start(dir.path(), None).map(drop).unwrap_err().to_string();
    let in_use = OpenError::InUse {
        path: dir.path().to_owned(),
        by: Some(std::process::id().to_string()),
    };
    assert_eq!(second, in_use.to_string());
    first.stop().await.unwrap();
    App::start(dir.path(), None).unwrap().stop().await.unwrap();
}
