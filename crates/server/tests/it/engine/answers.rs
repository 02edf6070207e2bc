//! Each caller gets its own answers, in the order of its commands.

use std::pin::pin;

use model::command::{NewId, OrderRef};
use model::public_id::PublicId;
use model::{EntryKind, Refusal};
use server::engine::{Known, Outcome, Submission};
use store::PartyKind;
use tokio::task::JoinSet;

use super::{Gate, Setting, Stand, accepted, begun, duplicate_of, public_id, refusal, submission};

#[tokio::test]
async fn submissions_that_gather_are_one_commit_and_are_answered_in_order() {
    let (closed, mut gate, observer) = Gate::new();
    let stand = Stand::start_with(Setting {
        observer: Some(observer),
        ..Setting::default()
    })
    .await;
    stand.created("A-1").await;
    *closed.lock().unwrap() = true;
    let mut first = pin!(stand.submit(vec![stand.report("A-1", "picked_up", 1)]));
    begun(first.as_mut()).await;
    assert_eq!(gate.group().commands, 1);

    let mut second = pin!(stand.submit(vec![
        stand.report("A-1", "in_warehouse", 2),
        stand.report("A-1", "in_transit", 3),
    ]));
    let mut third = pin!(stand.submit(vec![stand.report("A-1", "delivered", 4)]));
    begun(second.as_mut()).await;
    begun(third.as_mut()).await;
    gate.let_one_go();
    accepted(first.await.remove(0));
    let group = gate.group();
    assert_eq!((group.commands, group.entries), (3, 3));
    gate.open();

    let versions: Vec<u32> = second
        .await
        .into_iter()
        .chain(third.await)
        .map(|answer| accepted(answer).version.get())
        .collect();
    assert_eq!(versions, [3, 4, 5]);
    stand.verify();
}

