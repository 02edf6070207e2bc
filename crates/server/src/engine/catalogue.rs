//! The definitions that orders live by, as the store has them. Another node may store more at any time: an order born under one of
//! those must not be a riddle here.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use model::Lifecycle;
use model::ids::LifecycleId;
use store::{Error, Store};

/// Definitions by their numbers.
pub(super) type Lifecycles = HashMap<LifecycleId, Arc<Lifecycle>>;

/// What is stored, as far as this node knows.
pub(super) struct Catalogue {
    store: Arc<dyn Store>,
    known: RwLock<Arc<Lifecycles>>,
}

impl Catalogue {
    pub(super) fn read(store: &Arc<dyn Store>) -> Result<Self, Error> {
        Ok(Self {
            store: store.clone(),
            known: RwLock::new(Arc::new(stored(&**store)?)),
        })
    }

    /// What is known now.
    pub(super) fn known(&self) -> Arc<Lifecycles> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again. Whether there is more than before: definitions are never taken away.
    pub(super) fn renew(&self) -> Result<bool, Error> {
        let stored = stored(&*self.store)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let has_more = stored.len() > known.len();
        if has_more {
            *known = Arc::new(stored);
        }
        Ok(has_more)
    }
}

fn stored(store: &dyn Store) -> Result<Lifecycles, Error> {
    let stored = store.lifecycles()?.into_iter();
    Ok(stored
        .map(|stored| (stored.id, Arc::new(stored.lifecycle)))
        .collect())
}
