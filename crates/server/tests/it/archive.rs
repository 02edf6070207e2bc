//! `waybill archive` as somebody types it, while a server is running, and what callers are told afterwards.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::cli::replayed;
use crate::harness::database::Database;
use crate::harness::front::{Front, admin, client, driver, new_event, operator};
use crate::harness::live::Events;
use crate::harness::process::{Ended, Running, run, waybill};

const PARTITION: i64 = 64 << 20;
const PASSWORD: &str = "s3cret-Pa55";

fn archive(database: &Database, to: &Path, more: &[&str]) -> Command {
    let mut command = waybill();
    command.arg("archive").arg("--to").arg(to).args(more);
    command.env("PG_DSN", database.dsn_with(Some(PASSWORD)));
    command
}

/// Lets the log go on in the next partition, as if so many entries had been written.
fn go_on_behind(database: &Database, partition: i64) {
    let place = (partition + 1) * PARTITION + 10;
    change(
        database,
        &format!("SELECT setval('places', {place}), make_log_partitions({place})"),
    );
}

fn change(database: &Database, sql: &str) {
    // Its client has a runtime of its own.
    tokio::task::block_in_place(|| database.raw().batch_execute(sql).unwrap());
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

fn event(number: &str, status: &str, minute: usize) -> Value {
    new_event(number, status, &format!("2026-01-31T10:{minute:02}:00Z"))
}

/// A shipment that was delivered, and the ids of its events.
async fn delivered(front: &Front) -> (String, Vec<String>) {
    let number = front.shipment_of("client_001").await;
    let mut ids = Vec::new();
    for (minute, status) in (0..).zip(["picked_up", "in_warehouse", "in_transit", "delivered"]) {
        let told = front
            .report(&driver("client_001"), &event(&number, status, minute))
            .await
            .is(200);
        ids.push(told["event_id"].as_str().unwrap().to_owned());
    }
    (number, ids)
}

fn done(ended: &Ended) -> &str {
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.stdout.contains(PASSWORD) && !ended.stderr.contains(PASSWORD));
    &ended.stdout
}

fn the_only_file(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one file");
    file
}

fn lines(file: &Path) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(file).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How many commits of a file have the digest that the file's entries give them.
fn proved_commits(lines: &[Value]) -> usize {
    let orders = lines
        .iter()
        .filter_map(|line| line["order"]["entries"].as_array());
    let mut entries: Vec<&Value> = orders.flatten().collect();
    entries.sort_by_key(|entry| entry["place"].as_i64());
    let store_id = unhex(&lines[0]["archive"]["store_id"]);
    let commits = lines.iter().filter_map(|line| line.get("commit"));
    let is_proved = |commit: &&Value| {
        let wide = |name: &str| commit[name].as_i64().unwrap();
        let previous = match &commit["previous_digest"] {
            Value::Null => {
                let writer = narrow(&commit["writer"]);
                Sha256::digest([b"waybill writer 1", &*store_id, &writer].concat()).to_vec()
            }
            digest => unhex(digest),
        };
        let mut digest = Sha256::new();
        digest.update(b"waybill commit 1");
        digest.update(previous);
        digest.update(wide("number").to_be_bytes());
        digest.update(wide("committed_at").to_be_bytes());
        digest.update(narrow(&commit["entries"]));
        let places = wide("first_place")..wide("first_place") + wide("entries");
        let own = |entry: &&&Value| places.contains(&entry["place"].as_i64().unwrap());
        for (entry, order) in entries
            .iter()
            .filter(own)
            .map(|entry| (entry, order_of(lines, entry)))
        {
            digest.update(hashed(entry, order));
        }
        digest.finalize().to_vec() == unhex(&commit["digest"])
    };
    commits.filter(is_proved).count()
}

fn order_of(lines: &[Value], entry: &Value) -> i64 {
    let has_it = |line: &&Value| {
        let entries = line["order"]["entries"].as_array();
        entries.is_some_and(|entries| entries.contains(entry))
    };
    lines.iter().find(has_it).unwrap()["order"]["order_key"]
        .as_i64()
        .unwrap()
}

