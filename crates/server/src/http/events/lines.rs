//! A stream of events, one a line: taken in as it comes, in groups, and never held as a whole.
//!
//! While one group commits the next is parsed. A full queue stops the reading, and so the sender; nothing is refused for want of
//! room. Whatever ends the stream early, the lines that were complete are decided first; but once storage has failed on a group, none of
//! the later ones is decided, or it would overtake that.
//!
//! A stream for whose receipt there is no room is refused before it is read. Should others take the last room meanwhile, its events
//! stay, and its answer says that there is no receipt.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use bytes::Bytes;
use model::command::Actor;
use store::Record;
use tokio::sync::OwnedSemaphorePermit;

use super::super::auth::Asker;
use super::super::limits::{LINE_BYTES, STREAM_GROUP, STREAM_GROUP_BYTES, STREAM_GROUPS};
use super::super::problem::{FieldProblem, Problem};
use super::super::state::AppState;
use super::super::{fields, idempotency};
use super::batch::command;
use super::cut::{Block, Line, Lines};
use super::event::Expected;
use super::prefers_to_wait;
use super::tally::Tally;
use crate::engine::{Answer, Answers, Command, Contents, Handle, OnceAnswer, Submission};

/// What is gathered waits so long for more to come with it.
const GATHER_TIME: Duration = Duration::from_millis(5);

pub(super) async fn take_in(
    state: &AppState,
    asker: &Asker,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    if idempotency::key_of(headers)?.is_some() {
        return Err(Problem::field(
            "Idempotency-Key",
            "value",
            "must not be sent with a stream: events are safe to send again",
        ));
    }
    let actor = asker.actor(&state.engine).await?;
    let engine = state.engine.clone();
    let may_begin = state
        .read(move |reader| engine.may_keep_receipt(reader, actor.party))
        .await?;
    if !may_begin {
        return Err(Problem::too_many_receipts());
    }
    let mut stream = Stream {
        state,
        engine: state.engine.in_order(),
        headers,
        actor,
        label: asker.label(),
        tally: Tally::begin()?,
        failed: false,
        group: Group::default(),
        under_way: VecDeque::new(),
    };
    let mut lines = Lines::of(&state.room, body);
    let ended = stream.run(&mut lines).await;
    // First what came, whatever came then.
    let decided = stream.finish().await;
    let mut tally = stream.tally;
    tally.count(state);
    decided?;
    ended?;
    if tally.received() == 0 {
        return Err(Problem::field("", "length", "must have at least one line"));
    }
    keep_receipt(state, actor, &mut tally).await?;
    let answer = if prefers_to_wait(headers) {
        tally.decided_answer()
    } else {
        tally.accepted_answer()
    };
    Ok(answer.into_response())
}

/// Keeps what became of the stream; or has the tally say that it is not kept, as its events are in.
async fn keep_receipt(state: &AppState, actor: Actor, tally: &mut Tally) -> Result<(), Problem> {
    let receipt = Record::Batch(tally.receipt(actor.party, state.now()));
    let submission = Submission {
        receipt_of: Some(actor.party),
        records: Some(Arc::new(move |_: &[Answer]| vec![receipt.clone()])),
        ..Submission::default()
    };
    let kept = state.engine.enqueue_patiently(submission).await?;
    match kept.wait_once().await? {
        OnceAnswer::Decided(answers) => {
            if let Some(Err(failure)) = answers.first() {
                return Err((*failure).into());
            }
        }
        OnceAnswer::TooManyReceipts => tally.leave_without_receipt(),
        OnceAnswer::Before(_) | OnceAnswer::KeyReused | OnceAnswer::UnderWay => {
            return Err(Problem::internal());
        }
    }
    Ok(())
}

struct Stream<'a> {
    state: &'a AppState,
    /// Takes the groups in their order.
    engine: Handle,
    headers: &'a HeaderMap,
    actor: Actor,
    label: Option<Arc<str>>,
    tally: Tally,
    /// Storage failed on a group.
    failed: bool,
    /// What is gathered for the next group.
    group: Group,
    /// Groups that were handed in, with the places of their events.
    under_way: VecDeque<(Answers, Vec<usize>)>,
}

