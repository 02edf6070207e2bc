//! Cohorts of shipments, and the load that moves them.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields, Scope};
use model::head::DelayScale;
use model::ids::{Owner, PartyId, TenantId};
use model::lifecycle::shipped;
use model::public_id::PublicId;
use model::role::Role;
use model::time::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use server::clock::{Clock, SystemClock};
use server::engine::{
    Command, Engine, GROUP_COMMANDS, Handle, Options, Outcome, QUEUE_COMMANDS, QUEUE_WAIT, Quotas, Submission,
};
use store::folder::DataFolder;
use store::sqlite::{SqliteOptions, SqliteStore};
use store::{Birth, PartyKind, Store};

use crate::Problem;
use crate::system::as_figure;

/// Statuses of a shipment on its way: the events of each.
pub(crate) const STEPS: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];
/// Commands in one submission, as in a batch over HTTP.
pub(crate) const BATCH: usize = 1_000;
/// Who submits at the same time.
pub(crate) const SUBMITTERS: usize = 4;

/// A store with its engine, in a folder.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    random: StdRng,
    clients: Vec<PartyId>,
    principal: PartyId,
}

/// Opens the store of a folder as the server would.
pub(crate) fn open_store(folder: &Path) -> Result<SqliteStore, Problem> {
    let clock = SystemClock;
    let birth = Birth {
        store_id: [1; 16],
        event_id_key: [2; 16],
        at: clock.now(),
    };
    let store = SqliteStore::open(DataFolder::lock(folder)?, &birth, SqliteOptions::default())?;
    store.pin_lifecycles(&shipped(), clock.now())?;
    Ok(store)
}

impl Bench {
    /// Starts an engine on the store of a folder.
    pub(crate) async fn start(folder: &Path, seed: u64) -> Result<Self, Problem> {
        Self::start_scaled(folder, seed, DelayScale::ONE).await
    }