/// What of an entry is hashed.
fn hashed(entry: &Value, order: i64) -> Vec<u8> {
    let byte = |name: &str| u8::try_from(entry[name].as_u64().unwrap()).unwrap();
    let wide = |name: &str| entry[name].as_i64().unwrap().to_be_bytes();
    let body = STANDARD.decode(entry["body"].as_str().unwrap()).unwrap();
    let mut bytes = order.to_be_bytes().to_vec();
    bytes.extend(narrow(&entry["version"]));
    bytes.extend([byte("kind"), byte("format")]);
    for name in ["lifecycle_id", "tenant_id", "client_id", "customer_id"] {
        bytes.extend(narrow(&entry[name]));
    }
    bytes.push(byte("status"));
    bytes.extend(wide("occurred_at"));
    bytes.extend(wide("recorded_at"));
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn narrow(number: &Value) -> [u8; 4] {
    u32::try_from(number.as_u64().unwrap()).unwrap().to_be_bytes()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn a_shipment_whose_history_is_archived_keeps_its_end_and_takes_no_more() {
    let Some(database) = Database::new() else {
        return;
    };
    on_a_runtime(whose_history_is_archived(&database));
}

async fn whose_history_is_archived(database: &Database) {
    let front = Front::start_over(&database.dsn_with(Some(PASSWORD))).await;
    let start = Events::begin(&front, &operator(), "", None).await.next().await.id;
    let (number, ids) = delivered(&front).await;
    let before = front.shipment(&number).await;
    assert_eq!(before.get("history_archived"), None);
    go_on_behind(database, 0);
    let live = front.shipment_of("client_001").await;

    let to = TempDir::new().unwrap();
    plans(database, to.path());
    assert_eq!(front.shipment(&number).await, before);
    let file = archives(database, to.path(), &number);
    change(database, "DROP TABLE entries_0");
    let after = front.shipment(&number).await;
    let mut expected = before.clone();
    expected["status_history"] = json!([]);
    expected["history_archived"] = json!(true);
    assert_eq!(after, expected);
    takes_no_more(&front, &number, &ids[1]).await;
    is_an_order_at_its_end(&front, &number, &ids[1]).await;
    let on_it = format!("?order_id={number}");
    drop(begun_anew(&front, &on_it, &start, "archived").await);
    let mut events = begun_anew(&front, "", &start, "archived").await;
    front
        .report(&driver("client_001"), &event(&live, "picked_up", 31))
        .await
        .is(200);
    assert_eq!(front.statuses(&live).await, ["created", "picked_up"]);
    assert_eq!(events.versions(1).await, [(live, 2)]);
    drop(events);

    let history = run(waybill()
        .args(["history", &number])
        .env("PG_DSN", database.dsn_with(Some(PASSWORD))));
    let told = done(&history);
    let path = file.canonicalize().unwrap();
    let archived = format!(
        "\n\nits history is archived:\n  {}, which was partition entries_0 until ",
        path.display()
    );
    assert!(told.contains(&archived), "{told}");
    let none = run(&mut archive(database, to.path(), &[]));
    assert!(done(&none).ends_with("no partition can go\n"), "{none:?}");
    front.end().await;
    let verified = run(waybill()
        .arg("verify")
        .env("PG_DSN", database.dsn_with(Some(PASSWORD))));
    let told = done(&verified);
    assert!(
        told.starts_with("all is well: 2 orders (1 archived), 2 entries, "),
        "{told}"
    );
}

/// A stream that comes back and is told that what lies between is not told, and where it goes on.
async fn begun_anew(front: &Front, query: &str, start: &str, reason: &str) -> Events {
    let mut events = Events::resume(front, &operator(), query, start).await;
    let reset = events.next().await;
    assert_eq!(
        (&*reset.kind, &reset.data["reason"]),
        ("reset", &json!(reason)),
        "{}",
        reset.text
    );
    assert_eq!(reset.data["cursor"], json!(reset.id));
    assert_ne!(reset.id, start);
    events
}

fn plans(database: &Database, to: &Path) {
    let planned = run(&mut archive(database, to, &["--dry-run"]));
    let told = done(&planned);
    assert!(
        told.contains("entries_0: places 0 to 67108863, 5 entries, 1 orders, "),
        "{told}"
    );
    assert!(told.contains("KiB: can go\nentries_1: "), "{told}");
    assert!(
        told.contains(": stays: it is written to, or made ahead\n"),
        "{told}"
    );
    assert!(
        told.ends_with("nothing was changed: this was a dry run\n"),
        "{told}"
    );
    assert!(std::fs::read_dir(to).unwrap().next().is_none());
}

/// Gives the file.
fn archives(database: &Database, to: &Path, number: &str) -> PathBuf {
    let gone = run(&mut archive(database, to, &[]));
    let told = done(&gone);
    let file = the_only_file(to);
    let sha256 = Sha256::digest(std::fs::read(&file).unwrap());
    let sha256 = server::archive_file::hex(&sha256);
    assert!(told.contains(&format!("SHA-256 {sha256}\ndetached.")), "{told}");
    assert!(told.ends_with("    DROP TABLE \"entries_0\";\n"), "{told}");
    let lines = lines(&file);
    assert_eq!(lines[0]["archive"]["entries"], 5);
    assert_eq!(lines[1]["order"]["order"], json!(number));
    assert_eq!(lines[1]["order"]["client"], "client_001");
    assert_eq!(lines[1]["order"]["entries"].as_array().unwrap().len(), 5);
    assert_eq!(lines[2]["commit"]["first_place"], 1);
    assert_eq!(proved_commits(&lines), lines.len() - 2);
    file
}

/// What is left of it under the paths of orders.
async fn is_an_order_at_its_end(front: &Front, number: &str, event_id: &str) {
    let path = |rest: &str| format!("/api/v1/orders/{number}{rest}");
    let get = async |rest: &str| front.get(&operator(), &path(rest)).await;
    let order = get("").await.is(200);
    assert_eq!(order["status"], "delivered");
    assert_eq!(get("?at=2100-01-01T00:00:00Z").await.is(200), order);
    let began = order["created_at"].as_str().unwrap();
    get(&format!("?at={began}")).await.is_problem(404, "NOT_FOUND");
    get("?at=2100-01-01T00:00:00Z&clock=occurred")
        .await
        .is_problem(404, "NOT_FOUND");
    assert_eq!(
        get("/history").await.is(200),
        json!({"data": [], "next_cursor": null, "history_archived": true})
    );
    let transitions = get("/transitions").await.is(200);
    assert_eq!(transitions["allowed"], json!([]));
    let correction = json!({"event_id": event_id, "reason": "why"});
    let status = json!({"status": "in_transit", "source": "van"});
    for (rest, body) in [("/corrections", correction), ("/status", status)] {
        front
            .post(&operator(), &path(rest), &body)
            .await
            .is_problem(409, "CONFLICT");
    }
    let listed = get("").await.is(200);
    let page = front.get(&operator(), "/api/v1/orders?phase=done").await.is(200);
    assert!(page["data"].as_array().unwrap().contains(&listed), "{page}");
}

async fn takes_no_more(front: &Front, number: &str, event_id: &str) {
    let list = front.get(&operator(), "/shipments").await.is(200);
    assert_eq!(list["pagination"]["total"], 2, "{list}");
    for asking in [operator(), client("client_001")] {
        let receipt = front.get(&asking, &format!("/events/{event_id}")).await;
        let problem = receipt.is_problem(404, "NOT_FOUND");
        assert_eq!(
            problem["detail"],
            "its order has ended and its history is archived"
        );
    }
    // Said again it is a duplicate, as ever; anything else is refused, and kept.
    let again = event(number, "in_warehouse", 1);
    let told = front.report(&driver("client_001"), &again).await.is(200);
    assert_eq!(
        (&told["outcome"], &told["event_id"]),
        (&json!("duplicate"), &json!(event_id))
    );
    let refused = front
        .report(&driver("client_001"), &event(number, "in_warehouse", 30))
        .await
        .is_problem(409, "CONFLICT");
    let words = "the order has ended and its history is archived: nothing can be added to it";
    assert_eq!(refused["detail"], words);
    let letters = front.get(&admin(), "/api/v1/admin/dead-letters").await.is(200);
    assert_eq!(letters["data"][0]["reason"], words, "{letters}");
}

#[test]
fn a_shipment_that_is_under_way_keeps_its_partition() {
    let Some(database) = Database::new() else {
        return;
    };
    on_a_runtime(under_way(&database));
}

async fn under_way(database: &Database) {
    let front = Front::start_over(&database.dsn_with(Some(PASSWORD))).await;
    delivered(&front).await;
    let live = front.shipment_of("client_001").await;
    go_on_behind(database, 0);
    front
        .report(&driver("client_001"), &event(&live, "picked_up", 1))
        .await
        .is(200);
    let to = TempDir::new().unwrap();
    let ended = run(&mut archive(database, to.path(), &[]));
    let why = format!(
        ": stays: of the orders up to its end, 1 are not final and 0 go on in a later partition ({live})\n"
    );
    let told = done(&ended);
    assert!(
        told.contains(&why) && told.ends_with("no partition can go\n"),
        "{told}"
    );
    assert!(std::fs::read_dir(to.path()).unwrap().next().is_none());
    front.end().await;
}

#[test]
fn one_that_is_killed_before_the_end_has_changed_nothing_and_is_run_again() {
    let Some(database) = Database::new() else {
        return;
    };
    on_a_runtime(killed(&database));
}

async fn killed(database: &Database) {
    let front = Front::start_over(&database.dsn_with(Some(PASSWORD))).await;
    let (number, _) = delivered(&front).await;
    go_on_behind(database, 0);
    let before = front.shipment(&number).await;
    let to = TempDir::new().unwrap();
    tokio::task::block_in_place(|| {
        // A dump: the file is written, and the partition cannot be had.
        let mut dump = database.raw();
        let mut reading = dump.transaction().unwrap();
        reading
            .batch_execute("LOCK TABLE entries IN ACCESS SHARE MODE")
            .unwrap();
        let running = Running::start(&mut archive(database, to.path(), &[]));
        let mut raw = database.raw();
        let waits = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted \
                     AND relation = 'entries'::regclass";
        let began = Instant::now();
        while raw.query_opt(waits, &[]).unwrap().is_none() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "it never came to the end"
            );
        }
        running.kill();
        reading.rollback().unwrap();
    });
    assert_eq!(front.shipment(&number).await, before);
    let again = run(&mut archive(database, to.path(), &[]));
    assert!(done(&again).contains("\ndetached."), "{again:?}");
    the_only_file(to.path());
    assert_eq!(front.shipment(&number).await["history_archived"], json!(true));
    front.end().await;
}

#[test]
fn of_a_data_folder_nothing_is_detached() {
    let dir = TempDir::new().unwrap();
    replayed(dir.path());
    let mut command = waybill();
    command.args(["archive", "--dry-run", "--to"]).arg(dir.path());
    let ended = run(command.arg("--data-dir").arg(dir.path()));
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("in a data folder there is nothing to detach"),
        "{}",
        ended.stderr
    );
    let help = run(waybill().args(["archive", "--help"]));
    assert!(done(&help).contains("Examples:\n  PG_DSN="), "{}", help.stdout);
    let nowhere = run(waybill()
        .args(["archive", "--to", "no-such-folder"])
        .env("PG_DSN", "host=nowhere.invalid dbname=x"));
    assert!(
        nowhere
            .stderr
            .contains("no-such-folder is not a folder: make it first"),
        "{}",
        nowhere.stderr
    );
}
