//! `growth`: the same work in a small store and in ones ten and a hundred times as large.

use std::path::Path;
use std::time::Instant;

use model::command::OrderRef;
use model::public_id::PublicId;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use store::Store;

use crate::Problem;
use crate::cohort::{Bench, STEPS};
use crate::figure::{Figure, Figures, Must};
use crate::system::{as_figure, folder_bytes};

/// Sizes and repetitions.
pub(crate) struct Scale {
    /// Entries stored when measured.
    sizes: &'static [u64],
    /// Shipments of a cohort.
    cohort: usize,
    /// Shipments of each cohort that stay where they are, for events spread over all.
    stay: usize,
    /// Interleaved measurements at each size.
    rounds: u64,
    /// Orders read, drawn from all.
    reads: usize,
}

const FULL: Scale = Scale {
    sizes: &[100_000, 1_000_000, 10_000_000],
    cohort: 100_000,
    stay: 5_000,
    rounds: 3,
    reads: 100_000,
};
const QUICK: Scale = Scale {
    sizes: &[5_000, 20_000],
    cohort: 1_000,
    stay: 100,
    rounds: 1,
    reads: 1_000,
};

/// A store that grows.
struct Grown {
    bench: Bench,
    entries: u64,
    all: Vec<PublicId>,
    staying: Vec<PublicId>,
    random: StdRng,
}

/// Rates of one measurement.
struct Rates {
    ingest: f64,
    read: f64,
}

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    let folder = tempfile::tempdir()?;
    tokio::runtime::Runtime::new()?.block_on(measure(scale, folder.path(), figures))
}

async fn measure(scale: &Scale, folder: &Path, figures: &mut Figures) -> Result<(), Problem> {
    let mut grown = Grown::start(folder).await?;
    for size in scale.sizes {
        grown.grow_to(*size, scale).await?;
        let (mut ingest, mut read) = (Vec::new(), Vec::new());
        let (mut small_ingest, mut small_read) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            // The baseline is a store of the first size, made anew for each round, so that both meet the same weather.
            let fresh = tempfile::tempdir()?;
            let mut small = Grown::start(fresh.path()).await?;
            small.grow_to(scale.sizes[0], scale).await?;
            let at_small = small.measure(scale).await?;
            small.bench.stop().await;
            let at_size = grown.measure(scale).await?;
            ingest.push(at_size.ingest);
            read.push(at_size.read);
            small_ingest.push(at_small.ingest);
            small_read.push(at_small.read);
        }
        let must = (scale.rounds > 1).then_some(Must::AtLeast(0.70));
        let figure = |what: &str, unit, values, baselines, must| Figure {
            scenario: "growth",
            figure: format!("{what} at {} entries", power(*size)),
            unit,
            values,
            baselines,
            must,
        };
        figures.add(figure(
            "ingest of a fresh cohort",
            "/s",
            ingest,
            small_ingest,
            must,
        ));
        figures.add(figure("read of any order", "/s", read, small_read, must));
        let staying = grown.staying.clone();
        let spread = grown.move_on(&staying).await?;
        grown.staying.clear();
        figures.add(figure(
            "ingest spread over all",
            "/s",
            vec![spread],
            Vec::new(),
            None,
        ));
    }
    let entries = grown.entries;
    grown.bench.stop().await;
    let bytes = folder_bytes(folder)?;
    figures.add(Figure {
        scenario: "growth",
        figure: format!("disk for each of {} entries", power(entries)),
        unit: "B",
        values: vec![as_figure(bytes) / as_figure(entries)],
        baselines: Vec::new(),
        must: None,
    });
    Ok(())
}

impl Grown {
    async fn start(folder: &Path) -> Result<Self, Problem> {
        let bench = Bench::start(folder, 7).await?;
        Ok(Self {
            bench,
            entries: 0,
            all: Vec::new(),
            staying: Vec::new(),
            random: StdRng::seed_from_u64(7),
        })
    }

    /// Fills the store with whole lives until it holds so many entries.
    async fn grow_to(&mut self, entries: u64, scale: &Scale) -> Result<(), Problem> {
        while self.entries < entries {
            let left = usize::try_from((entries - self.entries) / 5)?.max(1);
            self.cohort(scale.cohort.min(left), scale.stay).await?;
        }
        Ok(())
    }

    /// A cohort lives its life; gives events per second.
    async fn cohort(&mut self, shipments: usize, stay: usize) -> Result<f64, Problem> {
        let stay = stay.min(shipments / 10);
        let mut cohort = self.bench.create(shipments + stay).await?;
        cohort.shuffle(&mut self.random);
        self.entries += u64::try_from(cohort.len())?;
        self.all.extend(cohort.iter().cloned());
        self.staying.extend(cohort.split_off(shipments));
        let rate = self.bench.run(self.bench.events(&cohort, &STEPS)?).await?;
        self.entries += u64::try_from(cohort.len() * STEPS.len())?;
        Ok(rate)
    }

    async fn measure(&mut self, scale: &Scale) -> Result<Rates, Problem> {
        let ingest = self.cohort(scale.cohort, scale.stay).await?;
        let store = self.bench.engine.handle().store().clone();
        let orders: Vec<OrderRef> = (0..scale.reads)
            .map(|_| OrderRef::Public(self.all[self.random.random_range(0..self.all.len())].clone()))
            .collect();
        // Once before: the ingest's checkpoint is over then, and the system has the file's pages in memory in either store.
        read_all(&*store, &orders)?;
        let began = Instant::now();
        read_all(&*store, &orders)?;
        let reads = as_figure(u64::try_from(orders.len())?);
        Ok(Rates {
            ingest,
            read: reads / began.elapsed().as_secs_f64(),
        })
    }

    /// One step for shipments from all over the store.
    async fn move_on(&mut self, shipments: &[PublicId]) -> Result<f64, Problem> {
        let mut shipments = shipments.to_vec();
        shipments.shuffle(&mut self.random);
        self.entries += u64::try_from(shipments.len())?;
        self.bench.run(self.bench.events(&shipments, &STEPS[..1])?).await
    }
}

/// Reads what the answer about an order is made of: the order, its history, and what each entry says.
fn read_all(store: &dyn Store, orders: &[OrderRef]) -> Result<(), Problem> {
    for order in orders {
        let history = store.reading(|reader| match reader.order(order)? {
            Some(order) => reader.history(&order),
            None => Ok(Vec::new()),
        })?;
        if history.is_empty() {
            return Err("an order was not found".into());
        }
        for found in &history {
            std::hint::black_box((found.entry.body()?, found.entry.private()?));
        }
    }
    Ok(())
}

fn power(number: u64) -> String {
    match number {
        100_000 => "10⁵".to_owned(),
        1_000_000 => "10⁶".to_owned(),
        10_000_000 => "10⁷".to_owned(),
        other => other.to_string(),
    }
}
