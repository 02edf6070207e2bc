//! Settings, and the commands around them, as somebody types them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::process::{Ended, run, waybill};

const SECRET: &str = "hush-0123456789-0123456789-0123456789";

/// `waybill config show` in a folder of its own.
fn config_show(working_dir: &TempDir) -> Command {
    let mut command = waybill();
    command.args(["config", "show"]).current_dir(working_dir.path());
    command
}

/// Value and source of a setting in the table that was printed.
fn row(ended: &Ended, name: &str) -> Vec<String> {
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    let mut lines = ended.stdout.lines();
    let line = lines.find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .skip(1)
        .map(str::to_owned)
        .collect()
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("waybill.toml"),
        "app_port = 1001\nlog_format = 'json'\nenv = 'file'\n",
    )
    .unwrap();
    fs::write(dir.path().join(".env"), "APP_PORT=1002\nLOG_FORMAT=text\n").unwrap();
    let mut command = config_show(&dir);
    command
        .args(["--port", "1003"])
        .env("PORT", "1004")
        .env("SEED", "");
    let shown = run(&mut command);
    assert_eq!(row(&shown, "APP_PORT"), ["1003", "flag"]);
    assert_eq!(row(&shown, "LOG_FORMAT"), ["text", ".env"]);
    assert_eq!(row(&shown, "ENV"), ["file", "waybill.toml"]);
    assert_eq!(row(&shown, "APP_HOST"), ["127.0.0.1", "default"]);
    assert_eq!(row(&shown, "SEED"), ["default"]);
    assert_eq!(shown.stderr, "");
    let by_variable = run(config_show(&dir).env("PORT", "1004"));
    assert_eq!(row(&by_variable, "APP_PORT"), ["1004", "environment PORT"]);
    let by_dot_env = run(&mut config_show(&dir));
    assert_eq!(row(&by_dot_env, "APP_PORT"), ["1002", ".env"]);
}

#[test]
fn secrets_are_shown_nowhere() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("waybill.toml"),
        format!("admin_password = '{SECRET}'\n"),
    )
    .unwrap();
    for json in [false, true] {
        let mut command = config_show(&dir);
        command.env("JWT_SECRET", SECRET);
        if json {
            command.arg("--json");
        }
        let shown = run(&mut command);
        assert_eq!(shown.code(), Some(0), "{shown:?}");
        assert!(
            shown.stdout.contains("***") && !shown.stdout.contains("hush"),
            "{}",
            shown.stdout
        );
        assert_eq!(shown.stderr, "");
    }
    // Not where they are refused either.
    let long = SECRET.repeat(4);
    let refused = run(config_show(&dir)
        .env("JWT_SECRET", "hush")
        .env("DATABASE_URL", "postgres://hush@db")
        .args(["--admin-password", &long]));
    assert_eq!(refused.code(), Some(2));
    assert_eq!(refused.stderr.lines().count(), 3, "{}", refused.stderr);
    assert!(
        !refused.stderr.contains("hush") && refused.stdout.is_empty(),
        "{refused:?}"
    );
}

#[test]
fn settings_are_shown_as_json() {
    let dir = TempDir::new().unwrap();
    let shown = run(config_show(&dir).args(["--json", "--metrics-addr", "127.0.0.1:9"]));
    let all: Vec<Value> = serde_json::from_str(&shown.stdout).unwrap();
    let of = |name: &str| all.iter().find(|setting| setting["name"] == name).unwrap();
    assert_eq!(of("METRICS_ADDR")["value"], "127.0.0.1:9");
    assert_eq!(of("METRICS_ADDR")["source"], "flag");
    assert_eq!(of("JWT_SECRET")["value"], "");
}

