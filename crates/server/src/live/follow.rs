//! The follower: the one reader of the log for all streams of a node.
//!
//! Each turn it looks into the inbox, hands what was written since the last turn to the streams that are live, then does one part of the catching up.
//! What this node wrote comes from the writer's [`Feed`](crate::engine::Feed); where that has a gap, the log is read. It alone decides where a stream stands, so a stream is never told by two at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::ids::{PartyId, Position};
use store::limits::FOLLOWED_ENTRIES;
use store::{Error, LogPage, PartyKind, Reader};
use tokio::runtime;
use tokio::sync::watch;

use super::catch_up::CatchUp;
use super::deliver::Delivery;
use super::hub::Core;
use super::index::Index;
use super::labels::{self, Labels};
use super::limits::{GATHER, PAGE_ENTRIES, RETRY_PAUSE};
use super::stream::{Closed, WhenFull};
use crate::engine::Part;

pub(super) struct Follower {
    core: Arc<Core>,
    news: watch::Receiver<Position>,
    /// Live streams have been told everything up to here.
    at: Position,
    live: Index,
    behind: CatchUp,
    labels: Labels,
    /// When live streams were told last.
    told_at: Option<Instant>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing to do before something happens.
    Done,
    /// There is more.
    More,
}

impl Follower {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            news: core.engine.wake_ups(),
            core,
            at: Position::new(0),
            live: Index::default(),
            behind: CatchUp::default(),
            labels: Labels::default(),
            told_at: None,
        }
    }

    /// Works until the hub is shut down. All streams are closed when it ends.
    pub(super) fn run(mut self, runtime: &runtime::Handle) {
        while !self.core.is_shut() {
            self.look_into_inbox();
            if self.live.is_empty() && self.behind.is_empty() {
                self.core.counters.lag.set(0);
                self.core.engine.feed().want(None);
                runtime.block_on(self.core.bell.notified());
                continue;
            }
            // Before reading: what is written from now on rings again.
            let known = *self.news.borrow_and_update();
            match self.turn(known) {
                Ok(Turn::More) => {}
                Ok(Turn::Done) => runtime.block_on(self.something_happens()),
                Err(error) => {
                    tracing::warn!(error.detail = %error, "the log cannot be read for live streams: they wait");
                    runtime.block_on(async { tokio::time::sleep(RETRY_PAUSE).await });
                }
            }
        }
    }

    fn turn(&mut self, known: Position) -> Result<Turn, Error> {
        let live = self.tell(known)?;
        self.core
            .counters
            .lag
            .set(known.get().saturating_sub(self.at.get()).max(0));
        let mut work = super::catch_up::Work {
            core: &self.core,
            labels: &mut self.labels,
            live: &mut self.live,
            at: &mut self.at,
        };
        let behind = self.behind.turn(&mut work)?;
        Ok(if live == Turn::Done && behind == Turn::Done {
            Turn::Done
        } else {
            Turn::More
        })
    }

    /// Hands what comes next to live streams.
    fn tell(&mut self, known: Position) -> Result<Turn, Error> {
        let interest = self.live.interest();
        let feed = self.core.engine.feed();
        if interest.is_none() && self.live.awaited().is_empty() {
            feed.want(None);
            // Nobody's: nothing of it need be read. Streams that are caught up meanwhile come to this or beyond.
            if self.behind.is_empty() {
                self.at = self.at.max(known);
                self.core.told_up_to(self.at);
            }
            return Ok(Turn::Done);
        }
        feed.want(Some(&interest));
        self.told_at = Some(Instant::now());
        let before = self.at;
        self.tell_fed()?;
        if self.at >= known {
            return Ok(Turn::Done);
        }
        if self.at > before {
            // One look at a time: who keeps up has room for one.
            return Ok(Turn::More);
        }
        let page = read(&self.core, &mut self.labels, self.at, &mut self.live)?;
        let turn = how_far(&page, self.at);
        self.hand_out(&page);
        Ok(turn)
    }

    /// Hands out what this node wrote, up to the first gap. What lies behind it is in the log.
    fn tell_fed(&mut self) -> Result<(), Error> {
        let parts = self.core.engine.feed().take();
        if parts.is_empty() || self.has_one_arrived()? {
            return Ok(());
        }
        for Part { after, page } in parts {
            if after > self.at {
                break;
            }
            if page.through <= self.at {
                continue;
            }
            let missing = self.labels.missing(&page.entries);
            if !missing.is_empty() {
                let read = |reader: &mut dyn Reader| labels::read(reader, &missing);
                self.labels.learn(self.core.engine.store().reading(read)?);
            }
            self.hand_out(&page);
        }
        Ok(())
    }

    /// Whether a client has a number for whom a stream waits: what it wrote since is not in the feed. It has it before its first entry.
    fn has_one_arrived(&mut self) -> Result<bool, Error> {
        let awaited = self.live.awaited();
        if awaited.is_empty() {
            return Ok(false);
        }
        let arrived = self
            .core
            .engine
            .store()
            .reading(|reader| arrived(reader, &awaited))?;
        Ok(!arrived.is_empty())
    }

    fn hand_out(&mut self, page: &LogPage) {
        // Each that is full is closed; its reader takes it away.
        Delivery::new(&self.core, &self.labels).all(&page.entries, &self.live, WhenFull::Close);
        self.at = page.through;
        self.core.told_up_to(self.at);
    }

    fn look_into_inbox(&mut self) {
        let inbox = self.core.take_inbox();
        if self.live.is_empty() && self.behind.is_empty() {
            // Nobody was told of anything: the log is followed from where the first stream finds it.
            let heads = inbox.opened.iter().map(|(_, head)| *head);
            self.at = heads.max().unwrap_or(self.at).max(self.at);
            self.core.told_up_to(self.at);
        }
        for (stream, _) in inbox.opened {
            if stream.has() >= self.at {
                stream.is_live();
                self.live.insert(stream);
            } else {
                self.behind.add(stream);
            }
        }
        for stream in inbox.have_room {
            stream.takes_again();
            self.behind.add(stream);
        }
        for stream in inbox.left {
            self.live.remove(&stream);
            self.behind.remove(&stream);
        }
    }

    /// Waits for news or for somebody who wants something, and for a moment after what was told last: what is written at the same time is told at once.
    async fn something_happens(&mut self) {
        tokio::select! {
            () = self.core.bell.notified() => {}
            // The engine may end before the hub.
            changed = self.news.changed() => if changed.is_err() {
                self.core.bell.notified().await;
            }
        }
        let since = self.told_at.map_or(Duration::MAX, |at| at.elapsed());
        tokio::time::sleep(GATHER.saturating_sub(since)).await;
    }
}

