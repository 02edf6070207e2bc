//! What is sent over HTTP: shipments made, events of their lives, and lanes of requests that are driven as fast as they are answered.

use std::time::Instant;

use model::time::Timestamp;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;
use server::clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::Problem;
use crate::connection::{Connection, post};
use crate::served::Served;
use crate::system::{as_figure, cpu_seconds};

/// Shipments made by one request: as many as one takes.
const CREATED_AT_ONCE: usize = 10_000;
const CLIENTS: usize = 100;
pub(crate) const JSON: &str = "application/json";
pub(crate) const LINES: &str = "application/x-ndjson";

/// Requests for one connection, one after the other.
pub(crate) type Lane = Vec<Vec<u8>>;

/// What every answer of a run must be.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// What stands in its body. Looked for in the first answer of each lane: the rest is like it.
    pub(crate) says: &'static str,
}

/// Whole batches taken in.
pub(crate) const ALL_TAKEN_IN: Expected = Expected {
    status: 202,
    says: r#""rejected_total":0"#,
};

/// What it took to have everything answered.
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) server_cpu: f64,
    pub(crate) load_cpu: f64,
}

impl Run {
    /// So many things, per second.
    pub(crate) fn rate(&self, things: usize) -> f64 {
        as_figure(u64::try_from(things).unwrap_or(u64::MAX)) / self.seconds
    }
}

/// One thread for the load: the server needs the rest of the machine.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Makes shipments; gives their numbers in no order, as scanners meet parcels.
pub(crate) async fn create(
    served: &Served,
    count: usize,
    random: &mut StdRng,
) -> Result<Vec<String>, Problem> {
    let mut connection = Connection::open(served.address).await?;
    let mut made = Vec::with_capacity(count);
    while made.len() < count {
        let wanted = CREATED_AT_ONCE.min(count - made.len());
        let wishes: Vec<String> = (0..wanted).map(wish).collect();
        let body = format!(r#"{{"shipments":[{}]}}"#, wishes.join(","));
        let request = post("/shipments/batch", &served.token, JSON, body.as_bytes());
        let answer = connection.ask(&request).await?;
        answer.must_be(200)?;
        let answer: Value = serde_json::from_slice(answer.body)?;
        let results = answer["results"].as_array().ok_or("no results of a batch")?;
        for result in results {
            let number = result["tracking_number"].as_str();
            made.push(number.ok_or("a shipment was not made")?.to_owned());
        }
    }
    made.shuffle(random);
    Ok(made)
}

fn wish(number: usize) -> String {
    wish_for(&format!("client_{:03}", number % CLIENTS))
}

/// The wish for a shipment of a client.
pub(crate) fn wish_for(client: &str) -> String {
    format!(
        concat!(
            r#"{{"origin_address":"Lagerstrasse 7, 20357 Hamburg","origin_lat":53.5633,"origin_lng":9.9685,"#,
            r#""destination_address":"Invalidenstrasse 50, 10557 Berlin","destination_lat":52.5273,"#,
            r#""destination_lng":13.3719,"weight_kg":2.5,"length_cm":40,"width_cm":30,"height_cm":20,"#,
            r#""content_description":"books","client_id":"{}"}}"#
        ),
        client
    )
}

/// One report as a scanner sends it.
pub(crate) fn event(shipment: &str, status: &str, at: Timestamp) -> String {
    format!(
        r#"{{"tracking_number":"{shipment}","status":"{status}","timestamp":"{at}","source":"warehouse-scanner-07"}}"#
    )
}

/// A batch that takes some shipments one step on.
pub(crate) fn batch(shipments: &[String], status: &str, at: Timestamp) -> Vec<u8> {
    let events: Vec<String> = shipments
        .iter()
        .map(|shipment| event(shipment, status, at))
        .collect();
    format!(r#"{{"events":[{}]}}"#, events.join(",")).into_bytes()
}

/// Batches that take every shipment one step, then every shipment the next. A shipment stays in one lane, so that none of its steps
/// overtakes another.
pub(crate) fn batches(shipments: &[String], steps: &[&str], size: usize, lanes: usize) -> Vec<Vec<Vec<u8>>> {
    let now = SystemClock.now();
    let mut bodies: Vec<Vec<Vec<u8>>> = (0..lanes).map(|_| Vec::new()).collect();
    for (step, status) in (0i64..).zip(steps) {
        let at = Timestamp::from_nanos(now.as_nanos() + step);
        for (number, shipments) in shipments.chunks(size).enumerate() {
            if let Some(lane) = bodies.get_mut(number % lanes) {
                lane.push(batch(shipments, status, at));
            }
        }
    }
    bodies
}

/// The same bodies as requests to some path.
pub(crate) fn posts(served: &Served, path: &str, content_type: &str, bodies: &[Vec<Vec<u8>>]) -> Vec<Lane> {
    let request = |body: &Vec<u8>| post(path, &served.token, content_type, body);
    bodies
        .iter()
        .map(|lane| lane.iter().map(request).collect())
        .collect()
}

/// Sends each lane over a connection of its own, as fast as it is answered.
pub(crate) async fn drive(served: &Served, lanes: Vec<Lane>, expected: Expected) -> Result<Run, Problem> {
    drive_each(vec![(served, lanes)], expected).await
}

/// The same for several servers at once.
pub(crate) async fn drive_each(
    driven: Vec<(&Served, Vec<Lane>)>,
    expected: Expected,
) -> Result<Run, Problem> {
    let servers: Vec<&Served> = driven.iter().map(|(served, _)| *served).collect();
    let mut connected = Vec::new();
    for (served, lanes) in driven {
        for lane in lanes {
            connected.push((Connection::open(served.address).await?, lane));
        }
    }
    let me = std::process::id();
    let all_cpu = || {
        servers
            .iter()
            .map(|served| served.cpu_seconds())
            .sum::<Result<f64, Problem>>()
    };
    let (server_cpu, load_cpu) = (all_cpu()?, cpu_seconds(me)?);
    let began = Instant::now();
    let mut driven = JoinSet::new();
    for (mut connection, lane) in connected {
        driven.spawn(async move {
            for (number, request) in lane.iter().enumerate() {
                let answer = connection.ask(request).await?;
                answer.must_be(expected.status)?;
                if number == 0 {
                    answer.must_say(expected.says)?;
                }
            }
            // Given back, so that freeing it is not measured.
            Ok::<Lane, Problem>(lane)
        });
    }
    let mut lanes = Vec::new();
    while let Some(lane) = driven.join_next().await {
        lanes.push(lane??);
    }
    Ok(Run {
        seconds: began.elapsed().as_secs_f64(),
        server_cpu: all_cpu()? - server_cpu,
        load_cpu: cpu_seconds(me)? - load_cpu,
    })
}
