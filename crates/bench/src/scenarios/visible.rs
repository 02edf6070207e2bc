//! `visible`: a steady stream of batches by the clock, whether the server keeps up or not; and how long after its 202 an event's
//! status is what `GET /shipments/{tracking_number}` says, and what a live stream of everything tells.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use server::clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::Problem;
use crate::cohort::STEPS;
use crate::connection::{Connection, get, post};
use crate::figure::{Figure, Figures, Must};
use crate::listeners::{Listeners, Wish};
use crate::served::Served;
use crate::system::{as_figure, cpu_seconds};
use crate::traffic::{JSON, batch, create, runtime};

const EVENTS_PER_SECOND: usize = 10_000;
/// Events of a batch: one every 10 ms.
const BATCH_EVENTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);
/// Senders that take turns: one that waits for an answer delays no other.
const LANES: usize = 16;

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (seconds, rounds) = if quick { (2, 1) } else { (10, 5) };
    runtime()?.block_on(measure(seconds, rounds, quick, figures))
}

/// One batch: when to send it, and a shipment of it that must have come to the status.
struct Due {
    after: Duration,
    request: Vec<u8>,
    look: Vec<u8>,
    looked_for: String,
    status: &'static str,
}

/// What was seen of one batch, in seconds.
struct Seen {
    /// From when it was due to its 202.
    accepted: f64,
    /// From the 202 to the status seen.
    visible: f64,
    accepted_at: Instant,
    looked_for: String,
    status: &'static str,
}

/// What was seen of a round.
struct Round {
    accepted: Vec<f64>,
    visible: Vec<f64>,
    /// From the 202 to the message; 0 where that came first.
    told: Vec<f64>,
    rate: f64,
    server_cpu: f64,
    load_cpu: f64,
}

async fn measure(seconds: usize, rounds: usize, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let mut random = StdRng::seed_from_u64(15);
    let everything = Wish {
        token: served.token.as_str().into(),
        query: "".into(),
        after: None,
    };
    let mut all = Vec::new();
    for _ in 0..rounds {
        let shipments = create(&served, seconds * EVENTS_PER_SECOND / STEPS.len(), &mut random).await?;
        // Behind the creations, of which it is not to be told.
        let listeners = Listeners::open(served.address, std::slice::from_ref(&everything), 1_000).await?;
        all.push(round(&served, &shipments, &listeners).await?);
    }
    served.must_have_applied_all().await?;
    let of = |figure: &str, unit, value: &dyn Fn(&Round) -> f64| {
        Figure::of("visible", figure, unit, all.iter().map(value).collect())
    };
    let must = |must| (!quick).then_some(must);
    let millis =
        |part: fn(&Round) -> &Vec<f64>, share: f64| move |round: &Round| 1e3 * at(part(round), share);
    let visible: fn(&Round) -> &Vec<f64> = |round| &round.visible;
    let told: fn(&Round) -> &Vec<f64> = |round| &round.told;
    let accepted: fn(&Round) -> &Vec<f64> = |round| &round.accepted;
    figures.add(of("202 to seen by GET, p50", "ms", &millis(visible, 0.50)));
    figures.add(of("202 to seen by GET, p99", "ms", &millis(visible, 0.99)).must(must(Must::AtMost(100.0))));
    figures.add(of("202 to seen by GET, longest", "ms", &millis(visible, 1.0)));
    figures.add(of("202 to told on the stream, p50", "ms", &millis(told, 0.50)));
    figures
        .add(of("202 to told on the stream, p99", "ms", &millis(told, 0.99)).must(must(Must::AtMost(100.0))));
    figures.add(of("202 to told on the stream, longest", "ms", &millis(told, 1.0)));
    figures.add(of("due to 202, p50", "ms", &millis(accepted, 0.50)));
    figures.add(of("due to 202, p99", "ms", &millis(accepted, 0.99)));
    figures.add(of("due to 202, longest", "ms", &millis(accepted, 1.0)));
    // The last answer comes a little after the last second.
    let rate = Must::AtLeast(0.99 * as_figure(u64::try_from(EVENTS_PER_SECOND)?));
    figures.add(of("events durable at the pace of 10,000", "/s", &|round| round.rate).must(must(rate)));
    let cpu = must(Must::AtMost(1.0));
    figures.add(
        of("CPU of the server for 10,000 events", "s", &|round| {
            round.server_cpu
        })
        .must(cpu),
    );
    figures.add(of("CPU of the load generator for 10,000 events", "s", &|round| {
        round.load_cpu
    }));
    Ok(())
}

