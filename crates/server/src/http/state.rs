//! What every handler is given.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use model::Lifecycle;
use model::ids::{LifecycleId, PartyId};
use model::time::Timestamp;
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use store::{Error, OrderRecord, PartyKind, Reader, Store};

use tokio::sync::Semaphore;

use super::auth::Auth;
use super::body::Room;
use super::idempotency::UnderWay;
use super::metrics::Metrics;
use super::problem::Problem;
use super::rate_limit::RateLimit;
use super::read_threads::ReadThreads;
use super::stream::{StreamLimits, Watch};
use crate::engine::Handle;
use crate::live::Hub;
use crate::settings::IpBlock;

/// Names of parties remembered.
const NAMES: usize = 100_000;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub(crate) struct Shared {
    pub(crate) engine: Handle,
    pub(crate) auth: Auth,
    pub(crate) rate_limit: RateLimit,
    pub(crate) metrics: Metrics,
    pub(crate) room: Room,
    pub(crate) under_way: UnderWay,
    pub(crate) tracking_prefix: String,
    /// Food orders take no token.
    pub(crate) open_orders: bool,
    /// Proxies whose word on the caller's address is taken.
    pub(crate) trusted_proxies: Vec<IpBlock>,
    pub(crate) live: Hub,
    pub(crate) watch: Watch,
    pub(crate) stream_limits: StreamLimits,
    pub(crate) openapi: std::sync::OnceLock<bytes::Bytes>,
    read_threads: ReadThreads,
    lists: Semaphore,
    names: RwLock<HashMap<PartyId, Arc<str>>>,
}

/// What a [`Shared`] is made of.
pub(crate) struct Parts {
    pub(crate) engine: Handle,
    pub(crate) read_threads: ReadThreads,
    /// As many as the store has.
    pub(crate) readers: usize,
    pub(crate) auth: Auth,
    pub(crate) rate_limit: RateLimit,
    pub(crate) metrics: Metrics,
    pub(crate) tracking_prefix: String,
    pub(crate) open_orders: bool,
    pub(crate) trusted_proxies: Vec<IpBlock>,
    pub(crate) room: Room,
    pub(crate) stream_limits: StreamLimits,
}

impl AppState {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            live: Hub::new(
                parts.engine.clone(),
                parts.stream_limits.live,
                parts.metrics.live.clone(),
            ),
            watch: Watch::new(parts.stream_limits.per_principal),
            stream_limits: parts.stream_limits,
            engine: parts.engine,
            auth: parts.auth,
            rate_limit: parts.rate_limit,
            metrics: parts.metrics,
            room: parts.room,
            under_way: UnderWay::default(),
            tracking_prefix: parts.tracking_prefix,
            open_orders: parts.open_orders,
            trusted_proxies: parts.trusted_proxies,
            openapi: std::sync::OnceLock::new(),
            read_threads: parts.read_threads,
            // Half of the readers.
            lists: Semaphore::new(parts.readers.div_ceil(2)),
            names: RwLock::default(),
        }))
    }

    /// Reads from the store, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&mut dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        self.on_read_thread(move |store| store.reading(&mut job)).await
    }

    async fn on_read_thread<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.engine.store().clone();
        let done = self.read_threads.run(move || read(&*store)).await;
        let read = done.ok_or_else(Problem::internal)?;
        Ok(read.inspect_err(|_| self.metrics.database_failed())?)
    }
}

impl AppState {
    /// As [`AppState::read`], for what may take long and may be of a moment ago: it leaves readers to those who want one thing, and
    /// may be read on a replica.
    pub(crate) async fn read_list<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&mut dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.lists.acquire().await.map_err(|_| Problem::internal())?;
        self.on_read_thread(move |store| store.reading_behind(&mut job))
            .await
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// The definition of shipments that new ones get.
    pub(crate) fn shipment_lifecycle(&self) -> Result<(LifecycleId, Arc<Lifecycle>), Problem> {
        self.engine
            .lifecycle_named("shipment")
            .ok_or_else(Problem::internal)
    }

    /// The definition that an order lives by.
    pub(crate) fn lifecycle_of(&self, order: &OrderRecord) -> Result<Arc<Lifecycle>, Error> {
        let found = self.engine.lifecycle(order.head.lifecycle);
        found.ok_or_else(|| Error::Damaged(format!("{}: its lifecycle is not stored", order.public_id)))
    }

    /// The name of a party, read once and remembered.
    pub(crate) fn party_name(&self, reader: &mut dyn Reader, party: PartyId) -> Result<Arc<str>, Error> {
        let known = self
            .names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&party)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let name: Arc<str> = reader.party_name(party)?.unwrap_or_default().into();
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(party, name.clone());
        Ok(name)
    }

    /// The number of a client, if anything is known of it.
    pub(crate) fn known_client(reader: &mut dyn Reader, name: &str) -> Result<Option<PartyId>, Error> {
        reader.party(PartyKind::Client, name)
    }
}

/// Fresh random numbers, seeded by the system.
pub(crate) fn random<T>() -> Result<T, Problem>
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    thread_local! {
        static RANDOM: std::cell::RefCell<Option<StdRng>> = const { std::cell::RefCell::new(None) };
    }
    RANDOM.with_borrow_mut(|random| {
        if random.is_none() {
            *random = Some(StdRng::try_from_rng(&mut SysRng).map_err(|_| Problem::internal())?);
        }
        random.as_mut().map(RngExt::random).ok_or_else(Problem::internal)
    })
}
