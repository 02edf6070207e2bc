//! What is counted of live streams.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::stream::Closed;

/// Counters, shared by whoever counts.
#[derive(Clone)]
pub struct Counters {
    pub(super) open: IntGauge,
    pub(super) lag: IntGauge,
    sent: IntCounter,
    closed: IntCounterVec,
    failed: IntCounter,
}

impl Counters {
    /// All at zero, shown in a registry.
    ///
    /// # Errors
    /// Where the registry has some of these names.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = Self {
            open: IntGauge::new("live_streams_open", "Live streams open now")?,
            lag: IntGauge::new(
                "live_lag_entries",
                "Entries of the log that live streams have not been told of yet",
            )?,
            sent: IntCounter::new("live_messages_sent_total", "Messages given to live streams")?,
            closed: IntCounterVec::new(
                Opts::new("live_streams_closed_total", "Live streams that ended, by why"),
                &["reason"],
            )?,
            failed: IntCounter::new(
                "live_follower_failures_total",
                "Times that the follower of the log failed, closed all live streams and began anew",
            )?,
        };
        registry.register(Box::new(counters.open.clone()))?;
        registry.register(Box::new(counters.lag.clone()))?;
        registry.register(Box::new(counters.sent.clone()))?;
        registry.register(Box::new(counters.closed.clone()))?;
        registry.register(Box::new(counters.failed.clone()))?;
        for reason in Closed::ALL.map(Closed::name).into_iter().chain([LEFT]) {
            counters.closed.with_label_values(&[reason]);
        }
        Ok(counters)
    }

    pub(super) fn sent(&self) {
        self.sent.inc();
    }

    pub(super) fn failed(&self) {
        self.failed.inc();
    }

    /// A stream ended; `None`: its reader has gone.
    pub(super) fn ended(&self, why: Option<Closed>) {
        self.open.dec();
        let reason = why.map_or(LEFT, Closed::name);
        self.closed.with_label_values(&[reason]).inc();
    }
}

/// Of a stream that nobody here closed.
const LEFT: &str = "client";
