//! `ingest-single`: one event a request over 128 connections, against a request that does nothing.

use model::time::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use server::clock::{Clock, SystemClock};

use crate::Problem;
use crate::cohort::STEPS;
use crate::connection::post;
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::traffic::{Expected, JSON, Lane, create, drive, event, runtime};
const CONNECTIONS: usize = 128;

const DONE: Expected = Expected {
    status: 202,
    says: r#""status":"ok""#,
};
const TAKEN_IN: Expected = Expected {
    status: 202,
    says: r#""event_id":"evt_"#,
};

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    // For each connection.
    let (shipments, rounds) = if quick { (25, 3) } else { (200, 7) };
    runtime()?.block_on(measure(shipments, rounds, quick, figures))
}

async fn measure(each: usize, rounds: usize, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let mut random = StdRng::seed_from_u64(12);
    let (mut stored, mut nothing) = (Vec::new(), Vec::new());
    let (mut server_cpu, mut load_cpu, mut nothing_cpu) = (Vec::new(), Vec::new(), Vec::new());
    let events = each * CONNECTIONS * STEPS.len();
    for _ in 0..rounds {
        let shipments = create(&served, each * CONNECTIONS, &mut random).await?;
        let idle = drive(
            &served,
            lanes(&served, "/measuring/nothing", &shipments, each),
            DONE,
        )
        .await?;
        let run = drive(&served, lanes(&served, "/events", &shipments, each), TAKEN_IN).await?;
        nothing.push(idle.rate(events));
        nothing_cpu.push(idle.server_cpu);
        stored.push(run.rate(events));
        server_cpu.push(run.server_cpu);
        load_cpu.push(run.load_cpu);
    }
    served.must_have_applied_all().await?;
    let of = |figure: String, unit, values| Figure::of("ingest-single", figure, unit, values);
    figures.add(
        of(
            format!("events durable, one a request, {CONNECTIONS} connections"),
            "/s",
            stored,
        )
        .against(nothing)
        .must((!quick).then_some(Must::AtLeast(0.45))),
    );
    figures.add(
        of(
            format!("CPU of the server for {events} events, against as many requests for nothing"),
            "s",
            server_cpu,
        )
        .against(nothing_cpu),
    );
    figures.add(of(
        format!("CPU of the load generator for {events} events"),
        "s",
        load_cpu,
    ));
    Ok(())
}

/// The lives of `each` shipments on every connection, all of them taking a step before one takes the next.
fn lanes(served: &Served, path: &str, shipments: &[String], each: usize) -> Vec<Lane> {
    let now = SystemClock.now();
    let request = |shipment: &String, status: &str| {
        let at = Timestamp::from_nanos(now.as_nanos());
        post(path, &served.token, JSON, event(shipment, status, at).as_bytes())
    };
    let lane = |shipments: &[String]| {
        let step = |status: &&'static str| {
            let status = *status;
            shipments.iter().map(move |shipment| request(shipment, status))
        };
        STEPS.iter().flat_map(step).collect()
    };
    shipments.chunks(each).map(lane).collect()
}
