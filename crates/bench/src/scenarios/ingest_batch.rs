//! `ingest-batch`: batches over HTTP to durable, against parsing alone and against one transaction an event.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use store::folder::DATABASE_FILE;

use super::singly::Singly;
use crate::Problem;
use crate::cohort::{BATCH, STEPS};
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::system::{MIB, as_figure, waybill};
use crate::traffic::{ALL_TAKEN_IN, JSON, Lane, Run, batches, create, drive, posts, runtime};

/// Connections: two leave the writer waiting; between four and sixteen no difference was seen beyond the noise.
pub(crate) const CONNECTIONS: usize = 8;
/// How often the size of the log is looked at.
const LOOK: Duration = Duration::from_millis(5);

struct Scale {
    shipments: usize,
    rounds: usize,
    /// Events written one a transaction, in each round.
    singly: usize,
}

const FULL: Scale = Scale {
    shipments: 100_000,
    rounds: 5,
    singly: 4_000,
};
const QUICK: Scale = Scale {
    shipments: 20_000,
    rounds: 3,
    singly: 500,
};

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    runtime()?.block_on(measure(scale, quick, figures))
}

async fn measure(scale: &Scale, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let served = Served::measured(folder.path())?;
    let mut random = StdRng::seed_from_u64(11);
    let (mut stored, mut parsed, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let (mut server_cpu, mut load_cpu, mut log) = (Vec::new(), Vec::new(), Vec::new());
    let events = scale.shipments * STEPS.len();
    let mut singly: Option<Singly> = None;
    for _ in 0..scale.rounds {
        let shipments = create(&served, scale.shipments, &mut random).await?;
        if singly.is_none() {
            singly = Some(Singly::begin(folder.path())?);
        }
        let (lanes, parse_lanes) = requests(&served, &shipments);
        parsed.push(drive(&served, parse_lanes, ALL_TAKEN_IN).await?.rate(events));
        let watch = Watch::start(&served.folder, None)?;
        let run = drive(&served, lanes, ALL_TAKEN_IN).await?;
        log.push(as_figure(watch.end()?.0) / MIB);
        stored.push(run.rate(events));
        server_cpu.push(run.server_cpu);
        load_cpu.push(run.load_cpu);
        if let Some(singly) = &mut singly {
            single.push(singly.write(scale.singly)?);
        }
    }
    let backed_up = with_backup(&served, scale, &mut random).await?;
    served.must_have_applied_all().await?;
    let of = |figure: String, unit, values| Figure::of("ingest-batch", figure, unit, values);
    let must = |must| (!quick).then_some(must);
    figures.add(
        of(
            format!("events durable, {BATCH} a request, against parsing them"),
            "/s",
            stored.clone(),
        )
        .against(parsed)
        .must(must(Must::RatioOrValue(0.12, 100_000.0))),
    );
    figures.add(
        of(
            "events durable, against one a transaction".to_owned(),
            "/s",
            stored,
        )
        .against(single)
        .must(must(Must::AtLeast(10.0))),
    );
    figures.add(of(
        format!("CPU of the server for {events} events"),
        "s",
        server_cpu,
    ));
    figures.add(of(
        format!("CPU of the load generator for {events} events"),
        "s",
        load_cpu,
    ));
    figures.add(of("write-ahead log at its largest".to_owned(), "MiB", log));
    add_backups(backed_up, figures);
    Ok(())
}

fn add_backups(measured: BackedUp, figures: &mut Figures) {
    let of = |figure: &str, unit, values| Figure::of("ingest-batch", figure, unit, values);
    figures.add(
        of(
            "events durable while backups are made, against without",
            "/s",
            vec![measured.rate],
        )
        .against(vec![measured.rate_without]),
    );
    figures.add(of(
        "write-ahead log at its largest, while backups are made",
        "MiB",
        vec![measured.log_mib],
    ));
    figures.add(of("a backup meanwhile, proven", "s", measured.seconds));
    figures.add(of("the last backup's size", "MiB", vec![measured.mib]));
}

/// The same batches to be stored and to be parsed.
fn requests(served: &Served, shipments: &[String]) -> (Vec<Lane>, Vec<Lane>) {
    let bodies = batches(shipments, &STEPS, BATCH, CONNECTIONS);
    (
        posts(served, "/events/batch", JSON, &bodies),
        posts(served, "/measuring/parse", JSON, &bodies),
    )
}

/// Takes all of a cohort's events in.
pub(crate) async fn ingest(served: &Served, shipments: &[String], steps: &[&str]) -> Result<Run, Problem> {
    let bodies = batches(shipments, steps, BATCH, CONNECTIONS);
    drive(
        served,
        posts(served, "/events/batch", JSON, &bodies),
        ALL_TAKEN_IN,
    )
    .await
}

/// What is measured while `waybill backup` runs again and again.
struct BackedUp {
    /// Events a second, and of the cohort just before, without.
    rate: f64,
    rate_without: f64,
    log_mib: f64,
    /// Of each backup: copied, proven and synced.
    seconds: Vec<f64>,
    /// Of the last one.
    mib: f64,
}

async fn with_backup(served: &Served, scale: &Scale, random: &mut StdRng) -> Result<BackedUp, Problem> {
    let binary = waybill()?;
    let events = scale.shipments * STEPS.len();
    let shipments = create(served, scale.shipments, random).await?;
    let (lanes, _) = requests(served, &shipments);
    let rate_without = drive(served, lanes, ALL_TAKEN_IN).await?.rate(events);
    let shipments = create(served, scale.shipments, random).await?;
    let (lanes, _) = requests(served, &shipments);
    let watch = Watch::start(&served.folder, Some(binary))?;
    let run = drive(served, lanes, ALL_TAKEN_IN).await?;
    let (log, backups) = watch.end()?;
    Ok(BackedUp {
        rate: run.rate(events),
        rate_without,
        log_mib: as_figure(log) / MIB,
        mib: backups.last().map_or(0.0, |backup| as_figure(backup.1) / MIB),
        seconds: backups.iter().map(|backup| backup.0.as_secs_f64()).collect(),
    })
}

/// How long a backup took, and its bytes.
type Backup = (Duration, u64);

/// Looks at the size of the write-ahead log; may make backups meanwhile, as anybody does: by the command.
struct Watch {
    stop: Arc<AtomicBool>,
    largest: JoinHandle<u64>,
    backups: Option<JoinHandle<Result<Vec<Backup>, Problem>>>,
}

impl Watch {
    fn start(folder: &Path, backups_by: Option<PathBuf>) -> Result<Self, Problem> {
        let stop = Arc::new(AtomicBool::new(false));
        let log = folder.join(format!("{DATABASE_FILE}-wal"));
        let stopped = stop.clone();
        let largest = std::thread::Builder::new().spawn(move || largest(&log, &stopped))?;
        let (folder, stopped) = (folder.to_owned(), stop.clone());
        let backups = backups_by
            .map(|binary| std::thread::Builder::new().spawn(move || back_up(&binary, &folder, &stopped)))
            .transpose()?;
        Ok(Self {
            stop,
            largest,
            backups,
        })
    }

    /// The log at its largest, and the backups.
    fn end(self) -> Result<(u64, Vec<Backup>), Problem> {
        self.stop.store(true, Ordering::Relaxed);
        let backups = match self.backups {
            Some(backups) => backups.join().map_err(|_| "the backup failed")??,
            None => Vec::new(),
        };
        let largest = self.largest.join().map_err(|_| "nobody looked at the log")?;
        Ok((largest, backups))
    }
}

fn largest(log: &PathBuf, stop: &AtomicBool) -> u64 {
    let mut largest = 0;
    while !stop.load(Ordering::Relaxed) {
        let bytes = std::fs::metadata(log).map_or(0, |file| file.len());
        largest = largest.max(bytes);
        std::thread::sleep(LOOK);
    }
    largest
}

/// Makes backups until it is told to stop; at least one.
fn back_up(binary: &Path, data_dir: &Path, stop: &AtomicBool) -> Result<Vec<Backup>, Problem> {
    let mut backups = Vec::new();
    while backups.is_empty() || !stop.load(Ordering::Relaxed) {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("backup.db");
        let began = Instant::now();
        let ended = Command::new(binary)
            .arg("backup")
            .arg(&file)
            .arg("--data-dir")
            .arg(data_dir)
            .stdout(Stdio::null())
            .status()?;
        if !ended.success() {
            return Err(format!("`waybill backup` ended with {ended}").into());
        }
        backups.push((began.elapsed(), std::fs::metadata(&file)?.len()));
    }
    Ok(backups)
}
