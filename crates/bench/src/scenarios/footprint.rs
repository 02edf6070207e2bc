//! `footprint`: start, memory, disk and size of the server as it ships.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use crate::Problem;
use crate::cohort::{BATCH, Bench, STEPS};
use crate::connection::{Connection, get, post};
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::system::{MIB, as_figure, folder_bytes, waybill};
use crate::traffic::{JSON, batches, create, runtime};

/// Connections whose batches wait in the queue.
const QUEUED_BATCHES: usize = 10;
/// When all of them have come for certain: it takes some 20 ms.
const QUEUED_AFTER: Duration = Duration::from_millis(500);

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    // An entry is made with each shipment, four follow.
    let (shipments, rounds) = if quick { (2_000, 2) } else { (2_000_000, 7) };
    let binary = waybill()?;
    let folder = tempfile::tempdir()?;
    let entries = shipments * (1 + STEPS.len());
    tokio::runtime::Runtime::new()?.block_on(fill(folder.path(), shipments))?;
    let bytes = as_figure(folder_bytes(folder.path())?);
    let runtime = runtime()?;
    // The first start makes what a new folder needs, such as its admin.
    runtime.block_on(start(&binary, folder.path()))?;
    let (mut starts, mut idle, mut queued) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (millis, mib) = runtime.block_on(start(&binary, folder.path()))?;
        starts.push(millis);
        idle.push(mib);
        queued.push(runtime.block_on(queued_mib())?);
    }
    let size = as_figure(std::fs::metadata(&binary)?.len());
    let mut add = |figure: String, unit, values, must: f64| {
        let must = (!quick).then_some(Must::AtMost(must));
        figures.add(Figure::of("footprint", figure, unit, values).must(must));
    };
    let each = bytes / as_figure(u64::try_from(entries)?);
    add(
        format!("disk per event, {entries} stored"),
        "B",
        vec![each],
        200.0,
    );
    add(
        format!("cold start to ready, {entries} events stored"),
        "ms",
        starts,
        300.0,
    );
    add("idle memory".to_owned(), "MiB", idle, 60.0);
    add("memory of 10,000 queued events".to_owned(), "MiB", queued, 20.0);
    let whole = "binary, without debug information".to_owned();
    add(whole, "MiB", vec![size / MIB], 40.0);
    let stripped = vec![stripped_bytes(&binary, folder.path())? / MIB];
    figures.add(Figure::of("footprint", "binary, stripped", "MiB", stripped));
    Ok(())
}

/// The size of the binary without what only a debugger and a profiler read.
fn stripped_bytes(binary: &Path, folder: &Path) -> Result<f64, Problem> {
    let stripped = folder.join("stripped");
    let done = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(binary)
        .status()?;
    if !done.success() {
        return Err("the binary cannot be stripped".into());
    }
    Ok(as_figure(std::fs::metadata(stripped)?.len()))
}

/// Fills a store through the engine: it is the same for that and sooner done.
async fn fill(folder: &Path, shipments: usize) -> Result<(), Problem> {
    let mut bench = Bench::start(folder, 3).await?;
    let mut left = shipments;
    while left > 0 {
        let cohort = bench.create(left.min(100_000)).await?;
        left -= cohort.len();
        bench.run(bench.events(&cohort, &STEPS)?).await?;
    }
    bench.stop().await;
    Ok(())
}

/// Starts the real binary; gives the milliseconds until it says that it is ready, and its memory then in MiB.
async fn start(binary: &Path, folder: &Path) -> Result<(f64, f64), Problem> {
    let began = Instant::now();
    let served = Served::shipped(binary, folder)?;
    let mut connection = Connection::open(served.address).await?;
    let ready = connection.ask(&get("/readyz", &served.token)).await?;
    ready.must_be(200)?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    Ok((took, as_figure(served.resident_bytes()?) / MIB))
}

/// By how many MiB a server grows that has 10,000 events in its queue, a batch on each of ten connections: the writer is held
/// until it was measured.
async fn queued_mib() -> Result<f64, Problem> {
    let folder = tempfile::tempdir()?;
    let mut served = Served::measured(folder.path())?;
    let mut random = StdRng::seed_from_u64(4);
    let shipments = create(&served, QUEUED_BATCHES * BATCH, &mut random).await?;
    let mut connections = Vec::new();
    for body in batches(&shipments, &STEPS[..1], BATCH, 1).concat() {
        let mut connection = Connection::open(served.address).await?;
        // What a connection takes by itself is not the queue's.
        connection
            .ask(&get("/measuring/nothing", &served.token))
            .await?
            .must_be(200)?;
        let request = post("/events/batch", &served.token, JSON, &body);
        connections.push((connection, request));
    }
    served.hold()?;
    let before = served.resident_bytes()?;
    let mut queued = JoinSet::new();
    for (mut connection, request) in connections {
        queued.spawn(async move {
            let answer = connection.ask(&request).await?;
            answer.must_be(202)
        });
    }
    tokio::time::sleep(QUEUED_AFTER).await;
    let grown = served.resident_bytes()?.saturating_sub(before);
    if let Some(answered) = queued.try_join_next() {
        answered??;
        return Err("a batch was answered while the writer was held".into());
    }
    served.release()?;
    while let Some(answered) = queued.join_next().await {
        answered??;
    }
    served.must_have_applied_all().await?;
    Ok(as_figure(grown) / MIB)
}