#[test]
fn a_bad_value_is_told_in_one_line() {
    let dir = TempDir::new().unwrap();
    let refused = run(config_show(&dir).env("APP_PORT", "99999"));
    assert_eq!(refused.code(), Some(2));
    assert_eq!(
        refused.stderr,
        "waybill: APP_PORT (from environment APP_PORT): \"99999\" is not allowed: use a port from 0 to 65535\n"
    );
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_slip_in_a_name_is_told_with_what_was_meant() {
    let dir = TempDir::new().unwrap();
    let variable = run(config_show(&dir).env("WAYBILL_DATA_DRI", "x"));
    assert_eq!(variable.code(), Some(2));
    assert_eq!(
        variable.stderr,
        "waybill: unknown variable \"WAYBILL_DATA_DRI\" (from the environment): did you mean WAYBILL_DATA_DIR?\n"
    );
    fs::write(dir.path().join("own.toml"), "log_levle = 'info'\n").unwrap();
    let key = run(config_show(&dir).args(["--config", "own.toml"]));
    assert_eq!(key.code(), Some(2));
    assert_eq!(
        key.stderr,
        "waybill: own.toml: unknown key \"log_levle\": did you mean log_level?\n"
    );
}

#[test]
fn shells_complete_commands_and_settings() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(waybill().args(["completions", shell]));
        assert_eq!(script.code(), Some(0), "{script:?}");
        for word in ["healthcheck", "rate-limit-per-minute"] {
            assert!(script.stdout.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(run(waybill().args(["completions", "abacus"])).code(), Some(2));
}

#[test]
fn help_has_an_example() {
    for command in [
        &["config"][..],
        &["config", "show"],
        &["healthcheck"],
        &["completions"],
    ] {
        let help = run(waybill().args(command).arg("--help"));
        assert_eq!(help.code(), Some(0), "{help:?}");
        let example = format!("waybill {}", command.join(" "));
        let (_, examples) = help.stdout.split_once("Example:\n").unwrap();
        assert!(examples.contains(&example), "{}", help.stdout);
    }
    let help = run(waybill().args(["config", "show", "--help"])).stdout;
    let one_line = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        one_line.contains("[env: APP_PORT, PORT] [default: 8080]"),
        "{help}"
    );
}

/// Answers one request so, and gives its first line.
fn answering(answer: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(caller.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(lines.any(|line| line.unwrap().is_empty()));
        caller.write_all(answer.as_bytes()).unwrap();
        first
    });
    (port, served)
}

fn healthcheck(arguments: &[&str]) -> Command {
    let mut command = waybill();
    command.arg("healthcheck").args(arguments);
    // Nobody else's proxy is asked.
    command.env("http_proxy", "http://127.0.0.1:9");
    command
}

#[test]
fn a_ready_server_is_healthy() {
    let (port, served) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let asked = run(&mut healthcheck(&["--url", &format!("http://127.0.0.1:{port}/")]));
    assert_eq!((asked.code(), asked.stderr.as_str()), (Some(0), ""));
    assert_eq!(served.join().unwrap(), "GET /readyz HTTP/1.1");
}

#[test]
fn without_an_address_the_server_of_the_settings_is_asked() {
    for host in ["0.0.0.0", "::", "127.0.0.1"] {
        let (port, served) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let mut command = healthcheck(&[]);
        let asked = run(command.env("APP_PORT", port.to_string()).env("APP_HOST", host));
        assert_eq!(asked.code(), Some(0), "{host}: {asked:?}");
        served.join().unwrap();
    }
    let nowhere = run(healthcheck(&[]).env("APP_PORT", "0"));
    assert_eq!(nowhere.code(), Some(2));
    assert!(
        nowhere.stderr.contains("name its address by --url"),
        "{nowhere:?}"
    );
}

#[test]
fn a_server_that_is_not_ready_or_not_there_is_not_healthy() {
    for answer in [
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /healthz\r\ncontent-length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let (port, served) = answering(answer);
        let asked = run(&mut healthcheck(&["--url", &format!("http://127.0.0.1:{port}")]));
        assert_eq!(asked.code(), Some(1), "{asked:?}");
        assert_eq!(asked.stderr.lines().count(), 1, "{}", asked.stderr);
        served.join().unwrap();
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [
        format!("http://{free}"),
        "https://127.0.0.1".to_owned(),
        "nonsense".to_owned(),
    ] {
        let asked = run(&mut healthcheck(&["--url", &url]));
        assert_eq!(asked.code(), Some(1), "{asked:?}");
        assert!(
            asked
                .stderr
                .starts_with(&format!("waybill: {url} is not ready: ")),
            "{asked:?}"
        );
        assert_eq!(asked.stderr.lines().count(), 1, "{}", asked.stderr);
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_long() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let asked = run(&mut healthcheck(&["--url", &url]));
    assert_eq!(asked.code(), Some(1));
    assert_eq!(
        asked.stderr,
        format!("waybill: {url} is not ready: no answer within 5 s\n")
    );
}
