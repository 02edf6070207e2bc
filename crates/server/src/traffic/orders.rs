//! Made-up orders of the other kinds, for the demo: deliveries and meals, which customers order and sometimes cancel and which move by
//! themselves, and orders of merchants, which drivers and the merchants' systems report on step by step.
//!
//! What the server fails on is left: there is always something else to order.

use std::ops::RangeInclusive;
use std::time::Duration;

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields};
use model::ids::{LifecycleId, Owner};
use model::public_id::PublicId;
use model::time::{Span, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use super::people::{Buyer, Merchant};
use super::told;
use super::way::Way;
use crate::engine::{Command, Failure, Handle, Outcome, Submission};

/// Orders of merchants that are kept under way.
const UNDER_WAY: usize = 100;
/// Of a hundred orders, how many are cancelled on their way.
const CANCELLED_PERCENT: u32 = 8;
/// When: while some are just made and others nearly there.
const CANCELLED_AFTER_MS: RangeInclusive<u32> = 3_000..=90_000;
/// The steps of a merchant's order, and whether its driver reports them or its own system.
const STEPS: [(&str, By); 3] = [
    ("picked_up", By::Driver),
    ("in_transit", By::System),
    ("delivered", By::Driver),
];

#[derive(Clone, Copy)]
enum By {
    Driver,
    System,
}

/// Traffic to be run.
#[derive(Clone)]
pub struct OrderTraffic {
    /// Where it goes.
    pub handle: Handle,
    /// Commands a second.
    pub rate: f64,
    /// How long an order rests that is moved by reports, between two of them.
    pub rest_ms: RangeInclusive<u32>,
    /// The same seed makes the same choices.
    pub seed: u64,
}

impl OrderTraffic {
    /// Runs until `end`, and until what was submitted by then is answered.
    ///
    /// # Errors
    /// [`Failure`], at once, if the parties it acts for cannot be stored.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), Failure> {
        let pause = Duration::from_secs_f64(1.0 / self.rate.max(0.001));
        let (stop, mut stopped) = watch::channel(false);
        let work = async {
            let mut town = Town::of(self).await?;
            while !*stopped.borrow() {
                town.go_on().await;
                // An elapsed time and an end are both what is waited for.
                drop(tokio::time::timeout(pause, stopped.wait_for(|stopped| *stopped)).await);
            }
            Ok(())
        };
        let end = async {
            end.await;
            stop.send_replace(true);
            Ok(())
        };
        tokio::try_join!(work, end).map(|((), ())| ())
    }
}

/// An order of a merchant on its way.
struct UnderWay {
    id: PublicId,
    merchant: usize,
    way: Way,
    next_step: usize,
    /// Not moved before.
    rests_until: Timestamp,
}

/// An order that will be cancelled, if it has not come to its end by then.
struct Regretted {
    id: PublicId,
    at: Timestamp,
    actor: Actor,
}

struct Town {
    traffic: OrderTraffic,
    random: StdRng,
    delivery: LifecycleId,
    meal: LifecycleId,
    merchant: LifecycleId,
    buyers: Vec<Buyer>,
    merchants: Vec<Merchant>,
    under_way: Vec<UnderWay>,
    regretted: Vec<Regretted>,
    orders: u32,
}

impl Town {
    async fn of(traffic: OrderTraffic) -> Result<Self, Failure> {
        let handle = &traffic.handle;
        let lifecycle = |name| {
            let found = handle.lifecycle_named(name);
            found.map(|(id, _)| id).ok_or(Failure::Internal)
        };
        let mut buyers = Vec::new();
        for name in ["customer_user_001", "customer_user_002"] {
            buyers.push(Buyer::named(handle, name).await?);
        }
        let mut merchants = Vec::new();
        for (name, user, driver) in [
            ("client_001", "client_user_001", "driver_user_001"),
            ("client_002", "client_user_002", "driver_user_002"),
        ] {
            merchants.push(Merchant::named(handle, name, user, driver).await?);
        }
        Ok(Self {
            delivery: lifecycle("delivery")?,
            meal: lifecycle("food")?,
            merchant: lifecycle("merchant")?,
            random: StdRng::seed_from_u64(traffic.seed),
            buyers,
            merchants,
            under_way: Vec::new(),
            regretted: Vec::new(),
            orders: 0,
            traffic,
        })
    }

    /// Makes an order, moves one or cancels one.
    async fn go_on(&mut self) {
        if let Some(regretted) = self.take_regretted() {
            self.cancel(regretted).await;
            return;
        }
        // A quarter deliveries, a quarter meals; an order of a merchant takes four commands where those take one.
        match self.random.random_range(0..4) {
            0 => self.order_delivery().await,
            1 => self.order_meal().await,
            _ => match self.rested() {
                Some(place) if self.under_way.len() >= UNDER_WAY || self.random.random_ratio(3, 4) => {
                    self.report(place).await;
                }
                Some(_) | None if self.under_way.len() < UNDER_WAY => self.order_of_merchant().await,
                Some(_) | None => {}
            },
        }
    }

    async fn order_delivery(&mut self) {
        let (_, (city, ..)) = self.anywhere();
        let place = self.random.random_range(0..self.buyers.len());
        let Some(buyer) = self.buyers.get(place) else {
            return;
        };
        let details = told::delivery(&buyer.shown, city, &mut self.random);
        let (owner, actor, contact) = (buyer.owner, buyer.actor, buyer.shown.contact.clone());
        let made = self.create(self.delivery, owner, actor, details.to_json());
        let made = Create { contact, ..made };
        self.order(made).await;
    }