impl Stream<'_> {
    async fn run(&mut self, lines: &mut Lines) -> Result<(), Problem> {
        loop {
            let gathered = !self.group.commands.is_empty();
            let block = tokio::select! {
                biased;
                block = lines.next_block() => block?,
                () = tokio::time::sleep(GATHER_TIME), if gathered => {
                    self.hand_in().await?;
                    continue;
                }
            };
            match block {
                Some(block) => self.take(&block).await?,
                None => return Ok(()),
            }
        }
    }

    /// Parses the lines of a block, and hands groups in as they are full.
    async fn take(&mut self, block: &Block) -> Result<(), Problem> {
        let lifecycle = self.state.shipment_lifecycle()?.1.clone();
        let expected = Expected {
            lifecycle: &lifecycle,
            now: self.state.now(),
        };
        self.group.blocks.push(block.bytes.clone());
        for line in &block.lines {
            let event = match line {
                Line::Whole(range) => {
                    let bytes = block.bytes.get(range.clone()).unwrap_or_default();
                    fields::text(bytes).and_then(|text| expected.read(text))
                }
                Line::TooLong => Err(line_too_long()),
            };
            let place = self.tally.receive(event.as_ref().err());
            if let (Ok(event), Line::Whole(range)) = (event, line) {
                self.group.add(place, range.clone(), command(self.actor, event));
            }
            if self.group.commands.len() == STREAM_GROUP {
                self.hand_in().await?;
                self.group.blocks.push(block.bytes.clone());
            }
        }
        // Nothing of what is malformed is kept, or a stream of nothing else would fill the memory.
        if self.group.commands.is_empty() {
            self.group.blocks.clear();
        }
        if self.group.bytes() >= STREAM_GROUP_BYTES {
            self.hand_in().await?;
        }
        Ok(())
    }

    async fn hand_in(&mut self) -> Result<(), Problem> {
        let group = std::mem::take(&mut self.group);
        if group.commands.is_empty() {
            return Ok(());
        }
        while self.under_way.len() >= STREAM_GROUPS {
            self.settle_one().await?;
        }
        // Asked again and again: a stream may outlive its token.
        if self.state.authenticate(self.headers).await?.is_none() {
            return Err(Problem::unauthenticated("sign in again"));
        }
        let room = self.room_for(group.bytes()).await?;
        let submission = Submission {
            commands: group.commands,
            label: self.label.clone(),
            keep_refusals: true,
            contents: Some(Arc::new(LineContents {
                _room: room,
                blocks: group.blocks,
                ranges: group.ranges,
            })),
            ..Submission::default()
        };
        let answers = self.engine.enqueue_patiently(submission).await?;
        self.under_way.push_back((answers, group.places));
        Ok(())
    }

    /// Room for so many bytes, waited for: first for our own, as who waits must not hold what others wait for.
    async fn room_for(&mut self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        while !self.under_way.is_empty() {
            let mut room = None;
            if self.state.room.take(&mut room, bytes).is_ok()
                && let Some(room) = room
            {
                return Ok(room);
            }
            self.settle_one().await?;
        }
        self.state.room.wait_for(bytes).await
    }

    async fn settle_one(&mut self) -> Result<(), Problem> {
        let Some((answers, places)) = self.under_way.pop_front() else {
            return Ok(());
        };
        let decided = match answers.wait().await {
            Ok(answers) => self.tally.decide(&places, &answers),
            Err(error) => Err(error.into()),
        };
        self.failed |= decided.is_err();
        decided
    }

    /// Hands in the rest and waits for everything; the first failure is told.
    async fn finish(&mut self) -> Result<(), Problem> {
        // Nothing more after a failure: a later event of a shipment must not overtake one that was not stored.
        let mut failed = if self.failed { Ok(()) } else { self.hand_in().await };
        while !self.under_way.is_empty() {
            let settled = self.settle_one().await;
            failed = failed.and(settled);
        }
        failed
    }
}

/// Events that are handed in together.
#[derive(Default)]
struct Group {
    commands: Vec<Command>,
    places: Vec<usize>,
    blocks: Vec<Bytes>,
    /// For each command its line: the block, and the place in it.
    ranges: Vec<(usize, Range<usize>)>,
}

impl Group {
    fn bytes(&self) -> usize {
        self.blocks.iter().map(Bytes::len).sum()
    }

    /// Adds an event of the last block.
    fn add(&mut self, place: usize, range: Range<usize>, command: Command) {
        self.places.push(place);
        self.ranges.push((self.blocks.len().saturating_sub(1), range));
        self.commands.push(command);
    }
}

/// The lines of a group, as they came.
struct LineContents {
    /// The memory they take, until they are decided.
    _room: OwnedSemaphorePermit,
    blocks: Vec<Bytes>,
    ranges: Vec<(usize, Range<usize>)>,
}

impl Contents for LineContents {
    fn of(&self, command: usize) -> Option<Box<[u8]>> {
        let (block, range) = self.ranges.get(command)?;
        self.blocks.get(*block)?.get(range.clone()).map(Into::into)
    }
}

pub(super) fn line_too_long() -> Problem {
    Problem::fields(vec![FieldProblem::new(
        "",
        "length",
        format!("a line has at most {LINE_BYTES} bytes"),
    )])
}
