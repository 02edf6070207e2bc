//! Wrong passwords make whoever tries more of them wait: by the name that is tried, whether or not anybody has it, and by the address
//! it is tried from.
//!
//! Nobody is shut out. Who must wait for an account is told until when, and that is kept: whatever others try meanwhile, from other
//! addresses, does not move it. So an attacker delays the owner by [`LOGIN_LONGEST_WAIT`] at most, unless both come from one address. Who
//! shares an address with many waits for it far shorter, and a right password uses up nobody's turn.
//!
//! A user's name and address count apart, as two names: were they one, who is told to wait for the one would learn that it belongs to the
//! other.
//!
//! It is kept in memory, on each node by itself, and bounded: what was touched longest ago is forgotten first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::{Span, Timestamp};
use sha2::{Digest, Sha256};

use super::super::limits::{
    LOGIN_FORGOTTEN_AFTER, LOGIN_FREE_BY_ADDRESS, LOGIN_FREE_BY_NAME, LOGIN_LONGEST_WAIT,
    LOGIN_LONGEST_WAIT_BY_ADDRESS, LOGINS_REMEMBERED,
};
use super::super::problem::{Kind, Problem};
use super::super::rate_limit::Caller;

/// A name that somebody would be, without case: its SHA-256, as names may be long.
type Name = [u8; 32];

/// What is remembered of failed log-ins.
#[derive(Default)]
pub(crate) struct Slowdown(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    names: Newest<Name, Failures>,
    addresses: Newest<Caller, Failures>,
    /// When somebody may try a name next that is slowed down.
    turns: Newest<(Name, Caller), Timestamp>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last_at: Timestamp,
}

/// A password that may be looked at now. What came of it is to be told.
pub(crate) struct Attempt {
    name: Name,
    caller: Caller,
    /// What was held against the address before.
    of_address: Option<Failures>,
}

impl Slowdown {
    /// Somebody is about to be looked at.
    pub(crate) fn begin(&self, name: &str, caller: Caller, now: Timestamp) -> Result<Attempt, Problem> {
        let name = Sha256::digest(name.trim().to_lowercase()).into();
        match self.lock().turn(&name, &caller, now) {
            Ok(of_address) => Ok(Attempt {
                name,
                caller,
                of_address,
            }),
            Err(at) => Err(too_many(at.since(now))),
        }
    }

    /// It was the wrong password, or nobody's name.
    pub(crate) fn failed(&self, attempt: Attempt, now: Timestamp) {
        let Attempt { name, caller, .. } = attempt;
        let mut remembered = self.lock();
        let failures = one_more(remembered.addresses.get(&caller), now);
        remembered.addresses.put(caller.clone(), failures);
        let failures = one_more(remembered.names.get(&name), now);
        remembered.names.put(name, failures);
        let wait = failures.wait_of_name();
        if wait > Span::default() {
            remembered.turns.put((name, caller), now + wait);
        }
    }

    /// It was the right one: nothing is held against the name any more, and no more than before against the address.
    pub(crate) fn succeeded(&self, attempt: Attempt) {
        let Attempt {
            name,
            caller,
            of_address,
        } = attempt;
        let mut remembered = self.lock();
        remembered.names.remove(&name);
        if let (Some(before), Some(now)) = (of_address, remembered.addresses.get(&caller))
            && before.count == now.count
        {
            remembered.addresses.put(caller.clone(), before);
        }
        remembered.turns.remove(&(name, caller));
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    /// That it is the caller's turn, once of those that wait, and what was held against its address; or when it will be.
    fn turn(&mut self, name: &Name, caller: &Caller, now: Timestamp) -> Result<Option<Failures>, Timestamp> {
        let of_address = recent(self.addresses.get(caller), now);
        if let Some(failures) = of_address {
            let next = failures.last_at + failures.wait_of_address();
            if next > now {
                return Err(next);
            }
        }
        if let Some(failures) = recent(self.names.get(name), now) {
            let wait = failures.wait_of_name();
            let key = (*name, caller.clone());
            let next = self.turns.get(&key).unwrap_or(failures.last_at + wait);
            if next > now {
                self.turns.put(key, next);
                return Err(next);
            }
            if wait > Span::default() {
                // Whoever tries several at once has one turn.
                self.turns.put(key, now + wait);
            }
        }
        if let Some(failures) = of_address.filter(|failures| failures.count >= LOGIN_FREE_BY_ADDRESS) {
            let last_at = now;
            self.addresses
                .put(caller.clone(), Failures { last_at, ..failures });
        }
        Ok(of_address)
    }
}

impl Failures {
    fn wait_of_name(self) -> Span {
        self.wait(LOGIN_FREE_BY_NAME, LOGIN_LONGEST_WAIT)
    }

    fn wait_of_address(self) -> Span {
        self.wait(LOGIN_FREE_BY_ADDRESS, LOGIN_LONGEST_WAIT_BY_ADDRESS)
    }

    /// How long the next try has to wait after the last failure: a second after those that are free, twice as long after each further one.
    fn wait(self, free: u32, longest: Duration) -> Span {
        let Some(over) = self.count.checked_sub(free) else {
            return Span::default();
        };
        let longest = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
        let seconds = 1_i64.checked_shl(over).filter(|seconds| *seconds > 0);
        let seconds = seconds.unwrap_or(longest).min(longest);
        Span::from_nanos(seconds.saturating_mul(1_000_000_000))
    }
}

fn one_more(known: Option<Failures>, now: Timestamp) -> Failures {
    Failures {
        count: recent(known, now)
            .map_or(0, |failures| failures.count)
            .saturating_add(1),
        last_at: now,
    }
}

/// Failures that count still.
fn recent(known: Option<Failures>, now: Timestamp) -> Option<Failures> {
    let forgotten_after = i64::try_from(LOGIN_FORGOTTEN_AFTER.as_nanos()).unwrap_or(i64::MAX);
    known.filter(|failures| now.since(failures.last_at) < Span::from_nanos(forgotten_after))
}

/// The same for every name, and every address.
fn too_many(wait: Span) -> Problem {
    let wait = Duration::from_nanos(u64::try_from(wait.as_nanos()).unwrap_or_default());
    Problem::new(
        Kind::RateLimited,
        "too many wrong passwords: wait before the next try",
    )
    .retry_after(wait)
}

/// The newest of what was put in, [`LOGINS_REMEMBERED`] at least and twice as many at most: when the young ones are as many, the old ones go.
struct Newest<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V: Copy> Newest<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= LOGINS_REMEMBERED && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_at_the_longest() {
        let seconds = |count| {
            let failures = Failures {
                count,
                last_at: Timestamp::default(),
            };
            failures.wait(20, Duration::from_secs(300)).as_nanos() / 1_000_000_000
        };
        assert_eq!([0, 19, 20, 21, 22, 28].map(seconds), [0, 0, 1, 2, 4, 256]);
        assert_eq!([29, 100, u32::MAX].map(seconds), [300, 300, 300]);
    }

    #[test]
    fn what_was_put_in_long_ago_is_forgotten_first() {
        let mut newest = Newest::<usize, ()>::default();
        for number in 0..3 * LOGINS_REMEMBERED {
            newest.put(number, ());
            assert!(newest.young.len() + newest.old.len() <= 2 * LOGINS_REMEMBERED);
        }
        assert_eq!(newest.get(&0), None);
        let oldest_kept = 2 * LOGINS_REMEMBERED;
        assert!((oldest_kept..3 * LOGINS_REMEMBERED).all(|number| newest.get(&number).is_some()));
    }
}