#[tokio::test]
async fn a_refusal_fails_only_its_caller() {
    let stand = Stand::start().await;
    let answers = stand
        .submit(vec![
            stand.create("A-1"),
            stand.report("A-1", "delivered", 1),
            stand.report("A-2", "picked_up", 1),
            stand.report("A-1", "picked_up", 1),
        ])
        .await;
    let [created, early, unknown, picked_up] = answers.try_into().unwrap();
    accepted(created);
    assert_eq!(
        refusal(early).to_string(),
        "Cannot transition from 'created' to 'delivered'"
    );
    assert_eq!(refusal(unknown), Refusal::UnknownOrder);
    assert_eq!(accepted(picked_up).version.get(), 2);
    assert_eq!(stand.statuses("A-1"), ["created", "picked_up"]);
    assert_eq!(stand.dead_letters(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_submitters_each_get_their_own() {
    let stand = Stand::start_with(Setting {
        queue_commands: 50,
        ..Setting::default()
    })
    .await;
    let mut submitters = JoinSet::new();
    for number in 0..100 {
        let id = format!("A-{number}");
        let commands = vec![
            stand.create(&id),
            stand.report(&id, "picked_up", 1),
            stand.report(&id, "cancelled", 2),
        ];
        let handle = stand.handle().clone();
        submitters.spawn(async move { (id, handle.submit(submission(commands)).await.unwrap()) });
    }
    let mut orders = std::collections::BTreeSet::new();
    while let Some(joined) = submitters.join_next().await {
        let (id, answers) = joined.unwrap();
        let [created, picked_up, cancelled] = answers.try_into().unwrap();
        let created = accepted(created);
        assert_eq!(created.created, Some(public_id(&id)));
        assert_eq!(accepted(picked_up).order, created.order);
        assert_eq!(accepted(cancelled).last_version.get(), 3);
        orders.insert(created.order);
    }
    assert_eq!(orders.len(), 100);
    stand.verify();
}

#[tokio::test]
async fn a_repeated_report_is_a_duplicate_in_the_same_group_and_later() {
    let stand = Stand::start().await;
    stand.created("A-1").await;
    let report = stand.report("A-1", "picked_up", 1);
    let answers = stand
        .submit(vec![
            report.clone(),
            report.clone(),
            stand.report("A-1", "in_warehouse", 2),
            report.clone(),
        ])
        .await;
    assert_eq!(accepted(answers[0].clone()).version.get(), 2);
    assert_eq!((duplicate_of(&answers[1]), duplicate_of(&answers[3])), (2, 2));
    assert_eq!(duplicate_of(&stand.one(report.clone()).await), 2);

    let stand = stand.restart().await;
    assert_eq!(duplicate_of(&stand.one(report).await), 2);
    assert_eq!(stand.history("A-1").len(), 3);
}

#[tokio::test]
async fn an_order_moves_in_the_submission_that_makes_it() {
    let stand = Stand::start().await;
    let answers = stand
        .submit(vec![
            stand.create("A-1"),
            stand.report("A-1", "picked_up", 1),
            stand.report("A-1", "in_warehouse", 2),
        ])
        .await;
    let made: Vec<_> = answers.into_iter().map(accepted).collect();
    assert_eq!(
        made.iter().map(|made| made.version.get()).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(made[0].created, Some(public_id("A-1")));
    assert_eq!(made[1].created, None);
    assert_eq!(stand.statuses("A-1"), ["created", "picked_up", "in_warehouse"]);
    stand.verify();
}

#[tokio::test]
async fn an_order_is_one_by_its_id_and_by_its_key() {
    let stand = Stand::start().await;
    let order = stand.created("A-1").await.order;
    let by_key = |status, at| stand.change(OrderRef::Key(order), stand.report_change(status, at));
    let answers = stand
        .submit(vec![
            by_key("picked_up", 1),
            stand.report("A-1", "in_warehouse", 2),
            by_key("in_transit", 3),
            stand.report("A-1", "picked_up", 1),
        ])
        .await;
    assert_eq!(accepted(answers[2].clone()).version.get(), 4);
    assert_eq!(duplicate_of(&answers[3]), 2);
    // Of a store that has forgotten what it read, too.
    let stand = stand.restart().await;
    let answers = stand
        .submit(vec![
            stand.report("A-1", "delivered", 4),
            stand.change(OrderRef::Key(order), stand.report_change("delivered", 4)),
        ])
        .await;
    assert_eq!(accepted(answers[0].clone()).version.get(), 5);
    assert_eq!(duplicate_of(&answers[1]), 5);
    stand.verify();
}

#[tokio::test]
async fn a_kept_id_is_a_duplicate_for_its_owner_and_taken_for_others() {
    let stand = Stand::start().await;
    let other = stand
        .handle()
        .party(PartyKind::Client, "client_002")
        .await
        .unwrap();
    let id = || NewId::Given(public_id("A-1"));
    let by_other = stand.create_as(id(), stand.lifecycle, other);
    let (patient, _) = stand.handle().lifecycle_named("patient").unwrap();
    let of_another_kind = stand.create_as(id(), patient, stand.client);
    let commands = vec![
        stand.create("A-1"),
        stand.create("A-1"),
        by_other,
        of_another_kind,
    ];
    let answers = stand.submit(commands.clone()).await;
    accepted(answers[0].clone());
    for answers in [&answers[1..], &stand.submit(commands).await[1..]] {
        assert_eq!(duplicate_of(&answers[0]), 1);
        assert_eq!(refusal(answers[1].clone()), Refusal::IdTaken);
        assert_eq!(refusal(answers[2].clone()), Refusal::IdTaken);
    }
    assert_eq!(stand.history("A-1").len(), 1);
    stand.verify();
}

#[tokio::test]
async fn a_random_id_that_is_taken_becomes_another() {
    let stand = Stand::start().await;
    let id = PublicId::tracking_number("99M-", 7).unwrap();
    let create = || stand.create_as(NewId::Random(id.clone()), stand.lifecycle, stand.client);
    let mut answers = stand.submit(vec![create(), create()]).await;
    answers.push(stand.one(create()).await);
    let ids: Vec<_> = answers
        .into_iter()
        .map(|answer| accepted(answer).created.unwrap())
        .collect();
    assert_eq!(ids[0], id);
    assert!(
        ids[1] != ids[0] && ids[2] != ids[1] && ids[2] != ids[0],
        "{ids:?}"
    );
    for id in &ids {
        assert!(id.as_str().starts_with("99M-") && id.check_symbol_holds());
        assert_eq!(stand.history(id.as_str()).len(), 1);
    }
    stand.verify();
}

#[tokio::test]
async fn who_reads_the_log_is_woken_once_it_has_grown() {
    let stand = Stand::start().await;
    let mut wake_ups = stand.handle().wake_ups();
    stand.created("A-1").await;
    assert!(wake_ups.has_changed().unwrap());
    let position = *wake_ups.borrow_and_update();
    assert_eq!(position.get(), 1);
    let log = stand.handle().store().reading(|reader| reader.totals()).unwrap();
    assert_eq!(log.last_position, position);

    // A repetition adds nothing, and wakes nobody.
    assert_eq!(duplicate_of(&stand.one(stand.create("A-1")).await), 1);
    assert!(!wake_ups.has_changed().unwrap());
    let answer = stand.one(stand.report("A-1", "picked_up", 1)).await;
    assert_eq!(accepted(answer).kind, EntryKind::StatusApplied);
    assert_eq!(wake_ups.borrow_and_update().get(), 2);
}

#[tokio::test]
async fn an_empty_submission_is_answered_with_nothing() {
    let stand = Stand::start().await;
    assert_eq!(stand.submit(Vec::new()).await, []);
}

#[tokio::test]
async fn a_cancellation_that_is_the_case_already_changes_nothing() {
    let stand = Stand::start().await;
    stand.created("A-1").await;
    let cancel = model::command::Change::Cancel {
        reason: None,
        source: "api".into(),
    };
    let cancel = stand.change(OrderRef::Public(public_id("A-1")), cancel);
    let answers = stand.submit(vec![cancel.clone(), cancel]).await;
    let order = accepted(answers[0].clone());
    assert_eq!(
        answers[1],
        Ok(Outcome::Unchanged(Known {
            order: order.order,
            version: order.last_version,
            last_version: order.last_version,
            status: order.status,
            updated_at: order.updated_at,
        }))
    );
}

#[tokio::test]
async fn a_repetition_is_found_behind_a_new_report_of_its_order_in_the_same_group() {
    let stand = Stand::start().await;
    stand.created("A-1").await;
    let old = stand.report("A-1", "picked_up", 1);
    accepted(stand.one(old.clone()).await);
    // All or none: the group is not taken apart to answer it.
    let together = Submission {
        atomic: true,
        ..submission(vec![stand.report("A-1", "in_warehouse", 2), old])
    };
    let answers = stand.handle().submit(together).await.unwrap();
    assert_eq!(accepted(answers[0].clone()).version.get(), 3);
    assert_eq!(duplicate_of(&answers[1]), 2);
    stand.verify();
}
