//! `read`: shipments with their whole history over HTTP, drawn from all, against a request that does nothing.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::ingest_batch::ingest;
use crate::Problem;
use crate::cohort::STEPS;
use crate::connection::get;
use crate::figure::{Figure, Figures, Must};
use crate::home::{Ground, Home};
use crate::served::Served;
use crate::traffic::{Expected, Lane, Run, create, drive, runtime};

/// Connections: enough that the server always has something to do.
const CONNECTIONS: usize = 16;

const DONE: Expected = Expected {
    status: 200,
    says: r#""status":"ok""#,
};
const FOUND: Expected = Expected {
    status: 200,
    says: r#""status_history":[{"status":"created""#,
};

pub(crate) fn run(quick: bool, ground: Ground, figures: &mut Figures) -> Result<(), Problem> {
    let (shipments, reads, rounds) = if quick {
        (10_000, 10_000, 3)
    } else {
        (100_000, 100_000, 7)
    };
    let size = Size {
        shipments,
        reads,
        rounds,
    };
    runtime()?.block_on(measure(&size, quick, ground, figures))
}

struct Size {
    shipments: usize,
    reads: usize,
    rounds: usize,
}

async fn measure(size: &Size, quick: bool, ground: Ground, figures: &mut Figures) -> Result<(), Problem> {
    let Size {
        shipments: count,
        reads,
        rounds,
    } = *size;
    let home = Home::on(ground)?;
    let served = home.serve()?;
    let mut random = StdRng::seed_from_u64(14);
    let shipments = create(&served, count, &mut random).await?;
    ingest(&served, &shipments, &STEPS).await?;
    served.must_have_applied_all().await?;
    // Once before: the ingest's checkpoint is over then.
    read(&served, &shipments, reads, &mut random).await?;
    let (mut found, mut nothing) = (Vec::new(), Vec::new());
    let (mut server_cpu, mut load_cpu, mut nothing_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let idle = vec![vec![get("/measuring/nothing", &served.token); reads / CONNECTIONS]; CONNECTIONS];
        let idle = drive(&served, idle, DONE).await?;
        let run = read(&served, &shipments, reads, &mut random).await?;
        nothing.push(idle.rate(reads / CONNECTIONS * CONNECTIONS));
        nothing_cpu.push(idle.server_cpu);
        found.push(run.rate(reads));
        server_cpu.push(run.server_cpu);
        load_cpu.push(run.load_cpu);
    }
    let of = |figure: String, unit, values| {
        Figure::of(ground.named("read", "postgres-read"), figure, unit, values)
    };
    figures.add(
        of(
            format!("GET of any of {count} shipments, five entries each"),
            "/s",
            found,
        )
        .against(nothing)
        .must((!quick).then_some(Must::AtLeast(0.35))),
    );
    figures.add(
        of(
            format!("CPU of the server for {reads} reads, against as many requests for nothing"),
            "s",
            server_cpu,
        )
        .against(nothing_cpu),
    );
    figures.add(of(
        format!("CPU of the load generator for {reads} reads"),
        "s",
        load_cpu,
    ));
    Ok(())
}

/// Reads shipments drawn from all.
pub(crate) async fn read(
    served: &Served,
    shipments: &[String],
    reads: usize,
    random: &mut StdRng,
) -> Result<Run, Problem> {
    let mut lanes: Vec<Lane> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for lane in (0..CONNECTIONS).cycle().take(reads) {
        let drawn = random.random_range(0..shipments.len());
        let shipment = shipments.get(drawn).ok_or("there are no shipments")?;
        if let Some(lane) = lanes.get_mut(lane) {
            lane.push(get(&format!("/shipments/{shipment}"), &served.token));
        }
    }
    drive(served, lanes, FOUND).await
}
