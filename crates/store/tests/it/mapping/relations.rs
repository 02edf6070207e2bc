//! What the relations show.

use model::EntryKind;
use model::time::Timestamp;
use postgres::Client;
use rusqlite::Connection;
use store::Store;

use super::{EVENT_COLUMNS, ORDER_COLUMNS, meals};
use crate::backend::{Backend, PostgresDatabase, SqliteFolder};
use crate::orders::named;

type Row = Vec<Option<String>>;

/// Columns of a query as texts.
fn of_sqlite(raw: &Connection, sql: &str) -> Vec<Row> {
    let mut select = raw.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn of_postgres(raw: &mut Client, sql: &str) -> Vec<Row> {
    let rows = raw.query(sql, &[]).unwrap();
    rows.iter()
        .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
        .collect()
}

fn row(values: &[&str]) -> Row {
    let value = |value: &&str| Some((*value).to_owned()).filter(|value| value != "NULL");
    values.iter().map(value).collect()
}

/// The rows of both relations, as the store's own API knows them.
fn expected_orders(store: &dyn Store, nul: &str) -> Vec<Row> {
    let told = [
        (
            "ORD-A",
            [
                "Ana \"A\" Ünal",
                "1 Main St\nFlat 2",
                "Pad \\u0000 Thai",
                "medium",
                "COOKING",
            ],
        ),
        (
            "ORD-B",
            [
                &format!("a{nul}b"),
                &format!("\\{nul}"),
                "x",
                "large",
                "CANCELLED",
            ],
        ),
        ("ORD-C", ["C", "NULL", "NULL", "NULL", "PLACED"]),
        ("ORD-D", ["NULL", "NULL", "NULL", "NULL", "PLACED"]),
    ];
    told.iter()
        .map(|(id, told)| {
            let order = store.reading(|reader| reader.order(&named(id))).unwrap().unwrap();
            let mut values = vec![*id];
            values.extend(told);
            let (created_at, updated_at) = (order.created_at.to_string(), order.head.recorded_at.to_string());
            values.extend([&*created_at, &updated_at]);
            row(&values)
        })
        .collect()
}

/// Ids, events and, of each, the entry it is of.
const EVENTS: [(&str, &str, &str, usize); 11] = [
    ("ORD-A", "1", "CREATED", 0),
    ("ORD-A", "2", "PLACED", 0),
    ("ORD-A", "3", "PREPARING", 1),
    ("ORD-A", "4", "CORRECTED", 2),
    ("ORD-A", "5", "PREPARING", 3),
    ("ORD-A", "6", "COOKING", 4),
    ("ORD-B", "1", "CREATED", 0),
    ("ORD-B", "2", "PLACED", 0),
    ("ORD-B", "3", "CANCELLED", 1),
    ("ORD-C", "1", "CREATED", 0),
    ("ORD-C", "2", "PLACED", 0),
];

fn expected_events(store: &dyn Store) -> Vec<Row> {
    let event = |(id, number, event, place): &(&str, &str, &str, usize)| {
        let history = store.reading(|reader| {
            let order = reader.order(&named(id))?.unwrap();
            reader.history(&order)
        });
        let entry = &history.unwrap()[*place].entry;
        row(&[
            &format!("{id}-{number}"),
            id,
            event,
            &entry.occurred_at.to_string(),
            &entry.version.to_string(),
            entry.kind.name(),
            &entry.recorded_at.to_string(),
        ])
    };
    EVENTS.iter().map(event).collect()
}

#[test]
fn sqlite_shows_food_orders_and_their_events_while_it_is_written() {
    let folder = SqliteFolder::new();
    let store = folder.open();
    meals(&*store);
    let raw = folder.raw();
    let columns = |view: &str| -> Vec<String> {
        let select = raw.prepare(&format!("SELECT * FROM {view}")).unwrap();
        select.column_names().into_iter().map(str::to_owned).collect()
    };
    assert_eq!(columns("orders"), ORDER_COLUMNS);
    assert_eq!(columns("order_events"), EVENT_COLUMNS);
    let orders = of_sqlite(&raw, "SELECT * FROM orders ORDER BY order_id");
    assert_eq!(orders, expected_orders(&*store, "\0"));
    let events = "SELECT id, order_id, event, timestamp, json_extract(meta, '$.version') || '', json_extract(meta, '$.kind'), \
                  json_extract(meta, '$.recorded_at') FROM order_events WHERE order_id <> 'ORD-D' ORDER BY id";
    assert_eq!(of_sqlite(&raw, events), expected_events(&*store));
    raw.execute(
        "UPDATE order_identities SET details = NULL WHERE public_id = 'ORD-A'",
        [],
    )
    .unwrap();
    let erased = of_sqlite(
        &raw,
        "SELECT customer_name, address, item, size, status FROM orders WHERE order_id = 'ORD-A'",
    );
    assert_eq!(erased, [row(&["NULL", "NULL", "NULL", "NULL", "COOKING"])]);
}

#[test]
fn postgres_shows_food_orders_and_their_events() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let store = database.open();
    meals(&*store);
    let mut raw = database.raw();
    let columns = |raw: &mut Client, view: &str| -> Vec<String> {
        let select = raw.prepare(&format!("SELECT * FROM {view}")).unwrap();
        select
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect()
    };
    assert_eq!(columns(&mut raw, "orders"), ORDER_COLUMNS);
    assert_eq!(columns(&mut raw, "order_events"), EVENT_COLUMNS);
    raw.batch_execute("SET TimeZone = 'Asia/Tokyo'").unwrap();
    let text =
        |time: &str| format!("to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    let orders = format!(
        "SELECT order_id, customer_name, address, item, size, status, {}, {} FROM orders ORDER BY order_id",
        text("created_at"),
        text("updated_at")
    );
    assert_eq!(
        of_postgres(&mut raw, &orders),
        expected_orders(&*store, "\u{fffd}")
    );
    let events = format!(
        "SELECT id, order_id, event, {}, meta ->> 'version', meta ->> 'kind', meta ->> 'recorded_at' FROM order_events \
         WHERE order_id <> 'ORD-D' ORDER BY id",
        text("timestamp")
    );
    assert_eq!(of_postgres(&mut raw, &events), expected_events(&*store));
    raw.batch_execute("UPDATE order_identities SET details = NULL WHERE public_id = 'ORD-A'")
        .unwrap();
    let erased = "SELECT customer_name, address, item, size, status FROM orders WHERE order_id = 'ORD-A'";
    let erased = of_postgres(&mut raw, erased);
    assert_eq!(erased, [row(&["NULL", "NULL", "NULL", "NULL", "COOKING"])]);
    let types = "SELECT string_agg(data_type, ', ' ORDER BY table_name, ordinal_position) FROM information_schema.columns \
                 WHERE (table_name, column_name) IN (('orders', 'created_at'), ('order_events', 'timestamp'), ('order_events', 'meta'))";
    let types = of_postgres(&mut raw, types);
    assert_eq!(
        types,
        [row(&[
            "timestamp with time zone, jsonb, timestamp with time zone"
        ])]
    );
}

