//! `live`: 10,000 open streams of 2,000 clients, five each, while 2,000 events a second are written, so that each event is told five times; the same
//! streams coming back all at once behind a restart; and 100 streams that are told everything.
//!
//! How long a message took is counted from when the event was decided: its commit is within that. Every stream must be told everything once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use server::clock::{Clock, SystemClock};

use super::visible::at;
use crate::Problem;
use crate::cohort::STEPS;
use crate::connection::{Connection, post};
use crate::figure::{Figure, Figures, Must};
use crate::listeners::{Listeners, Wish};
use crate::served::{Served, client_token};
use crate::system::{as_figure, cpu_seconds, own_bytes};
use crate::traffic::{JSON, batch, runtime, wish_for};

const EVENTS_PER_SECOND: usize = 2_000;
/// One batch every 10 ms.
const BATCH_EVENTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);
const STREAMS_PER_CLIENT: usize = 5;
/// Streams that are told everything.
const UNFILTERED: usize = 100;

struct Scale {
    clients: usize,
    seconds: usize,
    rounds: usize,
}

const FULL: Scale = Scale {
    clients: 2_000,
    seconds: 10,
    rounds: 3,
};
const QUICK: Scale = Scale {
    clients: 200,
    seconds: 2,
    rounds: 1,
};

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    runtime()?.block_on(async {
        narrow(scale, quick, figures).await?;
        unfiltered(scale, quick, figures).await
    })
}

/// What was seen of one run.
struct Told {
    latencies: Vec<f64>,
    server_cpu: f64,
    load_cpu: f64,
}

async fn narrow(scale: &Scale, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let streams = scale.clients * STREAMS_PER_CLIENT;
    let wishes = of_clients(scale.clients)?;
    let mut shipments = Vec::new();
    for _ in 0..scale.rounds {
        shipments.push(shipments_of(&served, scale).await?);
    }
    let before = own_bytes(served.pid())?;
    let began = Instant::now();
    let mut listeners = Listeners::open(served.address, &wishes, 1).await?;
    let opened = began.elapsed().as_secs_f64();
    let open_bytes = own_bytes(served.pid())?.saturating_sub(before);
    let start = listeners.first_cursor().ok_or("no stream said hello")?;
    let mut told = Vec::new();
    let mut expected = 0;
    for shipments in &shipments {
        expected += written(shipments) * u64::try_from(STREAMS_PER_CLIENT)?;
        told.push(tell(&served, shipments, &mut listeners, expected).await?);
    }
    let busy_bytes = own_bytes(served.pid())?.saturating_sub(before);
    served.must_have_applied_all().await?;
    served.stop()?;
    listeners
        .until(|heard| heard.ended.load(Ordering::Relaxed) >= streams)
        .await?;
    drop(listeners);
    let each = |bytes: u64| vec![as_figure(bytes) / 1024.0 / as_figure(u64::try_from(streams).unwrap_or(1))];
    let name = format!("{streams} streams, 5 told of each event");
    let must = |must| (!quick).then_some(must);
    add_told(&name, &told, must(Must::AtMost(250.0)), figures);
    let of = |figure: String, unit, values| Figure::of("live", figure, unit, values);
    figures.add(of(format!("{name}: until all are open"), "s", vec![opened]));
    figures.add(
        of(
            format!("{name}: memory a stream, silent"),
            "KiB",
            each(open_bytes),
        )
        .must(must(Must::AtMost(20.0))),
    );
    figures.add(
        of(format!("{name}: memory a stream, told"), "KiB", each(busy_bytes)).must(must(Must::AtMost(20.0))),
    );
    resumed(scale, folder.path(), &wishes, &start, expected, figures).await
}

/// All come back at once behind a restart, while more is written.
async fn resumed(
    scale: &Scale,
    folder: &std::path::Path,
    wishes: &[Wish],
    start: &Arc<str>,
    missed: u64,
    figures: &mut Figures,
) -> Result<(), Problem> {
    let served = Served::measured(folder)?;
    let shipments = shipments_of(&served, scale).await?;
    let more = written(&shipments) + u64::try_from(shipments.len())?;
    let wishes: Vec<Wish> = wishes
        .iter()
        .map(|wish| Wish {
            after: Some(start.clone()),
            ..wish.clone()
        })
        .collect();
    let all = missed + more * u64::try_from(STREAMS_PER_CLIENT)?;
    let (address, token) = (served.address, served.token.clone());
    let began = Instant::now();
    // On a thread of its own: what writes waits for the server, not for ten thousand readers.
    let writer = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let mut connection = Connection::open(address).await?;
            write_steadily(&mut connection, &token, &shipments).await
        })
    });
    let mut listeners = Listeners::begin(served.address, &wishes, 1);
    listeners.hear(all).await?;
    let took = began.elapsed().as_secs_f64();
    let accepted = writer.join().map_err(|_| "the writer failed")??;
    listeners.must_be_well()?;
    let of = |figure: String, unit, values| Figure::of("live", figure, unit, values);
    let streams = wishes.len();
    let name = format!("{streams} streams back at once, {missed} messages missed");
    figures.add(of(
        format!("{name}: until told of them and of {} s more", scale.seconds),
        "s",
        vec![took],
    ));
    figures.add(of(
        format!("{name}: due to 202 meanwhile, p99"),
        "ms",
        vec![1e3 * at(&accepted, 0.99)],
    ));
    served.stop()
}

