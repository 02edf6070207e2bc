//! A stream of events, one a line: taken in as it comes, in groups, and never held as a whole.
//!
//! While one group commits the next is parsed. A full queue stops the reading, and so the sender; nothing is refused for want of
//! room. Whatever ends the stream early, the lines that were complete are decided first.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use bytes::{Bytes, BytesMut};
use model::command::Actor;
use store::Record;
use tokio::sync::OwnedSemaphorePermit;

use super::super::auth::Asker;
use super::super::body::Chunks;
use super::super::limits::{LINE_BYTES, STREAM_GROUP, STREAM_GROUP_BYTES, STREAM_GROUPS};
use super::super::problem::{FieldProblem, Problem};
use super::super::state::AppState;
use super::super::{fields, idempotency};
use super::batch::command;
use super::event::Expected;
use super::prefers_to_wait;
use super::tally::Tally;
use crate::engine::{Answer, Answers, Command, Contents, Submission};

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
    let mut stream = Stream {
        state,
        actor,
        label: asker.label(),
        tally: Tally::begin()?,
        group: Group::default(),
        under_way: VecDeque::new(),
    };
    let mut lines = Lines::of(body);
    let ended = stream.run(&mut lines).await;
    // First what came, whatever came then.
    let decided = stream.finish().await;
    let tally = stream.tally;
    tally.count(state);
    decided?;
    ended?;
    if tally.received() == 0 {
        return Err(Problem::field("", "length", "must have at least one line"));
    }
    let receipt = Record::Batch(tally.receipt(actor.party, state.now()));
    let kept = Submission {
        records: Some(Arc::new(move |_: &[Answer]| vec![receipt.clone()])),
        ..Submission::default()
    };
    state.engine.submit_patiently(kept).await?;
    let answer = if prefers_to_wait(headers) {
        tally.decided_answer()
    } else {
        tally.accepted_answer()
    };
    Ok(answer.into_response())
}

struct Stream<'a> {
    state: &'a AppState,
    actor: Actor,
    label: Option<Arc<str>>,
    tally: Tally,
    /// What is gathered for the next group.
    group: Group,
    /// Groups that were handed in, with the places of their events.
    under_way: VecDeque<(Answers, Vec<usize>, OwnedSemaphorePermit)>,
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
            if self.group.commands.len() == STREAM_GROUP || self.group.bytes >= STREAM_GROUP_BYTES {
                self.hand_in().await?;
                self.group.blocks.push(block.bytes.clone());
            }
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
        // What is under way goes whether or not there is more room: so nobody waits for ever.
        let room = self.state.room.wait_for(group.bytes).await?;
        let submission = Submission {
            commands: group.commands,
            label: self.label.clone(),
            keep_refusals: true,
            contents: Some(Arc::new(LineContents {
                blocks: group.blocks,
                ranges: group.ranges,
            })),
            ..Submission::default()
        };
        let answers = self.state.engine.enqueue_patiently(submission).await?;
        self.under_way.push_back((answers, group.places, room));
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), Problem> {
        let Some((answers, places, _room)) = self.under_way.pop_front() else {
            return Ok(());
        };
        let answers = answers.wait().await?;
        self.tally.decide(&places, &answers)
    }

    /// Hands in the rest and waits for everything; the first failure is told.
    async fn finish(&mut self) -> Result<(), Problem> {
        let mut failed = self.hand_in().await;
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
    /// Of all lines.
    bytes: usize,
}

impl Group {
    /// Adds an event of the last block.
    fn add(&mut self, place: usize, range: Range<usize>, command: Command) {
        self.bytes += range.len();
        self.places.push(place);
        self.ranges.push((self.blocks.len().saturating_sub(1), range));
        self.commands.push(command);
    }
}

/// The lines of a group, as they came.
struct LineContents {
    blocks: Vec<Bytes>,
    ranges: Vec<(usize, Range<usize>)>,
}

impl Contents for LineContents {
    fn of(&self, command: usize) -> Option<Box<[u8]>> {
        let (block, range) = self.ranges.get(command)?;
        self.blocks.get(*block)?.get(range.clone()).map(Into::into)
    }
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its place in the block.
    Whole(Range<usize>),
    /// It was over the limit and is not kept.
    TooLong,
}

/// Complete lines that came together.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Bytes,
    pub(super) lines: Vec<Line>,
}

/// Cuts a body into lines.
pub(super) struct Lines {
    chunks: Chunks,
    splitter: Splitter,
    ended: bool,
}

