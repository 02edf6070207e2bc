//! A server that is killed under its streams.

use std::net::SocketAddr;
use std::process::Command;

use reqwest::Method;
use serde_json::Value;

use crate::harness::front::{SECRET, new_event, new_shipment, operator};
use crate::harness::home::Home;
use crate::harness::live::STEPS;
use crate::harness::process::Running;

fn start(home: &Home) -> (Running, SocketAddr) {
    let mut command: Command = home.waybill("serve");
    command
        .env("JWT_SECRET", SECRET)
        .env("RATE_LIMIT_PER_MINUTE", "0")
        .env("APP_PORT", "0");
    let running = Running::start(&mut command);
    let line = running.first_line();
    let address = line
        .strip_prefix("waybill listening on http://")
        .unwrap_or_else(|| panic!("{line}"));
    let address = address.parse().unwrap();
    (running, address)
}

async fn post(address: SocketAddr, path: &str, body: &Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(Method::POST, format!("http://{address}{path}"));
    let response = request.bearer_auth(operator()).json(body).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response.json().await.unwrap()
}

/// Reads a stream until it has so many messages, or breaks off.
async fn read(address: SocketAddr, last: Option<&str>, count: usize) -> (Vec<u64>, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .get(format!("http://{address}/api/v1/stream"))
        .bearer_auth(operator());
    let request = match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    };
    let mut response = request.send().await.unwrap();
    let (mut text, mut versions, mut at) = (String::new(), Vec::new(), String::new());
    while versions.len() < count {
        let Ok(Some(chunk)) = response.chunk().await else {
            break;
        };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            for line in event.lines() {
                if let Some(id) = line.strip_prefix("id: ") {
                    at = id.to_owned();
                }
                if let Some(data) = line.strip_prefix("data: ") {
                    let data: Value = serde_json::from_str(data).unwrap();
                    versions.extend(data["version"].as_u64());
                }
            }
            text = rest.to_owned();
        }
    }
    (versions, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_a_stream_nothing_and_tells_it_nothing_twice() {
    let home = Home::new();
    let (running, address) = start(&home);
    let made = post(address, "/shipments", &new_shipment("client_001")).await;
    let number = made["tracking_number"].as_str().unwrap().to_owned();
    let (none, start_at) = read(address, None, 0).await;
    assert!(none.is_empty());
    let begun = if start_at.is_empty() { None } else { Some(start_at) };
    let (told, last) = {
        let reading = read(address, begun.as_deref(), 2);
        let writing = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            for (step, status) in STEPS.iter().enumerate().take(2) {
                let timestamp = format!("2026-01-31T1{step}:00:00Z");
                post(address, "/events", &new_event(&number, status, &timestamp)).await;
            }
        };
        let (told, ()) = tokio::join!(reading, writing);
        told
    };
    assert_eq!(told, [2, 3]);
    post(
        address,
        "/events",
        &new_event(&number, STEPS[2], "2026-01-31T12:00:00Z"),
    )
    .await;
    running.kill();
    let (running, address) = start(&home);
    post(
        address,
        "/events",
        &new_event(&number, STEPS[3], "2026-01-31T13:00:00Z"),
    )
    .await;
    let (told, _) = read(address, Some(&last), 2).await;
    assert_eq!(told, [4, 5]);
    running.kill();
}
