//! `postgres` and `postgres-two-nodes`: batches over HTTP to durable, over PostgreSQL.

use std::time::Instant;

use model::time::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use server::clock::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

use super::ingest_batch::{CONNECTIONS, ingest};
use crate::Problem;
use crate::cohort::{BATCH, STEPS};
use crate::connection::{Connection, get};
use crate::figure::{Figure, Figures, Must};
use crate::home::{Database, WRITERS};
use crate::served::Served;
use crate::system::as_figure;
use crate::traffic::{ALL_TAKEN_IN, JSON, batches, create, drive_each, posts, runtime};

/// Clients of the baseline, each with a connection of its own.
const CLIENTS: usize = 64;
/// What an entry of a scan comes to, about.
const BODY: [u8; 60] = [0xAB; 60];

struct Scale {
    shipments: usize,
    rounds: usize,
    /// Events written one a transaction, in each round, by each client.
    singly: i64,
}

const FULL: Scale = Scale {
    shipments: 100_000,
    rounds: 5,
    singly: 150,
};
const QUICK: Scale = Scale {
    shipments: 10_000,
    rounds: 3,
    singly: 10,
};

pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    runtime()?.block_on(measure(scale, quick, figures))
}

async fn measure(scale: &Scale, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let database = Database::make()?;
    let served = Served::over(&database, WRITERS, folder.path())?;
    let mut random = StdRng::seed_from_u64(21);
    let mut singly = Singly::begin(scale.shipments, &mut random).await?;
    let events = scale.shipments * STEPS.len();
    let (mut stored, mut single) = (Vec::new(), Vec::new());
    let (mut server_cpu, mut load_cpu) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let shipments = create(&served, scale.shipments, &mut random).await?;
        single.push(singly.write(scale.singly).await?);
        let run = ingest(&served, &shipments, &STEPS).await?;
        stored.push(run.rate(events));
        server_cpu.push(run.server_cpu);
        load_cpu.push(run.load_cpu);
    }
    served.must_have_applied_all().await?;
    must_be_delivered(&served, scale.shipments * scale.rounds).await?;
    served.stop()?;
    let of = |figure: String, unit, values| Figure::of("postgres", figure, unit, values);
    figures.add(
        of(
            format!("events durable, {BATCH} a request, {WRITERS} writers, against one a transaction by {CLIENTS} clients"),
            "/s",
            stored,
        )
        .against(single)
        .must((!quick).then_some(Must::AtLeast(8.0))),
    );
    figures.add(of(
        format!("CPU of the server for {events} events, the database's left out"),
        "s",
        server_cpu,
    ));
    figures.add(of(
        format!("CPU of the load generator for {events} events"),
        "s",
        load_cpu,
    ));
    Ok(())
}

pub(crate) fn run_two_nodes(quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let scale = if quick { &QUICK } else { &FULL };
    runtime()?.block_on(measure_two_nodes(scale, quick, figures))
}

async fn measure_two_nodes(scale: &Scale, quick: bool, figures: &mut Figures) -> Result<(), Problem> {
    let (folder, other_folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let database = Database::make()?;
    let one = Served::over(&database, WRITERS, folder.path())?;
    let other = Served::over(&database, WRITERS, other_folder.path())?;
    let mut random = StdRng::seed_from_u64(22);
    let events = scale.shipments * STEPS.len();
    let (mut by_two, mut by_one) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let shipments = create(&one, scale.shipments, &mut random).await?;
        by_one.push(ingest(&one, &shipments, &STEPS).await?.rate(events));
        let shipments = create(&other, scale.shipments, &mut random).await?;
        let mut bodies = batches(&shipments, &STEPS, BATCH, CONNECTIONS);
        let rest = bodies.split_off(CONNECTIONS / 2);
        let lanes = [(&one, bodies), (&other, rest)]
            .map(|(served, bodies)| (served, posts(served, "/events/batch", JSON, &bodies)));
        by_two.push(drive_each(lanes.into(), ALL_TAKEN_IN).await?.rate(events));
    }
    for served in [&one, &other] {
        served.must_have_applied_all().await?;
        must_be_delivered(served, 2 * scale.shipments * scale.rounds).await?;
    }
    other.stop()?;
    one.stop()?;
    figures.add(
        Figure::of(
            "postgres-two-nodes",
            format!(
                "events durable by two nodes over one database, {WRITERS} writers each, against one node"
            ),
            "/s",
            by_two,
        )
        .against(by_one)
        .must((!quick).then_some(Must::AtLeast(0.85))),
    );
    Ok(())
}