impl Lines {
    pub(super) fn of(body: Body) -> Self {
        Self {
            chunks: Chunks::of(body),
            splitter: Splitter::default(),
            ended: false,
        }
    }

    /// The next complete lines; `None` at the end.
    pub(super) async fn next_block(&mut self) -> Result<Option<Block>, Problem> {
        while !self.ended {
            match self.chunks.next().await? {
                Some(chunk) => {
                    let block = self.splitter.push(&chunk);
                    if !block.lines.is_empty() {
                        return Ok(Some(block));
                    }
                }
                None => {
                    self.ended = true;
                    let block = self.splitter.end();
                    return Ok(Some(block).filter(|block| !block.lines.is_empty()));
                }
            }
        }
        Ok(None)
    }
}

/// Cuts bytes into lines, holding at most one that is not complete.
#[derive(Default)]
struct Splitter {
    /// What came of a line so far.
    begun: BytesMut,
    /// The line was over the limit: the rest of it is passed over.
    skips: bool,
}

impl Splitter {
    fn push(&mut self, chunk: &[u8]) -> Block {
        let Some(last) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            self.keep(chunk);
            let lines = Vec::from_iter(self.give_up_if_too_long());
            return Block {
                bytes: Bytes::new(),
                lines,
            };
        };
        let (complete, rest) = chunk.split_at(last + 1);
        let skips = std::mem::take(&mut self.skips);
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(complete);
        let mut lines = Vec::new();
        let mut from = 0;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let range = from..from + line.len();
            from = range.end;
            // The end of a line that was given up already.
            if !(skips && number == 0) {
                lines.extend(line_of(&bytes, range));
            }
        }
        self.keep(rest);
        lines.extend(self.give_up_if_too_long());
        Block {
            bytes: bytes.freeze(),
            lines,
        }
    }

    /// The last line, which needs no line feed.
    fn end(&mut self) -> Block {
        let bytes = std::mem::take(&mut self.begun);
        let all = 0..bytes.len();
        let lines = line_of(&bytes, all).into_iter().collect();
        Block {
            bytes: bytes.freeze(),
            lines,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.skips {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn give_up_if_too_long(&mut self) -> Option<Line> {
        // One more for a carriage return.
        if self.begun.len() <= LINE_BYTES + 1 {
            return None;
        }
        self.begun = BytesMut::new();
        self.skips = true;
        Some(Line::TooLong)
    }
}

/// The line in a range, without its end; none if it is empty.
fn line_of(bytes: &[u8], range: Range<usize>) -> Option<Line> {
    let line = bytes.get(range.clone())?;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    if line.len() > LINE_BYTES {
        return Some(Line::TooLong);
    }
    Some(Line::Whole(range.start..range.start + line.len()))
}

pub(super) fn line_too_long() -> Problem {
    Problem::fields(vec![FieldProblem::new(
        "",
        "length",
        format!("a line has at most {LINE_BYTES} bytes"),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Option<String>> {
        let mut splitter = Splitter::default();
        let mut blocks: Vec<Block> = chunks.iter().map(|chunk| splitter.push(chunk)).collect();
        blocks.push(splitter.end());
        let text = |block: &Block, line: &Line| match line {
            Line::Whole(range) => Some(String::from_utf8(block.bytes[range.clone()].to_vec()).unwrap()),
            Line::TooLong => None,
        };
        blocks
            .iter()
            .flat_map(|block| block.lines.iter().map(|line| text(block, line)))
            .collect()
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_are() {
        let text = b"one\ntwo\r\n\n three \nfour";
        let whole = cut(&[text]);
        let told: Vec<&str> = whole.iter().map(|line| line.as_deref().unwrap()).collect();
        assert_eq!(told, ["one", "two", " three ", "four"]);
        for at in 0..text.len() {
            let (front, back) = text.split_at(at);
            assert_eq!(cut(&[front, back]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(cut(&bytes), whole);
    }

    #[test]
    fn a_line_over_the_limit_is_given_up_and_those_after_it_are_not() {
        let fits = vec![b'a'; LINE_BYTES];
        let over = vec![b'b'; LINE_BYTES + 1];
        let much_over = vec![b'c'; 5 * LINE_BYTES];
        let text = [&fits[..], b"\r\n", &over, b"\n", &much_over, b"\nlast\n"].concat();
        let expected = vec![Some("a".repeat(LINE_BYTES)), None, None, Some("last".to_owned())];
        assert_eq!(cut(&[&text]), expected);
        for size in [1_000, LINE_BYTES, LINE_BYTES + 1, 100_000] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(cut(&chunks), expected, "in chunks of {size}");
        }
    }
}
