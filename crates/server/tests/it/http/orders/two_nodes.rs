//! Orders made and moved on two nodes over one database.

use futures_util::future::join_all;
use serde_json::json;

use super::{ORDERS, cancel, history, id, new_merchant_order, order_of, path, read, report, statuses};
use crate::harness::front::{client, operator};
use crate::harness::two::Two;

const CALLERS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_answers_the_other_knows() {
    let Some(two) = Two::start().await else { return };
    let token = client("client_001");
    let key = ("idempotency-key", "once");
    let wish = new_merchant_order();
    let made = two.one.post_with(&token, ORDERS, key, &wish).await;
    let order_id = id(&made.is(201));
    let again = two.other.post_with(&token, ORDERS, key, &wish).await;
    assert_eq!((again.status, &again.text), (made.status, &made.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let moved = report(&two.other, &token, &order_id, "picked_up").await.is(200);
    assert_eq!(read(&two.one, &order_id).await, moved);
    assert_eq!(
        history(&two.one, &order_id).await,
        history(&two.other, &order_id).await
    );
    let cancelled = cancel(&two.one, &token, &order_id).await.is(200);
    assert_eq!(cancel(&two.other, &token, &order_id).await.is(200), cancelled);
    let stale = json!({"status": "in_transit", "source": "van"});
    two.other
        .post_with(
            &operator(),
            &path(&order_id, "/status"),
            ("if-match", "\"2\""),
            &stale,
        )
        .await
        .is_problem(412, "PRECONDITION_FAILED");
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_take_one_step_on_two_nodes_one_does() {
    let Some(two) = Two::start().await else { return };
    let order_id = order_of(&two.one, "client_001").await;
    for status in ["picked_up", "in_transit", "delivered"] {
        let post = |caller: usize| {
            let front = if caller.is_multiple_of(2) {
                &two.one
            } else {
                &two.other
            };
            let body = json!({"status": status, "source": format!("scanner-{caller}")});
            let order_id = &order_id;
            async move { front.post(&operator(), &path(order_id, "/status"), &body).await }
        };
        let answers = join_all((0..CALLERS).map(post)).await;
        let taken = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(taken, 1, "{status}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.is_problem(409, "INVALID_TRANSITION");
        }
    }
    assert_eq!(
        statuses(&two.other, &order_id).await,
        ["created", "picked_up", "in_transit", "delivered"]
    );
    two.end().await;
}
