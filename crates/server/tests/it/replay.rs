//! Replaying recorded orders: once, again, cut short and taken up, and the real data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use server::app::App;
use server::engine::Handle;
use server::place::StorePlace;
use server::replay::olist::{Dataset, Plan};
use server::replay::{InProcess, Speed, Summary, replay, tracking_number};
use store::{Store, Totals};
use tempfile::TempDir;

use crate::harness::acknowledged::history;
use crate::harness::process::{Ended, Running, run, waybill};
use crate::olist::{CUSTOMERS, Folder, ITEMS, ORDERS, SELLERS};

/// Five orders: one as it should be, one of two sellers, one handed over before it was approved, one approved before
/// it was made, one cancelled on its last leg.
pub(crate) fn five_orders() -> Folder {
    let folder = Folder::new();
    folder.rows(
        "orders",
        ORDERS,
        "o1,c1,delivered,2017-01-01 10:00:00,2017-01-01 11:00:00,2017-01-02 12:00:00,2017-01-05 13:00:00,\n\
         o2,c1,shipped,2017-01-02 10:00:00,2017-01-02 11:00:00,2017-01-03 12:00:00,,\n\
         o3,c1,delivered,2017-01-03 10:00:00,2017-01-06 11:00:00,2017-01-04 12:00:00,2017-01-08 13:00:00,\n\
         o4,c1,approved,2017-01-04 10:00:00,2017-01-04 09:00:00,,,\n\
         o5,c1,canceled,2017-01-05 10:00:00,2017-01-05 11:00:00,2017-01-06 12:00:00,,\n",
    );
    folder.rows(
        "items",
        ITEMS,
        "o1,1,p1,s1,1,1\no2,1,p1,s1,1,1\no2,2,p1,s2,1,1\no3,1,p1,s1,1,1\no4,1,p1,s1,1,1\no5,1,p1,s2,1,1\n",
    );
    folder.rows(
        "sellers",
        SELLERS,
        "s1,01000,sao paulo,SP\ns2,01000,sao paulo,SP\n",
    );
    folder
}

/// So many orders, a minute apart, each taking days: their steps lie between each other's.
pub(crate) fn many_orders(count: u32) -> Folder {
    let (mut orders, mut items) = (String::new(), String::new());
    for number in 0..count {
        let (hour, minute) = (number / 60 % 24, number % 60);
        // Every seventh is handed over before it is approved.
        let approved = if number % 7 == 0 { 3 } else { 1 };
        let time = |day| format!("2017-01-0{day} {hour:02}:{minute:02}:00");
        let [made, approved, handed_over, delivered] = [1, approved, 2, 4].map(time);
        writeln!(
            orders,
            "o{number},c1,delivered,{made},{approved},{handed_over},{delivered},"
        )
        .unwrap();
        writeln!(items, "o{number},1,p1,s1,1,1").unwrap();
    }
    let folder = Folder::new();
    folder.rows("orders", ORDERS, orders).rows("items", ITEMS, items);
    folder.rows("customers", CUSTOMERS, "c1,02000,osasco,SP\n");
    folder
}

pub(crate) fn plan(dir: &Path) -> Plan {
    let (data, problems) = Dataset::read(dir).unwrap();
    assert_eq!(problems, []);
    Plan::of(&data)
}

pub(crate) async fn replayed_by(handle: &Handle, plan: &Plan) -> Summary {
    let target = InProcess::new(handle, plan).await.unwrap();
    replay(&mut [target], plan, Speed::Max, &|_| {}).await.unwrap()
}

