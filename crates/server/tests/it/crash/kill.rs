//! SIGKILL, at random moments under load and while the store is being opened.

use std::time::Duration;

use model::command::{Actor, Change, OrderRef, Report, ReportFields, Scope};
use model::ids::{PartyId, Version};
use model::public_id::PublicId;
use model::role::Role;
use model::time::Timestamp;
use rand::RngExt;
use server::app::App;
use server::engine::{Command, Outcome, Submission};
use store::folder::DATABASE_FILE;

use super::{Ordeal, rounds};
use crate::harness::acknowledged::{Acknowledged, Event, Losses};
use crate::harness::process::Running;

#[test]
fn what_was_acknowledged_survives_kills() {
    let mut ordeal = Ordeal::new();
    let rounds = rounds();
    for round in 0..rounds {
        if round % 3 == 0 {
            kill_at_start(&mut ordeal);
        }
        let running = Running::start(&mut ordeal.simulate());
        assert!(running.begins_with("ready"));
        // The one thing waited for is chance itself.
        std::thread::sleep(Duration::from_millis(ordeal.random.random_range(30..600)));
        let ended = running.kill();
        assert_eq!(ended.code(), None, "it ended by itself: {ended:?}");
        ordeal.check(Acknowledged::read(&ended.stdout));
    }
    ordeal.check_all(rounds, "");
    send_again(&ordeal);
}

/// The comparison itself: what is not in the store is lost, what is there as another version too.
#[test]
fn a_loss_would_be_seen() {
    let mut ordeal = Ordeal::new();
    let running = Running::start(&mut ordeal.simulate());
    assert!(running.prints_more_than(6_000));
    let ended = running.kill();
    let mut acknowledged = Acknowledged::read(&ended.stdout);
    assert_eq!(acknowledged.compare(&ordeal.data_dir()), Losses::default());
    let event = acknowledged.events.first().unwrap().clone();
    acknowledged.events.insert(Event {
        version: event.version + 1,
        ..event.clone()
    });
    acknowledged.events.insert(Event {
        occurred_at_nanos: event.occurred_at_nanos + 1,
        ..event
    });
    acknowledged.created.insert("99M-NEVERMADE".to_owned());
    let losses = acknowledged.compare(&ordeal.data_dir());
    assert_eq!((losses.lost.len(), losses.doubled.len()), (3, 0), "{losses:?}");
}

/// While it makes or recovers the store. What it acknowledges, if it comes so far, counts.
fn kill_at_start(ordeal: &mut Ordeal) {
    let running = Running::start(&mut ordeal.simulate());
    std::thread::sleep(Duration::from_micros(ordeal.random.random_range(0..30_000)));
    let ended = running.kill();
    let acknowledged = Acknowledged::read(&ended.stdout);
    if ordeal.data_dir().join(DATABASE_FILE).exists() {
        ordeal.check(acknowledged);
    } else {
        assert_eq!(acknowledged.len(), 0);
    }
}

/// Every event of the last round, sent again to the store it was killed over, is a repetition.
#[tokio::main(flavor = "current_thread")]
async fn send_again(ordeal: &Ordeal) {
    let app = App::start(&*ordeal.data_dir(), None).unwrap();
    let events: Vec<&Event> = ordeal.last.events.iter().collect();
    for events in events.chunks(500) {
        let submission = Submission {
            commands: events.iter().map(|event| report(event)).collect(),
            ..Submission::default()
        };
        let answers = app.engine().handle().submit(submission).await.unwrap();
        for (event, answer) in events.iter().zip(answers) {
            let again = matches!(answer, Ok(Outcome::Duplicate(known)) if known.version == Version::new(event.version));
            assert!(again, "{event:?} sent again: {answer:?}");
        }
    }
    app.stop().await.unwrap();
}

fn report(event: &Event) -> Command {
    let at = Timestamp::from_nanos(event.occurred_at_nanos);
    let report = Report::new(ReportFields {
        status: event.status.as_str().into(),
        source: event.source.as_str().into(),
        occurred_at: at,
        client_event_id: None,
        location: None,
        notes: None,
        metadata: None,
        received_at: at,
    });
    Command::Change {
        order: OrderRef::Public(PublicId::new(&event.shipment).unwrap()),
        actor: Actor {
            party: PartyId::NOBODY,
            role: Role::Operator,
            scope: Scope::All,
        },
        expected: None,
        change: Change::Report(report.unwrap()),
    }
}
