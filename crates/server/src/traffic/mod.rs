//! Made-up shipments under way: what the demo shows, and what loads the engine while it is tested. Beside them, for the demo alone, [orders
//! of other kinds](OrderTraffic).
//!
//! Several submitters each keep a number of shipments under way: they make new ones, report the next step of others, repeat
//! some reports, and now and then report a step too early, as real senders do. What fails because of the
//! server is sent again, unchanged, until it is answered.

mod orders;
mod people;
mod told;
mod way;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields, Scope};
use model::ids::{LifecycleId, Owner, PartyId, TenantId, Version};
use model::public_id::PublicId;
use model::role::Role;
use model::time::{Span, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use store::PartyKind;
use tokio::sync::watch;

use crate::engine::{Answer, Command, Failure, Handle, Outcome, Submission, SubmitError};
use way::Way;

pub use orders::OrderTraffic;

/// What tracking numbers begin with where no setting says otherwise.
pub const TRACKING_PREFIX: &str = "99M-";
/// Pause before what failed is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Pause where every shipment rests and there is no room for another: far below the shortest rest that anybody would see.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// Of a thousand reports, how many are sent a second time.
const REPEATED_PER_MILLE: u32 = 30;
/// Of a thousand reports, how many come a step too early.
const EARLY_PER_MILLE: u32 = 10;
/// Of a thousand shipments at a step, how many are cancelled there.
const CANCELLED_PER_MILLE: u32 = 20;
/// The way of a shipment.
const STEPS: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];

/// How much traffic.
#[derive(Clone, Debug)]
pub struct TrafficOptions {
    /// Senders working side by side.
    pub submitters: usize,
    /// Commands in one submission.
    pub batch: usize,
    /// Shipments that each submitter keeps under way.
    pub under_way: usize,
    /// Commands a second over all submitters; as many as go if not said.
    pub rate: Option<f64>,
    /// How long a shipment rests between two steps, at least and at most, by the engine's clock; not at all if not said.
    pub rest_ms: Option<RangeInclusive<u32>>,
    /// The same seed makes the same choices.
    pub seed: u64,
}

/// Something the engine said yes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// A shipment exists.
    Created(PublicId),
    /// A report is in, as this version.
    Event {
        /// The shipment.
        shipment: PublicId,
        /// The entry.
        version: Version,
        /// The status reported.
        status: Box<str>,
        /// The time reported.
        occurred_at: Timestamp,
        /// The source reported.
        source: Box<str>,
    },
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Shipments made.
    pub created: AtomicU64,
    /// Reports applied.
    pub applied: AtomicU64,
    /// Reports that were repetitions.
    pub duplicates: AtomicU64,
    /// Reports refused.
    pub refused: AtomicU64,
    /// Commands that the server failed on, each to be sent again.
    pub failed: AtomicU64,
}

/// Told of everything that was acknowledged.
pub type Listener = Arc<dyn Fn(&[Acknowledged]) + Send + Sync>;

/// Traffic to be run.
#[derive(Clone)]
pub struct Traffic {
    /// Where it goes.
    pub handle: Handle,
    /// How much of it.
    pub options: TrafficOptions,
    /// Counts it.
    pub counters: Arc<Counters>,
    /// Hears of it.
    pub listener: Option<Listener>,
}

impl Traffic {
    /// Runs all submitters until `end`, and until what they have submitted then is answered.
    ///
    /// # Errors
    /// [`Failure`], at once, if the parties it acts for cannot be stored.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), Failure> {
        let (stop, stopped) = watch::channel(false);
        let submit = async {
            // All before the first begins: what cannot begin has done nothing.
            let mut ready = Vec::with_capacity(self.options.submitters);
            let names = |prefix: &str| -> Vec<String> {
                (1..=self.options.submitters)
                    .map(|number| format!("{prefix}{number:03}"))
                    .collect()
            };
            for (kind, names) in [
                (PartyKind::Client, names("client_")),
                (PartyKind::Principal, names("driver_user_")),
            ] {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.handle.parties(kind, &names).await?;
            }
            for number in 0..self.options.submitters {
                ready.push(Submitter::new(self.clone(), number, stopped.clone()).await?);
            }
            let mut submitters: tokio::task::JoinSet<()> = ready.into_iter().map(Submitter::run).collect();
            while submitters.join_next().await.is_some() {}
            Ok(())
        };
        let end = async {
            end.await;
            stop.send_replace(true);
            Ok(())
        };
        tokio::try_join!(submit, end).map(|((), ())| ())
    }
}

/// A shipment on its way.
#[derive(Clone)]
struct UnderWay {
    id: PublicId,
    next_step: usize,
    /// Not moved before.
    rests_until: Timestamp,
    way: Way,
}

