//! How fast a replay goes: as fast as it can, or by the plan's own clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use model::time::Timestamp;

use super::limits::TICK;

/// How fast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    #[default]
    Max,
    /// So many times as fast as it happened: above zero, and finite.
    Times(f64),
}

/// A text that is no speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither `max` nor a number above 0, such as 3600 for an hour a second")]
pub struct BadSpeed;

impl FromStr for Speed {
    type Err = BadSpeed;

    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let times = text.parse::<f64>().ok().filter(|_| plain);
        times
            .filter(|times| times.is_finite() && *times > 0.0)
            .map(Self::Times)
            .ok_or(BadSpeed)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => out.write_str("max"),
            Self::Times(times) => write!(out, "{times}"),
        }
    }
}

/// When things are due, counted from the beginning of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    speed: Speed,
    first: Timestamp,
}

impl Pace {
    /// A pace for a plan whose first step is at `first`.
    pub(super) const fn new(speed: Speed, first: Timestamp) -> Self {
        Self { speed, first }
    }

    /// When something of this time is due: at once, at full speed.
    pub(super) fn due(&self, at: Timestamp) -> Duration {
        let Speed::Times(times) = self.speed else {
            return Duration::ZERO;
        };
        let nanos = u64::try_from(at.since(self.first).as_nanos()).unwrap_or_default();
        let seconds = Duration::from_nanos(nanos).as_secs_f64() / times;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The tick that it is due in. Steps of different ticks do not go together.
    pub(super) fn tick(&self, at: Timestamp) -> u128 {
        self.due(at).as_millis() / TICK.as_millis()
    }

    /// How long to wait for it when so much time has passed: nothing if it is late.
    pub(super) fn wait(&self, at: Timestamp, passed: Duration) -> Duration {
        self.due(at).saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second).unwrap()
    }

    #[test]
    fn a_speed_is_max_or_a_number_above_zero() {
        for (text, speed) in [
            ("max", Speed::Max),
            ("1", Speed::Times(1.0)),
            ("0.5", Speed::Times(0.5)),
            ("86400", Speed::Times(86_400.0)),
        ] {
            assert_eq!(text.parse(), Ok(speed), "{text}");
        }
        for not_one in [
            "", "0", "0.0", "-1", "+1", "1e3", "inf", "NaN", "MAX", "2x", "1,5", ".", "1 ",
        ] {
            assert_eq!(not_one.parse::<Speed>(), Err(BadSpeed), "{not_one}");
        }
    }

    #[test]
    fn an_hour_of_the_plan_is_a_second_at_3600_times() {
        let pace = Pace::new(Speed::Times(3_600.0), at(1_000_000));
        assert_eq!(pace.due(at(1_000_000)), Duration::ZERO);
        assert_eq!(pace.due(at(1_003_600)), Duration::from_secs(1));
        assert_eq!(pace.due(at(1_001_800)), Duration::from_millis(500));
        let slow = Pace::new(Speed::Times(0.5), at(0));
        assert_eq!(slow.due(at(10)), Duration::from_secs(20));
    }

    #[test]
    fn what_is_due_is_waited_for_and_what_is_late_is_not() {
        let pace = Pace::new(Speed::Times(2.0), at(0));
        assert_eq!(pace.wait(at(20), Duration::from_secs(4)), Duration::from_secs(6));
        assert_eq!(pace.wait(at(20), Duration::from_secs(10)), Duration::ZERO);
        assert_eq!(pace.wait(at(20), Duration::from_secs(99)), Duration::ZERO);
        assert_eq!(
            Pace::new(Speed::Max, at(0)).wait(at(20), Duration::ZERO),
            Duration::ZERO
        );
    }

    #[test]
    fn a_speed_that_takes_for_ever_waits_for_ever() {
        let pace = Pace::new(Speed::Times(f64::MIN_POSITIVE), at(0));
        assert_eq!(pace.due(at(1)), Duration::MAX);
    }
}
