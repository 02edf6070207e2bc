//! Catching up: streams that begin in the past.
//!
//! A pass reads the log from the lowest position that anybody wants, and hands what it finds to all that take part. So ten thousand streams
//! that come back at once cost one reading of the log, not ten thousand. There are two at most: one for those that are behind by
//! no more than a page, which is done in one or two turns, and one for everybody else, of which each turn does a page. Who comes while a pass is
//! under way takes part if it has not passed by yet, or else in the next one. Whose buffer is full leaves the pass, and comes again once it has been
//! read. A stream on one order takes part in none: its order's history is read.
//!
//! Who has come to where the follower is, goes on live. The end of the log that a pass reads is never before that.

use std::collections::VecDeque;
use std::sync::Arc;

use model::command::OrderRef;
use model::ids::{OrderKey, Position};
use store::{Error, LogEntry};

use super::deliver::Delivery;
use super::filter::Route;
use super::follow::{Turn, how_far, read};
use super::hub::Core;
use super::index::Index;
use super::labels::{self, Labels};
use super::limits::{NEAR_ENTRIES, REPLAYED_ENTRIES, REPLAYED_ORDERS};
use super::stream::{Reset, Shared, WhenFull};

/// What catching up works with.
pub(super) struct Work<'a> {
    pub(super) core: &'a Core,
    pub(super) labels: &'a mut Labels,
    pub(super) live: &'a mut Index,
    /// Up to where live streams were told of everything.
    pub(super) at: &'a mut Position,
}

impl Work<'_> {
    /// A stream that has everything up to `through` goes on live. False if that is not far enough.
    fn goes_live(&mut self, stream: &Arc<Shared>, through: Position) -> bool {
        if self.live.is_empty() && through > *self.at {
            // Nobody is live who would miss what lies between.
            *self.at = through;
            self.core.told_up_to(through);
        }
        if through < *self.at {
            return false;
        }
        // One that takes nothing any more was closed, and its reader takes it away.
        if stream.has_all(through) {
            stream.is_live();
            self.live.insert(stream.clone());
        }
        true
    }

    fn resets(&mut self, stream: &Arc<Shared>, why: Reset) {
        stream.reset(*self.at, why);
        stream.is_live();
        self.live.insert(stream.clone());
    }
}

/// Streams that do not have everything yet.
#[derive(Default)]
pub(super) struct CatchUp {
    /// On one order each.
    replays: VecDeque<Arc<Shared>>,
    /// How many of the first of these are read one by one, as one of them could not be read.
    singly: usize,
    /// For the next pass.
    waiting: Vec<Arc<Shared>>,
    near: Option<Pass>,
    far: Option<Pass>,
}

/// One reading of the log.
struct Pass {
    at: Position,
    members: Index,
}

