//! Lengths of time as lifecycle files write them: a whole number and one unit, such as `20s`.

use super::MAX_DELAY;
use crate::time::Span;

/// Units and their nanoseconds, the smallest first.
const UNITS: [(&str, i64); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
];

/// Why a text is not a delay.
#[derive(Clone, Copy, Debug)]
pub(super) enum BadDelay {
    NotUnderstood,
    TooLong,
}

pub(super) fn read(text: &str) -> Result<Span, BadDelay> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .filter(|_| !number.is_empty());
    let (_, nanos) = unit.ok_or(BadDelay::NotUnderstood)?;
    // Only digits are left, so a number that does not parse is one too great.
    let nanos = number
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(*nanos));
    nanos
        .map(Span::from_nanos)
        .filter(|span| *span <= MAX_DELAY)
        .ok_or(BadDelay::TooLong)
}

/// Writes a delay that was read, in the greatest unit that divides it: one length has one text.
pub(super) fn write(delay: Span) -> String {
    let nanos = delay.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let (unit, size) = UNITS
        .iter()
        .rev()
        .find(|(_, size)| nanos % size == 0)
        .unwrap_or(&UNITS[0]);
    format!("{}{unit}", nanos / size)
}
