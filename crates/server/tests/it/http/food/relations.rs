//! What SQL by other tools is shown of food orders.

use model::command::Change;
use model::ids::Version;
use serde_json::{Value, json};

use super::{advance, change, made};
use crate::harness::front::{Front, customer, operator};

/// Rows of a relation as the API shows the same.
fn shown(rows: Vec<Vec<Option<String>>>, names: &[&str]) -> Vec<Value> {
    let row = |row: Vec<Option<String>>| {
        let members = names.iter().zip(row);
        members
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect()
    };
    rows.into_iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sql_is_shown_of_meals_is_what_the_api_says() {
    let front = Front::start().await;
    let id = made(&front, &customer()).await;
    let second = front
        .post(
            &operator(),
            "/orders",
            &json!({"customer_name": "\"B\" \\u0041", "address": "a\nb", "item": "🍜", "size": "small"}),
        )
        .await
        .is(201);
    let second = second["order_id"].as_str().unwrap();
    advance(&front, &id, "PREPARING").await;
    let correct = Change::Correct {
        strike: Version::new(2),
        reason: "not yet".into(),
    };
    change(&front, &id, correct).await;
    advance(&front, &id, "PREPARING").await;
    front
        .post(&operator(), &format!("/orders/{second}/cancel"), &json!({}))
        .await
        .is(200);
    let home = front.home();
    let time = |name: &str| {
        if home.is_postgres() {
            format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        } else {
            name.to_owned()
        }
    };
    for (id, count) in [(id.as_str(), 5), (second, 3)] {
        let body = front.get(&operator(), &format!("/orders/{id}")).await.is(200);
        let columns = ["order_id", "customer_name", "address", "item", "size", "status"];
        let sql = format!(
            "SELECT {}, {}, {} FROM orders WHERE order_id = '{id}'",
            columns.join(", "),
            time("created_at"),
            time("updated_at")
        );
        let names = [&columns[..], &["created_at", "updated_at"]].concat();
        assert_eq!(shown(home.rows(&sql), &names), [body["order"].clone()]);
        let sql = format!(
            "SELECT id, order_id, event, {}, CAST(meta AS TEXT) FROM order_events WHERE order_id = '{id}' ORDER BY id",
            time("timestamp")
        );
        let mut events = shown(home.rows(&sql), &["id", "order_id", "event", "timestamp", "meta"]);
        for event in &mut events {
            event["meta"] = serde_json::from_str(event["meta"].as_str().unwrap()).unwrap();
        }
        assert_eq!(events.len(), count);
        assert_eq!(json!(events), body["events"]);
    }
    front.end().await;
}
