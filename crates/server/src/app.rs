//! The parts of a running Waybill, built, started and stopped in order.

use std::sync::Arc;

use model::head::DelayScale;
use model::lifecycle::shipped;
use model::time::Timestamp;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use store::{Birth, OpenError};

use crate::clock::{Clock, SystemClock};
use crate::engine::{
    Engine, GROUP_COMMANDS, Observer, Options, QUEUE_COMMANDS, QUEUE_WAIT, Quotas, SharedObserver,
};
use crate::place::StorePlace;

/// Why it does not start, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store, or where it is.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store, once opened.
    #[error("the store cannot be used: {0}")]
    Store(#[from] store::Error),
    /// The writer thread panicked.
    #[error("the writer failed: what was not answered is not decided, the log has the reason")]
    WriterDied,
    /// Storage does not answer while it is closed.
    #[error(
        "the store did not take in time what was accepted (SHUTDOWN_GRACE_S): what was not answered may not be decided"
    )]
    Unfinished,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The system gives no thread to follow the log.
    #[error("the system gives no thread ({0}): raise the number of threads or processes that it may have")]
    Thread(std::io::ErrorKind),
}

impl StartError {
    /// Whether the same may succeed in a moment without anybody's doing.
    pub(crate) const fn is_worth_waiting(&self) -> bool {
        match self {
            Self::Open(error) => error.is_worth_waiting(),
            Self::Store(error) => error.may_pass(),
            Self::WriterDied | Self::Unfinished | Self::Random(_) | Self::Thread(_) => false,
        }
    }
}

/// Random numbers that nobody can foretell.
pub(crate) fn system_random() -> Result<StdRng, StartError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| StartError::Random(error.to_string()))
}

/// What a store is born with, if there is none.
pub(crate) fn birth(random: &mut StdRng, at: Timestamp) -> Birth {
    Birth {
        store_id: random.random(),
        event_id_key: random.random(),
        at,
    }
}

/// A store with its engine running.
pub struct App {
    engine: Engine,
}

impl App {
    /// Opens a store, made if there is none, pins the shipped lifecycles and starts the engine.
    ///
    /// # Errors
    /// [`StartError`]; each message names the cure.
    pub fn start(place: impl Into<StorePlace>, observer: Option<Observer>) -> Result<Self, StartError> {
        Self::start_scaled(
            &place.into(),
            DelayScale::ONE,
            Quotas::default(),
            &(Arc::new(SystemClock) as Arc<dyn Clock>),
            observer,
        )
    }

    /// As [`App::start`], with automatic delays stretched, other quotas and another clock.
    ///
    /// # Errors
    /// [`StartError`]; each message names the cure.
    pub fn start_scaled(
        place: &StorePlace,
        scale: DelayScale,
        quotas: Quotas,
        clock: &Arc<dyn Clock>,
        observer: Option<Observer>,
    ) -> Result<Self, StartError> {
        let mut random = system_random()?;
        let observer = observer.map(SharedObserver::new);
        let engine = place.patiently(|| {
            let store = place.open(&birth(&mut random, clock.now()))?;
            store.pin_lifecycles(&shipped(), clock.now())?;
            Ok(Engine::start(Options {
                store,
                clock: clock.clone(),
                random: StdRng::from_rng(&mut random),
                scale,
                writers: place.writers(),
                queue_commands: QUEUE_COMMANDS,
                group_commands: GROUP_COMMANDS,
                queue_wait: QUEUE_WAIT,
                quotas,
                observer: observer.clone(),
            })?)
        })?;
        Ok(Self { engine })
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Finishes what was accepted. The store is closed with the last handle.
    ///
    /// # Errors
    /// [`StartError::WriterDied`] if the writer had ended before.
    pub async fn stop(self) -> Result<(), StartError> {
        if self.engine.stop().await {
            Ok(())
        } else {
            Err(StartError::WriterDied)
        }
    }
}
