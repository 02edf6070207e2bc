//! A value that the model takes and the database refuses: here by a trigger, in life by a bug.

use rusqlite::Connection;
use server::engine::{Failure, Submission};
use store::folder::DATABASE_FILE;

use super::{Stand, accepted, at};

/// The time at which no event may occur, as the database has it.
pub(super) const REFUSED: i64 = 13;

pub(super) fn refuse_a_time(stand: &Stand) {
    let database = Connection::open(stand.dir.path().join(DATABASE_FILE)).unwrap();
    let trigger = format!(
        "CREATE TRIGGER refuse_a_time BEFORE INSERT ON entries WHEN NEW.occurred_at = {} \
         BEGIN SELECT RAISE(ABORT, 'not at this time'); END",
        at(REFUSED).as_nanos()
    );
    database.execute_batch(&trigger).unwrap();
}

#[tokio::test]
async fn only_the_command_to_blame_fails() {
    let stand = Stand::start().await;
    refuse_a_time(&stand);
    let mut commands: Vec<_> = (0..6)
        .map(|number| stand.create(&format!("A-{number}")))
        .collect();
    commands.extend([
        stand.report("A-0", "picked_up", 1),
        stand.report("A-1", "picked_up", REFUSED),
        stand.report("A-1", "picked_up", 2),
        stand.report("A-0", "in_warehouse", REFUSED),
        stand.report("A-0", "in_warehouse", 3),
    ]);
    let answers = stand.submit(commands).await;
    for (place, answer) in answers.into_iter().enumerate() {
        if place == 7 || place == 9 {
            assert_eq!(answer, Err(Failure::Internal), "command {place}");
        } else {
            accepted(answer);
        }
    }
    assert_eq!(stand.statuses("A-0"), ["created", "picked_up", "in_warehouse"]);
    assert_eq!(stand.statuses("A-1"), ["created", "picked_up"]);
    stand.verify();
}

#[tokio::test]
async fn an_atomic_submission_fails_whole_and_spares_others() {
    let stand = Stand::start().await;
    stand.created("A-0").await;
    refuse_a_time(&stand);
    let atomic = |commands| Submission {
        commands,
        atomic: true,
        keep_refusals: false,
        ..Submission::default()
    };
    let whole = atomic(vec![
        stand.create("A-1"),
        stand.report("A-1", "picked_up", REFUSED),
        stand.report("A-0", "picked_up", 1),
    ]);
    let other = atomic(vec![stand.create("A-2"), stand.report("A-2", "picked_up", 1)]);
    let (whole, other) = tokio::join!(stand.handle().submit(whole), stand.handle().submit(other));
    assert_eq!(whole.unwrap(), vec![Err(Failure::Internal); 3]);
    assert_eq!(other.unwrap().into_iter().map(accepted).count(), 2);
    assert_eq!(stand.history("A-1"), []);
    assert_eq!(stand.statuses("A-0"), ["created"]);
    stand.verify();
}

#[tokio::test]
async fn an_atomic_submission_with_a_command_that_cannot_be_made_fails_whole() {
    let stand = Stand::start().await;
    let unknown = model::ids::LifecycleId::new(99);
    let id = model::command::NewId::Given(super::public_id("A-2"));
    let submission = Submission {
        commands: vec![stand.create("A-1"), stand.create_as(id, unknown, stand.client)],
        atomic: true,
        keep_refusals: false,
        ..Submission::default()
    };
    let answers = stand.handle().submit(submission).await.unwrap();
    assert_eq!(answers, [Err(Failure::Internal), Err(Failure::Internal)]);
    assert_eq!(stand.history("A-1"), []);
    stand.verify();
}
