//! Callers at both nodes, one after the other in each place, and readers that are to be answered whatever befalls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::caller::Caller;
use super::super::notes::Notes;
use super::cluster::Cluster;
use crate::harness::wire::{Exchange, Wire};

/// Connections to each node with requests that write under way at the same time.
const CALLERS: u32 = 3;
/// Longest that a read may take: waiting for a connection, for its answer, and for another one.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Before the next try of somebody whose node has gone or is not served by its database.
const PAUSE: Duration = Duration::from_millis(30);

/// What readers were told.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) answered: usize,
    pub(super) unavailable: usize,
    pub(super) longest: Duration,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.unavailable += other.unavailable;
        self.longest = self.longest.max(other.longest);
    }
}

/// Goes on until it is ended.
pub(super) struct Load {
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<Notes>>>,
    readers: Vec<JoinHandle<Seen>>,
}

impl Load {
    pub(super) fn begin(cluster: &Cluster, random: &mut StdRng, round: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (mut callers, mut readers) = (Vec::new(), Vec::new());
        for address in cluster.addresses {
            for caller in 0..CALLERS {
                let place = Place {
                    address,
                    token: cluster.token.clone(),
                    name: format!("caller {caller} of {} in round {round}", address.port()),
                    over: over.clone(),
                };
                let random = StdRng::seed_from_u64(random.random());
                callers.push(std::thread::spawn(|| place.call(random)));
            }
            let (token, over) = (cluster.token.clone(), over.clone());
            readers.push(std::thread::spawn(move || read(address, &token, &over)));
        }
        Self {
            over,
            callers,
            readers,
        }
    }

    pub(super) fn end(self) -> (Vec<Notes>, Seen) {
        self.over.store(true, Ordering::Relaxed);
        let notes = self.callers.into_iter().flat_map(|caller| caller.join().unwrap());
        let notes = notes.collect();
        let mut seen = Seen::default();
        for reader in self.readers {
            seen.add(&reader.join().unwrap());
        }
        (notes, seen)
    }
}

/// Where one caller follows another: each leaves with the first answer that it does not get.
struct Place {
    address: SocketAddr,
    token: String,
    name: String,
    over: Arc<AtomicBool>,
}

impl Place {
    fn call(self, mut random: StdRng) -> Vec<Notes> {
        let mut notes = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            if let Ok(wire) = Wire::connect(self.address, &self.token) {
                let name = format!("{}, number {}", self.name, notes.len());
                let random = StdRng::seed_from_u64(random.random());
                let caller = Caller::on(wire, name, random).leaving(self.over.clone());
                notes.push(caller.run());
            }
            std::thread::sleep(PAUSE);
        }
        notes
    }
}

/// Reads all the time. A node that lives answers in time: what was asked for, or 503; and that it lives, always.
fn read(address: SocketAddr, token: &str, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !over.load(Ordering::Relaxed) {
        if let Ok(mut wire) = Wire::connect(address, token) {
            while !over.load(Ordering::Relaxed) && look(&mut wire, &mut seen) {
                std::thread::sleep(PAUSE);
            }
        }
        std::thread::sleep(PAUSE);
    }
    seen
}

/// False if the node has gone.
fn look(wire: &mut Wire, seen: &mut Seen) -> bool {
    for path in ["/shipments?limit=5", "/api/v1/users/me", "/healthz"] {
        let began = Instant::now();
        let told = match wire.try_get(path) {
            Exchange::Whole(told) => told,
            Exchange::Closed | Exchange::Half(_) => return false,
        };
        let took = began.elapsed();
        assert!(took < READ_WITHIN, "{path} took {took:?}");
        seen.longest = seen.longest.max(took);
        match told.status {
            503 if path != "/healthz" => {
                assert!(told.header("retry-after").is_some(), "{}", told.body);
                seen.unavailable += 1;
            }
            _ => {
                told.is(200);
                seen.answered += 1;
            }
        }
    }
    true
}
