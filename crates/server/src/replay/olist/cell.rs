//! The cells of a row: text to values, or to the reason why not.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use model::time::Timestamp;

/// What is wrong with a row, before it is known where the row stands.
pub(super) struct CellProblem {
    /// The column at fault; `None` when it is the row as a whole.
    pub(super) column: Option<&'static str>,
    /// What is wrong with it.
    pub(super) message: String,
}

impl CellProblem {
    pub(super) fn row(message: String) -> Self {
        Self {
            column: None,
            message,
        }
    }

    pub(super) fn at(column: &'static str, message: String) -> Self {
        Self {
            column: Some(column),
            message,
        }
    }
}

/// Longest cell that must be there: two ids and a stroke make a reference of at most 200 characters. The data have at most 60.
const MAX_CELL_CHARS: usize = 90;

/// One cell of a row. A cell of nothing or only spaces is empty.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) column: &'static str,
    pub(super) bytes: &'a [u8],
}

impl<'a> Cell<'a> {
    /// The text, if there is any.
    pub(super) fn text(self) -> Result<Option<&'a str>, CellProblem> {
        let text = std::str::from_utf8(self.bytes)
            .map_err(|_| CellProblem::at(self.column, "is not UTF-8".to_owned()))?;
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// The text, which must be there and is an id, a name or a number.
    pub(super) fn required(self) -> Result<&'a str, CellProblem> {
        let text = self
            .text()?
            .ok_or_else(|| CellProblem::at(self.column, "is empty".to_owned()))?;
        let letters = text.chars().count();
        if letters > MAX_CELL_CHARS {
            return Err(CellProblem::at(
                self.column,
                format!("has {letters} characters, more than {MAX_CELL_CHARS}"),
            ));
        }
        Ok(text)
    }

    /// The value that `read` makes of the text, which must be there; `None` of it means it is not `expected`.
    pub(super) fn read<T>(
        self,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, CellProblem> {
        let text = self.required()?;
        read(text).ok_or_else(|| CellProblem::at(self.column, format!("{text:?} is not {expected}")))
    }

    /// A number above zero.
    pub(super) fn positive(self) -> Result<f64, CellProblem> {
        self.read("a number above 0", |text| {
            number(text).filter(|number| *number > 0.0)
        })
    }

    /// A number between the two bounds.
    pub(super) fn within(self, range: &RangeInclusive<f64>) -> Result<f64, CellProblem> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.read(&expected, |text| {
            number(text).filter(|number| range.contains(number))
        })
    }

    /// A time that must be there.
    pub(super) fn timestamp(self) -> Result<Timestamp, CellProblem> {
        self.read("YYYY-MM-DD HH:MM:SS", wall_clock)
    }

    /// A time, if there is any.
    pub(super) fn optional_timestamp(self) -> Result<Option<Timestamp>, CellProblem> {
        self.text()?.map(|_| self.timestamp()).transpose()
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads `YYYY-MM-DD HH:MM:SS` as UTC: the text names no zone, and so a printed timeline equals the file.
fn wall_clock(text: &str) -> Option<Timestamp> {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    if !text.bytes().map(shape).eq(*b"0000-00-00 00:00:00") {
        return None;
    }
    let (year, [month, day, hour, minute, second]) = (
        digits(text, 0..4)?,
        [5, 8, 11, 14, 17].map(|at| digits::<i8>(text, at..at + 2)),
    );
    let civil = DateTime::new(year, month?, day?, hour?, minute?, second?, 0).ok()?;
    Timestamp::from_seconds(Offset::UTC.to_timestamp(civil).ok()?.as_second())
}

fn digits<T: FromStr>(text: &str, range: Range<usize>) -> Option<T> {
    text.get(range)?.parse().ok()
}