impl Drop for Follower {
    /// Nobody tells its streams any more.
    fn drop(&mut self) {
        self.core.engine.feed().want(None);
        let inbox = self.core.take_inbox();
        let opened = inbox.opened.iter().map(|(stream, _)| stream);
        let have_room = inbox.have_room.iter();
        let waiting = self.behind.iter().chain(opened).chain(have_room);
        for stream in self.live.iter().chain(waiting) {
            stream.close(Closed::Shutdown);
        }
    }
}

/// Reads the next part of the log that concerns any of some streams, and what its orders are called.
pub(super) fn read(
    core: &Core,
    known: &mut Labels,
    after: Position,
    streams: &mut Index,
) -> Result<LogPage, Error> {
    loop {
        let (interest, awaited) = (streams.interest(), streams.awaited());
        let (page, labels, arrived) = core.engine.store().reading(|reader| {
            let page = reader.log_of(after, PAGE_ENTRIES, &interest)?;
            let missing = known.missing(&page.entries);
            let labels = labels::read(reader, &missing)?;
            // Of the same instant: a client has its number before its first entry.
            let arrived = arrived(reader, &awaited)?;
            Ok((page, labels, arrived))
        })?;
        known.learn(labels);
        if arrived.is_empty() {
            return Ok(page);
        }
        // What was read may lack entries of theirs.
        streams.arrive(&arrived);
    }
}

/// Those of some clients who have a number by now, with it.
fn arrived(reader: &mut dyn Reader, awaited: &[Box<str>]) -> Result<Vec<(Box<str>, PartyId)>, Error> {
    let mut arrived = Vec::new();
    for name in awaited {
        let number = reader.party(PartyKind::Client, name)?;
        arrived.extend(number.map(|number| (name.clone(), number)));
    }
    Ok(arrived)
}

/// Whether a page may not have come to the end of the log.
pub(super) fn how_far(page: &LogPage, after: Position) -> Turn {
    let looked_at = page.through.get() - after.get();
    let is_full = page.entries.len() >= usize::try_from(FOLLOWED_ENTRIES).unwrap_or(usize::MAX);
    if looked_at >= i64::from(PAGE_ENTRIES) || is_full {
        Turn::More
    } else {
        Turn::Done
    }
}
