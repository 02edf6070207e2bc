//! Orders move along their lifecycle, and their history says how.

use serde_json::{Value, json};

use super::{ann, delivery_of, history, order_of, path, read, report, seeded, set_status, statuses, walk};
use crate::harness::front::{Front, client, driver, operator};

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_order_is_moved_by_its_client_and_its_drivers() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let moves = [
        (client("client_001"), "picked_up", "moving"),
        (driver("client_001"), "in_transit", "moving"),
        (driver("client_001"), "delivered", "done"),
    ];
    for ((token, status, phase), version) in moves.into_iter().zip(2..) {
        let answer = report(&front, &token, &id, status).await;
        let order = answer.is(200);
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        assert_eq!(
            (&order["status"], &order["phase"], &order["version"]),
            (&json!(status), &json!(phase), &json!(version))
        );
        assert_eq!(read(&front, &id).await, order);
        let short = front.get(&token, &path(&id, "/status")).await;
        assert_eq!(short.header("etag"), answer.header("etag"));
        let expected = json!({"order_id": id, "status": status, "phase": phase,
            "updated_at": order["updated_at"], "version": version});
        assert_eq!(short.is(200), expected);
    }
    assert_eq!(
        statuses(&front, &id).await,
        ["created", "picked_up", "in_transit", "delivered"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_not_allowed_says_which_are() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    for (status, allowed) in [
        ("created", json!(["picked_up", "cancelled"])),
        ("delivered", json!(["picked_up", "cancelled"])),
    ] {
        let problem = report(&front, &client("client_001"), &id, status).await;
        assert_eq!(problem.is_problem(409, "INVALID_TRANSITION")["allowed"], allowed);
    }
    let problem = report(&front, &driver("client_001"), &id, "delivered").await;
    assert_eq!(
        problem.is_problem(409, "INVALID_TRANSITION")["allowed"],
        json!(["picked_up"])
    );
    let message = report(&front, &operator(), &id, "in_warehouse")
        .await
        .blames("status");
    assert!(message.contains("picked_up"), "{message}");
    walk(&front, &id, &["picked_up", "in_transit", "delivered"]).await;
    let over = report(&front, &operator(), &id, "cancelled").await;
    assert_eq!(over.is_problem(409, "INVALID_TRANSITION")["allowed"], json!([]));
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_again_changes_nothing() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let body = json!({"status": "picked_up", "source": "till", "occurred_at": "2026-01-31T10:00:00Z"});
    let post = || async {
        front
            .post(&client("client_001"), &path(&id, "/status"), &body)
            .await
    };
    let first = post().await.is(200);
    assert_eq!(post().await.is(200), first);
    walk(&front, &id, &["in_transit"]).await;
    // It was accepted once, whatever has happened since: the answer is the order as it is.
    let again = post().await;
    assert_eq!(again.is(200)["status"], "in_transit");
    assert_eq!(again.header("etag"), "\"3\"");
    assert_eq!(history(&front, &id).await.len(), 3);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_all_that_was_said() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    let body = json!({"status": "picked_up", "source": "van-7", "occurred_at": "2026-01-31T10:00:00Z",
        "location": {"lat": 52.52, "lng": 13.405}, "metadata": {"dock": 4}});
    front
        .post(&driver("client_001"), &path(&id, "/status"), &body)
        .await
        .is(200);
    set_status(
        &front,
        &id,
        &json!({"status": "delivered", "reason": "seen at the door", "force": true}),
    )
    .await
    .is(200);
    let events = history(&front, &id).await;
    let told = |event: &Value| {
        let mut event = event.clone();
        for member in ["event_id", "recorded_at"] {
            assert!(event.as_object_mut().unwrap().remove(member).is_some());
        }
        event
    };
    let nothing = json!({"reported_status": null, "location": null, "notes": null, "metadata": null,
        "reason": null, "about": null, "struck": false});
    let with = |members: Value| {
        let mut event = nothing.clone();
        event
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        event
    };
    assert_eq!(
        told(&events[0]),
        with(
            json!({"kind": "created", "version": 1, "status": "created", "source": "api",
            "actor": "user-of-client_001", "occurred_at": events[0]["recorded_at"]})
        )
    );
    assert_eq!(
        told(&events[1]),
        with(
            json!({"kind": "status_applied", "version": 2, "status": "picked_up", "source": "van-7",
            "actor": "driver-of-client_001", "occurred_at": "2026-01-31T10:00:00.000000Z",
            "location": {"lat": 52.52, "lng": 13.405}, "metadata": {"dock": 4}})
        )
    );
    assert_eq!(
        told(&events[2]),
        with(
            json!({"kind": "override", "version": 3, "status": "delivered", "source": null,
            "actor": "an-admin", "occurred_at": events[2]["recorded_at"], "reason": "seen at the door"})
        )
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_history_join() {
    let front = Front::start().await;
    let id = order_of(&front, "client_001").await;
    walk(&front, &id, &["picked_up", "in_transit", "delivered"]).await;
    let events = history(&front, &id).await;
    let mut joined = Vec::new();
    let mut next = path(&id, "/history?limit=2");
    loop {
        let page = front.get(&operator(), &next).await;
        let body = page.is(200);
        joined.extend(body["data"].as_array().unwrap().clone());
        let link = page.header("link").to_owned();
        let Some(cursor) = body["next_cursor"].as_str() else {
            assert_eq!(link, "");
            break;
        };
        next = path(&id, &format!("/history?limit=2&cursor={cursor}"));
        assert_eq!(link, format!("<{next}>; rel=\"next\""));
    }
    assert_eq!(joined, events);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_told_who_did_what_and_why() {
    let front = seeded().await;
    let id = delivery_of(&front, &ann()).await;
    set_status(
        &front,
        &id,
        &json!({"status": "dispatched", "reason": "on its way"}),
    )
    .await
    .is(200);
    let page = front.get(&ann(), &path(&id, "/history")).await.is(200);
    let event = &page["data"][1];
    assert_eq!(
        (&event["actor"], &event["reason"]),
        (&json!("an-admin"), &json!("on its way"))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_possible_next_is_told_for_who_asks() {
    let front = seeded().await;
    let id = order_of(&front, "client_001").await;
    let transitions = |token: String, id: String| {
        let front = &front;
        async move {
            let answer = front.get(&token, &path(&id, "/transitions")).await.is(200);
            let to = |list: &str| {
                let list = answer[list].as_array().unwrap();
                list.iter()
                    .map(|it| it["to"].as_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            for refused in answer["refused"].as_array().unwrap() {
                assert!(refused["reason"].as_str().unwrap().len() > 10, "{refused}");
            }
            (answer["status"].clone(), to("allowed"), to("refused"))
        }
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        transitions(client("client_001"), id.clone()).await,
        (
            json!("created"),
            names(&["picked_up", "cancelled"]),
            names(&["created", "in_transit", "delivered"])
        )
    );
    let (_, allowed, _) = transitions(driver("client_001"), id.clone()).await;
    assert_eq!(allowed, ["picked_up"]);
    // What is said to be possible is, and the rest is not.
    for status in ["created", "in_transit", "delivered"] {
        report(&front, &client("client_001"), &id, status).await.is(409);
    }
    walk(&front, &id, &["picked_up", "in_transit", "delivered"]).await;
    let (status, allowed, refused) = transitions(operator(), id).await;
    assert_eq!((status, allowed.len(), refused.len()), (json!("delivered"), 0, 5));

    let delivery = delivery_of(&front, &ann()).await;
    let (_, allowed, _) = transitions(ann(), delivery.clone()).await;
    assert_eq!(allowed, ["cancelled"]);
    let (_, allowed, _) = transitions(operator(), delivery).await;
    assert_eq!(allowed, ["dispatched", "cancelled"]);
    front.end().await;
}
