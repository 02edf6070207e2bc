//! That the log has grown: told to whoever reads it, whichever node wrote. So are definitions of lifecycles that others have stored.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use model::ids::Position;
use store::{Error, Listener, Store};
use tokio::sync::watch;

use super::catalogue::Catalogue;
use super::limits::POLL;

/// Where the log ends, as far as this node knows.
#[derive(Clone)]
pub(super) struct News(Arc<watch::Sender<Position>>);

impl News {
    pub(super) fn new(last_position: Position) -> Self {
        Self(Arc::new(watch::channel(last_position).0))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.0.subscribe()
    }

    /// The log has grown to here, if that is news: of two writers the later may tell first.
    pub(super) fn grown_to(&self, position: Position) {
        tell(&self.0, position);
    }
}

fn tell(news: &watch::Sender<Position>, position: Position) {
    news.send_if_modified(|known| {
        let is_news = position > *known;
        *known = position.max(*known);
        is_news
    });
}

/// A thread that hears of what other nodes write.
pub(super) struct Follower {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Follower {
    pub(super) fn start(
        store: &Arc<dyn Store>,
        listener: Box<dyn Listener>,
        news: &News,
        catalogue: &Arc<Catalogue>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let following = Following {
            store: Arc::downgrade(store),
            listener,
            news: news.clone(),
            catalogue: catalogue.clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("follower".to_owned())
            .spawn(move || following.run())?;
        Ok(Self { stop, thread })
    }

    /// Ends it, within [`POLL`] and the time of one read.
    pub(super) fn end(self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().is_ok()
    }
}

struct Following {
    store: Weak<dyn Store>,
    listener: Box<dyn Listener>,
    news: News,
    catalogue: Arc<Catalogue>,
    stop: Arc<AtomicBool>,
}

impl Following {
    fn run(mut self) {
        let mut trouble = None;
        while !self.stop.load(Ordering::Relaxed) {
            // Told or not: what is lost of the telling costs this long.
            self.listener.wait(POLL);
            let Some(store) = self.store.upgrade() else { return };
            tell_of(&mut trouble, store.trouble());
            match self.look(&*store) {
                Ok(position) => self.news.grown_to(position),
                Err(error) => tracing::debug!(error.detail = %error, "the end of the log cannot be read"),
            }
        }
    }

    /// Where the log ends. Definitions that have come are read before: the log may have orders that live by them.
    fn look(&self, store: &dyn Store) -> Result<Position, Error> {
        let (stored, position) =
            store.reading(|reader| Ok((reader.lifecycles_stored()?, reader.last_position()?)))?;
        if stored > self.catalogue.known().len() {
            self.catalogue.renew_if_due();
        }
        Ok(position)
    }
}

/// Logs what there is to be known of the store, once.
fn tell_of(known: &mut Option<String>, trouble: Option<String>) {
    if *known == trouble {
        return;
    }
    match &trouble {
        Some(trouble) => tracing::warn!("{trouble}"),
        None => tracing::info!("the replica is read again"),
    }
    *known = trouble;
}
