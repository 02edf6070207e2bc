//! How many connections there may be at once: each is an open file, and of those a process has so many.
//!
//! Taken in beyond that, a connection would wait for ever unanswered, and the store could not open what it needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::{CONNECTIONS, FILES_RESERVED};

/// Places for connections in this process. Says so in the log, if they are fewer than they might be.
pub(super) fn connections() -> usize {
    let files = files();
    let places = places_within(files);
    if places < CONNECTIONS {
        tracing::warn!(
            files.limit = files,
            connections.limit = places,
            "the process may open so few files that it serves fewer than {CONNECTIONS} connections at once: raise that limit \
             (ulimit -n) for more"
        );
    }
    places
}

/// How many files the process may have open, `None` for any number. What is allowed at the start is often less than what a process
/// may ask for, as old programs cannot do with many.
fn files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(CONNECTIONS + FILES_RESERVED).unwrap_or(u64::MAX);
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if limit.current.is_some_and(|current| current < most) {
        let raised = Rlimit {
            current: Some(most),
            ..limit
        };
        // Should it be refused, what is allowed now is what there is.
        setrlimit(Resource::Nofile, raised).ok();
    }
    getrlimit(Resource::Nofile).current
}

fn places_within(files: Option<u64>) -> usize {
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(FILES_RESERVED).clamp(1, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_allows_less_a_reserve_and_never_more_than_the_limit() {
        let cases = [
            (None, 20_000),
            (Some(u64::MAX), 20_000),
            (Some(20_128), 20_000),
            (Some(20_127), 19_999),
            (Some(1_024), 896),
            (Some(129), 1),
            (Some(128), 1),
            (Some(0), 1),
        ];
        for (files, places) in cases {
            assert_eq!(places_within(files), places, "{files:?}");
        }
    }
}
