//! The text of an address, in the two forms that PostgreSQL's own tools take.
//!
//! What of it is about certificates the client's own parser does not know: it is taken out before.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use crate::error::OpenError;

/// An address that names everything it must.
pub(super) struct Dsn {
    pub(super) config: Config,
    /// A file of certificates that are trusted besides the system's.
    pub(super) root_certificates: Option<PathBuf>,
    /// It says itself which of several servers it means.
    says_target: bool,
}

impl Dsn {
    /// Of several servers the one that takes writes is meant, unless the address says otherwise.
    pub(super) fn mean_the_primary(&mut self) {
        if self.servers() > 1 && !self.says_target {
            self.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
    }

    /// How many servers it names.
    pub(super) fn servers(&self) -> usize {
        self.config.get_hosts().len()
    }
}

/// Reads an address. `root_certificates` are trusted where it names none itself.
pub(super) fn parse(dsn: &str, root_certificates: Option<&Path>) -> Result<Dsn, OpenError> {
    let (dsn, named) = without_certificates(dsn);
    let mut config: Config = dsn.parse().map_err(|_| OpenError::BadAddress("cannot be read"))?;
    if config.get_hosts().is_empty() {
        let addresses: Vec<String> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
        if addresses.is_empty() {
            return Err(OpenError::BadAddress("names no host"));
        }
        // The name that a certificate has to be for.
        for address in addresses {
            config.host(address);
        }
    }
    if config.get_dbname().is_none() {
        return Err(OpenError::BadAddress("names no database"));
    }
    let root_certificates = match named.as_deref() {
        // As PostgreSQL's own tools have it: none but the system's.
        Some("system") => None,
        Some(file) => Some(PathBuf::from(file)),
        None => root_certificates.map(Path::to_owned),
    };
    if root_certificates.is_some() && config.get_ssl_mode() != SslMode::Require {
        return Err(OpenError::BadAddress(
            "does not say sslmode=require, without which no certificate is looked at",
        ));
    }
    Ok(Dsn {
        config,
        root_certificates,
        // A password that says so, too, does no harm.
        says_target: dsn.contains("target_session_attrs"),
    })
}

/// The address without `sslrootcert`, which is given besides, and with the modes of TLS that check a certificate as the one that
/// the client knows.
fn without_certificates(dsn: &str) -> (String, Option<String>) {
    let is_url = dsn.starts_with("postgres://") || dsn.starts_with("postgresql://");
    let taken_out = if is_url {
        Some(without_in_url(dsn))
    } else {
        without_in_pairs(dsn)
    };
    // What cannot be read, the client's parser says.
    taken_out.unwrap_or_else(|| (dsn.to_owned(), None))
}

fn without_in_url(dsn: &str) -> (String, Option<String>) {
    // What stands before is user and password.
    let host_at = dsn.find('@').map_or(0, |at| at + 1);
    let Some(query_at) = dsn.get(host_at..).and_then(|host| host.find('?')) else {
        return (dsn.to_owned(), None);
    };
    let (address, query) = dsn.split_at(host_at + query_at);
    let mut root_certificates = None;
    let mut kept = Vec::new();
    for pair in query.trim_start_matches('?').split('&') {
        match pair.split_once('=') {
            Some(("sslrootcert", file)) => {
                root_certificates = Some(percent_decode_str(file).decode_utf8_lossy().into_owned());
            }
            Some(("sslmode", mode)) if checks_certificates(mode) => kept.push("sslmode=require"),
            Some(_) | None => kept.push(pair),
        }
    }
    let query = kept.join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    (format!("{address}{mark}{query}"), root_certificates)
}

/// `None` where it cannot be read.
fn without_in_pairs(dsn: &str) -> Option<(String, Option<String>)> {
    let mut root_certificates = None;
    let mut kept = Vec::new();
    let mut rest = dsn.trim_start();
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c.is_whitespace() || c == '=')?;
        let (name, after) = rest.split_at(name_end);
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let (value, after) = after.split_at(value_end(after));
        rest = after.trim_start();
        match (name, unquoted(value)) {
            ("sslrootcert", file) => root_certificates = Some(file),
            ("sslmode", mode) if checks_certificates(&mode) => kept.push("sslmode=require".to_owned()),
            (name, _) => kept.push(format!("{name}={value}")),
        }
    }
    Some((kept.join(" "), root_certificates))
}

/// Where a value ends: with its closing quote, or before a blank. A backslash takes what follows as it is.
fn value_end(text: &str) -> usize {
    let is_quoted = text.starts_with('\'');
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(is_quoted)) {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if is_quoted && c == '\'' {
            return at + 1;
        } else if !is_quoted && c.is_whitespace() {
            return at;
        }
    }
    text.len()
}

fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('\'')
        .map_or(value, |quoted| quoted.strip_suffix('\'').unwrap_or(quoted));
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    plain
}

fn checks_certificates(mode: &str) -> bool {
    matches!(mode, "verify-ca" | "verify-full")
}

#[cfg(test)]
mod tests {
    use super::without_certificates;

    #[test]
    fn what_is_about_certificates_is_taken_out_and_the_rest_is_left_as_it_is() {
        let unchanged = [
            "postgres://ada:a%26b@db:1/orders",
            "postgres://db/orders?sslmode=require&application_name=a",
            "host=db dbname=orders password='it\\'s = x' sslmode=prefer",
            "host=db dbname",
            "",
        ];
        for dsn in unchanged {
            assert_eq!(without_certificates(dsn), (dsn.to_owned(), None));
        }
        for (dsn, left, file) in [
            (
                "postgresql://ada:p?sslrootcert=x@db/orders?sslmode=verify-full&sslrootcert=/a%20b.pem&x=1",
                "postgresql://ada:p?sslrootcert=x@db/orders?sslmode=require&x=1",
                "/a b.pem",
            ),
            (
                "postgres://db/orders?sslrootcert=a.pem",
                "postgres://db/orders",
                "a.pem",
            ),
            (
                " host = db sslrootcert = '/a b\\'s.pem' password='sslrootcert=x y' sslmode='verify-ca' ",
                "host=db password='sslrootcert=x y' sslmode=require",
                "/a b's.pem",
            ),
            ("sslrootcert=a\\ b.pem host=db", "host=db", "a b.pem"),
        ] {
            assert_eq!(
                without_certificates(dsn),
                (left.to_owned(), Some(file.to_owned()))
            );
        }
    }
}