struct Submitter {
    traffic: Traffic,
    stopped: watch::Receiver<bool>,
    lifecycle: LifecycleId,
    owner: Owner,
    operator: Actor,
    driver: Actor,
    source: Box<str>,
    random: StdRng,
    shipments: Vec<UnderWay>,
    /// Where the shipments go that are wished for and not yet made.
    wished: HashMap<PublicId, Way>,
    /// Reports to be sent a second time.
    echoes: Vec<Command>,
}

impl Submitter {
    async fn new(traffic: Traffic, number: usize, stopped: watch::Receiver<bool>) -> Result<Self, Failure> {
        let handle = &traffic.handle;
        let client = handle
            .party(PartyKind::Client, &format!("client_{:03}", number + 1))
            .await?;
        let operator = handle.party(PartyKind::Principal, "operator_user").await?;
        let driver = handle
            .party(PartyKind::Principal, &format!("driver_user_{:03}", number + 1))
            .await?;
        let (lifecycle, _) = handle.lifecycle_named("shipment").ok_or(Failure::Internal)?;
        let seed = traffic
            .options
            .seed
            .wrapping_add(u64::try_from(number).unwrap_or_default() << 32);
        Ok(Self {
            lifecycle,
            owner: Owner {
                tenant: TenantId::default(),
                client,
                customer: PartyId::NOBODY,
            },
            operator: Actor {
                party: operator,
                role: Role::Operator,
                scope: Scope::All,
            },
            driver: Actor {
                party: driver,
                role: Role::Driver,
                scope: Scope::Client(client),
            },
            source: format!("scanner-{:03}", number + 1).into(),
            random: StdRng::seed_from_u64(seed),
            shipments: Vec::new(),
            wished: HashMap::new(),
            echoes: Vec::new(),
            traffic,
            stopped,
        })
    }

    async fn run(mut self) {
        let options = self.traffic.options.clone();
        let pause = options.rate.map(|rate| {
            let submissions =
                rate / f64::from(u32::try_from(options.batch * options.submitters).unwrap_or(u32::MAX));
            Duration::from_secs_f64(1.0 / submissions.max(0.001))
        });
        while !*self.stopped.borrow() {
            let commands: Vec<Command> = (0..options.batch).filter_map(|_| self.next_command()).collect();
            if commands.is_empty() {
                self.pause(IDLE_PAUSE).await;
            }
            self.submit(commands).await;
            if let Some(pause) = pause {
                self.pause(pause).await;
            }
        }
    }

    /// Waits, but not beyond the end.
    async fn pause(&mut self, pause: Duration) {
        // An elapsed time and an end are both what is waited for.
        drop(tokio::time::timeout(pause, self.stopped.wait_for(|stopped| *stopped)).await);
    }

    /// Submits, and submits what failed again, until all is answered or the traffic ends.
    async fn submit(&mut self, mut commands: Vec<Command>) {
        while !commands.is_empty() && !*self.stopped.borrow() {
            let submission = Submission {
                commands: commands.clone(),
                atomic: false,
                keep_refusals: true,
                ..Submission::default()
            };
            let answers = match self.traffic.handle.submit(submission).await {
                Ok(answers) => answers,
                Err(SubmitError::Stopping) => return,
                Err(SubmitError::QueueFull) => {
                    self.pause(RETRY_PAUSE).await;
                    continue;
                }
            };
            let mut acknowledged = Vec::with_capacity(answers.len());
            let mut failed = Vec::new();
            for (command, answer) in commands.into_iter().zip(answers) {
                match self.take(&command, &answer) {
                    Ok(news) => acknowledged.extend(news),
                    Err(_) => failed.push(command),
                }
            }
            if let Some(listener) = &self.traffic.listener {
                listener(&acknowledged);
            }
            if !failed.is_empty() {
                count(&self.traffic.counters.failed, failed.len());
                self.pause(RETRY_PAUSE).await;
            }
            commands = failed;
        }
    }

    fn take(&mut self, command: &Command, answer: &Answer) -> Result<Option<Acknowledged>, Failure> {
        let counters = &self.traffic.counters;
        let version = match answer {
            Ok(Outcome::Accepted(accepted)) => {
                if let (Some(id), Command::Create(create)) = (&accepted.created, command) {
                    count(&counters.created, 1);
                    let way = self.wished.remove(create.id.id()).unwrap_or_default();
                    let rests_until = self.rests_until();
                    self.shipments.push(UnderWay {
                        id: id.clone(),
                        next_step: 0,
                        rests_until,
                        way,
                    });
                    return Ok(Some(Acknowledged::Created(id.clone())));
                }
                count(&counters.applied, 1);
                accepted.version
            }
            Ok(Outcome::Duplicate(known)) => {
                count(&counters.duplicates, 1);
                known.version
            }
            Ok(Outcome::Refused(..) | Outcome::Unchanged(..)) => {
                count(&counters.refused, 1);
                return Ok(None);
            }
            Err(failure) => return Err(*failure),
        };
        let Command::Change {
            order: OrderRef::Public(shipment),
            change: Change::Report(report),
            ..
        } = command
        else {
            return Ok(None);
        };
        let what = report.what();
        Ok(Some(Acknowledged::Event {
            shipment: shipment.clone(),
            version,
            status: what.status.clone(),
            occurred_at: what.occurred_at,
            source: what.source.clone(),
        }))
    }

