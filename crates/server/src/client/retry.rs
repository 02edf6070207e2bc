//! When a request is sent again, and after how long. No clock and no randomness of its own: both are given.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::limits::{FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER, PATIENCE, RETRY_AFTER_JITTER};

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer.
    Done,
    /// To be sent again, not before the time that the server named.
    Again(Option<Duration>),
    /// Refused for good.
    Refused,
}

/// Judges an answer. `keyed` is a request with an `Idempotency-Key`: to one of these, 409 says that the same request, whose
/// answer was lost, is still at work.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap, keyed: bool) -> Verdict {
    match status {
        _ if status.is_success() => Verdict::Done,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Verdict::Again(retry_after(headers))
        }
        // A proxy in front of a server that restarts.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Verdict::Again(None),
        StatusCode::CONFLICT if keyed => Verdict::Again(retry_after(headers)),
        _ => Verdict::Refused,
    }
}

/// `Retry-After` in seconds; a date is not read, the pauses grow by themselves.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// How long one request is still sent again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pause: Duration,
    failing_since: Option<Instant>,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self {
            pause: FIRST_PAUSE,
            failing_since: None,
        }
    }

    /// Whether the request has failed before.
    pub(super) const fn was_tried(&self) -> bool {
        self.failing_since.is_some()
    }

    /// After a failure: how long to pause, or `None` when nothing has got through for too long. `progress` is when
    /// any request of the same client was last answered; `jitter` lies between 0 and 1.
    pub(super) fn pause(
        &mut self,
        now: Instant,
        progress: Option<Instant>,
        told: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        let failing_since = *self.failing_since.get_or_insert(now);
        let since = progress.map_or(failing_since, |progress| progress.max(failing_since));
        if now.saturating_duration_since(since) >= PATIENCE {
            return None;
        }
        let backoff = self.pause.mul_f64(0.5 + jitter / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some(match told {
            // A server that says 0 is not asked without pause.
            Some(told) => told
                .min(LONGEST_RETRY_AFTER)
                .mul_f64(1.0 + RETRY_AFTER_JITTER * jitter)
                .max(backoff),
            None => backoff,
        })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn told(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))])
    }

    #[test]
    fn only_what_may_pass_by_itself_is_sent_again() {
        let judged = |status: u16, keyed| verdict(StatusCode::from_u16(status).unwrap(), &told("3"), keyed);
        let three = Some(Duration::from_secs(3));
        for status in [200, 201, 202] {
            assert_eq!(judged(status, true), Verdict::Done, "{status}");
        }
        assert_eq!(
            [judged(429, false), judged(503, false)],
            [Verdict::Again(three); 2]
        );
        assert_eq!(
            [judged(502, false), judged(504, false)],
            [Verdict::Again(None); 2]
        );
        assert_eq!(
            [judged(409, true), judged(409, false)],
            [Verdict::Again(three), Verdict::Refused]
        );
        for status in [301, 400, 401, 403, 404, 408, 413, 415, 422, 500] {
            assert_eq!(judged(status, true), Verdict::Refused, "{status}");
        }
    }

    #[test]
    fn a_date_or_nonsense_for_retry_after_is_none() {
        for text in ["Fri, 31 Dec 1999 23:59:59 GMT", "-1", "soon", ""] {
            assert_eq!(retry_after(&told(text)), None, "{text}");
        }
        assert_eq!(retry_after(&told(" 0 ")), Some(Duration::ZERO));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (mut patience, now) = (Patience::new(), Instant::now());
        let pauses: Vec<_> = (0..7)
            .map(|_| patience.pause(now, None, None, 1.0).unwrap().as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        let mut hurried = Patience::new();
        assert_eq!(
            hurried.pause(now, None, None, 0.0),
            Some(Duration::from_millis(50))
        );
    }

    #[test]
    fn a_server_is_believed_up_to_a_cap_and_with_a_little_jitter() {
        let pause = |told, jitter| {
            let told = Some(Duration::from_secs(told));
            Patience::new().pause(Instant::now(), None, told, jitter).unwrap()
        };
        assert_eq!(pause(3, 0.0), Duration::from_secs(3));
        assert_eq!(pause(3, 1.0), Duration::from_millis(3_300));
        assert_eq!(pause(86_400, 0.0), Duration::from_secs(10));
        assert_eq!(pause(0, 1.0), Duration::from_millis(100));
    }

    #[test]
    fn patience_ends_half_a_minute_after_the_last_progress() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut patience = Patience::new();
        assert!(!patience.was_tried());
        assert!(patience.pause(began, None, None, 0.0).is_some());
        assert!(patience.was_tried());
        assert!(patience.pause(after(29), None, None, 0.0).is_some());
        // Another connection got through in between.
        assert!(patience.pause(after(31), Some(after(20)), None, 0.0).is_some());
        assert!(patience.pause(after(50), Some(after(20)), None, 0.0).is_none());
        assert!(patience.pause(after(31), None, None, 0.0).is_none());
        // What was long ago is no progress for a request that begins to fail now.
        assert!(Patience::new().pause(after(99), Some(began), None, 0.0).is_some());
    }
}
