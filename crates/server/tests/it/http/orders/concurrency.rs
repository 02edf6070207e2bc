//! Several callers change one order at once.

use futures_util::future::join_all;
use serde_json::json;

use super::{cancel, history, order_of, path, put_with, read, report, statuses, walk};
use crate::harness::front::{Front, client, operator};

const CALLERS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_take_one_step_one_does_and_the_others_are_told() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    for (status, next) in [
        ("picked_up", json!(["in_transit", "cancelled"])),
        ("in_transit", json!(["delivered", "cancelled"])),
        ("delivered", json!([])),
    ] {
        let post = |caller: usize| {
            let (front, id) = (&front, &id);
            async move {
                let body = json!({"status": status, "source": format!("scanner-{caller}")});
                front.post(&operator(), &path(id, "/status"), &body).await
            }
        };
        let answers = join_all((0..CALLERS).map(post)).await;
        let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(taken.len(), 1, "{status}");
        for answer in refused {
            assert_eq!(answer.is_problem(409, "INVALID_TRANSITION")["allowed"], next);
        }
    }
    assert_eq!(
        statuses(&front, &id).await,
        ["created", "picked_up", "in_transit", "delivered"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_build_on_one_version_one_does_and_the_others_are_stale() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let wanted = |caller: usize| {
        let (front, id) = (&front, &id);
        async move {
            // Half of them cancel, half take the next step: both are allowed, on the version that they saw.
            if caller.is_multiple_of(2) {
                let body = json!({"reason": format!("caller {caller}")});
                put_with(
                    front,
                    &client("client_001"),
                    &path(id, "/cancel"),
                    ("if-match", "\"1\""),
                    &body,
                )
                .await
            } else {
                let body = json!({"status": "picked_up", "source": format!("scanner-{caller}")});
                let header = ("if-match", "\"1\"");
                front
                    .post_with(&operator(), &path(id, "/status"), header, &body)
                    .await
            }
        }
    };
    let answers = join_all((0..CALLERS).map(wanted)).await;
    let changed = history(&front, &id).await;
    assert_eq!(changed.len(), 2);
    let is_cancelled = changed[1]["status"] == "cancelled";
    let (mut done, mut stale) = (0, 0);
    for (answer, caller) in answers.iter().zip(0_usize..) {
        match answer.status.as_u16() {
            200 => {
                assert_eq!(answer.header("etag"), "\"2\"");
                done += 1;
            }
            412 => {
                answer.is_problem(412, "PRECONDITION_FAILED");
                stale += 1;
            }
            other => panic!("{other}: {}", answer.text),
        }
        // What is the case already is no change: who cancels what is cancelled is not stale.
        if is_cancelled && caller.is_multiple_of(2) {
            answer.is(200);
        }
    }
    let expected = if is_cancelled {
        (CALLERS / 2, CALLERS / 2)
    } else {
        (1, CALLERS - 1)
    };
    assert_eq!((done, stale), expected);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_and_who_delivers_at_once_do_not_both_win() {
    let front = Front::start().await;
    for _ in 0..10 {
        let id = order_of(&front, "client_001").await;
        walk(&front, &id, &["picked_up", "in_transit"]).await;
        let (token, staff) = (client("client_001"), operator());
        let (cancelled, delivered) = tokio::join!(
            cancel(&front, &token, &id),
            report(&front, &staff, &id, "delivered")
        );
        let mut told = [cancelled.status.as_u16(), delivered.status.as_u16()];
        told.sort_unstable();
        assert_eq!(told, [200, 409]);
        let status = read(&front, &id).await["status"].clone();
        assert_eq!(status == "cancelled", cancelled.status == 200);
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_of_the_moment_of_its_own_change() {
    let front = Front::start().await;
    let ids = join_all((0..8).map(|_| order_of(&front, "client_001"))).await;
    let live = |id: String| {
        let front = &front;
        async move {
            for (status, version) in [("picked_up", 2), ("in_transit", 3), ("delivered", 4)] {
                let order = report(front, &operator(), &id, status).await.is(200);
                assert_eq!(
                    (&order["order_id"], &order["status"], &order["version"]),
                    (&json!(id), &json!(status), &json!(version))
                );
            }
        }
    };
    join_all(ids.into_iter().map(live)).await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_refused_by_every_path_that_changes_an_order() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up"]).await;
    let event_id = history(&front, &id).await[1]["event_id"].clone();
    let header = ("if-match", "\"1\"");
    let status = json!({"status": "in_transit", "source": "van"});
    let forced = json!({"status": "in_transit", "reason": "why"});
    let struck = json!({"event_id": event_id, "reason": "why"});
    let admin = crate::harness::front::admin();
    let set = format!("/api/v1/admin/orders/{id}/status");
    for answer in [
        front
            .post_with(&operator(), &path(&id, "/status"), header, &status)
            .await,
        front
            .post_with(&operator(), &path(&id, "/corrections"), header, &struck)
            .await,
        put_with(&front, &operator(), &path(&id, "/cancel"), header, &json!({})).await,
        put_with(&front, &admin, &set, header, &forced).await,
    ] {
        answer.is_problem(412, "PRECONDITION_FAILED");
    }
    for (tag, body) in [
        ("W/\"2\"", &status),
        ("*", &json!({"status": "delivered", "source": "van"})),
    ] {
        front
            .post_with(&operator(), &path(&id, "/status"), ("if-match", tag), body)
            .await
            .is(200);
    }
    front
        .post_with(&operator(), &path(&id, "/status"), ("if-match", "4"), &status)
        .await
        .blames("If-Match");
    front.end().await;
}
