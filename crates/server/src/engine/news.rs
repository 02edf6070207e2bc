//! That the log has grown: told to whoever reads it, whichever node wrote, and by what, where this one did. So are definitions of lifecycles that others have stored.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use model::ids::Position;
use store::{Error, GroupWrites, Listener, Store};
use tokio::sync::watch;

use super::catalogue::Catalogue;
use super::feed::{Copied, Feed};
use super::limits::POLL;

/// Where the log ends, as far as this node knows.
#[derive(Clone)]
pub(super) struct News {
    known: Arc<watch::Sender<Position>>,
    feed: Arc<Feed>,
}

impl News {
    pub(super) fn new(last_position: Position) -> Self {
        Self {
            known: Arc::new(watch::channel(last_position).0),
            feed: Arc::default(),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.known.subscribe()
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// What whoever follows the log wants of a group that is about to be stored: for [`News::stored`].
    pub(super) fn copy(&self, writes: &GroupWrites) -> Option<Copied> {
        self.feed.copy(writes)
    }

    /// A group was stored, and the log ends with it.
    pub(super) fn stored(&self, copied: Option<Copied>, last_position: Position) {
        // Before anybody is woken by it.
        if let Some(copied) = copied {
            self.feed.stored(copied, last_position);
        }
        self.grown_to(last_position);
    }

    /// The log has grown to here, if that is news: of two writers the later may tell first.
    pub(super) fn grown_to(&self, position: Position) {
        self.known.send_if_modified(|known| {
            let is_news = position > *known;
            *known = position.max(*known);
            is_news
        });
    }
}

/// A thread that hears of what other nodes write. It ends with this.
pub(super) struct Follower {
    running: Arc<()>,
    thread: JoinHandle<()>,
}

impl Follower {
    pub(super) fn start(
        store: &Arc<dyn Store>,
        listener: Box<dyn Listener>,
        news: &News,
        catalogue: &Arc<Catalogue>,
    ) -> io::Result<Self> {
        let running = Arc::new(());
        let following = Following {
            store: store.clone(),
            listener,
            news: news.clone(),
            catalogue: catalogue.clone(),
            running: Arc::downgrade(&running),
        };
        let thread = std::thread::Builder::new()
            .name("follower".to_owned())
            .spawn(move || following.run())?;
        Ok(Self { running, thread })
    }

    /// Waits for its end, which comes within [`POLL`] and the time of one read. Whether it ended well.
    pub(super) fn end(self) -> bool {
        drop(self.running);
        self.thread.join().is_ok()
    }
}

struct Following {
    store: Arc<dyn Store>,
    listener: Box<dyn Listener>,
    news: News,
    catalogue: Arc<Catalogue>,
    /// None left: nobody wants to know any more.
    running: Weak<()>,
}

impl Following {
    fn run(mut self) {
        let mut trouble = None;
        while self.running.strong_count() > 0 {
            // Told or not: what is lost of the telling costs this long.
            self.listener.wait(POLL);
            tell_of(&mut trouble, self.store.trouble());
            match self.look() {
                Ok(position) => self.news.grown_to(position),
                Err(error) => tracing::debug!(error.detail = %error, "the end of the log cannot be read"),
            }
        }
    }

    /// Where the log ends. Definitions that have come are read before: the log may have orders that live by them.
    fn look(&self) -> Result<Position, Error> {
        let (stored, position) = self
            .store
            .reading(|reader| Ok((reader.lifecycles_stored()?, reader.last_position()?)))?;
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
