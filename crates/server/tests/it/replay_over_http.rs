//! The same orders replayed in process and to a running server: the same becomes of each shipment.

use std::process::Command;

use model::Entry;
use server::client::{Access, Client};
use server::place::StorePlace;
use server::replay::olist::Plan;
use server::replay::{CONNECTIONS, OverHttp, Speed, Summary, Target, replay, tracking_number};
use tempfile::TempDir;

use crate::harness::acknowledged::history;
use crate::harness::front::SECRET;
use crate::harness::home::Home;
use crate::harness::process::{Running, run, waybill};
use crate::replay::{five_orders, many_orders, plan, replayed};

/// `waybill serve`, with demo users.
fn serving(home: &Home, port: &str) -> Command {
    let mut command = home.waybill("serve");
    command.args(["--port", port]);
    command.env("SEED", "demo").env("JWT_SECRET", SECRET);
    command
}

/// A server of this home, at a free port.
fn serve(home: &Home) -> (Running, String) {
    let server = Running::start(&mut serving(home, "0"));
    let line = server.first_line();
    let url = line.strip_prefix("waybill listening on ").map(str::to_owned);
    (server, url.unwrap_or_else(|| panic!("it printed {line:?}")))
}

/// Replays, and the tracking number of each shipment.
#[tokio::main(flavor = "current_thread")]
async fn replayed_to(url: &str, plan: &Plan) -> (Summary, Vec<String>) {
    let client = Client::connect(url.parse().unwrap(), Access::SeededOperator)
        .await
        .unwrap();
    let mut targets = [(); CONNECTIONS].map(|()| OverHttp::new(client.clone(), plan));
    let summary = replay(&mut targets, plan, Speed::Max, &|_| {}).await.unwrap();
    let number = |shipment| targets.iter().find_map(|target| target.tracking_number(shipment));
    let numbers = (0..plan.shipments.len()).map(|shipment| number(shipment).unwrap().to_string());
    (summary, numbers.collect())
}

fn told(entries: &[Entry]) -> Vec<String> {
    let told = entries.iter().map(|entry| {
        let (version, status, at) = (entry.version, entry.status, entry.occurred_at);
        format!("{version:?} {status:?} {:?} {at}", entry.kind)
    });
    told.collect()
}

/// What was replayed to a server that has ended is what is replayed in process.
fn same_as_in_process(plan: &Plan, served: &Home, numbers: &[String]) -> Summary {
    let data = TempDir::new().unwrap();
    let summary = replayed(plan, data.path());
    let (in_process, over_http) = (
        StorePlace::from(data.path()).look_into().unwrap(),
        served.place().look_into().unwrap(),
    );
    let store_id = in_process.identity().store_id;
    for (shipment, number) in plan.shipments.iter().zip(numbers) {
        let known = tracking_number(&store_id, &shipment.reference);
        assert_eq!(
            told(&history(&*over_http, number)),
            told(&history(&*in_process, known.as_str())),
            "{}",
            shipment.reference
        );
    }
    let report = store::verify::verify(&*over_http, &mut |_| {});
    assert_eq!(report.findings, []);
    summary
}

#[test]
fn the_same_becomes_of_each_shipment_over_http_as_in_process() {
    for folder in [five_orders(), many_orders(1_400)] {
        let plan = plan(folder.path());
        let home = Home::new();
        let (server, url) = serve(&home);
        let (over_http, numbers) = replayed_to(&url, &plan);
        let (again, same_numbers) = replayed_to(&url, &plan);
        server.interrupt();
        assert_eq!(server.wait().code(), Some(0));
        let in_process = same_as_in_process(&plan, &home, &numbers);
        let expected = Summary {
            example: over_http.example.clone(),
            sent: over_http.sent,
            took: over_http.took,
            ..in_process
        };
        assert_eq!(over_http, expected);
        assert!(again.changed_nothing(), "{again:?}");
        assert_eq!(
            (again.known, &again.rejected),
            (expected.made, &expected.rejected)
        );
        assert_eq!(same_numbers, numbers);
    }
}

#[test]
fn the_command_line_names_a_server_as_people_do() {
    let folder = five_orders();
    let (home, elsewhere) = (Home::new(), TempDir::new().unwrap());
    let untouched = elsewhere.path().join("untouched");
    let (server, url) = serve(&home);
    let url = format!("{}/", url.replace("127.0.0.1", "localhost"));
    let told = |command: &mut Command| {
        let ended = run(command.args(["--url", &url]));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        ended.stdout
    };
    let replay = || {
        let mut command = waybill();
        command.args(["replay", "olist"]).arg(folder.path());
        // Set for good, perhaps; it names no other target.
        command.env("WAYBILL_DATA_DIR", &untouched);
        command
    };
    let first = told(&mut replay());
    assert!(first.starts_with("shipments made                6\n"), "{first}");
    assert!(first.contains(&format!("\" {url}shipments/99M-")), "{first}");
    let second = told(&mut replay());
    assert!(second.ends_with("nothing was changed\n"), "{second}");
    told(waybill().arg("healthcheck"));
    server.interrupt();
    assert_eq!(server.wait().code(), Some(0));
    assert!(!untouched.exists());
}

#[test]
fn a_server_killed_in_the_middle_of_a_replay_loses_nothing_of_it() {
    let folder = many_orders(1_400);
    let plan = plan(folder.path());
    let home = Home::new();
    let (server, url) = serve(&home);
    let port = url.rsplit(':').next().unwrap().to_owned();
    let replaying = std::thread::spawn({
        let (url, plan) = (url.clone(), plan.clone());
        move || replayed_to(&url, &plan)
    });
    let mut server = Some(server);
    for pause_ms in [150, 250, 350] {
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        server.take().map(Running::kill);
        let next = Running::start(&mut serving(&home, &port));
        assert_eq!(next.first_line(), format!("waybill listening on {url}"));
        server = Some(next);
    }
    let (summary, numbers) = replaying.join().unwrap();
    let server = server.unwrap();
    server.interrupt();
    assert_eq!(server.wait().code(), Some(0));
    let expected = same_as_in_process(&plan, &home, &numbers);
    assert!(summary.retries > 0, "no kill cut a request off");
    assert_eq!(summary.made + summary.known, expected.made);
    assert_eq!(summary.applied + summary.duplicates, expected.applied);
    assert_eq!(summary.rejected, expected.rejected);
}
