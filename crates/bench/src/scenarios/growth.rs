//! `growth`: `ingest-batch` and `read` over HTTP, in a small store and in ones ten and a hundred times as large.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::ingest_batch::ingest;
use super::read::read;
use crate::Problem;
use crate::cohort::STEPS;
use crate::figure::{Figure, Figures, Must};
use crate::home::{Ground, Home};
use crate::served::Served;
use crate::system::as_figure;
use crate::traffic::{create, runtime};

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
/// Reads take longer there, and ten million entries many minutes.
const FULL_ON_POSTGRES: Scale = Scale {
    rounds: 2,
    reads: 10_000,
    ..FULL
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
    served: Served,
    entries: u64,
    all: Vec<String>,
    staying: Vec<String>,
    random: StdRng,
}

/// Rates of one measurement.
struct Rates {
    ingest: f64,
    read: f64,
}

pub(crate) fn run(quick: bool, ground: Ground, figures: &mut Figures) -> Result<(), Problem> {
    let scale = match (quick, ground) {
        (true, _) => &QUICK,
        (false, Ground::Embedded) => &FULL,
        (false, Ground::Postgres) => &FULL_ON_POSTGRES,
    };
    runtime()?.block_on(measure(scale, ground, figures))
}

async fn measure(scale: &Scale, ground: Ground, figures: &mut Figures) -> Result<(), Problem> {
    let scenario = ground.named("growth", "postgres-growth");
    let home = Home::on(ground)?;
    let mut grown = Grown::start(&home)?;
    for size in scale.sizes {
        grown.grow_to(*size, scale).await?;
        let (mut ingest, mut read) = (Vec::new(), Vec::new());
        let (mut small_ingest, mut small_read) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            // The baseline is a store of the first size, made anew for each round, so that both meet the same weather.
            let fresh = Home::on(ground)?;
            let mut small = Grown::start(&fresh)?;
            small.grow_to(scale.sizes[0], scale).await?;
            let at_small = small.measure(scale).await?;
            small.end().await?;
            let at_size = grown.measure(scale).await?;
            ingest.push(at_size.ingest);
            read.push(at_size.read);
            small_ingest.push(at_small.ingest);
            small_read.push(at_small.read);
        }
        let must = (scale.rounds > 1).then_some(Must::AtLeast(0.70));
        let of = |what: &str, values| {
            let figure = format!("{what} at {} entries", power(*size));
            Figure::of(scenario, figure, "/s", values)
        };
        figures.add(
            of("ingest of a fresh cohort", ingest)
                .against(small_ingest)
                .must(must),
        );
        figures.add(of("read of any shipment", read).against(small_read).must(must));
        let staying = grown.staying.clone();
        let spread = grown.move_on(&staying).await?;
        grown.staying.clear();
        figures.add(of("ingest spread over all", vec![spread]));
    }
    let entries = grown.entries;
    grown.end().await?;
    let bytes = home.bytes()?;
    figures.add(Figure::of(
        scenario,
        format!("disk for each of {} entries", power(entries)),
        "B",
        vec![as_figure(bytes) / as_figure(entries)],
    ));
    Ok(())
}

impl Grown {
    fn start(home: &Home) -> Result<Self, Problem> {
        Ok(Self {
            served: home.serve()?,
            entries: 0,
            all: Vec::new(),
            staying: Vec::new(),
            random: StdRng::seed_from_u64(7),
        })
    }

    async fn end(self) -> Result<(), Problem> {
        self.served.must_have_applied_all().await?;
        self.served.stop()
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
        let mut cohort = create(&self.served, shipments + stay, &mut self.random).await?;
        self.entries += u64::try_from(cohort.len())?;
        self.all.extend(cohort.iter().cloned());
        self.staying.extend(cohort.split_off(shipments));
        let events = cohort.len() * STEPS.len();
        let run = ingest(&self.served, &cohort, &STEPS).await?;
        self.entries += u64::try_from(events)?;
        Ok(run.rate(events))
    }

    async fn measure(&mut self, scale: &Scale) -> Result<Rates, Problem> {
        let ingest = self.cohort(scale.cohort, scale.stay).await?;
        // Once before, the same shipments: the ingest's checkpoint is over then, and the system has the file's pages in memory in
        // either store.
        let seed = self.random.random();
        read(
            &self.served,
            &self.all,
            scale.reads,
            &mut StdRng::seed_from_u64(seed),
        )
        .await?;
        let run = read(
            &self.served,
            &self.all,
            scale.reads,
            &mut StdRng::seed_from_u64(seed),
        )
        .await?;
        Ok(Rates {
            ingest,
            read: run.rate(scale.reads),
        })
    }

    /// One step for shipments from all over the store.
    async fn move_on(&mut self, shipments: &[String]) -> Result<f64, Problem> {
        let mut shipments = shipments.to_vec();
        shipments.shuffle(&mut self.random);
        self.entries += u64::try_from(shipments.len())?;
        let run = ingest(&self.served, &shipments, &STEPS[..1]).await?;
        Ok(run.rate(shipments.len()))
    }
}

fn power(number: u64) -> String {
    match number {
        100_000 => "10⁵".to_owned(),
        1_000_000 => "10⁶".to_owned(),
        10_000_000 => "10⁷".to_owned(),
        other => other.to_string(),
    }
}
