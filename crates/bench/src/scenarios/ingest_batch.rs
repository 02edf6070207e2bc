//! `ingest-batch`: batches over HTTP to durable, against parsing alone and against one transaction an event.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rusqlite::{Connection, OpenFlags};
use store::folder::DATABASE_FILE;

use super::singly::Singly;
use crate::Problem;
use crate::cohort::{BATCH, STEPS};
use crate::figure::{Figure, Figures, Must};
use crate::served::Served;
use crate::system::{MIB, as_figure};
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
        let watch = Watch::start(&served.folder, false)?;
        let run = drive(&served, lanes, ALL_TAKEN_IN).await?;
        log.push(as_figure(watch.end()?) / MIB);
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
    figures.add(of(
        "events durable while backups are made".to_owned(),
        "/s",
        vec![backed_up.0],
    ));
    figures.add(of(
        "write-ahead log at its largest, while backups are made".to_owned(),
        "MiB",
        vec![backed_up.1],
    ));
    Ok(())
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

/// A cohort while the database is copied again and again: events a second, and the log's size in MiB.
async fn with_backup(served: &Served, scale: &Scale, random: &mut StdRng) -> Result<(f64, f64), Problem> {
    let shipments = create(served, scale.shipments, random).await?;
    let (lanes, _) = requests(served, &shipments);
    let watch = Watch::start(&served.folder, true)?;
    let run = drive(served, lanes, ALL_TAKEN_IN).await?;
    let log = as_figure(watch.end()?) / MIB;
    Ok((run.rate(scale.shipments * STEPS.len()), log))
}

/// Looks at the size of the write-ahead log; may make backups meanwhile, in the way anybody can: by a connection of its own.
struct Watch {
    stop: Arc<AtomicBool>,
    largest: JoinHandle<u64>,
    backups: Option<JoinHandle<Result<(), Problem>>>,
}

impl Watch {
    fn start(folder: &Path, with_backups: bool) -> Result<Self, Problem> {
        let stop = Arc::new(AtomicBool::new(false));
        let log = folder.join(format!("{DATABASE_FILE}-wal"));
        let stopped = stop.clone();
        let largest = std::thread::Builder::new().spawn(move || largest(&log, &stopped))?;
        let (database, stopped) = (folder.join(DATABASE_FILE), stop.clone());
        let backups = with_backups
            .then(|| std::thread::Builder::new().spawn(move || back_up(&database, &stopped)))
            .transpose()?;
        Ok(Self {
            stop,
            largest,
            backups,
        })
    }

    fn end(self) -> Result<u64, Problem> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(backups) = self.backups {
            backups.join().map_err(|_| "the backup failed")??;
        }
        Ok(self.largest.join().map_err(|_| "nobody looked at the log")?)
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

fn back_up(database: &Path, stop: &AtomicBool) -> Result<(), Problem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    while !stop.load(Ordering::Relaxed) {
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("backup.db");
        let source = Connection::open_with_flags(database, flags)?;
        source.execute(
            "VACUUM INTO ?1",
            [copy.to_str().ok_or("a path that is not text")?],
        )?;
    }
    Ok(())
}
