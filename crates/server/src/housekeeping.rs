//! What is kept for a time only goes when its time has come, a little at a time.

use std::time::Duration;

use model::time::{Span, Timestamp};
use store::Expiry;

use crate::engine::Handle;
use crate::http::limits::{BATCH_RECEIPTS_KEPT, IDEMPOTENCY_KEPT, REVOCATIONS_KEPT};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Rows of each kind deleted at once: some milliseconds of the writer's time.
const ROWS_AT_ONCE: u32 = 1_000;
/// Between two such deletions, for others to have their turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes what has been kept long enough.
pub struct Housekeeping {
    /// Whose store it is.
    pub engine: Handle,
    /// See the setting of this name.
    pub dead_letters_kept_days: u32,
}

impl Housekeeping {
    /// Works until `shutdown` ends.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let work = async {
            loop {
                self.tidy().await;
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = work => {}
        }
    }

    async fn tidy(&self) {
        loop {
            let expiry = self.expiry(self.engine.clock().now());
            let deleted = self
                .engine
                .with_writer(move |writer| writer.expire(&expiry, ROWS_AT_ONCE))
                .await;
            match deleted {
                Ok(deleted) if deleted >= u64::from(ROWS_AT_ONCE) => tokio::time::sleep(PAUSE).await,
                // Fewer of each kind than could be; a failure is in the log, and the next time may go better.
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn expiry(&self, now: Timestamp) -> Expiry {
        let before = |kept: Duration| {
            let kept = i64::try_from(kept.as_nanos()).unwrap_or(i64::MAX);
            Timestamp::from_nanos(now.as_nanos().saturating_sub(Span::from_nanos(kept).as_nanos()))
        };
        let days = u64::from(self.dead_letters_kept_days);
        Expiry {
            answers_before: before(IDEMPOTENCY_KEPT),
            batches_before: before(BATCH_RECEIPTS_KEPT),
            dead_letters_before: before(Duration::from_secs(days * 24 * 3600)),
            now: before(REVOCATIONS_KEPT),
        }
    }
}
