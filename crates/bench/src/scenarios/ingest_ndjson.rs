//! `ingest-ndjson`: one long stream of lines, against parsing the same stream; and what memory the server takes for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::time::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use server::clock::{Clock, SystemClock};

use crate::Problem;
use crate::cohort::STEPS;
use crate::connection::post;
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::system::{MIB, as_figure, own_bytes};
use crate::traffic::{ALL_TAKEN_IN, LINES, create, drive, event, runtime};

/// Shipments that are on their way at a time.
const COHORT: usize = 100_000;
/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Memory is flat if the last quarter of a stream finds as much as the second one: queue, groups under way and caches are full by
/// then. What the allocator keeps comes and goes by this much, a quarter of the stream's bytes.
const FLAT_MIB: f64 = 32.0;

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (shipments, rounds) = if quick { (25_000, 2) } else { (250_000, 3) };
    runtime()?.block_on(measure(shipments, rounds, quick, figures))
}

async fn measure(count: usize, rounds: usize, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let mut random = StdRng::seed_from_u64(13);
    let (mut stored, mut parsed, mut server_cpu, mut load_cpu) = (vec![], vec![], vec![], vec![]);
    let (mut before, mut peak, mut risen, mut after) = (vec![], vec![], vec![], vec![]);
    let lines = count * STEPS.len();
    for _ in 0..rounds {
        let shipments = create(&served, count, &mut random).await?;
        let body = stream(&shipments);
        let request = |path| vec![vec![post(path, &served.token, LINES, &body)]];
        parsed.push(
            drive(&served, request("/measuring/parse"), ALL_TAKEN_IN)
                .await?
                .rate(lines),
        );
        let lane = request("/events/batch");
        before.push(as_figure(own_bytes(served.pid())?) / MIB);
        let watch = Watch::start(served.pid())?;
        let run = drive(&served, lane, ALL_TAKEN_IN).await?;
        let looks = watch.end()?;
        peak.push(looks.iter().copied().fold(0.0, f64::max));
        risen.push(median_of_quarter(&looks, 3) - median_of_quarter(&looks, 1));
        after.push(as_figure(own_bytes(served.pid())?) / MIB);
        stored.push(run.rate(lines));
        server_cpu.push(run.server_cpu);
        load_cpu.push(run.load_cpu);
    }
    served.must_have_applied_all().await?;
    let of = |figure: String, unit, values| Figure::of("ingest-ndjson", figure, unit, values);
    let must = |must| (!quick).then_some(must);
    figures.add(
        of(
            format!("events durable, one stream of {lines} lines"),
            "/s",
            stored,
        )
        .against(parsed)
        .must(must(Must::AtLeast(0.12))),
    );
    figures.add(of("CPU of the server".to_owned(), "s", server_cpu));
    figures.add(of("CPU of the load generator".to_owned(), "s", load_cpu));
    figures.add(of(
        "memory of its own before the stream".to_owned(),
        "MiB",
        before,
    ));
    figures.add(of("memory of its own at its peak".to_owned(), "MiB", peak));
    let flat = Must::AtMost(FLAT_MIB);
    let risen = of(
        "memory of its own in the last quarter, above the second".to_owned(),
        "MiB",
        risen,
    );
    figures.add(risen.must(must(flat)));
    figures.add(of("memory of its own after the stream".to_owned(), "MiB", after));
    Ok(())
}

/// The lives of one cohort after another, as `ingest-batch` has them: each cohort takes one step, then the next.
fn stream(shipments: &[String]) -> Vec<u8> {
    let now = Timestamp::from_nanos(SystemClock.now().as_nanos());
    let mut text = String::new();
    for cohort in shipments.chunks(COHORT) {
        for status in STEPS {
            for shipment in cohort {
                text.push_str(&event(shipment, status, now));
                text.push('\n');
            }
        }
    }
    text.into_bytes()
}

/// How much memory a process has been seen with, look by look.
struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Vec<u64>>,
}

impl Watch {
    fn start(pid: u32) -> Result<Self, Problem> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let looks = std::thread::Builder::new().spawn(move || {
            let mut looks = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                looks.extend(own_bytes(pid));
                std::thread::sleep(LOOK);
            }
            looks
        })?;
        Ok(Self { stop, looks })
    }

    /// What was seen, in MiB, and never nothing.
    fn end(self) -> Result<Vec<f64>, Problem> {
        self.stop.store(true, Ordering::Relaxed);
        let looks = self.looks.join().map_err(|_| "nobody looked at the memory")?;
        if looks.len() < 4 {
            return Err("the stream was too short to be looked at".into());
        }
        Ok(looks.into_iter().map(|bytes| as_figure(bytes) / MIB).collect())
    }
}

fn median_of_quarter(looks: &[f64], quarter: usize) -> f64 {
    let length = looks.len() / 4;
    let mut part = looks[quarter * length..(quarter + 1) * length].to_vec();
    part.sort_unstable_by(f64::total_cmp);
    part[length / 2]
}