    /// With automatic delays stretched.
    pub(crate) async fn start_scaled(folder: &Path, seed: u64, scale: DelayScale) -> Result<Self, Problem> {
        let engine = Engine::start(Options {
            writers: NonZeroUsize::MIN,
            store: Arc::new(open_store(folder)?),
            clock: Arc::new(SystemClock),
            random: StdRng::seed_from_u64(seed),
            scale,
            queue_commands: QUEUE_COMMANDS,
            group_commands: GROUP_COMMANDS,
            queue_wait: QUEUE_WAIT,
            quotas: Quotas::default(),
            observer: None,
        })?;
        let names: Vec<String> = (0..100).map(|number| format!("client_{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let clients = engine.handle().parties(PartyKind::Client, &names).await?;
        let principal = engine.handle().party(PartyKind::Principal, "bench").await?;
        Ok(Self {
            engine,
            random: StdRng::seed_from_u64(seed ^ 0xBE7C),
            clients,
            principal,
        })
    }

    fn actor(&self) -> Actor {
        Actor {
            party: self.principal,
            role: Role::Operator,
            scope: Scope::All,
        }
    }

    /// Makes shipments.
    pub(crate) async fn create(&mut self, count: usize) -> Result<Vec<PublicId>, Problem> {
        self.create_of("shipment", count).await
    }

    /// Makes orders of a lifecycle.
    pub(crate) async fn create_of(
        &mut self,
        lifecycle: &str,
        count: usize,
    ) -> Result<Vec<PublicId>, Problem> {
        let handle = self.engine.handle().clone();
        let (lifecycle, _) = handle.lifecycle_named(lifecycle).ok_or("no such lifecycle")?;
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            let mut commands = Vec::with_capacity(BATCH);
            for _ in 0..BATCH.min(count - made.len()) {
                let client = self.clients[self.random.random_range(0..self.clients.len())];
                commands.push(Command::Create(Box::new(Create {
                    id: NewId::Random(PublicId::tracking_number("99M-", self.random.random())?),
                    lifecycle,
                    owner: Owner {
                        tenant: TenantId::default(),
                        client,
                        customer: PartyId::NOBODY,
                    },
                    actor: self.actor(),
                    reference: None,
                    contact: None,
                    details: DETAILS.into(),
                    occurred_at: None,
                    source: "api".into(),
                    received_at: handle.clock().now(),
                })));
            }
            let submission = Submission {
                commands,
                ..Submission::default()
            };
            for answer in handle.submit_patiently(submission).await? {
                match answer? {
                    Outcome::Accepted(accepted) => made.extend(accepted.created),
                    other => return Err(format!("a creation was answered {other:?}").into()),
                }
            }
        }
        Ok(made)
    }

    /// What each submitter sends to move shipments through some steps: every shipment one step, then every shipment the next. A
    /// shipment stays with one submitter, so that none of its steps overtakes another.
    pub(crate) fn events(
        &self,
        shipments: &[PublicId],
        steps: &[&str],
    ) -> Result<Vec<Vec<Submission>>, Problem> {
        let now = self.engine.handle().clock().now();
        let mut lanes: Vec<Vec<Submission>> = (0..SUBMITTERS).map(|_| Vec::new()).collect();
        for (round, status) in (0i64..).zip(steps) {
            for (number, shipments) in shipments.chunks(BATCH).enumerate() {
                let commands: Result<Vec<Command>, Problem> = shipments
                    .iter()
                    .map(|id| {
                        report(
                            id,
                            status,
                            self.actor(),
                            Timestamp::from_nanos(now.as_nanos() + round),
                        )
                    })
                    .collect();
                lanes[number % SUBMITTERS].push(Submission {
                    commands: commands?,
                    atomic: false,
                    keep_refusals: true,
                    ..Submission::default()
                });
            }
        }
        Ok(lanes)
    }

    /// Submits everything, each lane by a submitter of its own; gives commands accepted per second. Every one must be accepted.
    pub(crate) async fn run(&self, lanes: Vec<Vec<Submission>>) -> Result<f64, Problem> {
        let handle = self.engine.handle();
        let commands: usize = lanes
            .iter()
            .flatten()
            .map(|submission| submission.commands.len())
            .sum();
        let began = Instant::now();
        let mut submitters = tokio::task::JoinSet::new();
        for lane in lanes {
            submitters.spawn(submit_all(handle.clone(), lane));
        }
        while let Some(submitted) = submitters.join_next().await {
            submitted??;
        }
        let took = began.elapsed();
        Ok(as_figure(u64::try_from(commands)?) / took.as_secs_f64())
    }

    pub(crate) async fn stop(self) {
        self.engine.stop().await;
    }
}

async fn submit_all(handle: Handle, submissions: Vec<Submission>) -> Result<(), Problem> {
    for submission in submissions {
        for answer in handle.submit_patiently(submission).await? {
            match answer? {
                Outcome::Accepted(_) => {}
                other => return Err(format!("an event was answered {other:?}").into()),
            }
        }
    }
    Ok(())
}

/// One report as a scanner sends it.
pub(crate) fn report(id: &PublicId, status: &str, actor: Actor, at: Timestamp) -> Result<Command, Problem> {
    let report = Report::new(ReportFields {
        status: status.into(),
        source: "warehouse-scanner-07".into(),
        occurred_at: at,
        client_event_id: None,
        location: None,
        notes: None,
        metadata: None,
        received_at: at,
    })?;
    Ok(Command::Change {
        order: OrderRef::Public(id.clone()),
        actor,
        expected: None,
        change: Change::Report(report),
    })
}

/// A shipment as `POST /shipments` tells it.
const DETAILS: &[u8] = br#"{"origin_address":"Lagerstrasse 7, 20357 Hamburg","origin_lat":53.5633,"origin_lng":9.9685,"destination_address":"Invalidenstrasse 50, 10557 Berlin","destination_lat":52.5273,"destination_lng":13.3719,"weight_kg":2.5,"length_cm":40,"width_cm":30,"height_cm":20,"content_description":"books"}"#;
