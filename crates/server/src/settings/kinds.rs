//! What a setting's text may be, and what it means. Nothing here knows where the text came from.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use model::head::DelayScale;
use model::public_id::PublicId;
use store::postgres::PostgresOptions;
use tracing::Level;

use super::limits::{
    DEAD_LETTER_KEEP_DAYS, DELAY_SCALE_PLACES, MAX_ENV_CHARS, MAX_NODE_NAME_CHARS, MAX_TRACKING_PREFIX_BYTES,
    MAX_USERNAME_CHARS, MIN_SECRET_BYTES, PASSWORD_CHARS, PG_CONNECT_WAIT_S, PG_CONNECTIONS,
    PG_READ_TIMEOUT_MS, PG_REPLICA_MAX_STALENESS_S, PG_WRITE_TIMEOUT_S, SHUTDOWN_GRACE_S,
};
use super::{CorsOrigins, IpBlock, Secret, Seed};
use crate::logging::LogFormat;

/// How a setting may stand in a file. Text in quotes always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text only.
    Text,
    /// A number too.
    Number,
    /// `true` or `false` too.
    Switch,
    /// A list of texts too.
    List,
}

/// A kind of value: its text, and its meaning of type `T`. An empty text of a setting that may be unset means that.
pub(super) struct Kind<T> {
    /// What stands for the value in a flag's help.
    pub(super) placeholder: &'static str,
    pub(super) form: Form,
    /// What is allowed, as an advice.
    pub(super) allowed: fn() -> String,
    pub(super) parse: fn(&str) -> Option<T>,
}

pub(super) const PORT: Kind<u16> = Kind {
    placeholder: "PORT",
    form: Form::Number,
    allowed: || "use a port from 0 to 65535".to_owned(),
    parse: |text| text.parse().ok(),
};

pub(super) const HOST: Kind<IpAddr> = Kind {
    placeholder: "IP",
    form: Form::Text,
    allowed: || "use an IP address such as 127.0.0.1, 0.0.0.0 or ::1".to_owned(),
    parse: |text| text.parse().ok(),
};

pub(super) const ENV: Kind<String> = Kind {
    placeholder: "NAME",
    form: Form::Text,
    allowed: || format!("use 1 to {MAX_ENV_CHARS} characters on one line"),
    parse: |text| name(text, MAX_ENV_CHARS),
};

pub(super) const FOLDER: Kind<PathBuf> = Kind {
    placeholder: "DIR",
    form: Form::Text,
    allowed: || "use the path of a folder".to_owned(),
    parse: |text| (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text)),
};

pub(super) const DSN: Kind<Option<Secret>> = Kind {
    placeholder: "DSN",
    form: Form::Text,
    allowed: || {
        "use postgres://USER:PASSWORD@HOST:PORT/DATABASE, with every special character of the password as %XX"
            .to_owned()
    },
    parse: |text| {
        optional(text, |text| {
            PostgresOptions::new(text).check().ok()?;
            Some(Secret::new(text))
        })
    },
};

pub(super) const CONNECTIONS: Kind<NonZeroUsize> = Kind {
    placeholder: "N",
    form: Form::Number,
    allowed: || whole_number(&PG_CONNECTIONS, "numbers"),
    parse: |text| within(text, &PG_CONNECTIONS),
};

pub(super) const WRITE_TIMEOUT: Kind<Duration> = Kind {
    placeholder: "S",
    form: Form::Number,
    allowed: || whole_number(&PG_WRITE_TIMEOUT_S, "seconds"),
    parse: |text| within(text, &PG_WRITE_TIMEOUT_S).map(Duration::from_secs),
};

pub(super) const READ_TIMEOUT: Kind<Duration> = Kind {
    placeholder: "MS",
    form: Form::Number,
    allowed: || whole_number(&PG_READ_TIMEOUT_MS, "milliseconds"),
    parse: |text| within(text, &PG_READ_TIMEOUT_MS).map(Duration::from_millis),
};

