//! `live-ingest`: ingest beside 1,000 live streams on an order each, against ingest without.
//!
//! What streams cost is less than what one round differs from the next. So there are many, with streams and without in turns, each first as often as
//! second: what the machine does besides falls on both, and the store grows under both.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::ingest_batch::ingest;
use crate::Problem;
use crate::cohort::STEPS;
use crate::figure::{Figure, Figures, Must};
use crate::listeners::{Listeners, Wish};
use crate::served::Served;
use crate::system::as_figure;
use crate::traffic::{create, runtime};

const STREAMS: usize = 1_000;

struct Scale {
    /// Of each kind.
    rounds: usize,
    shipments: usize,
}

const FULL: Scale = Scale {
    rounds: 20,
    shipments: 100_000,
};
const QUICK: Scale = Scale {
    rounds: 2,
    shipments: 10_000,
};

/// What ingest came to.
struct Round {
    /// Events durable a second.
    rate: f64,
    /// CPU of the server, an event.
    micros: f64,
}

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    runtime()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let served = Served::measured(folder.path())?;
        let mut random = StdRng::seed_from_u64(21);
        for round in 0..scale.rounds {
            for has_streams in [round % 2 == 0, round % 2 != 0] {
                let shipments = create(&served, scale.shipments, &mut random).await?;
                if has_streams {
                    with.push(one(&served, &shipments, STREAMS).await?);
                } else {
                    without.push(one(&served, &shipments, 0).await?);
                }
            }
        }
        served.stop()
    })?;
    let figure = |what, unit, value: fn(&Round) -> f64| {
        let each = |rounds: &[Round]| rounds.iter().map(value).collect();
        Figure::of("live-ingest", what, unit, each(&with)).against(each(&without))
    };
    let must = (!quick).then_some(Must::AtLeast(0.9));
    let name = format!("events durable beside {STREAMS} streams on an order each, against without");
    figures.add(figure(name, "/s", |round| round.rate).must(must));
    let name = format!("CPU of the server an event beside {STREAMS} streams, against without");
    figures.add(figure(name, "µs", |round| round.micros));
    Ok(())
}

/// Has all shipments take all steps, and so many of them told of: each of these must be told everything.
async fn one(served: &Served, shipments: &[String], streams: usize) -> Result<Round, Problem> {
    let wish = |shipment: &String| Wish {
        token: served.token.as_str().into(),
        query: format!("?order_id={shipment}").into(),
        after: None,
    };
    let wishes: Vec<Wish> = shipments.iter().take(streams).map(wish).collect();
    let events = shipments.len() * STEPS.len();
    let listeners = Listeners::open(served.address, &wishes, 100).await?;
    let cpu = served.cpu_seconds()?;
    let rate = ingest(served, shipments, &STEPS).await?.rate(events);
    listeners.hear(u64::try_from(wishes.len() * STEPS.len())?).await?;
    let micros = 1e6 * (served.cpu_seconds()? - cpu) / as_figure(u64::try_from(events)?);
    Ok(Round { rate, micros })
}
