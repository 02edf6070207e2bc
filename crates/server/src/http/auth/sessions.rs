//! What is remembered of tokens and keys that were looked into.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use model::time::Timestamp;

use super::super::limits::{SESSION_FRESH, SESSIONS};
use super::principal::Principal;

#[derive(Default)]
pub(super) struct Sessions {
    known: RwLock<HashMap<Box<str>, Known>>,
    /// Rises with every change to accounts: what was found out before may not hold any more.
    generation: AtomicU64,
}

struct Known {
    principal: Arc<Principal>,
    found_at: Instant,
    generation: u64,
}

/// A look for who has a token, from before it.
pub(super) struct Look {
    generation: u64,
    began_at: Instant,
}

impl Sessions {
    pub(super) fn get(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let sessions = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = sessions.get(token)?;
        let holds = known.generation == self.generation()
            && known.found_at.elapsed() < SESSION_FRESH
            && known.principal.expires_at().is_none_or(|at| now < at);
        holds.then(|| known.principal.clone())
    }

    /// Begins a look: what changes in the meantime is noticed, and what is found is as old as this.
    pub(super) fn begin(&self) -> Look {
        Look {
            generation: self.generation(),
            began_at: Instant::now(),
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn put(&self, token: &str, principal: Arc<Principal>, look: &Look) {
        let mut sessions = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS {
            sessions.retain(|_, known| known.found_at.elapsed() < SESSION_FRESH);
            if sessions.len() >= SESSIONS {
                sessions.clear();
            }
        }
        // The numbers of a principal do not change: what was asked for once need not be again.
        let principal = match sessions.get(token) {
            Some(known) if known.principal.is_same(&principal) => known.principal.clone(),
            Some(_) | None => principal,
        };
        let known = Known {
            principal,
            found_at: look.began_at,
            generation: look.generation,
        };
        sessions.insert(token.into(), known);
    }

    pub(super) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}
