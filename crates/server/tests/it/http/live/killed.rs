//! A server that is killed under its streams.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;

use crate::harness::front::{SECRET, new_shipment, operator};
use crate::harness::home::Home;
use crate::harness::live::version;
use crate::harness::process::Running;

/// Longest that the whole may take, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages that a stream is told before its server is killed.
const TOLD: u32 = 15;

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

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Makes shipments until nobody answers any more, or there are so many. Gives those that were acknowledged.
async fn write(address: SocketAddr, count: usize) -> Vec<String> {
    let (client, mut acknowledged) = (client(), Vec::new());
    while acknowledged.len() < count {
        let request = client.post(format!("http://{address}/shipments"));
        let request = request.bearer_auth(operator()).json(&new_shipment("client_001"));
        let Ok(response) = request.send().await else { break };
        assert_eq!(response.status().as_u16(), 201);
        let Ok(made) = response.json::<Value>().await else {
            break;
        };
        acknowledged.push(made["tracking_number"].as_str().unwrap().to_owned());
    }
    acknowledged
}

/// A reader that notes what it is told, and where it is.
struct Reader {
    response: reqwest::Response,
    text: String,
    told: Vec<(String, u64)>,
    at: String,
}

impl Reader {
    /// Opens a stream, and waits for its `hello`.
    async fn open(address: SocketAddr, last: Option<&str>) -> Self {
        let request = client()
            .get(format!("http://{address}/api/v1/stream"))
            .bearer_auth(operator());
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let mut reader = Self {
            response: request.send().await.unwrap(),
            text: String::new(),
            told: Vec::new(),
            at: String::new(),
        };
        while reader.at.is_empty() {
            assert!(reader.read().await, "it begins with a hello");
        }
        reader
    }

    /// Notes what comes next. False at the end.
    async fn read(&mut self) -> bool {
        let Ok(Some(chunk)) = self.response.chunk().await else {
            return false;
        };
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = self.text.split_once("\n\n") {
            for line in event.lines() {
                if let Some(id) = line.strip_prefix("id: ") {
                    self.at = id.to_owned();
                }
                if let Some(data) = line.strip_prefix("data: ") {
                    let data: Value = serde_json::from_str(data).unwrap();
                    if data["order_id"].is_string() {
                        self.told.push(version(&data));
                    }
                }
            }
            self.text = rest.to_owned();
        }
        true
    }

    /// Reads until the server is gone. A permit for each message.
    async fn read_on(&mut self, messages: &Semaphore) {
        loop {
            let before = self.told.len();
            if !self.read().await {
                break;
            }
            messages.add_permits(self.told.len() - before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_under_writes_lose_a_stream_nothing_and_tell_it_nothing_twice() {
    tokio::time::timeout(PATIENCE, killed_and_resumed())
        .await
        .unwrap();
}

async fn killed_and_resumed() {
    let home = Home::new();
    let (mut acknowledged, mut told) = (Vec::new(), Vec::new());
    let (mut first, mut last) = (None, None);
    for _ in 0..3 {
        let (running, address) = start(&home);
        let mut reader = Reader::open(address, last.as_deref()).await;
        first.get_or_insert_with(|| reader.at.clone());
        let messages = Semaphore::new(0);
        let killing = async {
            messages.acquire_many(TOLD).await.unwrap().forget();
            // Somebody is writing, and the reader waits for more.
            running.kill();
        };
        let ((), written, ()) = tokio::join!(reader.read_on(&messages), write(address, usize::MAX), killing);
        acknowledged.extend(written);
        told.append(&mut reader.told);
        last = Some(reader.at);
    }
    let (running, address) = start(&home);
    let mut reader = Reader::open(address, last.as_deref()).await;
    let end = write(address, 1).await.remove(0);
    acknowledged.push(end.clone());
    let is_end = |told: &[(String, u64)]| told.iter().any(|(order, _)| *order == end);
    while !is_end(&reader.told) {
        assert!(reader.read().await);
    }
    told.append(&mut reader.told);
    let mut whole = Reader::open(address, first.as_deref()).await;
    while !is_end(&whole.told) {
        assert!(whole.read().await);
    }
    assert_eq!(
        told, whole.told,
        "in pieces as in one: nothing lost, nothing twice, in order"
    );
    for number in acknowledged {
        assert!(told.contains(&(number, 1)), "what was acknowledged was told");
    }
    drop((reader, whole));
    running.kill();
}
