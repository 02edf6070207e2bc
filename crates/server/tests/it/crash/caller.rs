//! One caller at the front door: a connection, shipments of its own, and requests of every kind that makes or moves them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::notes::{Batch, Keyed, Notes, Step, Tracked, numbers};
use crate::harness::front::new_shipment;
use crate::harness::wire::{Exchange, Told, Wire};

/// The way of a shipment.
const STEPS: [&str; 4] = ["picked_up", "in_warehouse", "in_transit", "delivered"];
/// Reports in a batch.
const BATCH: usize = 20;
/// Reports in a stream: few, or so many that they are written while the next are decided.
const STREAMS: [usize; 3] = [60, 60, 2_000];
/// Shipments in a batch.
const WISHES: [usize; 4] = [5, 5, 5, 400];

pub(super) struct Caller {
    wire: Wire,
    random: StdRng,
    /// Nobody else's.
    name: String,
    /// Counts wishes, keys and reports, so that each is like no other.
    count: u32,
    notes: Notes,
    leaves: bool,
    /// Where the database may fail: told to end, and leaves with the first 503.
    until: Option<Arc<AtomicBool>>,
}

/// The connection has ended without an answer, or with one that says nothing of what was asked for.
struct Gone;

impl Caller {
    pub(super) fn new(address: SocketAddr, token: &str, name: String, random: StdRng) -> Self {
        Self::on(Wire::connect(address, token).unwrap(), name, random)
    }

    /// On a connection that is there.
    pub(super) fn on(wire: Wire, name: String, random: StdRng) -> Self {
        Self {
            wire,
            random,
            name,
            count: 0,
            notes: Notes::default(),
            leaves: false,
            until: None,
        }
    }

    /// Of a server whose database may fail: leaves when it is told to, and with the first 503, which may mean that what was asked for
    /// was done or not.
    pub(super) fn leaving(mut self, until: Arc<AtomicBool>) -> Self {
        self.until = Some(until);
        self
    }

    /// Asks until the server goes.
    pub(super) fn run(mut self) -> Notes {
        while !self.is_to_leave() && self.ask().is_ok() {}
        self.notes
    }

    fn is_to_leave(&self) -> bool {
        let told = self.until.as_ref();
        self.leaves || told.is_some_and(|until| until.load(Ordering::Relaxed))
    }

    fn ask(&mut self) -> Result<(), Gone> {
        let under_way = self.under_way(STEPS.len()).len();
        match self.random.random_range(0..12) {
            0 => self.create(false),
            1 => self.create(true),
            2 => self.create_many(),
            _ if under_way == 0 => self.create(false),
            3..=4 => self.report(),
            5 => self.report_and_wait(),
            6 => self.report_with_a_key(),
            7 => self.report_again(),
            8 => self.report_early(),
            9..=10 => self.report_many(),
            _ => self.stream(),
        }
    }

    fn create(&mut self, keyed: bool) -> Result<(), Gone> {
        let wish = self.unique("parcel");
        let body = described(&wish);
        if keyed {
            return self.create_with_a_key("/shipments", vec![wish], &body.to_string(), 201);
        }
        self.notes.wishes.insert(wish.clone(), false);
        let made = self.post("/shipments", &[], &body.to_string())?.is(201);
        self.notes.wishes.insert(wish, true);
        self.notes.shipments.extend(numbers(&made).map(Tracked::new));
        Ok(())
    }

    fn create_many(&mut self) -> Result<(), Gone> {
        let count = self.one_of(&WISHES);
        let wishes: Vec<String> = (0..count).map(|_| self.unique("parcel")).collect();
        let shipments: Vec<Value> = wishes.iter().map(|wish| described(wish)).collect();
        let body = json!({"shipments": shipments}).to_string();
        self.create_with_a_key("/shipments/batch", wishes, &body, 200)
    }

    fn create_with_a_key(
        &mut self,
        path: &'static str,
        makes: Vec<String>,
        body: &str,
        status: u16,
    ) -> Result<(), Gone> {
        let made = self.post_with_a_key(path, makes, body)?.is(status);
        self.notes.shipments.extend(numbers(&made).map(Tracked::new));
        Ok(())
    }

