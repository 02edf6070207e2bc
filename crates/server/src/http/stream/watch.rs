//! Whether those who opened streams may still read: looked at when something about accounts has changed, here or on another node.
//!
//! Every change to accounts leaves a line in the trail, which is looked at twice a second while there are streams, and at once after a change on this node.
//! Only those whom a new line names are asked for again, and each new stream once: what was known of its token may have been older than the
//! line that voids it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::{HashMap, HashSet};
use serde_json::Value;
use store::accounts::AuditRecord;
use store::{Error, Reader};
use tokio::sync::Notify;

use super::super::auth::{Credential, Principal};
use super::super::limits::{ACCOUNTS_POLL, ASKED_AT_ONCE, TRAIL_LOOK, TRAIL_SEEN};
use super::super::problem::{Kind, Problem};
use super::super::state::AppState;
use crate::live::{Closed, Closer};

/// The streams that are open, by who opened them.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Shared>);

struct Shared {
    per_principal: usize,
    /// Rung when a stream is opened.
    opened: Notify,
    numbers: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    streams: HashMap<u64, (Arc<Principal>, Closer)>,
    of_subject: HashMap<Arc<str>, usize>,
    /// Not looked at since they were opened.
    fresh: Vec<u64>,
}

/// A place for one more stream of a principal.
pub(super) struct Place {
    principal: Arc<Principal>,
    shared: Arc<Shared>,
}

/// A stream that is watched until this is dropped.
pub(super) struct Watched {
    number: u64,
    place: Place,
}

impl Watch {
    pub(crate) fn new(per_principal: usize) -> Self {
        Self(Arc::new(Shared {
            per_principal,
            opened: Notify::new(),
            numbers: AtomicU64::new(0),
            open: Mutex::default(),
        }))
    }

    /// Takes a place for a stream.
    pub(super) fn place(&self, principal: &Arc<Principal>) -> Result<Place, Problem> {
        let mut open = self.0.lock();
        let count = open.of_subject.entry(principal.subject().clone()).or_default();
        if *count >= self.0.per_principal {
            let detail = format!(
                "{} streams are open for {}, which is as many as there may be",
                self.0.per_principal,
                principal.subject()
            );
            return Err(Problem::new(Kind::RateLimited, detail).retry_after(ACCOUNTS_POLL));
        }
        *count += 1;
        Ok(Place {
            principal: principal.clone(),
            shared: self.0.clone(),
        })
    }

    /// Watches a stream.
    pub(super) fn watch(&self, place: Place, closer: Closer) -> Watched {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let mut open = self.0.lock();
        open.streams.insert(number, (place.principal.clone(), closer));
        open.fresh.push(number);
        self.0.opened.notify_one();
        Watched { number, place }
    }

    /// Looks after them, for ever.
    pub(crate) async fn run(&self, state: &AppState) {
        let mut trail = Trail::default();
        loop {
            if self.0.lock().streams.is_empty() {
                self.0.opened.notified().await;
                continue;
            }
            tokio::select! {
                () = state.auth.changed.notified() => {}
                () = tokio::time::sleep(ACCOUNTS_POLL) => {}
            }
            match self.look(state, trail.clone()).await {
                Ok(looked) => trail = looked,
                // Storage is asked again in a moment, and what it missed is then in the trail still.
                Err(_) => tracing::debug!("the trail cannot be read: streams stay as they are"),
            }
        }
    }

