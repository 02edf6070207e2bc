//! A server killed, or told to stop, while callers are at its front door: everything that was answered is there when it has
//! started again, exactly once.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use server::place::StorePlace;
use tempfile::TempDir;

use super::caller::Caller;
use super::notes::{Notes, Step, check_counts};
use super::{prove, rounds_or, seed};
use crate::harness::front::{new_event, new_shipment};
use crate::harness::process::{Running, waybill_on};
use crate::harness::tell;
use crate::harness::wire::{Exchange, Wire};

/// Connections with requests under way at the same time.
const CALLERS: u32 = 5;
/// Rounds, where the environment names no number.
const KILLS: u32 = 6;
const STOPS: u32 = 4;
/// Far more than what is under way takes, far less than a test may.
const GRACE: Duration = Duration::from_secs(20);

#[test]
fn what_was_answered_survives_kills() {
    let mut siege = Siege::new();
    let rounds = rounds_or(KILLS);
    let mut halves = 0;
    for round in 0..rounds {
        if round % 3 == 0 {
            siege.kill_at_start();
        }
        let server = siege.open();
        siege.check_last(&server);
        let callers = siege.send_callers(&server);
        siege.wait_for_chance();
        let ended = server.running.kill();
        assert_eq!(ended.code(), None, "it ended by itself: {ended:?}");
        halves += siege.call_back(callers);
        prove(&siege.data_dir());
    }
    siege.check_all(&format!("{rounds} kills, {halves} answers cut in half"));
}

#[test]
fn a_server_told_to_stop_under_load_finishes_what_it_took_and_leaves_no_half_answer() {
    let mut siege = Siege::new();
    let rounds = rounds_or(STOPS);
    let mut longest = Duration::ZERO;
    for _ in 0..rounds {
        let server = siege.open();
        siege.check_last(&server);
        let callers = siege.send_callers(&server);
        siege.wait_for_chance();
        let told = Instant::now();
        server.running.terminate();
        let ended = server.running.wait();
        longest = longest.max(told.elapsed());
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        assert_eq!(siege.call_back(callers), 0, "{:?}", siege.last_halves());
        siege.last_notes().for_each(|notes| notes.ended_in_order = true);
        prove(&siege.data_dir());
    }
    assert!(longest < GRACE, "{longest:?}");
    siege.check_all(&format!("{rounds} stops, the longest took {longest:?}"));
}

/// The comparison itself: whatever is not as it was told must be found.
#[test]
fn a_loss_at_the_front_door_would_be_seen() {
    let mut siege = Siege::new();
    let server = siege.open();
    let callers = siege.send_callers(&server);
    std::thread::sleep(Duration::from_secs(1));
    server.running.terminate();
    assert_eq!(server.running.wait().code(), Some(0));
    siege.call_back(callers);
    let server = siege.open();
    siege.check_last(&server);
    let forgeries: [(&str, Forgery); 6] = [
        ("a shipment", |notes| {
            notes.shipments.first_mut()?.number = "99M-NEVERMADE".to_owned();
            Some(())
        }),
        ("a step", |notes| {
            notes.moved()?.steps.push(FORGED.clone());
            Some(())
        }),
        ("that a step is too many", |notes| {
            notes.moved()?.steps.pop().map(drop)
        }),
        ("a refusal", |notes| {
            let moved = notes.moved()?;
            let applied = moved.steps.iter().find_map(|step| step.event_id.clone())?;
            moved.refused.push((FORGED.clone(), applied));
            Some(())
        }),
        ("an answer", |notes| {
            notes.keyed.first_mut()?.answer.as_mut()?.body.push(' ');
            Some(())
        }),
        ("a count", |notes| {
            notes.batches.first_mut()?.applied += 1;
            Some(())
        }),
    ];
    for (what, forge) in forgeries {
        let mut notes = siege.notes.iter().cloned();
        let mut notes = notes
            .find_map(|mut notes| forge(&mut notes).map(|()| notes))
            .unwrap();
        let mut wire = Wire::connect(server.address, &siege.token).unwrap();
        let seen = catch_unwind(AssertUnwindSafe(|| notes.check(&mut wire)));
        assert!(seen.is_err(), "{what} was not missed");
    }
    server.running.terminate();
    assert_eq!(server.running.wait().code(), Some(0));
}

/// Makes notes say what is not so, if there is something to forge.
type Forgery = fn(&mut Notes) -> Option<()>;

/// A step that nobody has reported.
static FORGED: LazyLock<Step> = LazyLock::new(|| Step {
    status: "delivered",
    timestamp: "2020-01-01T23:59:59.000000Z".to_owned(),
    source: "nobody".to_owned(),
    answered: true,
    event_id: None,
});