    fn post_with_a_key(&mut self, path: &'static str, makes: Vec<String>, body: &str) -> Result<Told, Gone> {
        let key = self.unique("key");
        self.notes.keyed.push(Keyed {
            path,
            key: key.clone(),
            body: body.to_owned(),
            makes,
            answer: None,
        });
        let told = self.post(path, &[("Idempotency-Key", &key)], body)?;
        self.notes.keyed.last_mut().unwrap().answer = Some(told.clone());
        Ok(told)
    }

    fn report(&mut self) -> Result<(), Gone> {
        let (shipment, event) = self.next_event();
        let told = self.post("/events", &[], &event.to_string())?.is(202);
        self.answered(shipment, &told);
        Ok(())
    }

    fn report_and_wait(&mut self) -> Result<(), Gone> {
        let (shipment, event) = self.next_event();
        let told = self
            .post("/events", &[("Prefer", "wait=10")], &event.to_string())?
            .is(200);
        assert_eq!(told["outcome"], "applied");
        self.answered(shipment, &told);
        Ok(())
    }

    fn report_with_a_key(&mut self) -> Result<(), Gone> {
        let (shipment, event) = self.next_event();
        let told = self
            .post_with_a_key("/events", Vec::new(), &event.to_string())?
            .is(202);
        self.answered(shipment, &told);
        Ok(())
    }

    /// A repetition has the id of the first.
    fn report_again(&mut self) -> Result<(), Gone> {
        let shipments = self.notes.shipments.iter();
        let steps = shipments.flat_map(|shipment| shipment.steps.iter().map(move |step| (shipment, step)));
        let known: Vec<_> = steps.filter(|(_, step)| step.event_id.is_some()).collect();
        if known.is_empty() {
            return Ok(());
        }
        let (shipment, step) = known[self.random.random_range(0..known.len())];
        let (event, event_id) = (shipment.event(step), step.event_id.clone());
        let told = self.post("/events", &[], &event.to_string())?.is(202);
        assert_eq!(told["event_id"].as_str(), event_id.as_deref());
        Ok(())
    }

    /// Taken in, and decided against.
    fn report_early(&mut self) -> Result<(), Gone> {
        let candidates = self.under_way(STEPS.len() - 1);
        if candidates.is_empty() {
            return Ok(());
        }
        let place = candidates[self.random.random_range(0..candidates.len())];
        let step = self.step(STEPS[self.notes.shipments[place].steps.len() + 1]);
        let event = self.notes.shipments[place].event(&step);
        let told = self.post("/events", &[], &event.to_string())?.is(202);
        let event_id = told["event_id"].as_str().unwrap().to_owned();
        self.notes.shipments[place].refused.push((step, event_id));
        Ok(())
    }

    fn report_many(&mut self) -> Result<(), Gone> {
        let count = self.random.random_range(1..=BATCH);
        let (mut places, mut events) = self.next_events(count);
        let duplicates = usize::from(self.random.random_ratio(1, 3));
        events.extend_from_within(..duplicates);
        let rejected = usize::from(self.random.random_ratio(1, 3));
        if rejected > 0 {
            events.push(json!({"tracking_number": 7}));
        }
        let received = events.len();
        let body = json!({ "events": events }).to_string();
        let (headers, status): (&[_], _) = if self.random.random_ratio(1, 3) {
            (&[("Prefer", "wait=10")], 200)
        } else {
            (&[], 202)
        };
        let told = self.post("/events/batch", headers, &body)?.is(status);
        self.batch_answered(
            &told,
            &mut places,
            Batch {
                id: told["batch_id"].as_str().unwrap().to_owned(),
                received,
                applied: received - duplicates - rejected,
                duplicates,
                rejected,
            },
        );
        Ok(())
    }

