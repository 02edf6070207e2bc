//! `engine`: handle to durable, without HTTP, against the same rows written without deciding anything.

use rand::SeedableRng;
use rand::seq::SliceRandom;

use super::baseline::Recording;
use crate::Problem;
use crate::cohort::{Bench, STEPS};
use crate::figure::{Figure, Figures, Must};
use crate::system::cpu_seconds;

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (shipments, rounds) = if quick { (2_000, 1) } else { (100_000, 5) };
    let runtime = tokio::runtime::Runtime::new()?;
    let (mut engine, mut baseline, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let folder = tempfile::tempdir()?;
        let recording = runtime.block_on(async {
            let mut bench = Bench::start(folder.path(), round).await?;
            let mut cohort = bench.create(shipments).await?;
            // Scanners meet parcels in no order.
            cohort.shuffle(&mut rand::rngs::StdRng::seed_from_u64(round));
            let before = Recording::begin(folder.path())?;
            let events = bench.events(&cohort, &STEPS)?;
            let cpu_before = cpu_seconds(std::process::id())?;
            engine.push(bench.run(events).await?);
            cpu.push(cpu_seconds(std::process::id())? - cpu_before);
            bench.stop().await;
            Ok::<Recording, Problem>(before)
        })?;
        baseline.push(recording.play(folder.path())?);
    }
    let must = (!quick).then_some(Must::AtLeast(0.60));
    figures.add(Figure {
        scenario: "engine",
        figure: "events durable, 4 submitters".to_owned(),
        unit: "/s",
        values: engine,
        baselines: baseline,
        must,
    });
    figures.add(Figure {
        scenario: "engine",
        figure: format!(
            "CPU of submitters, writer and checkpoints for {} events",
            shipments * STEPS.len()
        ),
        unit: "s",
        values: cpu,
        baselines: Vec::new(),
        must: None,
    });
    Ok(())
}
