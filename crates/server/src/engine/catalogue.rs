//! The definitions that orders live by, as the store has them. Another node may store more at any time: an order born under one of
//! those must not be a riddle here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use model::Lifecycle;
use model::ids::LifecycleId;
use store::{Error, Store};

use super::limits::RENEW_PAUSE;

/// Definitions by their numbers.
pub(super) type Lifecycles = HashMap<LifecycleId, Arc<Lifecycle>>;

/// What is stored, as far as this node knows.
pub(super) struct Catalogue {
    store: Arc<dyn Store>,
    known: RwLock<Arc<Lifecycles>>,
    renewed_at: Mutex<Option<Instant>>,
}

impl Catalogue {
    pub(super) fn read(store: &Arc<dyn Store>) -> Result<Self, Error> {
        Ok(Self {
            store: store.clone(),
            known: RwLock::new(Arc::new(stored(&**store)?)),
            renewed_at: Mutex::new(None),
        })
    }

    /// One of them. What another node stored a moment ago is read now, unless that was tried just before.
    pub(super) fn find(&self, id: LifecycleId) -> Option<Arc<Lifecycle>> {
        if let Some(known) = self.known().get(&id) {
            return Some(known.clone());
        }
        self.renew_if_due();
        self.known().get(&id).cloned()
    }

    /// Reads it again, unless that was done just before. One that cannot be read, as of a newer version, is told of and leaves
    /// what is known.
    pub(super) fn renew_if_due(&self) {
        // Held until it is done: who comes meanwhile finds what was read, and does not go away without it.
        let mut renewed_at = self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed_at.is_some_and(|at| at.elapsed() < RENEW_PAUSE) {
            return;
        }
        *renewed_at = Some(Instant::now());
        if let Err(error) = self.renew() {
            tracing::warn!(error.detail = %error, "definitions of lifecycles that another node stored cannot be read");
        }
    }

    /// What is known now.
    pub(super) fn known(&self) -> Arc<Lifecycles> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again. Definitions are never taken away.
    pub(super) fn renew(&self) -> Result<(), Error> {
        let stored = stored(&*self.store)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if stored.len() > known.len() {
            *known = Arc::new(stored);
        }
        Ok(())
    }
}

fn stored(store: &dyn Store) -> Result<Lifecycles, Error> {
    let stored = store.lifecycles()?.into_iter();
    Ok(stored
        .map(|stored| (stored.id, Arc::new(stored.lifecycle)))
        .collect())
}