    async fn look(&self, state: &AppState, mut trail: Trail) -> Result<Trail, Problem> {
        let records = state.read(|reader| reader.audit(None, TRAIL_LOOK)).await?;
        let named = trail.news(&records);
        let asked = self.0.lock().take_asked(&named);
        for some in asked.chunks(ASKED_AT_ONCE) {
            let principals: Vec<Arc<Principal>> =
                some.iter().map(|(_, principal)| principal.clone()).collect();
            let asking = state.clone();
            let counts = state
                .read(move |reader| counts(&asking, reader, &principals))
                .await;
            let counts = match counts {
                Ok(counts) => counts,
                Err(problem) => {
                    self.0
                        .lock()
                        .fresh
                        .extend(asked.iter().map(|(number, _)| *number));
                    return Err(problem);
                }
            };
            let open = self.0.lock();
            for ((number, _), counts) in some.iter().zip(counts) {
                if !counts && let Some((_, closer)) = open.streams.get(number) {
                    closer.close(Closed::Unauthenticated);
                }
            }
        }
        Ok(trail)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Streams that are new, or whose principal is named.
    fn take_asked(&mut self, named: &Named) -> Vec<(u64, Arc<Principal>)> {
        let fresh: HashSet<u64> = self.fresh.drain(..).collect();
        if fresh.is_empty() && named.is_nobody() {
            return Vec::new();
        }
        let asked = self.streams.iter();
        let asked = asked.filter(|(number, (principal, _))| fresh.contains(number) || named.names(principal));
        asked
            .map(|(number, (principal, _))| (*number, principal.clone()))
            .collect()
    }
}

/// Whether each still counts. One whom several streams are of is asked for once.
fn counts(
    state: &AppState,
    reader: &mut dyn Reader,
    principals: &[Arc<Principal>],
) -> Result<Vec<bool>, Error> {
    let mut known: HashMap<*const Principal, bool> = HashMap::default();
    let mut counts = Vec::with_capacity(principals.len());
    for principal in principals {
        let at = Arc::as_ptr(principal);
        let count = match known.get(&at) {
            Some(count) => *count,
            None => state.still_counts(reader, principal)?.is_ok(),
        };
        known.insert(at, count);
        counts.push(count);
    }
    Ok(counts)
}

impl Place {
    /// Whose it is.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.lock();
        let subject = self.principal.subject();
        if let Some(count) = open.of_subject.get_mut(subject) {
            *count -= 1;
            if *count == 0 {
                open.of_subject.remove(subject);
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.place.shared.lock().streams.remove(&self.number);
    }
}

/// What was seen of the trail.
#[derive(Clone, Default)]
struct Trail {
    /// Lines do not come in the order of their numbers where several writers write them: each is known by itself.
    seen: HashSet<i64>,
    is_begun: bool,
}

/// Whom new lines are about.
#[derive(Default)]
struct Named {
    everybody: bool,
    usernames: HashSet<String>,
    tokens: HashSet<Box<str>>,
    keys: HashSet<Box<str>>,
}

impl Trail {
    /// Whom those of the latest lines are about that were not seen before.
    fn news(&mut self, latest: &[AuditRecord]) -> Named {
        let news = latest
            .iter()
            .filter(|record| !self.seen.contains(&record.audit_id));
        let news: Vec<&AuditRecord> = news.collect();
        let mut named = Named::default();
        if self.is_begun {
            // All new: there may be more that are.
            named.everybody = news.len() == usize::try_from(TRAIL_LOOK).unwrap_or(usize::MAX);
            for record in &news {
                named.add(record);
            }
        }
        self.is_begun = true;
        if self.seen.len() > TRAIL_SEEN {
            self.seen.clear();
            self.seen.extend(latest.iter().map(|record| record.audit_id));
        }
        self.seen.extend(news.iter().map(|record| record.audit_id));
        named
    }
}

impl Named {
    fn add(&mut self, record: &AuditRecord) {
        match &*record.entity_type {
            "token" => drop(self.tokens.insert(record.entity_id.clone())),
            "api_key" => drop(self.keys.insert(record.entity_id.clone())),
            "user" => {
                let states = [&record.before, &record.after].into_iter().flatten();
                for state in states.filter_map(|state| serde_json::from_str::<Value>(state).ok()) {
                    self.usernames
                        .extend(state["username"].as_str().map(str::to_owned));
                }
            }
            _ => {}
        }
    }

    fn is_nobody(&self) -> bool {
        !self.everybody && self.usernames.is_empty() && self.tokens.is_empty() && self.keys.is_empty()
    }

    fn names(&self, principal: &Principal) -> bool {
        self.everybody
            || match &principal.credential {
                Credential::Token { id, .. } => {
                    self.tokens.contains(id) || self.usernames.contains(&**principal.subject())
                }
                Credential::Key { id, .. } => self.keys.contains(id),
            }
    }
}
