//! `footprint`: start, memory and disk of the real binary.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use model::command::{Actor, Scope};
use model::ids::PartyId;
use model::public_id::PublicId;
use model::role::Role;
use model::time::Timestamp;

use crate::Problem;
use crate::cohort::{Bench, STEPS, report};
use crate::figure::{Figure, Figures, Must};
use crate::system::{as_figure, folder_bytes, resident_bytes, waybill};

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    // An entry is made with each shipment, four follow.
    let (shipments, rounds) = if quick { (2_000, 2) } else { (2_000_000, 7) };
    let binary = waybill()?;
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let entries = shipments * (1 + STEPS.len());
    runtime.block_on(fill(folder.path(), shipments))?;
    let bytes = folder_bytes(folder.path())?;
    let mut add = |figure: String, unit, values, must: f64| {
        figures.add(Figure {
            scenario: "footprint",
            figure,
            unit,
            values,
            baselines: Vec::new(),
            must: (!quick).then_some(Must::AtMost(must)),
        });
    };
    let per_entry = as_figure(bytes) / as_figure(u64::try_from(entries)?);
    add(
        format!("disk per event, {entries} stored"),
        "B",
        vec![per_entry],
        200.0,
    );
    let (mut starts, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let mut server = start(&binary, folder.path())?;
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        // It is idle at once: the load is one command in a thousand seconds.
        idle.push(as_figure(resident_bytes(server.id())?) / MIB);
        server.kill()?;
        server.wait()?;
    }
    add(
        format!("cold start, {entries} events stored"),
        "ms",
        starts,
        300.0,
    );
    add("idle memory".to_owned(), "MiB", idle, 60.0);
    add(
        "memory of 10,000 queued events".to_owned(),
        "MiB",
        vec![queued_mib()?],
        20.0,
    );
    let size = std::fs::metadata(&binary)?.len();
    add(
        "binary, with line tables".to_owned(),
        "MiB",
        vec![as_figure(size) / MIB],
        40.0,
    );
    Ok(())
}

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

/// Starts the real binary on a folder and waits until it says that it is ready.
fn start(binary: &Path, folder: &Path) -> Result<Child, Problem> {
    let mut server = Command::new(binary)
        .args([
            "simulate",
            "--rate",
            "0.001",
            "--submitters",
            "1",
            "--batch",
            "1",
            "--seconds",
            "60",
            "--data-dir",
        ])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = server.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.trim() != "ready" {
        return Err(format!("the server said {line:?} where it should be ready").into());
    }
    Ok(server)
}

/// How much memory queued events take, measured in a process of its own: this one has memory to spare from before.
fn queued_mib() -> Result<f64, Problem> {
    let output = Command::new(std::env::current_exe()?)
        .arg("queued-memory")
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text
        .lines()
        .next()
        .ok_or("no figure from the process of its own")?
        .trim()
        .parse()?)
}

/// Prints how many MiB this process grows by holding 10,000 events as the queue does.
pub(crate) fn print_queued_memory() -> Result<(), Problem> {
    const EVENTS: u32 = 200_000;
    let actor = Actor {
        party: PartyId::NOBODY,
        role: Role::Operator,
        scope: Scope::All,
    };
    let me = std::process::id();
    let before = resident_bytes(me)?;
    let mut held = Vec::new();
    for number in 0..EVENTS {
        let id = PublicId::tracking_number("99M-", u64::from(number))?;
        held.push(report(
            &id,
            "in_transit",
            actor,
            Timestamp::from_nanos(i64::from(number)),
        )?);
    }
    let grown = resident_bytes(me)?.saturating_sub(before);
    drop(std::hint::black_box(held));
    crate::figure::print(&format!(
        "{}",
        as_figure(grown) / MIB * 10_000.0 / f64::from(EVENTS)
    ));
    Ok(())
}