    fn next_command(&mut self) -> Option<Command> {
        if let Some(echo) = self.echoes.pop() {
            return Some(echo);
        }
        let room = self
            .traffic
            .options
            .under_way
            .saturating_sub(self.shipments.len());
        // A fifth of all commands are new shipments when the number under way is steady: each has four more steps.
        if self.shipments.is_empty() || (room > 0 && self.random.random_ratio(1, 4)) {
            return self.create();
        }
        let Some(place) = self.rested() else {
            return if room > 0 { self.create() } else { None };
        };
        let early = self.random.random_ratio(EARLY_PER_MILLE, 1000);
        let cancelled = self.random.random_ratio(CANCELLED_PER_MILLE, 1000);
        let shipment = self.shipments.get(place)?.clone();
        if cancelled && shipment.next_step < 3 {
            self.shipments.swap_remove(place);
            return self.report(&shipment, "cancelled", self.operator);
        }
        let step = if early {
            shipment.next_step + 1
        } else {
            shipment.next_step
        };
        let status = STEPS.get(step).copied().unwrap_or("delivered");
        if !early {
            let rests_until = self.rests_until();
            if step + 1 >= STEPS.len() {
                self.shipments.swap_remove(place);
            } else if let Some(under_way) = self.shipments.get_mut(place) {
                under_way.next_step += 1;
                under_way.rests_until = rests_until;
            }
        }
        let report = self.report(&shipment, status, self.driver);
        if self.random.random_ratio(REPEATED_PER_MILLE, 1000) {
            self.echoes.extend(report.clone());
        }
        report
    }

    /// The place of a shipment that has rested enough, if there is one.
    fn rested(&mut self) -> Option<usize> {
        if self.traffic.options.rest_ms.is_none() {
            return Some(self.random.random_range(0..self.shipments.len()));
        }
        let now = self.traffic.handle.clock().now();
        let places = self.shipments.iter().enumerate();
        places
            .filter(|(_, shipment)| shipment.rests_until <= now)
            .map(|(place, _)| place)
            .choose(&mut self.random)
    }

    /// Until when a shipment rests that has moved now.
    fn rests_until(&mut self) -> Timestamp {
        let Some(rest_ms) = self.traffic.options.rest_ms.clone() else {
            return Timestamp::default();
        };
        let rest = Duration::from_millis(self.random.random_range(rest_ms).into());
        let rest = Span::from_nanos(i64::try_from(rest.as_nanos()).unwrap_or(i64::MAX));
        self.traffic.handle.clock().now() + rest
    }

    fn create(&mut self) -> Option<Command> {
        let way = Way::anywhere(&mut self.random);
        let (from, to) = (way.from(), way.to());
        let weight = f64::from(self.random.random_range(1..300u32)) / 10.0;
        let details = json!({
            "origin_address": from.0, "origin_lat": from.1, "origin_lng": from.2,
            "destination_address": to.0, "destination_lat": to.1, "destination_lng": to.2,
            "weight_kg": weight, "length_cm": 40, "width_cm": 30, "height_cm": 20,
            "content_description": "made-up parcel",
        });
        let id = PublicId::tracking_number(TRACKING_PREFIX, self.random.random()).ok()?;
        self.wished.insert(id.clone(), way);
        let create = Create {
            id: NewId::Random(id),
            lifecycle: self.lifecycle,
            owner: self.owner,
            actor: self.operator,
            reference: None,
            contact: None,
            details: details.to_string().into_bytes().into(),
            occurred_at: None,
            source: "api".into(),
            received_at: self.traffic.handle.clock().now(),
        };
        Some(Command::Create(Box::new(create)))
    }

    fn report(&self, shipment: &UnderWay, status: &str, actor: Actor) -> Option<Command> {
        let now = self.traffic.handle.clock().now();
        let report = Report::new(ReportFields {
            status: status.into(),
            source: self.source.clone(),
            occurred_at: now,
            client_event_id: None,
            location: Some(shipment.way.place_of(status)),
            notes: None,
            metadata: None,
            received_at: now,
        });
        Some(Command::Change {
            order: OrderRef::Public(shipment.id.clone()),
            actor,
            expected: None,
            change: Change::Report(report.ok()?),
        })
    }
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or_default(), Ordering::Relaxed);
}