/// Nothing was lost: every shipment has come to the end of its life.
async fn must_be_delivered(served: &Served, shipments: usize) -> Result<(), Problem> {
    let mut connection = Connection::open(served.address).await?;
    let request = get("/shipments?status=delivered&limit=1", &served.token);
    let answer = connection.ask(&request).await?;
    answer.must_be(200)?;
    answer.must_say(&format!(r#""total":{shipments},"#))
}

/// The baseline of whoever commits each event by itself: on the store's own tables, in each transaction one order locked, one
/// entry written and the order's head brought up to date. Neither decided, counted nor digested, and without positions.
struct Singly {
    clients: Vec<OneByOne>,
    /// The next order of each client.
    next: i64,
    orders: i64,
    _database: Database,
}

struct OneByOne {
    client: Client,
    lock: Statement,
    insert: Statement,
    update: Statement,
}

impl Singly {
    /// A database of its own, with as many shipments.
    async fn begin(shipments: usize, random: &mut StdRng) -> Result<Self, Problem> {
        let database = Database::make()?;
        let folder = tempfile::tempdir()?;
        let served = Served::over(&database, WRITERS, folder.path())?;
        create(&served, shipments, random).await?;
        served.stop()?;
        let mut clients = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            clients.push(OneByOne::connect(&database).await?);
        }
        Ok(Self {
            clients,
            next: 0,
            orders: i64::try_from(shipments / CLIENTS)?,
            _database: database,
        })
    }

    /// So many events by each client; gives how many a second all have written.
    async fn write(&mut self, events: i64) -> Result<f64, Problem> {
        let began = Instant::now();
        let (first, orders) = (self.next, self.orders);
        let mut writing = JoinSet::new();
        for (number, client) in (0i64..).zip(self.clients.drain(..)) {
            writing.spawn(async move {
                for event in first..first + events {
                    client.write(1 + number * orders + event % orders).await?;
                }
                Ok::<OneByOne, Problem>(client)
            });
        }
        while let Some(client) = writing.join_next().await {
            self.clients.push(client??);
        }
        self.next += events;
        let written = u64::try_from(events)? * u64::try_from(CLIENTS)?;
        Ok(as_figure(written) / began.elapsed().as_secs_f64())
    }
}

impl OneByOne {
    async fn connect(database: &Database) -> Result<Self, Problem> {
        let (client, connection) = tokio_postgres::connect(&database.dsn()?, NoTls).await?;
        // It ends with its client.
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the client, whose statements tell of its errors"
        )]
        tokio::spawn(async { connection.await.unwrap_or_default() });
        let lock = "SELECT version, status FROM order_heads WHERE order_key = $1 FOR UPDATE";
        let insert = "INSERT INTO entries SELECT nextval('places'), $1, $2, $2, $3, lifecycle_id, tenant_id, client_id, customer_id, \
                      2, 1, $4, $5, NULL FROM order_heads WHERE order_key = $1 RETURNING place";
        let update = "UPDATE order_heads SET version = $2, status = $3, last_place = $4, recorded_at = $5, \
                      recent = recent || '\\x0123456789abcdef' WHERE order_key = $1";
        Ok(Self {
            lock: client.prepare(lock).await?,
            insert: client.prepare(insert).await?,
            update: client.prepare(update).await?,
            client,
        })
    }

    /// One event of one order.
    async fn write(&self, order: i64) -> Result<(), Problem> {
        let client = &self.client;
        let now: Timestamp = SystemClock.now();
        client.batch_execute("BEGIN").await?;
        let head = client.query_one(&self.lock, &[&order]).await?;
        let (version, status): (i32, i16) = (head.get(0), head.get(1));
        let (version, status) = (version + 1, status + 1);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&order, &now.as_nanos(), &version, &status, &BODY.as_slice()];
        let place: i64 = client.query_one(&self.insert, &parameters).await?.get(0);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&order, &version, &status, &place, &now.as_nanos()];
        client.execute(&self.update, &parameters).await?;
        Ok(client.batch_execute("COMMIT").await?)
    }
}