impl CatchUp {
    pub(super) fn is_empty(&self) -> bool {
        self.replays.is_empty() && self.waiting.is_empty() && self.near.is_none() && self.far.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Shared>> {
        let members = self
            .near
            .iter()
            .chain(&self.far)
            .flat_map(|pass| pass.members.iter());
        self.replays.iter().chain(&self.waiting).chain(members)
    }

    pub(super) fn add(&mut self, stream: Arc<Shared>) {
        match stream.route() {
            Route::Order(_) => self.replays.push_back(stream),
            Route::Client(_) | Route::Customer(_) | Route::All | Route::Nowhere => self.waiting.push(stream),
        }
    }

    pub(super) fn remove(&mut self, stream: &Arc<Shared>) {
        let is_it = |found: &Arc<Shared>| Arc::ptr_eq(found, stream);
        match stream.route() {
            Route::Order(_) => self.replays.retain(|found| !is_it(found)),
            Route::Client(_) | Route::Customer(_) | Route::All | Route::Nowhere => {
                self.waiting.retain(|found| !is_it(found));
                for pass in self.near.iter_mut().chain(&mut self.far) {
                    pass.members.remove(stream);
                }
            }
        }
    }

    /// Does a part of it.
    pub(super) fn turn(&mut self, work: &mut Work<'_>) -> Result<Turn, Error> {
        self.gather(work);
        if !self.replays.is_empty() {
            self.replay(work)?;
        }
        for pass in [&mut self.near, &mut self.far] {
            let Some(under_way) = pass else { continue };
            if under_way.step(work)? == Turn::Done {
                *pass = None;
            }
        }
        Ok(if self.is_empty() { Turn::Done } else { Turn::More })
    }

    /// Gives those who wait a pass to take part in, if it has not passed by them.
    fn gather(&mut self, work: &mut Work<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let end = *work.at;
        let mut later = Vec::new();
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for stream in self.waiting.drain(..) {
            let has = stream.has();
            let behind = end.get() - has.get();
            if behind > work.core.limits.behind_entries {
                work.resets(&stream, Reset::TooOld);
            } else if behind <= NEAR_ENTRIES {
                near.push((has, stream));
            } else {
                far.push((has, stream));
            }
        }
        for (pass, wish) in [(&mut self.near, near), (&mut self.far, far)] {
            let Some(lowest) = wish.iter().map(|(has, _)| *has).min() else {
                continue;
            };
            let pass = pass.get_or_insert_with(|| Pass {
                at: lowest,
                members: Index::default(),
            });
            for (has, stream) in wish {
                if has >= pass.at {
                    pass.members.insert(stream);
                } else {
                    later.push(stream);
                }
            }
        }
        self.waiting = later;
    }

    /// Reads the histories of some orders and hands them to the streams on them.
    fn replay(&mut self, work: &mut Work<'_>) -> Result<(), Error> {
        let some = if self.singly > 0 { 1 } else { REPLAYED_ORDERS };
        let some = some.min(self.replays.len());
        let streams: Vec<Arc<Shared>> = self.replays.drain(..some).collect();
        self.singly = self.singly.saturating_sub(1);
        match (self.replay_of(work, &streams), &*streams) {
            (Ok(()), _) => Ok(()),
            (Err(error @ (Error::Damaged(_) | Error::ReadTooLong)), [stream]) => {
                tracing::warn!(error.detail = %error, "an order's history cannot be read: a stream on it goes on without");
                work.resets(stream, Reset::Unreadable);
                Ok(())
            }
            (Err(Error::Damaged(_) | Error::ReadTooLong), _) => {
                // The others need not wait for it.
                self.singly = streams.len();
                self.come_first(streams);
                Ok(())
            }
            (Err(error), _) => {
                // They are as far as they were.
                self.replays.extend(streams);
                Err(error)
            }
        }
    }

    fn come_first(&mut self, streams: impl IntoIterator<Item = Arc<Shared>, IntoIter: DoubleEndedIterator>) {
        for stream in streams.into_iter().rev() {
            self.replays.push_front(stream);
        }
    }

    fn replay_of(&mut self, work: &mut Work<'_>, streams: &[Arc<Shared>]) -> Result<(), Error> {
        let orders: Vec<OrderKey> = streams.iter().filter_map(order_of).collect();
        let (histories, labels, through) = work.core.engine.store().reading(|reader| {
            let (mut histories, mut entries) = (Vec::new(), 0_u32);
            for order in &orders {
                if entries >= REPLAYED_ENTRIES {
                    break;
                }
                let order = reader.order(&OrderRef::Key(*order))?;
                let history = match &order {
                    Some(order) if !order.placement.is_archived() => Some(reader.history(order)?),
                    Some(_) | None => None,
                };
                entries += order.map_or(0, |order| order.head.version.get());
                histories.push(history);
            }
            let all: Vec<LogEntry> = histories
                .iter()
                .flatten()
                .filter_map(|history| history.first().cloned())
                .collect();
            let missing = work.labels.missing(&all);
            Ok((
                histories,
                labels::read(reader, &missing)?,
                reader.last_position()?,
            ))
        })?;
        work.labels.learn(labels);
        let done = histories.len();
        for (stream, history) in streams.iter().zip(histories) {
            match history {
                None => work.resets(stream, Reset::Archived),
                Some(history) => {
                    let has = stream.has();
                    let news: Vec<LogEntry> =
                        history.into_iter().filter(|found| found.position > has).collect();
                    let took = Delivery::new(work.core, work.labels).alone(&news, stream);
                    if took && !work.goes_live(stream, through) {
                        self.replays.push_back(stream.clone());
                    }
                }
            }
        }
        self.come_first(streams.iter().skip(done).cloned());
        Ok(())
    }
}

fn order_of(stream: &Arc<Shared>) -> Option<OrderKey> {
    match stream.route() {
        Route::Order(order) => Some(order),
        Route::Client(_) | Route::Customer(_) | Route::All | Route::Nowhere => None,
    }
}

impl Pass {
    /// Reads a page and hands it out. [`Turn::Done`]: all members have gone on.
    fn step(&mut self, work: &mut Work<'_>) -> Result<Turn, Error> {
        if self.members.is_empty() {
            return Ok(Turn::Done);
        }
        let page = match read(work.core, work.labels, self.at, &mut self.members) {
            Ok(page) => page,
            Err(Error::Archived) => return Ok(self.goes_on_without(work, Reset::Archived)),
            Err(error @ Error::Damaged(_)) => {
                tracing::warn!(error.detail = %error, "a part of the log cannot be read: streams go on without");
                return Ok(self.goes_on_without(work, Reset::Unreadable));
            }
            Err(error) => return Err(error),
        };
        let full = Delivery::new(work.core, work.labels).all(&page.entries, &self.members, WhenFull::Stall);
        self.members.remove_all(&full);
        let turn = how_far(&page, self.at);
        self.at = page.through;
        if turn == Turn::More {
            return Ok(Turn::More);
        }
        for stream in std::mem::take(&mut self.members).iter() {
            if !work.goes_live(stream, page.through) {
                self.members.insert(stream.clone());
            }
        }
        Ok(if self.members.is_empty() {
            Turn::Done
        } else {
            Turn::More
        })
    }

    fn goes_on_without(&mut self, work: &mut Work<'_>, why: Reset) -> Turn {
        for stream in std::mem::take(&mut self.members).iter() {
            work.resets(stream, why);
        }
        Turn::Done
    }
}
