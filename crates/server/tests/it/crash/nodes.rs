//! Two nodes over PostgreSQL, and what may befall them: a node killed, the database killed, the database standing still. Meanwhile
//! reads answer or say 503; afterwards everything goes on by itself, and what was acknowledged is there, once.

mod cluster;
mod load;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::cluster::Cluster;
use self::load::{Load, Seen};
use super::notes::{Notes, check_counts};
use super::{rounds_or, seed};
use crate::harness::process::run;
use crate::harness::tell;
use crate::harness::wire::Wire;

/// Rounds, where the environment names no number.
const ROUNDS: u32 = 2;
/// The database stands still for this long: longer than a session may stand in a transaction, and than a read may take.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Rounds of that, where the environment names no number.
const STANDSTILLS: u32 = 1;
/// Who look for what was acknowledged, at the same time.
const CHECKERS: usize = 6;
/// How soon both nodes must take a shipment in, once nothing is in their way any more.
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn what_two_nodes_acknowledged_survives_kills_of_one_of_them() {
    let Some(mut ordeal) = Ordeal::start() else { return };
    let rounds = rounds_or(ROUNDS);
    for round in 0..rounds {
        ordeal.round(|cluster, random| {
            let victim = usize::from(round % 2 == 1);
            cluster.kill(victim);
            std::thread::sleep(Duration::from_millis(random.random_range(0..700)));
            cluster.start_again(victim);
        });
    }
    ordeal.end(&format!("{rounds} kills of one of two nodes"));
}

#[test]
fn what_two_nodes_acknowledged_survives_kills_of_the_database() {
    let Some(mut ordeal) = Ordeal::start() else { return };
    let rounds = rounds_or(ROUNDS);
    for _ in 0..rounds {
        ordeal.round(|cluster, _| cluster.database.crash());
    }
    ordeal.end(&format!("{rounds} kills of the database"));
}

#[test]
fn what_two_nodes_acknowledged_survives_a_database_that_stands_still() {
    let Some(mut ordeal) = Ordeal::start() else { return };
    let rounds = rounds_or(STANDSTILLS);
    for _ in 0..rounds {
        ordeal.round(|cluster, _| {
            cluster.database.pause();
            std::thread::sleep(STANDSTILL);
            cluster.database.resume();
        });
    }
    ordeal.end(&format!(
        "{rounds} times a database that stood still for {STANDSTILL:?}"
    ));
}

/// Two nodes, and what all callers noted.
struct Ordeal {
    cluster: Cluster,
    random: StdRng,
    notes: Vec<Notes>,
    seen: Seen,
    rounds: u32,
    longest_recovery: Duration,
}

impl Ordeal {
    fn start() -> Option<Self> {
        Some(Self {
            cluster: Cluster::start()?,
            random: StdRng::seed_from_u64(seed()),
            notes: Vec::new(),
            seen: Seen::default(),
            rounds: 0,
            longest_recovery: Duration::ZERO,
        })
    }

    /// Load on both nodes, something that befalls them in the middle of it, and a look at what came of it.
    fn round(&mut self, befalls: impl FnOnce(&mut Cluster, &mut StdRng)) {
        self.rounds += 1;
        let load = Load::begin(&self.cluster, &mut self.random, self.rounds);
        self.wait_for_chance();
        befalls(&mut self.cluster, &mut self.random);
        let over = Instant::now();
        for node in 0..2 {
            self.cluster.wait_until_it_writes(node, RECOVERS_WITHIN);
        }
        self.longest_recovery = self.longest_recovery.max(over.elapsed());
        self.wait_for_chance();
        let (mut notes, seen) = load.end();
        self.seen.add(&seen);
        self.check(&mut notes);
        self.notes.extend(notes);
    }

    /// The one thing waited for is chance itself.
    fn wait_for_chance(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.random_range(100..700)));
    }

    /// Looks for what the round was told, on both nodes at once.
    fn check(&self, notes: &mut [Notes]) {
        let share = notes.len().div_ceil(CHECKERS).max(1);
        self.at_both_nodes(notes.chunks_mut(share), |notes, wire| {
            notes.iter_mut().for_each(|notes| notes.check(wire));
        });
    }

    /// Has each part looked at by somebody else, on both nodes by turns.
    fn at_both_nodes<P: Send>(
        &self,
        parts: impl Iterator<Item = P>,
        look: impl Fn(P, &mut Wire) + Send + Sync,
    ) {
        let places = self.cluster.addresses.into_iter().cycle();
        let (token, look) = (&self.cluster.token, &look);
        std::thread::scope(|scope| {
            for (part, address) in parts.zip(places) {
                scope.spawn(move || look(part, &mut Wire::connect(address, token).unwrap()));
            }
        });
    }

    /// Looks for everything once more, and for what nobody asked for; tells the figures.
    fn end(self, what: &str) {
        let share = self.notes.len().div_ceil(CHECKERS).max(1);
        self.at_both_nodes(self.notes.chunks(share), |notes, wire| {
            notes.iter().for_each(|notes| notes.check_again(wire));
        });
        let (home, _database) = self.cluster.end();
        let verified = run(&mut home.waybill("verify"));
        assert_eq!(verified.code(), Some(0), "{verified:?}");
        check_counts(&self.notes, &*home.place().look_into().unwrap());
        let answered: usize = self.notes.iter().map(Notes::answered).sum();
        let unavailable: usize = self.notes.iter().map(|notes| notes.unavailable).sum();
        let longest = self
            .notes
            .iter()
            .map(|notes| notes.longest)
            .max()
            .unwrap_or_default();
        let (seen, recovery) = (&self.seen, self.longest_recovery);
        tell(&format!(
            "{what}: {answered} acknowledged, none lost, none doubled; writes: {unavailable} times 503, the longest took \
             {longest:?}; reads: {} answered, {} times 503, the longest took {:?}; both nodes wrote again after {recovery:?} at \
             most",
            seen.answered, seen.unavailable, seen.longest
        ));
        assert!(answered > 0, "nothing was answered, so nothing was shown");
        assert!(seen.answered > 0, "nothing was read, so nothing was shown");
    }
}
