//! The engine through its handle, on a real store, by a clock that stands until it is moved.

mod answers;
mod behind;
mod feed;
mod histories;
mod live;
mod outages;
mod queue;
mod receipts;
mod refused_data;
mod timers;
mod traffic;
mod unsure_store;

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields, Scope};
use model::head::DelayScale;
use model::ids::{LifecycleId, Owner, PartyId, TenantId, Version};
use model::lifecycle::{Lifecycle, shipped};
use model::public_id::PublicId;
use model::role::Role;
use model::time::{Span, Timestamp};
use model::{Entry, Refusal};
use rand::SeedableRng;
use rand::rngs::StdRng;
use server::clock::{Clock, ManualClock};
use server::engine::{
    Accepted, Answer, Command, Engine, GROUP_COMMANDS, GroupObservation, Handle, Observer, Options, Outcome,
    Quotas, SharedObserver, Submission,
};
use store::folder::DataFolder;
use store::sqlite::{SqliteOptions, SqliteStore};
use store::{Birth, PartyKind, Store};
use tempfile::TempDir;

use crate::harness::acknowledged::history;

/// A shipment whose early reports are parked and whose late ones are recorded.
pub(crate) const PATIENT: &str = r#"
name = "patient"
version = 1
description = "A shipment that waits for what is missing."
initial = "created"
cancelled = "cancelled"
created_by = ["operator"]

[reports]
late = "record"
early = "park"
park_for = "1h"

[[state]]
name = "created"
phase = "pending"
[[state]]
name = "picked_up"
phase = "moving"
[[state]]
name = "in_transit"
phase = "moving"
[[state]]
name = "delivered"
phase = "done"
[[state]]
name = "cancelled"
phase = "stopped"

[[arrow]]
from = "created"
to = "picked_up"
by = ["operator"]
[[arrow]]
from = "picked_up"
to = "in_transit"
by = ["operator"]
[[arrow]]
from = "in_transit"
to = "delivered"
by = ["operator"]
[[arrow]]
from = ["created", "picked_up"]
to = "cancelled"
by = ["operator"]
"#;

/// The clock's first instant.
const BEGIN: i64 = 1_767_225_600;

/// So many seconds after the beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(BEGIN + seconds).unwrap()
}

type Between = Box<dyn FnOnce(Arc<dyn Store>) -> Arc<dyn Store>>;

/// What a test may choose.
struct Setting {
    queue_commands: usize,
    group_commands: usize,
    queue_wait: Duration,
    dead_letters_per_principal: u64,
    observer: Option<Observer>,
    /// Puts something between the engine and the store.
    between: Between,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            queue_commands: 1_000,
            group_commands: GROUP_COMMANDS,
            queue_wait: Duration::from_secs(20),
            dead_letters_per_principal: 1_000,
            observer: None,
            between: Box::new(|store| store),
        }
    }
}

/// An engine on a throw-away store, and what a caller needs.
struct Stand {
    dir: TempDir,
    clock: Arc<ManualClock>,
    engine: Engine,
    client: PartyId,
    lifecycle: LifecycleId,
}

impl Stand {
    async fn start() -> Self {
        Self::start_with(Setting::default()).await
    }

    async fn start_with(setting: Setting) -> Self {
        let clock = Arc::new(ManualClock::at(at(0)));
        Self::start_in(TempDir::new().unwrap(), clock, setting).await
    }

    async fn start_in(dir: TempDir, clock: Arc<ManualClock>, setting: Setting) -> Self {
        let engine = engine(dir.path(), clock.clone(), setting);
        let handle = engine.handle();
        let client = handle.party(PartyKind::Client, "client_001").await.unwrap();
        let (lifecycle, _) = handle.lifecycle_named("shipment").unwrap();
        Self {
            dir,
            clock,
            engine,
            client,
            lifecycle,
        }
    }

    /// Stops, and starts another engine on what is stored.
    async fn restart(self) -> Self {
        self.engine.stop().await;
        Self::start_in(self.dir, self.clock, Setting::default()).await
    }

    fn handle(&self) -> &Handle {
        self.engine.handle()
    }

    fn operator(&self) -> Actor {
        Actor {
            party: self.client,
            role: Role::Operator,
            scope: Scope::All,
        }
    }

    fn owner(client: PartyId) -> Owner {
        Owner {
            tenant: TenantId::default(),
            client,
            customer: PartyId::NOBODY,
        }
    }

    async fn submit(&self, commands: Vec<Command>) -> Vec<Answer> {
        self.handle().submit(submission(commands)).await.unwrap()
    }

    async fn one(&self, command: Command) -> Answer {
        self.submit(vec![command]).await.remove(0)
    }

    /// Makes a shipment of that id.
    async fn created(&self, id: &str) -> Accepted {
        accepted(self.one(self.create(id)).await)
    }

    fn create(&self, id: &str) -> Command {
        self.create_as(NewId::Given(public_id(id)), self.lifecycle, self.client)
    }

    fn create_as(&self, id: NewId, lifecycle: LifecycleId, client: PartyId) -> Command {
        Command::Create(Box::new(Create {
            id,
            lifecycle,
            owner: Self::owner(client),
            actor: self.operator(),
            reference: None,
            contact: None,
            details: (*b"{}").into(),
            occurred_at: None,
            source: "api".into(),
            received_at: self.clock.now(),
        }))
    }

