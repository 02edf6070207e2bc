//! What the writer hands to who follows the log is what the log has.

use std::sync::Arc;

use model::command::{NewId, OrderRef, Report, ReportFields};
use model::entry::Location;
use model::ids::Position;
use server::clock::Clock;
use server::engine::{Command, FEED_ENTRIES, Part};
use store::{Interest, LogEntry, Wanted};

use super::{Change, Setting, Stand, accepted, at, public_id};

/// Large enough to be written behind.
const MANY: usize = 600;

async fn stand() -> Stand {
    let setting = Setting {
        queue_commands: 20_000,
        ..Setting::default()
    };
    Stand::start_with(setting).await
}

async fn all(stand: &Stand, commands: Vec<Command>) {
    let submission = super::submission(commands);
    let answers = stand.handle().submit(submission).await.unwrap();
    answers.into_iter().for_each(|answer| drop(accepted(answer)));
}

fn creations(stand: &Stand, name: &str, count: usize) -> Vec<Command> {
    (0..count)
        .map(|order| stand.create(&format!("{name}-{order}")))
        .collect()
}

/// With everything that a report may have.
fn full_report(stand: &Stand, order: &str) -> Command {
    let report = Report::new(ReportFields {
        status: "picked_up".into(),
        source: "scanner-1".into(),
        occurred_at: at(1),
        client_event_id: Some("event-1".into()),
        location: Some(Location {
            lat: 52.52,
            lng: 13.405,
        }),
        notes: Some("left at the door".into()),
        metadata: Some((*br#"{"seal":"unbroken"}"#).into()),
        received_at: stand.clock.now(),
    });
    let order = OrderRef::Public(public_id(order));
    stand.change(order, Change::Report(report.unwrap()))
}

/// What is wanted of the log behind a position.
fn log(stand: &Stand, mut after: Position, interest: &Interest) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    loop {
        let store = stand.handle().store();
        let page = store
            .reading(|reader| reader.log_of(after, 10_000, interest))
            .unwrap();
        if page.through == after {
            return entries;
        }
        after = page.through;
        entries.extend(page.entries);
    }
}

/// Each part begins where the one before it ends.
fn joined(after: Position, parts: Vec<Part>) -> Vec<LogEntry> {
    let mut end = after;
    let mut entries = Vec::new();
    for part in parts {
        assert_eq!(part.after, end, "a gap");
        end = part.page.through;
        entries.extend(part.page.entries);
    }
    entries
}

#[tokio::test]
async fn what_is_handed_over_is_what_the_log_has_from_groups_of_any_size() {
    let stand = stand().await;
    stand.created("before").await;
    let after = *stand.handle().wake_ups().borrow();
    let everything = Arc::new(Interest::All);
    stand.handle().feed().want(Some(&everything));
    all(&stand, creations(&stand, "A", 3)).await;
    all(&stand, vec![full_report(&stand, "A-1")]).await;
    all(&stand, vec![stand.correct("A-1", 2)]).await;
    all(&stand, creations(&stand, "B", MANY)).await;
    let mut parts = stand.handle().feed().take();
    // Nothing of it is stored.
    super::refusal(stand.one(stand.report("A-1", "delivered", 2)).await);
    all(&stand, creations(&stand, "C", MANY)).await;
    parts.extend(stand.handle().feed().take());
    let handed_over = joined(after, parts);
    assert_eq!(handed_over.len(), 3 + 2 + 2 * MANY);
    assert_eq!(handed_over, log(&stand, after, &everything));
    assert!(stand.handle().feed().take().is_empty(), "each once");
    stand.verify();
}

#[tokio::test]
async fn of_what_nobody_wants_only_its_length_is_handed_over() {
    let stand = stand().await;
    let names = ["client-1", "client-2"];
    let parties = stand.handle().parties(store::PartyKind::Client, &names).await;
    let [first, second] = parties.unwrap()[..] else {
        panic!("two");
    };
    let wanted = Arc::new(Interest::Some(Wanted {
        clients: [second].into_iter().collect(),
        ..Wanted::default()
    }));
    stand.handle().feed().want(Some(&wanted));
    let of = |client, id: &str| stand.create_as(NewId::Given(public_id(id)), stand.lifecycle, client);
    all(
        &stand,
        vec![of(first, "A-1"), of(second, "A-2"), of(first, "A-3")],
    )
    .await;
    all(&stand, vec![of(first, "A-4")]).await;
    let handed_over = joined(Position::new(0), stand.handle().feed().take());
    assert_eq!(handed_over.len(), 1);
    assert_eq!(handed_over, log(&stand, Position::new(0), &wanted));
    stand.verify();
}

#[tokio::test]
async fn what_came_before_a_change_of_wishes_is_not_handed_over() {
    let stand = stand().await;
    let feed = stand.handle().feed();
    feed.want(Some(&Arc::new(Interest::Some(Wanted::default()))));
    stand.created("A-1").await;
    feed.want(Some(&Arc::new(Interest::All)));
    stand.created("A-2").await;
    let parts = feed.take();
    assert_eq!(
        parts.iter().map(|part| part.after).collect::<Vec<_>>(),
        [Position::new(1)],
        "a gap tells of the first"
    );
    feed.want(None);
    stand.created("A-3").await;
    assert!(feed.take().is_empty(), "nothing is kept for nobody");
    stand.verify();
}

#[tokio::test]
async fn what_is_not_taken_is_bounded_and_what_comes_behind_it_is_in_the_log() {
    let stand = stand().await;
    let everything = Arc::new(Interest::All);
    stand.handle().feed().want(Some(&everything));
    for round in 0..3 {
        all(&stand, creations(&stand, &format!("R{round}"), MANY)).await;
    }
    let kept = joined(Position::new(0), stand.handle().feed().take());
    assert!((MANY..=FEED_ENTRIES).contains(&kept.len()), "{}", kept.len());
    let log = log(&stand, Position::new(0), &everything);
    assert_eq!(log.len(), 3 * MANY);
    assert_eq!(kept, log[..kept.len()]);
    stand.created("A-1").await;
    let parts = stand.handle().feed().take();
    let (first, end) = (parts.first().map(|part| part.after), 3 * MANY);
    assert_eq!(
        first.map(Position::get),
        Some(i64::try_from(end).unwrap()),
        "and a gap tells of it"
    );
    stand.verify();
}
