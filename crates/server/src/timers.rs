//! What orders do by themselves: steps after a delay, and giving up reports that waited too long.
//!
//! Due times stand in the heads, so a start finds them all. Nodes share what is due without a word between them: see
//! `docs/adr/0026-timers.md`. When storage fails, it waits.

use std::time::Duration;

use crate::engine::{Failure, Handle};

/// Between two looks while nothing is due: late by half of it on average, which nobody sees, and ten small reads a second.
const EVERY: Duration = Duration::from_millis(100);
/// Orders advanced in one group: some 10 ms of a writer's time, so that callers hardly wait, and little per order of what a commit
/// costs. Several nodes share a rush in pieces of this.
pub const ORDERS_AT_ONCE: u32 = 500;
/// Between two tries while storage fails, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Advances orders when their time has come.
pub struct Timers {
    /// Whose orders.
    pub engine: Handle,
}

impl Timers {
    /// Works until `shutdown` ends.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        let mut pause = EVERY;
        let mut trouble = None;
        loop {
            match self.engine.advance_due(ORDERS_AT_ONCE).await {
                Ok(taken) => {
                    tell_of(&mut trouble, None);
                    pause = EVERY;
                    if u32::try_from(taken).is_ok_and(|taken| taken >= ORDERS_AT_ONCE) {
                        // There may be more.
                        continue;
                    }
                }
                Err(failure) => {
                    tell_of(&mut trouble, Some(failure));
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Logs that orders cannot be advanced, and that they can again: once each.
fn tell_of(known: &mut Option<Failure>, trouble: Option<Failure>) {
    if *known == trouble {
        return;
    }
    match trouble {
        Some(Failure::Stopping) => {}
        Some(failure) => tracing::warn!("orders do not advance by themselves: {failure}"),
        None => tracing::info!("orders advance by themselves again"),
    }
    *known = trouble;
}
