//! Instants and spans: 64-bit nanoseconds, UTC.

use std::fmt;
use std::ops::Add;

use jiff::fmt::temporal::DateTimeParser;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// An instant, in nanoseconds since 1970-01-01T00:00:00Z; covers 1678 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time an event may say it happened: 2000-01-01T00:00:00Z.
    pub const EARLIEST_EVENT: Self = Self(946_684_800 * NANOS_PER_SECOND);
    /// The last instant there is.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds since the epoch; `None` outside the years that fit.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        seconds.checked_mul(NANOS_PER_SECOND).map(Self)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The next instant a clock of microseconds can tell apart.
    #[must_use]
    pub const fn next_micro(self) -> Self {
        Self(self.0.saturating_add(NANOS_PER_MICRO))
    }

    /// The time from `earlier` to `self`, zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }

    /// RFC 3339 UTC with all nine digits, for where nothing may be lost.
    #[must_use]
    pub fn to_exact_text(self) -> String {
        let exact = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        format!("{exact:.9}")
    }

    /// Reads an RFC 3339 timestamp with any offset, to the nanosecond.
    ///
    /// # Errors
    /// Says what is expected, for a text that is not a timestamp with an offset or lies outside 1678 to 2262.
    pub fn parse(text: &str) -> Result<Self, ParseTimestampError> {
        // The parser reads more than RFC 3339 (no seconds, no dashes, a zone's name behind): those are refused here.
        let punctuated = |(place, marks): (usize, &[u8])| {
            text.as_bytes()
                .get(place)
                .is_some_and(|found| marks.contains(found))
        };
        let shape: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
        if !shape.into_iter().all(punctuated) || text.contains(['[', ',']) {
            return Err(ParseTimestampError);
        }
        static PARSER: DateTimeParser = DateTimeParser::new();
        let parsed = PARSER.parse_timestamp(text).map_err(|_| ParseTimestampError)?;
        i64::try_from(parsed.as_nanosecond())
            .map(Self)
            .map_err(|_| ParseTimestampError)
    }
}

/// RFC 3339 UTC with `Z`, to the microsecond: the form every answer uses.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros =
            jiff::Timestamp::from_microsecond(self.0.div_euclid(NANOS_PER_MICRO)).map_err(|_| fmt::Error)?;
        write!(out, "{micros:.6}")
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A text that is not an RFC 3339 timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an RFC 3339 timestamp with an offset, such as 2026-01-31T10:00:00Z")]
pub struct ParseTimestampError;

/// A length of time in nanoseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(i64);

impl Add for Span {
    type Output = Self;

    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Span {
    /// A span of so many nanoseconds; a negative number counts as zero.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(if nanos < 0 { 0 } else { nanos })
    }

    /// A span of so many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds as i64 * NANOS_PER_SECOND)
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// This span times `parts_per_million` / 1,000,000, saturating.
    #[must_use]
    pub fn scaled(self, parts_per_million: u64) -> Self {
        let scaled = i128::from(self.0) * i128::from(parts_per_million) / 1_000_000;
        Self(i64::try_from(scaled).unwrap_or(i64::MAX))
    }
}
