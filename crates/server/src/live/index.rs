//! Streams, found by what concerns them.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use model::Entry;
use store::{Interest, Wanted};

use super::filter::Route;
use super::stream::Shared;

use model::ids::{OrderKey, PartyId};

/// Streams that are told of the same part of the log.
#[derive(Default)]
pub(super) struct Index {
    orders: HashMap<OrderKey, Vec<Arc<Shared>>>,
    clients: HashMap<PartyId, Vec<Arc<Shared>>>,
    customers: HashMap<PartyId, Vec<Arc<Shared>>>,
    all: Vec<Arc<Shared>>,
    nowhere: Vec<Arc<Shared>>,
    len: usize,
    /// What they want; `None` since that has changed.
    interest: Option<Arc<Interest>>,
}

impl Index {
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn insert(&mut self, stream: Arc<Shared>) {
        let list = match stream.route() {
            Route::Order(order) => self.orders.entry(order).or_default(),
            Route::Client(client) => self.clients.entry(client).or_default(),
            Route::Customer(customer) => self.customers.entry(customer).or_default(),
            Route::All => &mut self.all,
            Route::Nowhere => &mut self.nowhere,
        };
        list.push(stream);
        self.len += 1;
        self.interest = None;
    }

    pub(super) fn remove(&mut self, stream: &Arc<Shared>) {
        let removed = match stream.route() {
            Route::Order(order) => remove_from(&mut self.orders, &order, stream),
            Route::Client(client) => remove_from(&mut self.clients, &client, stream),
            Route::Customer(customer) => remove_from(&mut self.customers, &customer, stream),
            Route::All => take_out(&mut self.all, stream),
            Route::Nowhere => take_out(&mut self.nowhere, stream),
        };
        if removed {
            self.len -= 1;
            self.interest = None;
        }
    }

    /// Removes many, in one go over all.
    pub(super) fn remove_all(&mut self, streams: &[Arc<Shared>]) {
        if streams.is_empty() {
            return;
        }
        let removed: HashSet<*const Shared> = streams.iter().map(Arc::as_ptr).collect();
        let stays = |stream: &Arc<Shared>| !removed.contains(&Arc::as_ptr(stream));
        keep(&mut self.orders, stays);
        keep(&mut self.clients, stays);
        keep(&mut self.customers, stays);
        self.all.retain(stays);
        self.nowhere.retain(stays);
        self.len = self.iter().count();
        self.interest = None;
    }

    /// All of them, by whatever they are found.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Shared>> {
        let listed = self.orders.values();
        let listed = listed.chain(self.clients.values()).chain(self.customers.values());
        listed.flatten().chain(&self.all).chain(&self.nowhere)
    }

    /// The names of clients that any of them waits for, each once.
    pub(super) fn awaited(&self) -> Vec<Box<str>> {
        let awaited = self.nowhere.iter().filter_map(|stream| stream.awaits());
        let mut awaited: Vec<Box<str>> = awaited.map(Into::into).collect();
        awaited.sort_unstable();
        awaited.dedup();
        awaited
    }

    /// Whoever waits for one of these is found by its number from now on.
    pub(super) fn arrive(&mut self, arrived: &[(Box<str>, PartyId)]) {
        let number = |stream: &Arc<Shared>| {
            let name = stream.awaits()?;
            let mut arrived = arrived.iter();
            arrived.find_map(|(found, client)| (**found == *name).then_some(*client))
        };
        for stream in std::mem::take(&mut self.nowhere) {
            self.len -= 1;
            if let Some(client) = number(&stream) {
                stream.arrives(client);
            }
            self.insert(stream);
        }
    }

    /// Those that an entry concerns, by its order and owner.
    pub(super) fn concerned(&self, entry: &Entry) -> impl Iterator<Item = &Arc<Shared>> {
        let lists = [
            self.orders.get(&entry.order),
            self.clients.get(&entry.owner.client),
            self.customers.get(&entry.owner.customer),
        ];
        lists.into_iter().flatten().flatten().chain(&self.all)
    }

    /// What of the log concerns any of them.
    pub(super) fn interest(&mut self) -> Arc<Interest> {
        if let Some(interest) = &self.interest {
            return interest.clone();
        }
        let interest = Arc::new(if self.all.is_empty() {
            Interest::Some(Wanted {
                orders: self.orders.keys().copied().collect(),
                clients: self.clients.keys().copied().collect(),
                customers: self.customers.keys().copied().collect(),
            })
        } else {
            Interest::All
        });
        self.interest = Some(interest.clone());
        interest
    }
}

fn remove_from<K: Eq + Hash>(
    lists: &mut HashMap<K, Vec<Arc<Shared>>>,
    key: &K,
    stream: &Arc<Shared>,
) -> bool {
    let Some(list) = lists.get_mut(key) else {
        return false;
    };
    let removed = take_out(list, stream);
    if list.is_empty() {
        lists.remove(key);
    }
    removed
}

fn keep<K: Eq + Hash>(lists: &mut HashMap<K, Vec<Arc<Shared>>>, stays: impl Fn(&Arc<Shared>) -> bool) {
    lists.retain(|_, list| {
        list.retain(&stays);
        !list.is_empty()
    });
}

fn take_out(list: &mut Vec<Arc<Shared>>, stream: &Arc<Shared>) -> bool {
    let place = list.iter().position(|found| Arc::ptr_eq(found, stream));
    place.map(|place| list.swap_remove(place)).is_some()
}
