//! `waybill user`, in a data folder and over the network.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::front::{Front, admin, operator};
use crate::harness::home::Home;
use crate::harness::process::{Ended, run, waybill};

/// `waybill user ARGUMENTS`, with this on standard input.
fn user(arguments: &[&str], input: &str) -> Command {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    let mut command = waybill();
    command.arg("user").args(arguments);
    command.env_remove("WAYBILL_TOKEN");
    command.stdin(File::open(file.path()).unwrap());
    command
}

fn on_folder(arguments: &[&str], dir: &Path, input: &str) -> Ended {
    run(user(arguments, input).arg("--data-dir").arg(dir))
}

/// Where the environment says.
fn at_home(arguments: &[&str], home: &Home, input: &str) -> Ended {
    run(user(arguments, input).envs(home.settings()))
}

/// Off the runtime's threads, which serve meanwhile.
async fn over_http(front: &Front, token: &str, arguments: &[&str], input: &str) -> Ended {
    let mut command = user(arguments, input);
    command
        .args(["--url", &front.url("")])
        .env("WAYBILL_TOKEN", token);
    tokio::task::spawn_blocking(move || run(&mut command))
        .await
        .unwrap()
}

/// The status of a log-in.
async fn login(front: &Front, username: &str, password: &str) -> u16 {
    let body = json!({"username": username, "password": password});
    let answer = front
        .send(front.request(Method::POST, "/auth/login").json(&body))
        .await;
    answer.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_store_are_made_changed_and_shut_out() {
    let home = Home::new();
    let made = at_home(&["add", "root", "--role", "admin"], &home, "correct horse\n");
    assert_eq!(made.code(), Some(0), "{made:?}");
    assert_eq!(made.stdout, "made the admin root\n");
    let driver = [
        "add",
        "dan",
        "--role",
        "driver",
        "--client-id",
        "client_001",
        "--email",
        "dan@example.com",
    ];
    assert_eq!(at_home(&driver, &home, "correct horse").code(), Some(0));
    let again = at_home(&driver, &home, "correct horse");
    assert_eq!(again.code(), Some(2));
    assert!(again.stderr.contains("the username is taken"), "{}", again.stderr);
    let changed = at_home(&["passwd", "dan@example.com"], &home, "another horse");
    assert_eq!(changed.code(), Some(0), "{changed:?}");

    let front = Front::start_in(home, &[]).await;
    assert_eq!(login(&front, "root", "correct horse").await, 200);
    assert_eq!(login(&front, "dan", "correct horse").await, 401);
    assert_eq!(login(&front, "dan", "another horse").await, 200);
    let trail = front.get(&admin(), "/api/v1/admin/audit-logs?actor=system").await;
    assert_eq!(trail.is(200)["data"].as_array().unwrap().len(), 3);
    let home = front.end().await;

    assert_eq!(at_home(&["disable", "dan"], &home, "").code(), Some(0));
    let front = Front::start_in(home, &[]).await;
    assert_eq!(login(&front, "dan", "another horse").await, 401);
    front.end().await;
}

#[test]
fn what_is_not_allowed_is_refused_before_anything_is_made() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    for (arguments, input, told) in [
        (&["add", "ann", "--role", "boss"][..], "correct horse", "--role"),
        (
            &["add", "ann", "--role", "client"],
            "correct horse",
            "client_id is required",
        ),
        (
            &["add", "ann", "--role", "admin"],
            "short",
            "password must have 8 to 128 characters",
        ),
        (
            &["add", "ann", "--role", "admin"],
            "",
            "standard input: has no password",
        ),
        (
            &["add", "key:ann", "--role", "admin"],
            "correct horse",
            "username must not begin",
        ),
        (&["passwd", "ann"], "correct horse", "holds no Waybill store"),
        (&["disable", "ann"], "", "holds no Waybill store"),
    ] {
        let refused = on_folder(arguments, &folder, input);
        assert_eq!(refused.code(), Some(2), "{arguments:?}");
        assert!(refused.stderr.contains(told), "{arguments:?}: {}", refused.stderr);
        assert!(!folder.exists(), "{arguments:?}");
    }
    let made = on_folder(&["add", "ann", "--role", "admin"], &folder, "correct horse");
    assert_eq!(made.code(), Some(0), "{made:?}");
    for arguments in [["passwd", "bob"], ["disable", "bob"]] {
        let unknown = on_folder(&arguments, &folder, "correct horse");
        assert_eq!(unknown.code(), Some(2));
        assert_eq!(unknown.stderr, "waybill: there is no user bob\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_server_users_are_changed_through_it() {
    let front = Front::start_in(Home::folder(), &[]).await;
    let add = ["add", "dan", "--role", "driver", "--client-id", "client_001"];
    let beside = on_folder(&add, front.home().path(), "correct horse");
    assert_eq!(beside.code(), Some(2));
    assert!(
        beside.stderr.contains("in use by another process") && beside.stderr.contains("--url"),
        "{}",
        beside.stderr
    );

    let made = over_http(&front, &admin(), &add, "correct horse").await;
    assert_eq!(made.code(), Some(0), "{made:?}");
    let users = front.get(&admin(), "/auth/users").await.is(200);
    let dan = &users["data"][0];
    assert_eq!(
        (&dan["role"], &dan["client_id"]),
        (&json!("driver"), &json!("client_001"))
    );
    assert_eq!(login(&front, "dan", "correct horse").await, 200);
    let changed = over_http(&front, &admin(), &["passwd", "dan"], "another horse").await;
    assert_eq!(changed.code(), Some(0), "{changed:?}");
    assert_eq!(login(&front, "dan", "another horse").await, 200);
    let disabled = over_http(&front, &admin(), &["disable", "dan@example.invalid"], "").await;
    assert_eq!(disabled.code(), Some(0), "{disabled:?}");
    assert_eq!(login(&front, "dan", "another horse").await, 401);
    let unknown = over_http(&front, &admin(), &["disable", "bob"], "").await;
    assert_eq!(unknown.stderr, "waybill: there is no user bob\n");
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_changes_users_of_a_running_server() {
    let front = Front::start().await;
    let add = ["add", "dan", "--role", "operator"];
    let nobody = over_http(&front, "", &add, "correct horse").await;
    assert_eq!(nobody.code(), Some(2));
    assert!(
        nobody.stderr.contains("set WAYBILL_TOKEN to an admin's token"),
        "{}",
        nobody.stderr
    );
    let refused = over_http(&front, &operator(), &add, "correct horse").await;
    assert_eq!(refused.code(), Some(2));
    assert!(refused.stderr.contains("403 FORBIDDEN"), "{}", refused.stderr);
    let users = front.get(&admin(), "/auth/users").await.is(200);
    assert_eq!(users["data"], json!([]));
    front.end().await;
}

#[test]
fn a_password_is_read_from_a_file_too() {
    let dir = TempDir::new().unwrap();
    let (folder, secret) = (dir.path().join("data"), dir.path().join("secret.txt"));
    let secret_path = secret.to_str().unwrap();
    let add = ["add", "ann", "--role", "admin", "--password-file", secret_path];
    let absent = on_folder(&add, &folder, "");
    assert_eq!(absent.code(), Some(2));
    assert!(
        absent.stderr.contains("secret.txt: entity not found"),
        "{}",
        absent.stderr
    );
    fs::write(&secret, "correct horse\n").unwrap();
    assert_eq!(on_folder(&add, &folder, "").code(), Some(0));
}