    /// A report of what happened so many seconds after the beginning.
    fn report(&self, order: &str, status: &str, seconds: i64) -> Command {
        self.change(
            OrderRef::Public(public_id(order)),
            self.report_change(status, seconds),
        )
    }

    fn report_change(&self, status: &str, seconds: i64) -> Change {
        let report = Report::new(ReportFields {
            status: status.into(),
            source: "scanner-1".into(),
            occurred_at: at(seconds),
            client_event_id: None,
            location: None,
            notes: None,
            metadata: None,
            received_at: self.clock.now(),
        });
        Change::Report(report.unwrap())
    }

    fn change(&self, order: OrderRef, change: Change) -> Command {
        Command::Change {
            order,
            actor: self.operator(),
            expected: None,
            change,
        }
    }

    fn correct(&self, order: &str, strike: u32) -> Command {
        let change = Change::Correct {
            strike: Version::new(strike),
            reason: "the wrong parcel".into(),
        };
        self.change(OrderRef::Public(public_id(order)), change)
    }

    fn history(&self, order: &str) -> Vec<Entry> {
        history(&**self.handle().store(), order)
    }

    /// The statuses of an order, entry by entry.
    fn statuses(&self, order: &str) -> Vec<String> {
        let entries = self.history(order);
        let name = |entry: &Entry| {
            let lifecycle = self.handle().lifecycle(entry.lifecycle).unwrap();
            lifecycle.state_name(entry.status).to_owned()
        };
        entries.iter().map(name).collect()
    }

    fn dead_letters(&self) -> u64 {
        let totals = self.handle().store().reading(|reader| reader.totals());
        totals.unwrap().dead_letters
    }

    /// The store is what its log says.
    fn verify(&self) {
        let report = store::verify::verify(&**self.handle().store(), &mut |_| {});
        assert_eq!(report.findings, []);
    }
}

fn engine(dir: &std::path::Path, clock: Arc<ManualClock>, setting: Setting) -> Engine {
    let birth = Birth {
        store_id: [1; 16],
        event_id_key: [2; 16],
        at: clock.now(),
    };
    let folder = DataFolder::lock(dir).unwrap();
    let store = SqliteStore::open(folder, &birth, SqliteOptions::default()).unwrap();
    let mut lifecycles = shipped();
    lifecycles.push(Lifecycle::from_toml("patient.toml", PATIENT).unwrap());
    store.pin_lifecycles(&lifecycles, clock.now()).unwrap();
    Engine::start(Options {
        store: (setting.between)(Arc::new(store)),
        clock,
        random: StdRng::seed_from_u64(1),
        scale: DelayScale::ONE,
        writers: NonZeroUsize::MIN,
        queue_commands: setting.queue_commands,
        group_commands: setting.group_commands,
        queue_wait: setting.queue_wait,
        quotas: Quotas {
            dead_letters: setting.dead_letters_per_principal,
            ..Quotas::default()
        },
        observer: setting.observer.map(SharedObserver::new),
    })
    .unwrap()
}

fn public_id(id: &str) -> PublicId {
    PublicId::new(id).unwrap()
}

fn submission(commands: Vec<Command>) -> Submission {
    Submission {
        commands,
        atomic: false,
        keep_refusals: false,
        ..Submission::default()
    }
}

fn accepted(answer: Answer) -> Accepted {
    match answer {
        Ok(Outcome::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Ok(Outcome::Refused(refusal, _)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn duplicate_of(answer: &Answer) -> u32 {
    match answer {
        Ok(Outcome::Duplicate(known)) => known.version.get(),
        other => panic!("no duplicate: {other:?}"),
    }
}

/// Polls once: what is submitted by it has its place in the queue, or waits for one.
async fn begun<F: Future>(mut future: Pin<&mut F>) {
    let pending = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await;
    assert!(pending, "it is answered already");
}

/// Holds the writer: each group, once committed, waits here before it is answered.
struct Gate {
    entered: Receiver<GroupObservation>,
    go: Option<SyncSender<()>>,
}

impl Gate {
    /// The gate, open, and the observer that stands in it.
    fn new() -> (Arc<Mutex<bool>>, Self, Observer) {
        let closed = Arc::new(Mutex::new(false));
        let (entering, entered) = sync_channel(64);
        let (go, going) = sync_channel(64);
        let shut = closed.clone();
        let observer = Box::new(move |observation: &GroupObservation| {
            if *shut.lock().unwrap() {
                entering.send(observation.clone()).ok();
                going.recv().ok();
            }
        });
        (
            closed,
            Self {
                entered,
                go: Some(go),
            },
            observer,
        )
    }

    /// Waits for the next group and gives what it was.
    fn group(&self) -> GroupObservation {
        self.entered.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Lets one group go.
    fn let_one_go(&self) {
        self.go.as_ref().unwrap().send(()).unwrap();
    }

    /// Lets this and all later groups go.
    fn open(&mut self) {
        self.go = None;
    }
}

/// Seconds as the model counts them.
fn seconds(seconds: u32) -> Span {
    Span::from_seconds(seconds)
}
