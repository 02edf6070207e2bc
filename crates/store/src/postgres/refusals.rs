//! Why there is no session, as it is told to people: what is wrong, and what to do about it. Never what was given as password.

use std::io::ErrorKind;

use super::driver::ConnectError;
use super::tls::{self, Distrust};
use crate::error::{Error, OpenError, Trouble};
use crate::limits::CONNECT_WAIT;

/// No connection to a server came about.
pub(super) fn not_connected(server: String, error: &ConnectError) -> OpenError {
    match error {
        ConnectError::TooSlow => OpenError::Unreachable {
            server,
            reason: format!("no answer for {} s", CONNECT_WAIT.as_secs()),
        },
        ConnectError::Said(error) => match error.as_db_error() {
            Some(said) => said_at_login(server, said.code().code(), one_line(said.message())),
            None => went_wrong(server, error),
        },
    }
}

/// By SQLSTATE.
fn said_at_login(server: String, code: &str, reason: String) -> OpenError {
    match code {
        // 28: who is it; 3D: which database; 42501: may not connect.
        "28000" | "28P01" | "3D000" | "42501" => OpenError::LoginRefused { server, reason },
        "53300" => OpenError::TooManyConnections { server, reason },
        // 57P: it starts, stops, or was killed; 55000: the database takes no connections for now.
        "57P01" | "57P02" | "57P03" | "55000" => OpenError::NotReady { server, reason },
        _ => OpenError::Unreachable { server, reason },
    }
}

fn went_wrong(server: String, error: &tokio_postgres::Error) -> OpenError {
    match tls::distrust(error) {
        Some(Distrust::Certificate(reason)) => return OpenError::Untrusted { server, reason },
        Some(Distrust::NoTls) => {
            return OpenError::Unsuitable {
                server,
                reason: "it speaks no TLS, which the address asks for: switch ssl on there".to_owned(),
            };
        }
        None => {}
    }
    let mut reason = error.to_string();
    if is_read_only(error) {
        return OpenError::Standby { server };
    }
    // The client's own words for a server that asks for what the address does not give.
    let is_login = matches!(&*reason, "invalid configuration" | "authentication error");
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        reason = one_line(&deeper.to_string());
        cause = deeper.source();
    }
    if is_login {
        OpenError::LoginRefused { server, reason }
    } else {
        OpenError::Unreachable { server, reason }
    }
}

/// The client's way to say that of the servers it was to find the one that takes writes among, the last one takes none.
fn is_read_only(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| {
        cause.kind() == ErrorKind::PermissionDenied && cause.to_string() == "database does not allow writes"
    })
}

/// A session came about, and its first statements did not.
pub(super) fn not_opened(server: String, error: Error) -> OpenError {
    match error {
        Error::Unavailable {
            trouble: Trouble::NotWritable,
            detail,
        } => OpenError::NoRights {
            server,
            reason: one_line(&detail),
        },
        error => OpenError::Store {
            path: server.into(),
            error,
        },
    }
}

/// What could not be opened again: whoever asks may come again.
pub(super) fn after_opening(error: OpenError) -> Error {
    let trouble = match error {
        OpenError::Store { error, .. } => return error,
        OpenError::TooManyConnections { .. } | OpenError::NotReady { .. } => Trouble::Busy,
        OpenError::NoRights { .. } => Trouble::NotWritable,
        _ => Trouble::Io,
    };
    Error::Unavailable {
        trouble,
        detail: error.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
