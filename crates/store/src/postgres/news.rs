//! News between nodes: that something was written, never what.
//!
//! Told by `NOTIFY` on a connection of its own, after the commit: no writer waits for it, and it takes no lock that a group
//! holds. What is not told costs a listener the time until it looks by itself.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address::{Address, Purpose};
use super::session::Session;
use crate::api::Listener;
use crate::error::{Error, Trouble};
use crate::limits::{ANNOUNCE_AGAIN, ANNOUNCE_PAUSE, LISTEN_PAUSE, LONGEST_LISTENING};

/// The channel of a store: another one in the same database has another.
pub(super) fn channel(store_id: &[u8; 16]) -> String {
    let number = u128::from_be_bytes(*store_id);
    format!("waybill_{number:032x}")
}

/// Tells listeners, at most once in [`ANNOUNCE_PAUSE`]. Its thread ends with the last owner: a store, or a writer that
/// outlives it.
pub(super) struct Announcer(Arc<Pending>);

#[derive(Default)]
struct Pending {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_pending: bool,
    is_closed: bool,
}

impl Announcer {
    pub(super) fn start(address: Address, channel: &str) -> Result<Self, Error> {
        let pending = Arc::new(Pending::default());
        let (shared, notify) = (pending.clone(), format!("NOTIFY {channel}"));
        std::thread::Builder::new()
            .name(format!("news {}", address.node()))
            .spawn(move || shared.run(&address, &notify))
            .map_err(|error| Error::Unavailable {
                trouble: Trouble::Failed,
                detail: format!("no thread can be started that tells other nodes ({error})"),
            })?;
        Ok(Self(pending))
    }

    /// Something was committed.
    pub(super) fn announce(&self) {
        self.0.lock().is_pending = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Pending {
    fn run(&self, address: &Address, notify: &str) {
        let mut session = None;
        while self.next() {
            // The first one connects: who never writes has no connection for it.
            if session.is_none() {
                session = address.connect(Purpose::Announce).ok();
            }
            let is_told = session
                .as_mut()
                .is_some_and(|session: &mut Session| session.batch(notify).is_ok());
            if is_told {
                drop(self.pause(ANNOUNCE_PAUSE));
                continue;
            }
            session = None;
            let mut state = self.pause(ANNOUNCE_AGAIN);
            if state.is_closed {
                return;
            }
            state.is_pending = true;
        }
    }

    /// Waits until there is something to tell; false at the end. What is left to tell then is told first.
    fn next(&self) -> bool {
        let idle = |state: &mut State| !state.is_pending && !state.is_closed;
        let state = self.changed.wait_while(self.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.is_pending)
    }

    fn pause(&self, pause: Duration) -> MutexGuard<'_, State> {
        let open = |state: &mut State| !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), pause, open);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread that reads a listener's socket leaves for whoever waits.
#[derive(Default)]
pub(super) struct Bell {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    has_rung: bool,
    has_ended: bool,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.lock().has_rung = true;
        self.changed.notify_one();
    }

    /// The connection is gone.
    pub(super) fn end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_one();
    }

    /// Whether it rang, which is forgotten by that, and whether it can ring again.
    fn wait(&self, patience: Duration) -> (bool, bool) {
        let silent = |heard: &mut Heard| !heard.has_rung && !heard.has_ended;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, silent);
        let (mut heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut heard.has_rung), !heard.has_ended)
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct PostgresListener {
    address: Address,
    listen: String,
    ear: Ear,
}

/// A session that hears, held for its connection, and what it rings.
type Hearing = (Session, Arc<Bell>);

enum Ear {
    Hearing(Box<Hearing>),
    /// A thread makes the connection again, and takes the time for it that a far server needs, however little patience a caller has.
    Connecting(Receiver<Hearing>),
    Lost,
}

impl PostgresListener {
    pub(super) fn new(address: Address, channel: &str) -> Result<Self, Error> {
        let listen = format!("LISTEN {channel}");
        let ear = Ear::Hearing(Box::new(hearing(&address, &listen)?));
        Ok(Self { address, listen, ear })
    }

    /// One try at a time, after a pause. It ends by itself, also where nobody waits for it any more.
    fn connect_again(&self) -> Ear {
        let (came, comes) = mpsc::sync_channel(1);
        let (address, listen) = (self.address.clone(), self.listen.clone());
        let started = std::thread::Builder::new()
            .name(format!("ear {}", self.address.node()))
            .spawn(move || {
                std::thread::sleep(LISTEN_PAUSE);
                if let Ok(hearing) = hearing(&address, &listen) {
                    // Else the listener is gone, and the session goes with it.
                    drop(came.send(hearing));
                }
            });
        started.map_or(Ear::Lost, |_| Ear::Connecting(comes))
    }
}

fn hearing(address: &Address, listen: &str) -> Result<Hearing, Error> {
    let (mut session, bell) = address.listen()?;
    session.batch(listen)?;
    Ok((session, bell))
}

impl Listener for PostgresListener {
    fn wait(&mut self, patience: Duration) -> bool {
        let ends_at = Instant::now() + patience.min(LONGEST_LISTENING);
        let left = || ends_at.saturating_duration_since(Instant::now());
        loop {
            match &self.ear {
                Ear::Hearing(hearing) => match hearing.1.wait(left()) {
                    (true, _) => return true,
                    (false, true) => return false,
                    (false, false) => self.ear = Ear::Lost,
                },
                Ear::Connecting(comes) => match comes.recv_timeout(left()) {
                    Ok(hearing) => {
                        self.ear = Ear::Hearing(Box::new(hearing));
                        // Nobody knows what was said meanwhile.
                        return true;
                    }
                    Err(RecvTimeoutError::Timeout) => return false,
                    Err(RecvTimeoutError::Disconnected) => self.ear = Ear::Lost,
                },
                Ear::Lost => {
                    self.ear = self.connect_again();
                    if matches!(self.ear, Ear::Lost) {
                        std::thread::sleep(LISTEN_PAUSE.min(left()));
                        if left().is_zero() {
                            return false;
                        }
                    }
                }
            }
        }
    }
}
