//! What callers sent and were told, and what a server must know of it afterwards.
//!
//! A caller has one request under way, so the reports of a shipment that were answered are those before the first that was
//! not; and each of its reports is the next step. So a shipment's history is known to the last entry.

use std::collections::BTreeMap;
use std::time::Duration;

use model::ids::OrderKey;
use serde_json::{Value, json};
use store::Store;

use crate::harness::wire::{Told, Wire};

/// Of one caller.
#[derive(Clone, Default)]
pub(super) struct Notes {
    /// Shipments that it knows the number of.
    pub(super) shipments: Vec<Tracked>,
    /// Batches that were answered.
    pub(super) batches: Vec<Batch>,
    /// Requests with a key.
    pub(super) keyed: Vec<Keyed>,
    /// Descriptions of shipments that were asked for without a key, and whether that was answered.
    pub(super) wishes: BTreeMap<String, bool>,
    /// Answers that ended in the middle.
    pub(super) halves: Vec<String>,
    /// Requests that were answered 503.
    pub(super) unavailable: usize,
    /// What a POST took at most.
    pub(super) longest: Duration,
    /// Whether the server was told to stop, and not killed: then it took nothing without answering it.
    pub(super) ended_in_order: bool,
}

/// A shipment.
#[derive(Clone)]
pub(super) struct Tracked {
    pub(super) number: String,
    /// Its way, in order.
    pub(super) steps: Vec<Step>,
    /// Reports that came too early, and their ids.
    pub(super) refused: Vec<(Step, String)>,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) status: &'static str,
    pub(super) timestamp: String,
    pub(super) source: String,
    pub(super) answered: bool,
    /// Where the answer had it.
    pub(super) event_id: Option<String>,
}

/// A batch of reports, as its receipt must say.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) received: usize,
    pub(super) applied: usize,
    pub(super) duplicates: usize,
    pub(super) rejected: usize,
}

/// A request with a key.
#[derive(Clone)]
pub(super) struct Keyed {
    pub(super) path: &'static str,
    pub(super) key: String,
    pub(super) body: String,
    /// Descriptions of the shipments that it makes.
    pub(super) makes: Vec<String>,
    pub(super) answer: Option<Told>,
}

