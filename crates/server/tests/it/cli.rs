//! The commands as somebody types them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::lifecycle::shipped;
use rusqlite::Connection;
use serde_json::json;
use server::place::StorePlace;
use store::folder::DATABASE_FILE;
use tempfile::TempDir;

use crate::harness::acknowledged::{Acknowledged, Losses};
use crate::harness::process::{Running, run, waybill, waybill_on};
use crate::harness::wire::Wire;
use crate::olist::Folder;

/// A store with the one made-up order of the Olist fixtures in it, and its tracking number.
pub(crate) fn replayed(data_dir: &Path) -> String {
    let folder = Folder::new();
    let mut command = waybill();
    command.args(["replay", "olist"]).arg(folder.path());
    let ended = run(command.arg("--data-dir").arg(data_dir));
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    let store = StorePlace::from(data_dir).look_into().unwrap();
    server::replay::tracking_number(&store.identity().store_id, "o1/s1").to_string()
}

fn lifecycle(arguments: &[&str]) -> crate::harness::process::Ended {
    run(waybill().arg("lifecycle").args(arguments))
}

#[test]
fn a_sound_lifecycle_file_is_said_to_be() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("parcel.toml");
    let text = shipped()[0].canonical_text();
    fs::write(&file, text).unwrap();
    let checked = lifecycle(&["check", file.to_str().unwrap()]);
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    let name = shipped()[0].name().to_owned();
    assert_eq!(
        checked.stdout,
        format!("{}: {name} version 1 is sound\n", file.display())
    );
    let shown = lifecycle(&["show", file.to_str().unwrap()]);
    assert_eq!(shown.stdout, lifecycle(&["show", &name]).stdout);
}

#[test]
fn what_is_wrong_with_a_lifecycle_file_is_told_with_its_place_and_cure() {
    let dir = TempDir::new().unwrap();
    let sound = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../model/lifecycles/shipment.toml"
    ));
    let bad = [
        ("syntax", "version = 1", "version = ", ":2:"),
        (
            "key",
            "version = 1",
            "vresion = 1",
            ":2:1: unknown key \"vresion\"",
        ),
        ("type", "version = 1", "version = \"1\"", ":2:"),
        ("word", "late = \"reject\"", "late = \"perhaps\"", ":9:"),
        ("role", "by = [\"driver\", ", "by = [\"pilot\", ", ":39:"),
        ("state", "to = \"delivered\"", "to = \"arrived\"", ":53:"),
    ];
    let mut files = Vec::new();
    for (name, from, to, _) in bad {
        assert!(sound.contains(from), "{name}");
        let file = dir.path().join(format!("{name}.toml"));
        fs::write(&file, sound.replacen(from, to, 1)).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    let arguments: Vec<&str> = ["check"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    let checked = lifecycle(&arguments);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    for (file, (name, _, _, place)) in files.iter().zip(bad) {
        let told = format!("{file}{place}");
        assert!(
            checked.stderr.contains(&told),
            "{name}: no {told} in\n{}",
            checked.stderr
        );
    }
    let absent = lifecycle(&["check", "no/such.toml"]);
    assert_eq!(absent.code(), Some(2));
    assert_eq!(absent.stderr, "waybill: no/such.toml: entity not found\n");
}

#[test]
fn numbers_that_no_load_can_have_are_refused() {
    let dir = TempDir::new().unwrap();
    for arguments in [
        ["--rate", "0"],
        ["--rate", "-1"],
        ["--rate", "nan"],
        ["--submitters", "0"],
        ["--submitters", "1001"],
        ["--batch", "10001"],
        ["--seconds", "-1"],
    ] {
        let ended = run(waybill_on("simulate", dir.path()).args(arguments));
        assert_eq!(ended.code(), Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(arguments[0]), "{}", ended.stderr);
    }
}

#[test]
fn shipped_lifecycles_are_listed_and_shown() {
    let all = lifecycle(&["show"]);
    assert_eq!(all.code(), Some(0));
    let names: Vec<&str> = all
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["delivery", "merchant", "shipment", "food", "shop"]);
    let shipment = lifecycle(&["show", "shipment"]);
    assert_eq!(shipment.code(), Some(0));
    assert!(
        shipment
            .stdout
            .contains("in_transit (moving)\n  → delivered          driver, operator, admin\n"),
        "{}",
        shipment.stdout
    );
    let unknown = lifecycle(&["show", "pigeon"]);
    assert_eq!(unknown.code(), Some(2));
    assert!(
        unknown
            .stderr
            .starts_with("waybill: pigeon is neither a file nor one of "),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_history_is_a_timeline() {
    let data = TempDir::new().unwrap();
    let id = replayed(data.path());
    let history = |id: &str| run(waybill_on("history", data.path()).arg(id));
    let told = history(&id);
    assert_eq!(told.code(), Some(0), "{told:?}");
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            format!("{id}  shipment · delivered · version 5 · client s1").as_str(),
            "reference o1/s1"
        ]
    );
    // Without the time of recording, which is now.
    let timeline: Vec<String> = lines[5..]
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .map(|words| format!("{} {} {}", words[0], words[1], words[3..].join(" ")))
        .collect();
    assert_eq!(
        timeline,
        [
            "1 2017-01-01T10:00:00Z created created · api · by replay",
            "2 2017-01-01T11:00:00Z picked_up applied · seller · by replay · at -23.5000, -46.5000",
            "3 2017-01-02T12:00:00Z in_warehouse applied · carrier · by replay · at -23.5000, -46.5000",
            "4 2017-01-02T12:00:00Z in_transit applied · carrier · by replay",
            "5 2017-01-05T13:00:00Z delivered applied · courier · by replay · at -23.2500, -46.7500",
        ]
    );
    let slip = history("99M-22222222X");
    assert_eq!(slip.code(), Some(2));
    assert_eq!(
        slip.stderr,
        "waybill: there is no order 99M-22222222X: its check symbol is wrong, look for a slip\n"
    );
    let unknown = model::public_id::PublicId::tracking_number("99M-", 7).unwrap();
    let told = history(unknown.as_str());
    assert_eq!(told.code(), Some(2));
    assert_eq!(told.stderr, format!("waybill: there is no order {unknown}\n"));
    assert_eq!(history("").code(), Some(2));
}

