//! The log: one line an event on standard error, with times in RFC 3339 UTC. Standard output is for what was asked for.

use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

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
    // It fails only where a log was begun before.
    tracing::dispatcher::set_global_default(log(level, format, std::io::stderr)).ok();
}

fn log<W>(level: Level, format: LogFormat, writer: W) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_max_level(level);
    match format {
        LogFormat::Text => lines.into(),
        LogFormat::Json => lines.json().flatten_event(true).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::sync::Mutex;

    use serde_json::Value;
    use tracing::{Level, debug, info};

    use super::{LogFormat, log};

    /// What is logged of an event of two lines at `info` and one at `debug`.
    fn logged(level: Level, format: LogFormat) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let log = log(level, format, Mutex::new(file.try_clone().unwrap()));
        tracing::dispatcher::with_default(&log, || {
            info!(order.id = "99M-1", version = 7, "two\nlines");
            debug!("details");
        });
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn an_event_is_one_json_object_a_line() {
        let text = logged(Level::INFO, LogFormat::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "two\nlines");
        assert_eq!(line["order.id"], "99M-1");
        assert_eq!(line["version"], 7);
        let time = line["timestamp"].as_str().unwrap();
        assert!(
            time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
            "{time}"
        );
    }

    #[test]
    fn events_below_the_level_are_left_out() {
        assert!(!logged(Level::INFO, LogFormat::Text).contains("details"));
        let text = logged(Level::DEBUG, LogFormat::Text);
        assert!(text.contains("details"), "{text}");
        let time = text.split(' ').next().unwrap();
        assert!(
            time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
            "{time}"
        );
    }
}
