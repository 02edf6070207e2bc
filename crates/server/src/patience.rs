//! Waiting for a database server that is not there yet: whoever supervises starts databases and nodes in any order.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Before the second try to reach a database server; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Between two tries, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Does it again for as long, where that is worth it. Blocks.
pub(crate) fn patiently<T, E: Display>(
    wait: Duration,
    is_worth_waiting: impl Fn(&E) -> bool,
    mut job: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let done = job();
        let left = wait.saturating_sub(began.elapsed());
        match done {
            Err(error) if is_worth_waiting(&error) && !left.is_zero() => {
                let left_s = left.as_secs();
                tracing::warn!("waiting for the database, for {left_s} s more (PG_CONNECT_WAIT_S): {error}");
                std::thread::sleep(pause.min(left));
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            done => return done,
        }
    }
}