    async fn order_meal(&mut self) {
        let (_, (city, ..)) = self.anywhere();
        let place = self.random.random_range(0..self.buyers.len());
        let Some((owner, actor)) = self.buyers.get(place).map(|buyer| (buyer.owner, buyer.actor)) else {
            return;
        };
        let details = told::meal(city, &mut self.random).to_json();
        let made = self.create(self.meal, owner, actor, details);
        self.order(made).await;
    }

    async fn order_of_merchant(&mut self) {
        let (way, (city, ..)) = self.anywhere();
        let place = self.random.random_range(0..self.merchants.len());
        let Some((owner, actor)) = self
            .merchants
            .get(place)
            .map(|merchant| (merchant.owner, merchant.actor))
        else {
            return;
        };
        let details = told::merchant_order(city, &mut self.random);
        self.orders += 1;
        let create = self.create(self.merchant, owner, actor, details.to_json());
        let create = Create {
            reference: Some(format!("PO-{:05}", self.orders).into()),
            contact: details.customer.and_then(|customer| customer.contact),
            ..create
        };
        if let Some(id) = self.order(create).await {
            let rests_until = self.in_a_while(self.traffic.rest_ms.clone());
            self.under_way.push(UnderWay {
                id,
                merchant: place,
                way,
                next_step: 0,
                rests_until,
            });
        }
    }

    fn anywhere(&mut self) -> (Way, (&'static str, f64, f64)) {
        let way = Way::anywhere(&mut self.random);
        (way, way.to())
    }

    fn create(&mut self, lifecycle: LifecycleId, owner: Owner, actor: Actor, details: Box<[u8]>) -> Create {
        Create {
            id: NewId::Random(PublicId::order_id(self.random.random())),
            lifecycle,
            owner,
            actor,
            reference: None,
            contact: None,
            details,
            occurred_at: None,
            source: "api".into(),
            received_at: self.traffic.handle.clock().now(),
        }
    }

    /// The id of the order, if it was made. Of some whoever made them thinks better.
    async fn order(&mut self, create: Create) -> Option<PublicId> {
        let actor = create.actor;
        let id = match self.submit(Command::Create(Box::new(create))).await {
            Some(Outcome::Accepted(accepted)) => accepted.created?,
            Some(Outcome::Duplicate(_) | Outcome::Unchanged(_) | Outcome::Refused(..)) | None => return None,
        };
        if self.random.random_ratio(CANCELLED_PERCENT, 100) {
            let at = self.in_a_while(CANCELLED_AFTER_MS);
            self.regretted.push(Regretted {
                id: id.clone(),
                at,
                actor,
            });
        }
        Some(id)
    }

    /// Reports the next step of an order of a merchant.
    async fn report(&mut self, place: usize) {
        let Some(order) = self.under_way.get(place) else {
            return;
        };
        let (Some((status, by)), Some(merchant)) =
            (STEPS.get(order.next_step), self.merchants.get(order.merchant))
        else {
            return;
        };
        let (actor, source) = match by {
            By::Driver => (merchant.driver, format!("phone-of-{}", merchant.name)),
            By::System => (merchant.actor, format!("system-of-{}", merchant.name)),
        };
        let now = self.traffic.handle.clock().now();
        let report = Report::new(ReportFields {
            status: (*status).into(),
            source: source.into(),
            occurred_at: now,
            client_event_id: None,
            location: Some(order.way.place_of(status)),
            notes: None,
            metadata: None,
            received_at: now,
        });
        let Ok(report) = report else { return };
        let command = change(&order.id, actor, Change::Report(report));
        let outcome = self.submit(command).await;
        let rests_until = self.in_a_while(self.traffic.rest_ms.clone());
        match (outcome, self.under_way.get_mut(place)) {
            (Some(Outcome::Accepted(_)), Some(order)) if order.next_step + 1 < STEPS.len() => {
                order.next_step += 1;
                order.rests_until = rests_until;
            }
            // It is delivered, or was cancelled.
            (Some(_), Some(_)) => drop(self.under_way.swap_remove(place)),
            // The server failed on it: it may go better the next time.
            (None, _) | (Some(_), None) => {}
        }
    }

    async fn cancel(&mut self, regretted: Regretted) {
        let wish = Change::Cancel {
            reason: Some("ordered by mistake".into()),
            source: "api".into(),
        };
        // Refused where it came too late.
        drop(self.submit(change(&regretted.id, regretted.actor, wish)).await);
    }

    fn take_regretted(&mut self) -> Option<Regretted> {
        let now = self.traffic.handle.clock().now();
        let place = self.regretted.iter().position(|regretted| regretted.at <= now)?;
        Some(self.regretted.swap_remove(place))
    }

    /// The place of an order of a merchant that has rested enough, if there is one: the first.
    fn rested(&self) -> Option<usize> {
        let now = self.traffic.handle.clock().now();
        self.under_way.iter().position(|order| order.rests_until <= now)
    }

    fn in_a_while(&mut self, while_ms: RangeInclusive<u32>) -> Timestamp {
        let millis = i64::from(self.random.random_range(while_ms));
        self.traffic.handle.clock().now() + Span::from_nanos(millis * 1_000_000)
    }

    /// What became of a command; nothing if the server failed on it.
    async fn submit(&self, command: Command) -> Option<Outcome> {
        let submission = Submission {
            commands: vec![command],
            ..Submission::default()
        };
        let answers = self.traffic.handle.submit(submission).await.ok()?;
        answers.into_iter().next()?.ok()
    }
}

fn change(id: &PublicId, actor: Actor, change: Change) -> Command {
    Command::Change {
        order: OrderRef::Public(id.clone()),
        actor,
        expected: None,
        change,
    }
}