pub(super) const CONNECT_WAIT: Kind<Duration> = Kind {
    placeholder: "S",
    form: Form::Number,
    allowed: || whole_number(&PG_CONNECT_WAIT_S, "seconds"),
    parse: |text| within(text, &PG_CONNECT_WAIT_S).map(Duration::from_secs),
};

pub(super) const STALENESS: Kind<Duration> = Kind {
    placeholder: "S",
    form: Form::Number,
    allowed: || whole_number(&PG_REPLICA_MAX_STALENESS_S, "seconds"),
    parse: |text| within(text, &PG_REPLICA_MAX_STALENESS_S).map(Duration::from_secs),
};

pub(super) const OPTIONAL_FILE: Kind<Option<PathBuf>> = Kind {
    placeholder: "FILE",
    form: Form::Text,
    allowed: || "use the path of a file".to_owned(),
    parse: |text| optional(text, |text| (!text.contains('\0')).then(|| PathBuf::from(text))),
};

pub(super) const NODE_NAME: Kind<Option<String>> = Kind {
    placeholder: "NAME",
    form: Form::Text,
    allowed: || format!("use 1 to {MAX_NODE_NAME_CHARS} characters on one line"),
    parse: |text| optional(text, |text| name(text, MAX_NODE_NAME_CHARS)),
};

pub(super) const JWT_SECRETS: Kind<Option<Vec<Secret>>> = Kind {
    placeholder: "SECRETS",
    form: Form::List,
    allowed: || {
        format!(
            "use secrets of at least {MIN_SECRET_BYTES} bytes each, with a comma and no white space between them"
        )
    },
    parse: |text| optional(text, jwt_secrets),
};

pub(super) const USERNAME: Kind<Option<String>> = Kind {
    placeholder: "NAME",
    form: Form::Text,
    allowed: || {
        format!("use 1 to {MAX_USERNAME_CHARS} characters on one line, without white space at the ends")
    },
    parse: |text| optional(text, |text| name(text, MAX_USERNAME_CHARS)),
};

pub(super) const PASSWORD: Kind<Option<Secret>> = Kind {
    placeholder: "PASSWORD",
    form: Form::Text,
    allowed: || {
        format!(
            "use {} to {} characters",
            PASSWORD_CHARS.start(),
            PASSWORD_CHARS.end()
        )
    },
    parse: |text| {
        optional(text, |text| {
            PASSWORD_CHARS
                .contains(&text.chars().count())
                .then(|| Secret::new(text))
        })
    },
};

pub(super) const TRACKING_PREFIX: Kind<String> = Kind {
    placeholder: "PREFIX",
    form: Form::Text,
    allowed: || {
        format!(
            "use 1 to {MAX_TRACKING_PREFIX_BYTES} visible ASCII characters, the last of them a hyphen, such as 99M-"
        )
    },
    parse: |text| {
        let fits = text.len() <= MAX_TRACKING_PREFIX_BYTES && text.ends_with('-');
        let possible = fits && PublicId::tracking_number(text, 0).is_ok();
        possible.then(|| text.to_owned())
    },
};

pub(super) const SWITCH: Kind<bool> = Kind {
    placeholder: "BOOL",
    form: Form::Switch,
    allowed: || "use true or false (also 1, 0, yes, no, on, off)".to_owned(),
    parse: |text| match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    },
};

pub(super) const SEED: Kind<Option<Seed>> = Kind {
    placeholder: "SEED",
    form: Form::Text,
    allowed: || "use demo, or leave it empty".to_owned(),
    parse: |text| optional(text, |text| (text == "demo").then_some(Seed::Demo)),
};

pub(super) const LOG_LEVEL: Kind<Level> = Kind {
    placeholder: "LEVEL",
    form: Form::Text,
    allowed: || "use error, warn, info, debug or trace".to_owned(),
    parse: |text| match text.to_ascii_lowercase().as_str() {
        "error" => Some(Level::ERROR),
        "warn" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        _ => None,
    },
};