    fn stream(&mut self) -> Result<(), Gone> {
        let most = self.one_of(&STREAMS);
        let count = self.random.random_range(1..=most);
        let (mut places, events) = self.next_events(count);
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        let (first, rest) = lines.split_at(self.random.random_range(0..lines.len()));
        let (second, third) = rest.split_at(self.random.random_range(0..rest.len()));
        let pause = Duration::from_micros(self.random.random_range(0..6_000));
        let exchange = self
            .wire
            .post_lines("/events/batch", &[first, second, third], pause);
        let told = self.whole(exchange)?.is(202);
        self.batch_answered(
            &told,
            &mut places,
            Batch {
                id: told["batch_id"].as_str().unwrap().to_owned(),
                received: events.len(),
                applied: events.len(),
                duplicates: 0,
                rejected: 0,
            },
        );
        Ok(())
    }

    fn batch_answered(&mut self, told: &Value, places: &mut Vec<usize>, batch: Batch) {
        assert_eq!(told["received"], batch.received, "{told}");
        places.sort_unstable();
        places.dedup();
        for place in places {
            let steps = &mut self.notes.shipments[*place].steps;
            steps.iter_mut().for_each(|step| step.answered = true);
        }
        self.notes.batches.push(batch);
    }

    /// The answer to the latest step of a shipment.
    fn answered(&mut self, place: usize, told: &Value) {
        let step = self.notes.shipments[place].steps.last_mut().unwrap();
        step.answered = true;
        step.event_id = Some(told["event_id"].as_str().unwrap().to_owned());
    }

    /// Places of the shipments that have gone fewer steps than this.
    fn under_way(&self, steps: usize) -> Vec<usize> {
        let shipments = self.notes.shipments.iter().enumerate();
        shipments
            .filter(|(_, shipment)| shipment.steps.len() < steps)
            .map(|(place, _)| place)
            .collect()
    }

    /// The next steps of some shipments, each noted as sent; fewer if there are no more.
    fn next_events(&mut self, count: usize) -> (Vec<usize>, Vec<Value>) {
        let mut places = Vec::new();
        let mut events = Vec::new();
        while events.len() < count && !self.under_way(STEPS.len()).is_empty() {
            let (place, event) = self.next_event();
            places.push(place);
            events.push(event);
        }
        (places, events)
    }

    /// The next step of a shipment under way.
    fn next_event(&mut self) -> (usize, Value) {
        let under_way = self.under_way(STEPS.len());
        let place = under_way[self.random.random_range(0..under_way.len())];
        let step = self.step(STEPS[self.notes.shipments[place].steps.len()]);
        let shipment = &mut self.notes.shipments[place];
        let event = shipment.event(&step);
        shipment.steps.push(step);
        (place, event)
    }

    fn one_of(&mut self, sizes: &[usize]) -> usize {
        // PostgreSQL writes nothing behind, and each shipment is looked at afterwards.
        let sizes = if self.until.is_some() { &sizes[..1] } else { sizes };
        sizes[self.random.random_range(0..sizes.len())]
    }

    fn step(&mut self, status: &'static str) -> Step {
        self.count += 1;
        let (seconds, micros) = (self.count % 60, self.count);
        Step {
            status,
            timestamp: format!("2020-01-01T00:00:{seconds:02}.{micros:06}Z"),
            source: self.name.clone(),
            answered: false,
            event_id: None,
        }
    }

    fn unique(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what} {} of {}", self.count, self.name)
    }

    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Told, Gone> {
        let began = Instant::now();
        let exchange = self.wire.post(path, headers, body);
        self.notes.longest = self.notes.longest.max(began.elapsed());
        self.whole(exchange)
    }

    fn whole(&mut self, exchange: Exchange) -> Result<Told, Gone> {
        match exchange {
            Exchange::Whole(told) if told.status == 503 && self.until.is_some() => {
                self.notes.unavailable += 1;
                Err(Gone)
            }
            // A try that was lost with its connection holds the key for as long as the database stands still: to be sent again later.
            Exchange::Whole(told) if told.is_under_way() && self.until.is_some() => {
                self.notes.unavailable += 1;
                Err(Gone)
            }
            Exchange::Whole(told) => {
                self.leaves = told.is_the_last();
                Ok(told)
            }
            Exchange::Closed => Err(Gone),
            Exchange::Half(half) => {
                self.notes.halves.push(half);
                Err(Gone)
            }
        }
    }
}

/// The body of a creation.
fn described(description: &str) -> Value {
    let mut wish = new_shipment("client_001");
    wish["content_description"] = json!(description);
    wish
}