#[test]
fn postgres_finds_the_events_of_one_order_by_index() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    drop(database.open());
    let mut raw = database.raw();
    // As if there were many rows: without any, reading all of them is as good.
    raw.batch_execute("SET enable_seqscan = off").unwrap();
    for view in ["orders", "order_events"] {
        let plan = of_postgres(
            &mut raw,
            &format!("EXPLAIN SELECT * FROM {view} WHERE order_id = 'ORD-A'"),
        );
        let plan: Vec<String> = plan.into_iter().flatten().flatten().collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Scan using orders_public_id_key"), "{plan}");
        assert!(!plan.contains("Seq Scan on entries"), "{plan}");
        assert!(!plan.contains("Seq Scan on order_"), "{plan}");
    }
}

/// The views say what kind an entry is in the model's words.
#[test]
fn kinds_of_entries_are_called_as_the_model_calls_them() {
    let scripts = [
        include_str!("../../../migrations/sqlite/0005_pages_and_mapping.sql"),
        include_str!("../../../migrations/postgres/0004_pages_and_mapping.sql"),
    ];
    for script in scripts {
        let mut shown = Vec::new();
        for kind in EntryKind::ALL {
            let is_shown = kind.bears_status() || kind == EntryKind::Correction;
            let case = format!("WHEN {} THEN '{}'", kind.number(), kind.name());
            assert_eq!(script.contains(&case), is_shown, "{case}");
            shown.extend(is_shown.then(|| kind.number().to_string()));
        }
        let wanted = format!("WHERE e.kind IN ({});", shown.join(", "));
        assert!(script.contains(&wanted), "{wanted}");
    }
}

#[test]
fn a_time_is_shown_to_the_microsecond_and_not_rounded() {
    let raw = rusqlite::Connection::open_in_memory().unwrap();
    let at = Timestamp::from_nanos(1_760_000_000_999_999_999);
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000000, 'unixepoch') || printf('.%06dZ', ?1 / 1000 % 1000000)";
    let shown: String = raw.query_row(sql, [at.as_nanos()], |row| row.get(0)).unwrap();
    assert_eq!(shown, at.to_string());
}
