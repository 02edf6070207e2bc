//! What a server says when it refuses, read from `application/problem+json` (RFC 9457).

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;

use super::limits::{SHOWN_CHARS, SHOWN_FIELDS};

/// A refusal in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer itself.
    pub status: StatusCode,
    /// The code, such as `VALIDATION_FAILED`; empty where the answer was no problem document.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// The fields that are wrong, with why.
    pub fields: Vec<(String, String)>,
    /// The id under which the server's log has more.
    pub request_id: String,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Document {
    detail: String,
    message: String,
    error: String,
    request_id: String,
    errors: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    field: String,
    message: String,
}

impl Problem {
    /// Reads an answer that is not a success. Whatever it is, there is something to say.
    #[must_use]
    pub fn read(status: StatusCode, body: &[u8]) -> Self {
        let document: Document = serde_json::from_slice(body).unwrap_or_default();
        let detail = [document.detail, document.message]
            .into_iter()
            .find(|words| !words.is_empty())
            .unwrap_or_else(|| match status.canonical_reason() {
                Some(reason) => format!("{reason}, and no word of the server why"),
                None => "no word of the server why".to_owned(),
            });
        let fields = document.errors.into_iter();
        Self {
            status,
            code: printable(&document.error),
            detail: printable(&detail),
            fields: fields
                .map(|field| (printable(&field.field), printable(&field.message)))
                .collect(),
            request_id: printable(&document.request_id),
        }
    }
}

/// A server's words for a terminal: no control characters, not without end.
pub(crate) fn printable(words: &str) -> String {
    words
        .chars()
        .filter(|letter| !letter.is_control())
        .take(SHOWN_CHARS)
        .collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail)?;
        for (field, message) in self.fields.iter().take(SHOWN_FIELDS) {
            write!(out, "; {field} {message}")?;
        }
        if self.fields.len() > SHOWN_FIELDS {
            write!(out, "; and {} more", self.fields.len() - SHOWN_FIELDS)?;
        }
        write!(out, " ({}", self.status.as_u16())?;
        if !self.code.is_empty() {
            write!(out, " {}", self.code)?;
        }
        if !self.request_id.is_empty() {
            write!(out, ", request {}", self.request_id)?;
        }
        out.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: StatusCode, body: &str) -> String {
        Problem::read(status, body.as_bytes()).to_string()
    }

    #[test]
    fn a_problem_is_told_in_the_servers_words_with_what_finds_it_in_the_log() {
        let body = r#"{"type":"/problems/forbidden","title":"Forbidden","status":403,"detail":"drivers make no shipments",
            "error":"FORBIDDEN","message":"drivers make no shipments","status_code":403,"request_id":"r-1"}"#;
        assert_eq!(
            shown(StatusCode::FORBIDDEN, body),
            "drivers make no shipments (403 FORBIDDEN, request r-1)"
        );
    }

    #[test]
    fn broken_fields_are_named_and_many_are_counted() {
        let field =
            |name: &str| format!(r#"{{"field":"{name}","code":"range","message":"must be greater than 0"}}"#);
        let fields = ["a", "b", "c", "d", "e"].map(field).join(",");
        let body =
            format!(r#"{{"detail":"5 fields are wrong","error":"VALIDATION_FAILED","errors":[{fields}]}}"#);
        assert_eq!(
            shown(StatusCode::BAD_REQUEST, &body),
            "5 fields are wrong; a must be greater than 0; b must be greater than 0; c must be greater than 0; \
             and 2 more (400 VALIDATION_FAILED)"
        );
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_told_by_its_status() {
        for body in ["", "<html>no</html>", "[1]", r#"{"detail":7}"#] {
            assert_eq!(
                shown(StatusCode::BAD_GATEWAY, body),
                "Bad Gateway, and no word of the server why (502)"
            );
        }
    }

    #[test]
    fn a_servers_words_cannot_write_on_the_terminal_without_end_or_in_colour() {
        let body = serde_json::json!({"detail": format!("\u{1b}[31m{}", "x".repeat(10_000))}).to_string();
        let shown = shown(StatusCode::CONFLICT, &body);
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.len() < 600, "{}", shown.len());
    }
}
