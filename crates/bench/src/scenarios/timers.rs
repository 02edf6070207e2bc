//! `timers`: orders that advance by themselves, while they wait and when all are due at once.

use std::path::Path;
use std::time::{Duration, Instant};

use model::head::DelayScale;
use server::engine::Submission;
use server::timers::ORDERS_AT_ONCE;

use crate::Problem;
use crate::cohort::{Bench, STEPS};
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::system::{as_figure, waybill};

/// The delays of those that wait, in parts per million: a delivery's first step is due after five hours.
const FAR_AHEAD: DelayScale = DelayScale::from_parts_per_million(1_000 * 1_000_000);
/// Of those that are due at once.
const AT_ONCE: DelayScale = DelayScale::from_parts_per_million(0);
/// Steps of a delivery.
const STEPS_OF_ONE: usize = 3;
/// A server has come to rest after its start.
const RESTS_AFTER: Duration = Duration::from_secs(2);
/// Between two reports of the caller that meets a rush.
const CALLS_EVERY: Duration = Duration::from_millis(5);

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (deliveries, rounds, watched) = if quick {
        (1_000, 1, Duration::from_secs(1))
    } else {
        (10_000, 5, Duration::from_secs(10))
    };
    let binary = waybill()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (waiting, none) = (tempfile::tempdir()?, tempfile::tempdir()?);
    runtime.block_on(async {
        let mut bench = Bench::start_scaled(waiting.path(), 1, FAR_AHEAD).await?;
        bench.create_of("delivery", deliveries).await?;
        bench.stop().await;
        Ok::<(), Problem>(())
    })?;
    let (mut with, mut without, mut rush, mut longest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        without.push(core_used(&binary, none.path(), watched)?);
        with.push(core_used(&binary, waiting.path(), watched)?);
        let (steps, wait) = runtime.block_on(all_at_once(deliveries, round))?;
        rush.push(steps);
        longest.push(wait);
    }
    let must = (!quick).then_some(Must::AtMost(5.0));
    let waits = format!("core used by the server while {deliveries} deliveries wait");
    figures.add(Figure::of("timers", waits, "%", with).must(must));
    let none = "core used by the server while none waits";
    figures.add(Figure::of("timers", none, "%", without));
    let steps = format!("steps taken when {deliveries} deliveries are due at once, to their end");
    figures.add(Figure::of("timers", steps, "/s", rush));
    let wait = "the same, the longest that a caller waits meanwhile";
    figures.add(Figure::of("timers", wait, "ms", longest));
    Ok(())
}

/// How much of a core a server takes that nobody asks anything.
fn core_used(binary: &Path, folder: &Path, watched: Duration) -> Result<f64, Problem> {
    let served = Served::shipped(binary, folder)?;
    std::thread::sleep(RESTS_AFTER);
    let (began, before) = (Instant::now(), served.cpu_seconds()?);
    std::thread::sleep(watched);
    let used = served.cpu_seconds()? - before;
    Ok(100.0 * used / began.elapsed().as_secs_f64())
}

/// Deliveries that are due at once: steps a second, and the longest that a caller waited meanwhile, in milliseconds.
async fn all_at_once(deliveries: usize, seed: u64) -> Result<(f64, f64), Problem> {
    let folder = tempfile::tempdir()?;
    let mut bench = Bench::start_scaled(folder.path(), seed, AT_ONCE).await?;
    bench.create_of("delivery", deliveries).await?;
    let shipments = bench.create(deliveries).await?;
    let events = bench.events(&shipments, &STEPS[..1])?.into_iter().flatten();
    let handle = bench.engine.handle().clone();
    let began = Instant::now();
    let advance = async {
        let mut taken = 0;
        while taken < deliveries * STEPS_OF_ONE {
            match handle.advance_due(ORDERS_AT_ONCE).await? {
                0 => return Err("deliveries have stopped on their way".into()),
                more => taken += more,
            }
        }
        Ok::<f64, Problem>(as_figure(u64::try_from(taken)?) / began.elapsed().as_secs_f64())
    };
    let mut longest = Duration::ZERO;
    let call = async {
        for command in events.flat_map(|submission| submission.commands) {
            let called = Instant::now();
            let submission = Submission {
                commands: vec![command],
                ..Submission::default()
            };
            handle.submit(submission).await?;
            longest = longest.max(called.elapsed());
            tokio::time::sleep(CALLS_EVERY).await;
        }
        // More of them than a rush lasts: it ends first.
        std::future::pending::<Result<f64, Problem>>().await
    };
    let steps = tokio::select! {
        steps = advance => steps,
        failed = call => failed,
    }?;
    bench.stop().await;
    Ok((steps, longest.as_secs_f64() * 1e3))
}
