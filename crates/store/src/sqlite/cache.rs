//! Heads the writer keeps in memory. It is the only writer, so what it keeps is what is stored.
//!
//! Two generations: a full young one becomes the old one, and what is used of the old one comes back to
//! the young. That is near enough to least-recently-used and costs nothing per use but the look-up.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use model::command::OrderRef;
use model::ids::OrderKey;
use model::public_id::PublicId;

use crate::limits::CACHED_HEADS;
use crate::records::Loaded;

#[derive(Default)]
pub(super) struct HeadCache {
    keys: Generations<PublicId, OrderKey>,
    heads: Generations<OrderKey, Loaded>,
}

impl HeadCache {
    pub(super) fn find(&mut self, order: &OrderRef) -> Option<Loaded> {
        let key = match order {
            OrderRef::Public(id) => self.keys.get(id)?,
            OrderRef::Key(key) => *key,
        };
        self.heads.get(&key)
    }

    /// Keeps what was found of an order under the name by which it was looked for, unless its head is here already: then that
    /// is the one.
    pub(super) fn keep(&mut self, order: &OrderRef, found: Loaded) -> Loaded {
        let key = found.head.order;
        if let OrderRef::Public(id) = order {
            self.put_key(id.clone(), key);
        }
        match self.heads.get(&key) {
            Some(known) => known,
            None => {
                self.put_head(found.clone());
                found
            }
        }
    }

    pub(super) fn put_key(&mut self, id: PublicId, key: OrderKey) {
        self.keys.put(id, key);
    }

    pub(super) fn put_head(&mut self, loaded: Loaded) {
        self.heads.put(loaded.head.order, loaded);
    }

    /// Forgets everything: after a failure nothing in memory is believed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
        }
    }
}

impl<K: Eq + Hash, V: Clone> Generations<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.put(key, value.clone());
        Some(value)
    }

    /// What the old one has under the key stays there, unseen, and goes with it.
    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= CACHED_HEADS {
            // It will be as full again: growing step by step would move everything several times.
            let young = HashMap::with_capacity_and_hasher(self.young.capacity(), RandomState::default());
            self.old = std::mem::replace(&mut self.young, young);
        }
        self.young.insert(key, value);
    }
}
