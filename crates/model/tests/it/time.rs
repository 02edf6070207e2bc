//! Instants as text, and spans.

use model::time::{ParseTimestampError, Span, Timestamp};
use proptest::prelude::*;

fn parsed(text: &str) -> Result<i64, ParseTimestampError> {
    Timestamp::parse(text).map(Timestamp::as_nanos)
}

const TEN: i64 = 1_769_853_600_000_000_000;

#[test]
fn a_time_is_read_with_any_offset_to_the_nanosecond() {
    assert_eq!(parsed("2026-01-31T10:00:00Z"), Ok(TEN));
    assert_eq!(parsed("2026-01-31t10:00:00z"), Ok(TEN));
    assert_eq!(parsed("2026-01-31T11:30:00+01:30"), Ok(TEN));
    assert_eq!(parsed("2026-01-30T22:00:00-12:00"), Ok(TEN));
    assert_eq!(parsed("2026-01-31T10:00:00-00:00"), Ok(TEN));
    assert_eq!(parsed("2026-01-31T10:00:00.123456789Z"), Ok(TEN + 123_456_789));
    assert_eq!(parsed("2026-01-31T10:00:00.1Z"), Ok(TEN + 100_000_000));
}

#[test]
fn what_is_no_time_with_an_offset_is_not_read() {
    let words = "is not an RFC 3339 timestamp with an offset, such as 2026-01-31T10:00:00Z";
    assert_eq!(ParseTimestampError.to_string(), words);
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T10:00:00",
        "2026-02-30T10:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:00+25:60",
        "1769853600",
        "yesterday",
        "2026-01-31T10:00:00Z ",
        "20260131T100000Z",
        "2026-01-31T10Z",
        "2026-01-31T10:00Z",
        "2026-01-31T10:00:00,5Z",
        "2026-01-31T10:00:00+01:00[Europe/Vienna]",
    ] {
        assert_eq!(parsed(text), Err(ParseTimestampError), "{text}");
    }
}

#[test]
fn times_are_read_as_far_as_they_fit() {
    assert_eq!(parsed("2262-04-11T23:47:16.854775807Z"), Ok(i64::MAX));
    assert_eq!(parsed("2262-04-11T23:47:16.854775808Z"), Err(ParseTimestampError));
    assert_eq!(parsed("1677-09-21T00:12:43.145224192Z"), Ok(i64::MIN));
    assert_eq!(parsed("1677-09-21T00:12:43.145224191Z"), Err(ParseTimestampError));
    assert_eq!(Timestamp::from_seconds(i64::MAX), None);
}

#[test]
fn a_time_is_shown_to_the_microsecond() {
    let shown = |nanos| Timestamp::from_nanos(nanos).to_string();
    assert_eq!(shown(TEN), "2026-01-31T10:00:00.000000Z");
    assert_eq!(shown(TEN + 123_456_789), "2026-01-31T10:00:00.123456Z");
    assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(shown(i64::MAX), "2262-04-11T23:47:16.854775Z");
    assert_eq!(shown(i64::MIN), "1677-09-21T00:12:43.145224Z");
    assert_eq!(
        Timestamp::EARLIEST_EVENT.to_string(),
        "2000-01-01T00:00:00.000000Z"
    );
}

#[test]
fn sums_stop_at_the_end_of_time() {
    let second = Span::from_seconds(1);
    assert_eq!(
        Timestamp::from_nanos(5) + second,
        Timestamp::from_nanos(1_000_000_005)
    );
    assert_eq!(Timestamp::MAX + second, Timestamp::MAX);
    assert_eq!(Timestamp::MAX.next_micro(), Timestamp::MAX);
    assert_eq!(
        Timestamp::from_nanos(5).next_micro(),
        Timestamp::from_nanos(1_005)
    );
    assert_eq!(
        Timestamp::MAX.since(Timestamp::from_nanos(i64::MIN)),
        Span::from_nanos(i64::MAX)
    );
    assert_eq!(
        Timestamp::from_nanos(5).since(Timestamp::from_nanos(6)),
        Span::default()
    );
}

#[test]
fn a_span_is_never_negative_and_scales_without_overflow() {
    assert_eq!(Span::from_nanos(-5), Span::default());
    assert_eq!(
        Span::from_nanos(1_000_000).scaled(10_000),
        Span::from_nanos(10_000)
    );
    assert_eq!(
        Span::from_nanos(i64::MAX).scaled(u64::MAX),
        Span::from_nanos(i64::MAX)
    );
    assert_eq!(Span::from_seconds(u32::MAX).as_nanos(), 4_294_967_295_000_000_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_is_shown_is_read_to_the_microsecond(nanos: i64) {
        let nanos = nanos.clamp(i64::MIN + 1_000, i64::MAX);
        let shown = Timestamp::from_nanos(nanos).to_string();
        prop_assert_eq!(parsed(&shown), Ok(nanos.div_euclid(1_000) * 1_000));
    }
}
