//! The log: one line an event on standard error, with times in RFC 3339 UTC. Standard output is for what was asked for.

use tracing::Level;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, the event's fields beside `timestamp`, `level`, `target` and `message`.
    Json,
}

/// Begins the log of this process: events of `level` and graver. The first call holds; later ones change nothing.
pub fn init(level: Level, format: LogFormat) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level);
    let begun = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // It fails only where a log was begun before.
    begun.ok();
}