#[test]
fn a_sound_store_is_proven_and_a_damaged_one_shown_where() {
    let data = TempDir::new().unwrap();
    let id = replayed(data.path());
    let verify = || run(&mut waybill_on("verify", data.path()));
    let sound = verify();
    assert_eq!(sound.code(), Some(0), "{sound:?}");
    assert_eq!(sound.stdout, "all is well: 1 orders, 5 entries, 2 commits\n");

    let database = Connection::open(data.path().join(DATABASE_FILE)).unwrap();
    let damage = "DROP TRIGGER entries_are_not_changed; UPDATE entries SET occurred_at = occurred_at + 1 WHERE position = 3; \
                  UPDATE order_heads SET status = 1";
    database.execute_batch(damage).unwrap();
    drop(database);
    let damaged = verify();
    assert_eq!(damaged.code(), Some(1), "{damaged:?}");
    assert!(
        damaged
            .stdout
            .contains("commit 2: its digest is not that of the log up to it\n"),
        "{}",
        damaged.stdout
    );
    assert!(
        damaged
            .stdout
            .contains(&format!("order {id}: its head (version 5) is not what")),
        "{}",
        damaged.stdout
    );
    let last = damaged.stdout.lines().last().unwrap();
    assert!(last.ends_with("wrong: 1 orders, 5 entries, 2 commits"), "{last}");
}