async fn round(served: &Served, shipments: &[String], listeners: &Listeners) -> Result<Round, Problem> {
    let mut lanes = Vec::with_capacity(LANES);
    let looked_for = shipments.chunks(BATCH_EVENTS).filter_map(<[String]>::last);
    listeners.watch(looked_for.cloned());
    for due in schedule(served, shipments)? {
        let connection = Connection::open(served.address).await?;
        lanes.push((connection, due));
    }
    let events = as_figure(u64::try_from(shipments.len() * STEPS.len())?);
    let me = std::process::id();
    let (server_cpu, load_cpu) = (served.cpu_seconds()?, cpu_seconds(me)?);
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (connection, due) in lanes {
        senders.spawn(send(connection, due, began));
    }
    let mut all = Vec::new();
    while let Some(sent) = senders.join_next().await {
        all.extend(sent??);
    }
    let took = began.elapsed().as_secs_f64();
    listeners
        .hear(u64::try_from(shipments.len() * STEPS.len())?)
        .await?;
    let (mut accepted, mut visible, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for seen in all {
        let told_at = listeners
            .told_at(&seen.looked_for, seen.status)
            .ok_or("an event was not told")?;
        told.push(told_at.saturating_duration_since(seen.accepted_at).as_secs_f64());
        accepted.push(seen.accepted);
        visible.push(seen.visible);
    }
    for times in [&mut accepted, &mut visible, &mut told] {
        times.sort_by(f64::total_cmp);
    }
    let each = |cpu: f64| cpu / events * 10_000.0;
    Ok(Round {
        accepted,
        visible,
        told,
        rate: events / took,
        server_cpu: each(served.cpu_seconds()? - server_cpu),
        load_cpu: each(cpu_seconds(me)? - load_cpu),
    })
}

/// The batches of each lane. All shipments take a step before one takes the next, seconds later.
fn schedule(served: &Served, shipments: &[String]) -> Result<Vec<Vec<Due>>, Problem> {
    let now = SystemClock.now();
    let mut lanes: Vec<Vec<Due>> = (0..LANES).map(|_| Vec::new()).collect();
    let mut turn = 0_u32;
    for status in STEPS {
        for batch_of in shipments.chunks(BATCH_EVENTS) {
            let looked_for = batch_of.last().ok_or("an empty batch")?;
            let body = batch(batch_of, status, now);
            let lane = lanes.get_mut(usize::try_from(turn)? % LANES);
            lane.ok_or("there are no lanes")?.push(Due {
                after: PAUSE * turn,
                request: post("/events/batch", &served.token, JSON, &body),
                look: get(&format!("/shipments/{looked_for}"), &served.token),
                looked_for: looked_for.clone(),
                status,
            });
            turn += 1;
        }
    }
    Ok(lanes)
}

async fn send(mut connection: Connection, dues: Vec<Due>, began: Instant) -> Result<Vec<Seen>, Problem> {
    let mut all = Vec::with_capacity(dues.len());
    for due in &dues {
        let due_at = began + due.after;
        tokio::time::sleep_until(due_at.into()).await;
        connection.ask(&due.request).await?.must_be(202)?;
        let accepted_at = Instant::now();
        loop {
            let answer = connection.ask(&due.look).await?;
            answer.must_be(200)?;
            let seen_at = Instant::now();
            let shipment: Value = serde_json::from_slice(answer.body)?;
            if shipment["current_status"] == due.status {
                all.push(Seen {
                    accepted: (accepted_at - due_at).as_secs_f64(),
                    visible: (seen_at - accepted_at).as_secs_f64(),
                    accepted_at,
                    looked_for: due.looked_for.clone(),
                    status: due.status,
                });
                break;
            }
        }
    }
    Ok(all)
}

/// The time that this share of all took at most.
pub(crate) fn at(sorted: &[f64], share: f64) -> f64 {
    let parts = 1_000_usize;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share lies between 0 and 1"
    )]
    let share = (share * 1e3) as usize;
    let place = (sorted.len() * share).div_ceil(parts).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