#[test]
fn a_stream_without_an_end_is_cut_off_when_the_grace_is_over() {
    let mut siege = Siege::new();
    siege.grace = Duration::from_secs(1);
    let server = siege.open();
    let mut wire = Wire::connect(server.address, &siege.token).unwrap();
    let made = wire
        .must_post("/shipments", &[], &new_shipment("client_001").to_string())
        .is(201);
    let number = made["tracking_number"].as_str().unwrap();
    let event = new_event(number, "picked_up", "2020-01-01T00:00:00Z");
    wire.begin_lines("/events/batch");
    wire.more_lines(&format!("{event}\n"));
    let told = Instant::now();
    server.running.terminate();
    let ended = server.running.wait();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    // Of the grace, connections have three quarters.
    assert!(told.elapsed() > siege.grace / 2, "{:?}", told.elapsed());
    assert!(told.elapsed() < GRACE, "{:?}", told.elapsed());
    assert!(matches!(wire.answer(), Exchange::Closed));
    prove(&siege.data_dir());
}

/// A data folder whose server comes and goes, and what all callers noted.
struct Siege {
    dir: TempDir,
    random: StdRng,
    token: String,
    grace: Duration,
    notes: Vec<Notes>,
    /// How many of them are of the last round.
    last: usize,
    rounds: u32,
}

struct Server {
    running: Running,
    address: SocketAddr,
}

impl Siege {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            random: StdRng::seed_from_u64(seed()),
            token: String::new(),
            grace: GRACE,
            notes: Vec::new(),
            last: 0,
            rounds: 0,
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn serve(&self) -> Running {
        let mut command = waybill_on("serve", &self.data_dir());
        command.args(["--port", "0", "--rate-limit-per-minute", "0"]);
        command.args(["--shutdown-grace-s", &self.grace.as_secs().to_string()]);
        Running::start(command.env("SEED", "demo"))
    }

    /// Starts the server and waits until it listens. The first time, signs in: a token outlives the server that gave it.
    fn open(&mut self) -> Server {
        let running = self.serve();
        let line = running.first_line();
        let address = line.strip_prefix("waybill listening on http://");
        let address: SocketAddr = match address {
            Some(address) => address.parse().unwrap(),
            None => panic!("it does not start: {:?}", running.wait()),
        };
        if self.token.is_empty() {
            let user = json!({"username": "operator_user", "password": "password123"});
            let mut wire = Wire::connect(address, "").unwrap();
            let session = wire.must_post("/auth/login", &[], &user.to_string()).is(200);
            session["token"].as_str().unwrap().clone_into(&mut self.token);
        }
        Server { running, address }
    }

    /// Kills it while it starts and perhaps recovers the store.
    fn kill_at_start(&mut self) {
        let running = self.serve();
        std::thread::sleep(Duration::from_micros(self.random.random_range(0..60_000)));
        running.kill();
    }

    fn send_callers(&mut self, server: &Server) -> Vec<JoinHandle<Notes>> {
        self.rounds += 1;
        let names = (0..CALLERS).map(|number| format!("caller {number} of round {}", self.rounds));
        let names: Vec<String> = names.collect();
        let start = |name| {
            let random = StdRng::seed_from_u64(self.random.random());
            let caller = Caller::new(server.address, &self.token, name, random);
            std::thread::spawn(|| caller.run())
        };
        names.into_iter().map(start).collect()
    }

    /// The one thing waited for is chance itself.
    fn wait_for_chance(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.random_range(20..500)));
    }

    /// Takes the notes of the callers, whose server has gone. How many answers were cut in half.
    fn call_back(&mut self, callers: Vec<JoinHandle<Notes>>) -> usize {
        let notes = callers.into_iter().map(|caller| caller.join().unwrap());
        let notes: Vec<Notes> = notes.collect();
        self.last = notes.len();
        self.notes.extend(notes);
        self.last_halves().len()
    }

    /// Of the last round.
    fn last_notes(&mut self) -> impl Iterator<Item = &mut Notes> {
        self.notes.iter_mut().rev().take(self.last)
    }

    fn last_halves(&self) -> Vec<&str> {
        let last = self.notes.iter().rev().take(self.last);
        last.flat_map(|notes| &notes.halves).map(String::as_str).collect()
    }

    /// Looks for what the last round was told, over as many connections as it had.
    fn check_last(&mut self, server: &Server) {
        let (address, token) = (server.address, &self.token);
        let last = self.notes.iter_mut().rev().take(self.last);
        std::thread::scope(|scope| {
            for notes in last {
                scope.spawn(move || notes.check(&mut Wire::connect(address, token).unwrap()));
            }
        });
    }

    /// Looks for everything once more, and for what nobody asked for; tells the figures.
    fn check_all(mut self, what: &str) {
        let server = self.open();
        self.check_last(&server);
        let mut wire = Wire::connect(server.address, &self.token).unwrap();
        self.notes.iter().for_each(|notes| notes.check_again(&mut wire));
        drop(wire);
        server.running.terminate();
        assert_eq!(server.running.wait().code(), Some(0));
        let store = StorePlace::from(&*self.data_dir()).look_into().unwrap();
        check_counts(&self.notes, &*store);
        prove(&self.data_dir());
        let answered: usize = self.notes.iter().map(Notes::answered).sum();
        tell(&format!(
            "{what}: {answered} acknowledged, none lost, none doubled"
        ));
        assert!(answered > 0, "nothing was answered, so nothing was shown");
    }
}
