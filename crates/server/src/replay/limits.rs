//! The replay's limits, with the reason for each number.

use std::time::Duration;

/// Steps in one batch: large enough that a commit costs little a step, small enough that the progress bar moves.
pub const BATCH_STEPS: usize = 1_000;
/// Connections to a server. One waits for its commit while the server reads and decides the others'; more gain nothing on one
/// writer.
pub const CONNECTIONS: usize = 4;
/// Steps due within so much time go together when a replay keeps time: nobody sees a tenth of a second.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How long storage in process may be unavailable before the replay gives up.
pub(super) const STORAGE_PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a batch is sent again to a storage that is unavailable.
pub(super) const STORAGE_PAUSE: Duration = Duration::from_millis(200);
/// How long a server may take to decide a batch before it answers without a decision, in seconds.
pub(super) const DECISION_WAIT_S: u32 = 30;
/// How often a batch that was taken and not decided is sent again: by then the server's queue stands still.
pub(super) const DECISION_TRIES: u32 = 3;