impl Tracked {
    pub(super) fn new(number: &Value) -> Self {
        Self {
            number: number.as_str().unwrap().to_owned(),
            steps: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// A report as it is sent.
    pub(super) fn event(&self, step: &Step) -> Value {
        json!({"tracking_number": self.number, "status": step.status, "timestamp": step.timestamp, "source": step.source})
    }

    /// Its history is its way: all that was answered, perhaps what was not, and nothing else. How many steps that were not
    /// answered are in.
    fn look(&self, wire: &mut Wire) -> usize {
        let shipment = wire.get(&format!("/shipments/{}", self.number)).is(200);
        let history = shipment["status_history"].as_array().unwrap();
        let found: Vec<[&str; 3]> = history[1..]
            .iter()
            .map(|entry| ["status", "timestamp", "source"].map(|member| entry[member].as_str().unwrap()))
            .collect();
        let sent = self.steps.iter();
        let sent: Vec<[&str; 3]> = sent
            .map(|step| [step.status, &step.timestamp, &step.source])
            .collect();
        assert_eq!(history[0]["status"], "created", "{shipment}");
        let answered = self.steps.iter().filter(|step| step.answered).count();
        assert!(found.len() >= answered, "{found:?} of {:?}", self.steps);
        assert_eq!(found, sent[..found.len().min(sent.len())], "{}", self.number);
        assert_eq!(shipment["current_status"], history.last().unwrap()["status"]);
        found.len() - answered
    }

    fn look_for_receipts(&self, wire: &mut Wire) {
        let applied = self.steps.iter().filter_map(|step| step.event_id.as_ref());
        let refused = self.refused.iter().map(|(_, event_id)| event_id);
        for (event_id, outcome) in applied
            .map(|id| (id, "applied"))
            .chain(refused.map(|id| (id, "rejected")))
        {
            let receipt = wire.get(&format!("/events/{event_id}")).is(200);
            assert_eq!(
                (&receipt["outcome"], &receipt["tracking_number"]),
                (&json!(outcome), &json!(self.number))
            );
        }
    }

    /// Sends what was not answered again; it is in then, whether it was before or not.
    fn send_again(&mut self, wire: &mut Wire) {
        for place in 0..self.steps.len() {
            if self.steps[place].answered {
                continue;
            }
            let event = self.event(&self.steps[place]).to_string();
            let told = wire
                .must_post("/events", &[("Prefer", "wait=10")], &event)
                .is(200);
            assert!(
                ["applied", "duplicate"].contains(&told["outcome"].as_str().unwrap()),
                "{told}"
            );
            self.steps[place].event_id = told["event_id"].as_str().map(str::to_owned);
            self.steps[place].answered = true;
        }
    }
}

impl Batch {
    fn look(&self, wire: &mut Wire) {
        let receipt = wire.get(&format!("/events/batches/{}", self.id)).is(200);
        let counts = ["received", "applied", "duplicates", "rejected_total"].map(|member| &receipt[member]);
        let expected = [self.received, self.applied, self.duplicates, self.rejected];
        assert_eq!(counts, expected.map(|count| json!(count)).each_ref());
    }
}

impl Keyed {
    /// Sent again, it has the answer that it had; or gets one, if it had none.
    fn send_again(&mut self, wire: &mut Wire) -> Option<Told> {
        let headers = [("Idempotency-Key", self.key.as_str())];
        let told = wire.must_post(self.path, &headers, &self.body);
        assert!(told.status < 300, "{} {}", told.status, told.body);
        match &self.answer {
            Some(answer) => {
                assert_eq!(
                    told.header("idempotent-replayed"),
                    Some("true"),
                    "{} {}",
                    self.path,
                    self.body
                );
                let parts = |told: &Told| {
                    let headers = ["location", "etag"].map(|name| told.header(name).map(str::to_owned));
                    (told.status, told.body.clone(), headers)
                };
                assert_eq!(parts(&told), parts(answer));
                None
            }
            None => {
                self.answer = Some(told.clone());
                Some(told)
            }
        }
    }
}

impl Notes {
    /// Acknowledgements.
    pub(super) fn answered(&self) -> usize {
        let steps = self.shipments.iter().flat_map(|shipment| &shipment.steps);
        let refused = self.shipments.iter().map(|shipment| shipment.refused.len());
        self.shipments.len() + steps.filter(|step| step.answered).count() + refused.sum::<usize>()
    }

    /// A shipment that has moved, if there is one.
    pub(super) fn moved(&mut self) -> Option<&mut Tracked> {
        let moved = |shipment: &&mut Tracked| {
            let mut steps = shipment.steps.iter();
            steps.any(|step| step.event_id.is_some())
        };
        self.shipments.iter_mut().find(moved)
    }

    /// Looks for everything that was answered; then sends all that was not again, and looks for that.
    pub(super) fn check(&mut self, wire: &mut Wire) {
        for shipment in &self.shipments {
            let unanswered = shipment.look(wire);
            assert!(!self.ended_in_order || unanswered == 0, "{}", shipment.number);
        }
        self.batches.iter().for_each(|batch| batch.look(wire));
        for keyed in &mut self.keyed {
            if let Some(told) = keyed.send_again(wire) {
                let was_there = told.header("idempotent-replayed").is_some();
                assert!(!self.ended_in_order || !was_there, "{}", keyed.body);
                let makes = (!keyed.makes.is_empty()).then(|| told.json());
                let made = makes.iter().flat_map(numbers);
                self.shipments.extend(made.map(Tracked::new));
            }
            keyed.send_again(wire);
        }
        for shipment in &mut self.shipments {
            if shipment.steps.iter().any(|step| !step.answered) {
                shipment.send_again(wire);
                shipment.look(wire);
            }
            shipment.look_for_receipts(wire);
        }
    }

    /// Looks once more.
    pub(super) fn check_again(&self, wire: &mut Wire) {
        for shipment in &self.shipments {
            assert_eq!(shipment.look(wire), 0, "{}", shipment.number);
        }
    }

    /// How often each shipment that was asked for must be in a store: at least, and at most.
    pub(super) fn wanted(&self) -> BTreeMap<String, (u32, u32)> {
        let keyed = self.keyed.iter().flat_map(|keyed| &keyed.makes);
        let keyed = keyed.map(|wish| (wish.clone(), (1, 1)));
        let plain = self.wishes.iter();
        let plain = plain.map(|(wish, answered)| {
            let most = *answered || !self.ended_in_order;
            (wish.clone(), (u32::from(*answered), u32::from(most)))
        });
        keyed.chain(plain).collect()
    }
}

/// The tracking numbers in an answer to one wish or to many.
pub(super) fn numbers(made: &Value) -> impl Iterator<Item = &Value> {
    let one = made.get("tracking_number").into_iter();
    let many = made["results"].as_array().into_iter().flatten();
    one.chain(many.map(|result| &result["tracking_number"]))
}

/// Each shipment is there as often as it was asked for with a key or answered without one.
pub(super) fn check_counts(notes: &[Notes], store: &dyn Store) {
    let wanted: BTreeMap<String, (u32, u32)> = notes.iter().flat_map(Notes::wanted).collect();
    let mut found: BTreeMap<String, u32> = wanted.keys().map(|wish| (wish.clone(), 0)).collect();
    for wish in descriptions(store) {
        *found
            .get_mut(&wish)
            .unwrap_or_else(|| panic!("nobody asked for {wish}")) += 1;
    }
    for (wish, times) in found {
        let (least, most) = wanted[&wish];
        assert!((least..=most).contains(&times), "{wish} is there {times} times");
    }
}

/// Of every shipment in the store.
fn descriptions(store: &dyn Store) -> Vec<String> {
    let (mut descriptions, mut after) = (Vec::new(), OrderKey::new(0));
    loop {
        let page = store.reading(|reader| reader.orders(after, 500)).unwrap();
        let Some(last) = page.last() else {
            return descriptions;
        };
        after = last.head.order;
        descriptions.extend(page.iter().map(|order| {
            let details = order.details.as_ref().unwrap();
            let details: Value = serde_json::from_slice(details.content()).unwrap();
            details["content_description"].as_str().unwrap().to_owned()
        }));
    }
}