#[test]
fn a_folder_without_a_store_is_not_proven_and_not_filled() {
    let dir = TempDir::new().unwrap();
    for (data_dir, what) in [
        (dir.path().to_owned(), "empty"),
        (dir.path().join("none"), "absent"),
    ] {
        for subcommand in ["verify", "history"] {
            let mut command = waybill_on(subcommand, &data_dir);
            if subcommand == "history" {
                command.arg("99M-22222222X");
            }
            let ended = run(&mut command);
            assert_eq!(ended.code(), Some(2), "{subcommand} {what}");
            let told = format!(
                "waybill: {} holds no Waybill store: check the path\n",
                data_dir.display()
            );
            assert_eq!(ended.stderr, told);
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_data_folder_that_is_a_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for subcommand in ["verify", "simulate"] {
        let ended = run(&mut waybill_on(subcommand, &file));
        assert_eq!(ended.code(), Some(2), "{subcommand}");
        assert!(ended.stderr.contains("is not a folder"), "{}", ended.stderr);
    }
}

#[test]
fn a_proof_of_an_empty_database_is_none_and_makes_nothing() {
    let dir = TempDir::new().unwrap();
    let database = dir.path().join("waybill.db");
    fs::write(&database, "").unwrap();
    let ended = run(&mut waybill_on("verify", dir.path()));
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("holds no Waybill store"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::metadata(&database).unwrap().len(), 0);
}

#[test]
fn a_store_in_use_is_not_proven_but_read() {
    let data = TempDir::new().unwrap();
    let id = replayed(data.path());
    let running =
        Running::start(waybill_on("simulate", data.path()).args(["--seconds", "30", "--acknowledge"]));
    assert!(running.prints_more_than(1));
    let verified = run(&mut waybill_on("verify", data.path()));
    assert_eq!(verified.code(), Some(2), "{verified:?}");
    let by = format!("is in use by another process (process {})", running.id());
    assert!(verified.stderr.contains(&by), "{}", verified.stderr);
    assert_eq!(run(waybill_on("history", data.path()).arg(id)).code(), Some(0));
    running.interrupt();
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn a_simulation_of_no_length_only_makes_the_store() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("deep/data");
    let ended = run(waybill_on("simulate", &data).args(["--seconds", "0"]));
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(
        ended.stdout.starts_with("ready\nmade 0, applied 0"),
        "{}",
        ended.stdout
    );
    let verified = run(&mut waybill_on("verify", &data));
    assert_eq!(verified.stdout, "all is well: 0 orders, 0 entries, 0 commits\n");
}

#[test]
fn an_interrupted_simulation_ends_well_and_keeps_what_it_acknowledged() {
    let data = TempDir::new().unwrap();
    let mut command = waybill_on("simulate", data.path());
    command.args(["--seconds", "60", "--acknowledge", "--batch", "20"]);
    let running = Running::start(&mut command);
    assert!(running.begins_with("ready"));
    assert!(running.prints_more_than(200));
    running.interrupt();
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\nmade "), "its summary is missing");
    let acknowledged = Acknowledged::read(&ended.stdout);
    assert!(acknowledged.len() >= 100);
    assert_eq!(acknowledged.compare(data.path()), Losses::default());
    assert_eq!(run(&mut waybill_on("verify", data.path())).code(), Some(0));
}

#[test]
fn a_demo_has_shipments_to_look_at_and_needs_nothing() {
    let running = Running::start(waybill().args(["demo", "--port", "0"]));
    let line = running.first_line();
    let address = line.strip_prefix("waybill listening on http://").unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let user = json!({"username": "client_user_001", "password": "password123"}).to_string();
    let mut wire = Wire::connect(address, "").unwrap();
    let session = wire.must_post("/auth/login", &[], &user).is(200);
    let mut wire = Wire::connect(address, session["token"].as_str().unwrap()).unwrap();
    let began = Instant::now();
    while wire.get("/shipments").is(200)["pagination"]["total"] == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is made");
    }
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("password123"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let data = TempDir::new().unwrap();
    let mut command = waybill_on("simulate", data.path());
    command
        .args(["--seconds", "1", "--acknowledge"])
        .stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    // Of commands whose output is long, too.
    let mut show = Command::new("sh");
    let line = format!("'{}' lifecycle show shop | true", env!("CARGO_BIN_EXE_waybill"));
    let shown = run(show.args(["-c", &line]));
    assert_eq!((shown.code(), shown.stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_argument_that_is_no_time_is_refused() {
    let data = TempDir::new().unwrap();
    let ended = run(waybill_on("simulate", data.path()).args(["--seconds=-1"]));
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended.stderr.starts_with("waybill: --seconds: "),
        "{}",
        ended.stderr
    );
}