pub(super) const LOG_FORMAT: Kind<LogFormat> = Kind {
    placeholder: "FORMAT",
    form: Form::Text,
    allowed: || "use json or text".to_owned(),
    parse: |text| match text.to_ascii_lowercase().as_str() {
        "json" => Some(LogFormat::Json),
        "text" => Some(LogFormat::Text),
        _ => None,
    },
};

pub(super) const DELAY_SCALE: Kind<DelayScale> = Kind {
    placeholder: "FACTOR",
    form: Form::Number,
    allowed: || {
        format!("use a number from 0 on, with up to {DELAY_SCALE_PLACES} decimal places, such as 0.01")
    },
    parse: delay_scale,
};

pub(super) const PER_MINUTE: Kind<u32> = Kind {
    placeholder: "N",
    form: Form::Number,
    allowed: || format!("use a whole number from 0 to {}", u32::MAX),
    parse: |text| text.parse().ok(),
};

pub(super) const GRACE: Kind<Duration> = Kind {
    placeholder: "S",
    form: Form::Number,
    allowed: || whole_number(&SHUTDOWN_GRACE_S, "seconds"),
    parse: |text| within(text, &SHUTDOWN_GRACE_S).map(Duration::from_secs),
};

pub(super) const KEEP_DAYS: Kind<u32> = Kind {
    placeholder: "DAYS",
    form: Form::Number,
    allowed: || whole_number(&DEAD_LETTER_KEEP_DAYS, "days"),
    parse: |text| within(text, &DEAD_LETTER_KEEP_DAYS),
};

pub(super) const CORS_ORIGINS: Kind<CorsOrigins> = Kind {
    placeholder: "ORIGINS",
    form: Form::List,
    allowed: || {
        "use origins such as https://shop.example:8443, without a path, with commas between them; or *"
            .to_owned()
    },
    parse: CorsOrigins::parse,
};

pub(super) const IP_BLOCKS: Kind<Vec<IpBlock>> = Kind {
    placeholder: "BLOCKS",
    form: Form::List,
    allowed: || "use IP addresses or blocks such as 10.0.0.0/8, with commas between them".to_owned(),
    parse: |text| {
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        text.split(',')
            .map(|block| IpBlock::parse(block.trim()))
            .collect()
    },
};

pub(super) const SOCKET: Kind<Option<SocketAddr>> = Kind {
    placeholder: "IP:PORT",
    form: Form::Text,
    allowed: || "use an IP address and a port such as 127.0.0.1:9090".to_owned(),
    parse: |text| optional(text, |text| text.parse().ok()),
};

/// Nothing for an empty text; else what it means, if anything.
fn optional<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() {
        return Some(None);
    }
    parse(text).map(Some)
}

fn within<T: FromStr + PartialOrd>(text: &str, bounds: &RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| bounds.contains(number))
}

fn whole_number<T: std::fmt::Display>(bounds: &RangeInclusive<T>, unit: &str) -> String {
    format!("use whole {unit} from {} to {}", bounds.start(), bounds.end())
}

fn name(text: &str, max_chars: usize) -> Option<String> {
    let fits = (1..=max_chars).contains(&text.chars().count());
    (fits && text.trim() == text && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// White space at an end is a slip whose tokens nobody else could verify.
fn jwt_secrets(text: &str) -> Option<Vec<Secret>> {
    let sound = |secret: &&str| secret.len() >= MIN_SECRET_BYTES && secret.trim() == *secret;
    text.split(',')
        .map(|secret| Some(secret).filter(sound).map(Secret::new))
        .collect()
}

fn delay_scale(text: &str) -> Option<DelayScale> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(places) || places.len() > DELAY_SCALE_PLACES {
        return None;
    }
    let parts = format!("{whole}{places:0<DELAY_SCALE_PLACES$}");
    parts.parse().ok().map(DelayScale::from_parts_per_million)
}
