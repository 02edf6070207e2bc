//! When something happened in the world, as far as a request may say so (wire contract, §1).

use model::limits::MAX_AHEAD;
use model::time::Timestamp;

use super::fields::Fields;

/// What a caller is told of a time that lies outside.
pub(crate) const OUT_OF_RANGE: &str = "must lie between 2000-01-01 and 24 hours from now";

/// Whether something may be said to have happened then.
pub(crate) fn is_in_range(at: Timestamp, now: Timestamp) -> bool {
    (Timestamp::EARLIEST_EVENT..=now + MAX_AHEAD).contains(&at)
}

/// `occurred_at`, if it is there and within range. If it is not, that is complained of.
pub(crate) fn occurred_at(fields: &mut Fields<'_>, now: Timestamp) -> Option<Timestamp> {
    const NAME: &str = "occurred_at";
    let at = fields.optional_timestamp(NAME)?;
    if is_in_range(at, now) {
        return Some(at);
    }
    fields.complain(NAME, "range", OUT_OF_RANGE);
    None
}
