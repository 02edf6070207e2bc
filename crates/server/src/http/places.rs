//! How many connections there may be at once: each is an open file, and of those a process has so many.
//!
//! Taken in beyond that, a connection would wait for ever unanswered, and the store could not open what it needs.

use rustix::process::{Resource, getrlimit};

use super::limits::{CONNECTIONS, FILES_RESERVED};

/// Places for connections in this process. Says so in the log, if they are fewer than they might be.
pub(super) fn connections() -> usize {
    // No limit at all is told as none.
    let files = getrlimit(Resource::Nofile).current;
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