/// Through several lanes, and by the plan's clock.
#[tokio::main(flavor = "current_thread")]
async fn replayed_in(lanes: usize, speed: Speed, plan: &Plan, data_dir: &Path) -> Summary {
    let app = App::start(data_dir, None).unwrap();
    let mut targets = Vec::new();
    for _ in 0..lanes {
        targets.push(InProcess::new(app.engine().handle(), plan).await.unwrap());
    }
    let summary = replay(&mut targets, plan, speed, &|_| {}).await.unwrap();
    drop(targets);
    app.stop().await.unwrap();
    summary
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn replayed(plan: &Plan, data_dir: &Path) -> Summary {
    let app = App::start(data_dir, None).unwrap();
    let summary = replayed_by(app.engine().handle(), plan).await;
    app.stop().await.unwrap();
    summary
}

fn olist(folder: &Path, data_dir: &Path) -> std::process::Command {
    let mut command = waybill();
    command.args(["replay", "olist"]).arg(folder);
    command.arg("--data-dir").arg(data_dir);
    command
}

/// Everything a second run could change.
fn ends(data_dir: &Path) -> (Totals, Vec<(String, u32)>) {
    let store = StorePlace::from(data_dir).look_into().unwrap();
    let store: &dyn Store = &*store;
    let totals = store.reading(|reader| reader.totals()).unwrap();
    let mut heads = Vec::new();
    let mut after = model::ids::OrderKey::new(0);
    loop {
        let page = store.reading(|reader| reader.orders(after, 500)).unwrap();
        let Some(last) = page.last() else { break };
        after = last.head.order;
        heads.extend(
            page.iter()
                .map(|order| (order.public_id.to_string(), order.head.version.get())),
        );
    }
    (totals, heads)
}

/// Of each shipment, its statuses and when they occurred.
fn histories(plan: &Plan, data_dir: &Path) -> BTreeMap<String, Vec<String>> {
    let store = StorePlace::from(data_dir).look_into().unwrap();
    let store_id = store.identity().store_id;
    let lifecycles = store.lifecycles().unwrap();
    let shipments = plan.shipments.iter().map(|shipment| {
        let id = tracking_number(&store_id, &shipment.reference);
        let entries = history(&*store, id.as_str());
        let told = entries.iter().map(|entry| {
            let stored = lifecycles.iter().find(|stored| stored.id == entry.lifecycle);
            let status = stored.unwrap().lifecycle.state_name(entry.status);
            format!(
                "{status} {}",
                entry.occurred_at.to_string().replace(".000000Z", "")
            )
        });
        (shipment.reference.clone(), told.collect())
    });
    shipments.collect()
}

fn verified(data_dir: &Path) {
    let report = store::verify::verify(&*StorePlace::from(data_dir).look_into().unwrap(), &mut |_| {});
    assert_eq!(report.findings, []);
}

#[test]
fn a_first_run_makes_everything_and_a_second_changes_nothing() {
    let folder = five_orders();
    let plan = plan(folder.path());
    let data = TempDir::new().unwrap();
    let first = replayed(&plan, data.path());
    let rejected = "Cannot transition from 'in_transit' to 'cancelled'";
    let expected = Summary {
        made: 6,
        applied: 18,
        // Of o3 what came before its pick-up. What of o4 came before it was made was held until then.
        applied_later: 2,
        rejected: BTreeMap::from([(rejected.to_owned(), 1)]),
        example: first.example.clone(),
        sent: first.sent,
        took: first.took,
        ..Summary::default()
    };
    assert_eq!(first, expected);
    assert!(first.example.is_some());
    let before = ends(data.path());
    let second = replayed(&plan, data.path());
    assert!(second.changed_nothing());
    assert_eq!(
        (
            second.known,
            second.duplicates,
            second.rejected.values().sum::<u64>()
        ),
        (6, 18, 1)
    );
    let (totals, heads) = ends(data.path());
    assert_eq!(
        (totals.last_position, totals.last_commit),
        (before.0.last_position, before.0.last_commit)
    );
    assert_eq!((totals.dead_letters, heads), (before.0.dead_letters, before.1));
    verified(data.path());
}

#[test]
fn what_comes_out_of_order_is_applied_in_the_order_of_the_world() {
    let folder = five_orders();
    let plan = plan(folder.path());
    let data = TempDir::new().unwrap();
    replayed(&plan, data.path());
    let histories = histories(&plan, data.path());
    assert_eq!(
        histories["o3/s1"],
        [
            "created 2017-01-03T10:00:00",
            "picked_up 2017-01-06T11:00:00",
            "in_warehouse 2017-01-04T12:00:00",
            "in_transit 2017-01-04T12:00:00",
            "delivered 2017-01-08T13:00:00",
        ]
    );
    assert_eq!(
        histories["o4/s1"],
        ["created 2017-01-04T10:00:00", "picked_up 2017-01-04T09:00:00"]
    );
    assert_eq!(histories["o2/s1"], histories["o2/s2"]);
    assert_eq!(histories["o2/s2"].len(), 4);
}

#[test]
fn what_becomes_of_a_shipment_is_the_same_in_any_lanes_and_batches() {
    let folder = five_orders();
    // Handed over, approved, then cancelled: whether it can be cancelled depends on what was sent again in between.
    folder.rows(
        "orders",
        ORDERS,
        "o1,c1,canceled,2017-01-01 10:00:00,2017-01-03 11:00:00,2017-01-02 12:00:00,,\n\
         o2,c1,delivered,2017-01-02 10:00:00,2017-01-06 11:00:00,2017-01-05 12:00:00,2017-01-04 13:00:00,\n\
         o3,c1,unavailable,2017-01-08 10:00:00,2017-01-04 11:00:00,2017-01-03 12:00:00,,\n",
    );
    folder.rows(
        "items",
        ITEMS,
        "o1,1,p1,s1,1,1\no2,1,p1,s1,1,1\no2,2,p1,s2,1,1\no3,1,p1,s1,1,1\n",
    );
    let plan = plan(folder.path());
    let whole = TempDir::new().unwrap();
    let expected = replayed(&plan, whole.path());
    assert_eq!(expected.rejected.values().sum::<u64>(), 2);
    let expected_histories = histories(&plan, whole.path());
    assert_eq!(expected_histories["o1/s1"].len(), 4, "{expected_histories:?}");
    // A tenth of a second is the whole of it, or about a day.
    for (lanes, speed) in [
        (4, Speed::Max),
        (1, Speed::Times(1e9)),
        (1, Speed::Times(1e6)),
        (3, Speed::Times(2e6)),
    ] {
        let data = TempDir::new().unwrap();
        let summary = replayed_in(lanes, speed, &plan, data.path());
        let told = Summary {
            example: summary.example.clone(),
            // How often something waits in vain does depend on it.
            sent: summary.sent,
            took: summary.took,
            ..expected.clone()
        };
        assert_eq!(summary, told, "{lanes} lanes, speed {speed}");
        assert_eq!(
            histories(&plan, data.path()),
            expected_histories,
            "{lanes} lanes, speed {speed}"
        );
    }
}

#[test]
fn a_replay_that_was_killed_is_taken_up_and_ends_the_same() {
    let folder = many_orders(1_400);
    let plan = plan(folder.path());
    let (killed, whole) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let whole_data = whole.path().join("data");
    let expected = replayed(&plan, &whole_data);
    let data = killed.path().join("data");
    let mut cut_short = 0;
    for pause_ms in [0, 60, 120, 180] {
        let running = Running::start(&mut olist(folder.path(), &data));
        // Killed as soon as the log has grown, and a bit.
        while !data.join("waybill.db-wal").exists() && !running.has_ended() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        let ended = running.kill();
        cut_short += u32::from(ended.code().is_none());
    }
    assert!(cut_short > 0, "it was never killed in the middle");
    let last = replayed(&plan, &data);
    assert_eq!(last.made + last.known, expected.made);
    assert_eq!(histories(&plan, &data), histories(&plan, &whole_data));
    verified(&data);
}

#[test]
fn a_first_part_and_then_the_rest_end_like_the_whole() {
    let folder = five_orders();
    let plan = plan(folder.path());
    let (parted, whole) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    replayed(&plan, whole.path());
    let part = run(olist(folder.path(), parted.path()).args(["--limit", "3"]));
    assert_eq!(part.code(), Some(0), "{part:?}");
    assert!(
        part.stdout.starts_with("shipments made                3\n"),
        "{}",
        part.stdout
    );
    let rest = run(&mut olist(folder.path(), parted.path()));
    assert!(
        rest.stdout.contains("shipments there before        3\n"),
        "{}",
        rest.stdout
    );
    assert_eq!(histories(&plan, parted.path()), histories(&plan, whole.path()));
    let again = run(&mut olist(folder.path(), parted.path()));
    assert!(
        again.stdout.ends_with("nothing was changed\n"),
        "{}",
        again.stdout
    );
}

#[test]
fn an_address_or_a_speed_that_is_none_is_refused_before_anything_is_touched() {
    let folder = five_orders();
    let data = TempDir::new().unwrap();
    let data = data.path().join("data");
    for (flag, value, said) in [
        (
            "--url",
            "https://example.com",
            "https is not spoken here: this client has no TLS",
        ),
        (
            "--url",
            "example.com",
            "is not an address: write http://HOST:PORT",
        ),
        ("--speed", "0", "is neither `max` nor a number above 0"),
        // Which of the two would be meant?
        (
            "--url",
            "http://127.0.0.1:1",
            "'--data-dir <DIR>' cannot be used with '--url <URL>'",
        ),
    ] {
        let ended = run(olist(folder.path(), &data).args([flag, value]));
        assert_eq!(ended.code(), Some(2), "{flag} {value}");
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let mut command = waybill();
    command.args(["replay", "olist"]).arg(folder.path());
    command.env("WAYBILL_TOKEN", "not a token");
    let ended = run(command.args(["--url", "http://127.0.0.1:1"]));
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended.stderr.contains("WAYBILL_TOKEN is neither"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("not a token"), "{}", ended.stderr);
    assert!(!data.exists());
}

#[test]
fn a_folder_without_the_data_names_what_it_lacks() {
    let (empty, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Ended { status, stderr, .. } = run(&mut olist(empty.path(), data.path()));
    assert_eq!(status.code(), Some(2));
    assert!(stderr.contains("lacks orders.csv.gz"), "{stderr}");
}

#[test]
fn the_real_data_is_replayed_with_the_counts_it_is_known_for() {
    let Some(dir) = std::env::var_os("WAYBILL_OLIST_DIR") else {
        println!("skipped: no Olist data (set WAYBILL_OLIST_DIR)");
        return;
    };
    let plan = plan(Path::new(&dir));
    let data = TempDir::new().unwrap();
    let first = replayed(&plan, data.path());
    let rejected = [
        ("Cannot transition from 'delivered' to 'cancelled'".to_owned(), 6),
        (
            "Cannot transition from 'in_transit' to 'cancelled'".to_owned(),
            69,
        ),
    ];
    let expected = Summary {
        made: 7_433,
        applied: 25_914,
        applied_later: 162,
        rejected: BTreeMap::from(rejected),
        example: first.example.clone(),
        sent: first.sent,
        took: first.took,
        ..Summary::default()
    };
    assert_eq!(first, expected);
    assert!(first.example.is_some());
    let before = ends(data.path());
    let second = replayed(&plan, data.path());
    assert!(second.changed_nothing());
    assert_eq!(ends(data.path()), before);
    verified(data.path());
}
