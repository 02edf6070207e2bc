//! Cuts a body into lines as it comes, holding at most one that is not complete.

use std::ops::Range;

use axum::body::Body;
use bytes::{Bytes, BytesMut};

use super::super::body::{Chunks, Room};
use super::super::limits::LINE_BYTES;
use super::super::problem::Problem;

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
    pub(super) fn of(room: &Room, body: Body) -> Self {
        Self {
            chunks: room.chunks(body),
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