async fn unfiltered(scale: &Scale, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let everything = Wish {
        token: served.token.as_str().into(),
        query: "".into(),
        after: None,
    };
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds {
        rounds.push(shipments_of(&served, scale).await?);
    }
    let mut listeners = Listeners::open(served.address, &vec![everything; UNFILTERED], 50).await?;
    let (mut told, mut expected) = (Vec::new(), 0);
    for shipments in &rounds {
        expected += written(shipments) * u64::try_from(UNFILTERED)?;
        told.push(tell(&served, shipments, &mut listeners, expected).await?);
    }
    let must = (!quick).then_some(Must::AtMost(250.0));
    add_told(
        &format!("{UNFILTERED} streams, all told of each event"),
        &told,
        must,
        figures,
    );
    drop(listeners);
    served.stop()
}

fn add_told(name: &str, told: &[Told], must: Option<Must>, figures: &mut Figures) {
    let of = |figure: &str, unit, value: &dyn Fn(&Told) -> f64| {
        Figure::of(
            "live",
            format!("{name}: {figure}"),
            unit,
            told.iter().map(value).collect(),
        )
    };
    let millis = |share: f64| move |told: &Told| 1e3 * at(&told.latencies, share);
    figures.add(of("decided to told, p50", "ms", &millis(0.50)));
    figures.add(of("decided to told, p99", "ms", &millis(0.99)).must(must));
    figures.add(of("decided to told, longest", "ms", &millis(1.0)));
    figures.add(of("CPU of the server a second", "s", &|told| told.server_cpu));
    figures.add(of("CPU of the load generator a second", "s", &|told| {
        told.load_cpu
    }));
}

/// Writes at the pace, and waits until all is told.
async fn tell(
    served: &Served,
    shipments: &[String],
    listeners: &mut Listeners,
    expected: u64,
) -> Result<Told, Problem> {
    let me = std::process::id();
    let (server_cpu, load_cpu) = (served.cpu_seconds()?, cpu_seconds(me)?);
    listeners.take_latencies();
    let began = Instant::now();
    let mut connection = Connection::open(served.address).await?;
    write_steadily(&mut connection, &served.token, shipments).await?;
    listeners.hear(expected).await?;
    listeners.must_be_well()?;
    let took = began.elapsed().as_secs_f64();
    Ok(Told {
        latencies: listeners.take_latencies(),
        server_cpu: (served.cpu_seconds()? - server_cpu) / took,
        load_cpu: (cpu_seconds(me)? - load_cpu) / took,
    })
}

/// Has all shipments take every step, by the clock; how long each batch took from when it was due to its 202, sorted.
async fn write_steadily(
    connection: &mut Connection,
    token: &str,
    shipments: &[String],
) -> Result<Vec<f64>, Problem> {
    let began = Instant::now();
    let mut accepted = Vec::new();
    for status in STEPS {
        for some in shipments.chunks(BATCH_EVENTS) {
            let due = began + PAUSE * u32::try_from(accepted.len())?;
            let body = batch(some, status, SystemClock.now());
            let request = post("/events/batch", token, JSON, &body);
            tokio::time::sleep_until(due.into()).await;
            connection.ask(&request).await?.must_be(202)?;
            accepted.push(due.elapsed().as_secs_f64());
        }
    }
    accepted.sort_by(f64::total_cmp);
    Ok(accepted)
}

/// Events that shipments are written with.
fn written(shipments: &[String]) -> u64 {
    u64::try_from(shipments.len() * STEPS.len()).unwrap_or(u64::MAX)
}

/// Shipments for one round, of all clients in turn.
async fn shipments_of(served: &Served, scale: &Scale) -> Result<Vec<String>, Problem> {
    let count = scale.seconds * EVENTS_PER_SECOND / STEPS.len();
    let wishes: Vec<String> = (0..count)
        .map(|number| wish_for(&client(number % scale.clients)))
        .collect();
    let body = format!(r#"{{"shipments":[{}]}}"#, wishes.join(","));
    let mut connection = Connection::open(served.address).await?;
    let request = post("/shipments/batch", &served.token, JSON, body.as_bytes());
    let answer = connection.ask(&request).await?;
    answer.must_be(200)?;
    let answer: Value = serde_json::from_slice(answer.body)?;
    let results = answer["results"].as_array().ok_or("no results of a batch")?;
    let numbers = results.iter().map(|result| {
        let number = result["tracking_number"].as_str();
        number
            .map(str::to_owned)
            .ok_or_else(|| "a shipment was not made".into())
    });
    numbers.collect()
}

fn client(number: usize) -> String {
    format!("live_client_{number:04}")
}

/// Five streams of each client, as its own.
fn of_clients(clients: usize) -> Result<Vec<Wish>, Problem> {
    let mut wishes = Vec::with_capacity(clients * STREAMS_PER_CLIENT);
    for number in 0..clients {
        let wish = Wish {
            token: client_token(&client(number))?.into(),
            query: "".into(),
            after: None,
        };
        wishes.extend(std::iter::repeat_n(wish, STREAMS_PER_CLIENT));
    }
    Ok(wishes)
}
