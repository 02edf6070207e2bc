//! What callers are told when something is not done: RFC 9457 problem details, with four members that older clients read.
//!
//! A [`Problem`] travels as an extension of an empty response; the front of the server writes the body, as only there request id
//! and time are known. So every error of every path has the one form.

mod kind;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use model::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::limits::LISTED_FIELD_PROBLEMS;

pub(crate) use kind::Kind;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// The field, such as `origin_lat` or `events[3].timestamp`; empty for the body as a whole.
    pub(crate) field: String,
    /// `required`, `unknown`, `type`, `range`, `length`, `format` or `value`.
    #[schema(value_type = String)]
    pub(crate) code: &'static str,
    /// What it must be.
    pub(crate) message: String,
}

impl FieldProblem {
    pub(crate) fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code,
            message: message.into(),
        }
    }
}

/// Something that was not done, and why. Small, as it is the rarer half of most results.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Parts>);

impl std::ops::Deref for Problem {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a [`Problem`] is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    instance: Option<String>,
    members: Map<String, Value>,
    errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What happened inside: for the log only.
    pub(crate) cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            instance: None,
            members: Map::new(),
            errors: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// One or more fields are wrong. The detail names the first.
    pub(crate) fn fields(errors: Vec<FieldProblem>) -> Self {
        let detail = match errors.first() {
            Some(first) if first.field.is_empty() => first.message.clone(),
            Some(first) => format!("{} {}", first.field, first.message),
            None => "the request is not valid".to_owned(),
        };
        let mut problem = Self::new(Kind::ValidationFailed, detail);
        problem.0.errors = errors;
        problem.0.errors.truncate(LISTED_FIELD_PROBLEMS);
        problem
    }

    /// One field is wrong.
    pub(crate) fn field(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldProblem::new(field, code, message)])
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, detail).with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"waybill\""),
        )
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// The server's own failure: the reason goes to the log, not to the caller.
    pub(crate) fn internal() -> Self {
        Self::new(Kind::Internal, "the server failed on this request")
    }

    /// Not now.
    pub(crate) fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Kind::Unavailable, detail).retry_after(retry_after)
    }

    /// Adds `Retry-After`, in whole seconds, at least one.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds what happened inside, for the log.
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// What it is about, where that is not the request's own path.
    pub(crate) fn about(mut self, instance: impl Into<String>) -> Self {
        self.0.instance = Some(instance.into());
        self
    }

    pub(crate) fn with_member(mut self, name: &str, value: Value) -> Self {
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// What is wrong with fields, if that is it.
    pub(crate) fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The body. `path` stands for `instance` where the problem names none.
    pub(crate) fn to_json(&self, path: &str, request_id: &str, now: Timestamp) -> Value {
        let (status, code, slug, title) = (
            self.kind.status(),
            self.kind.code(),
            self.kind.slug(),
            self.kind.title(),
        );
        let mut body = json!({
            "type": format!("/problems/{slug}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
            "instance": self.instance.as_deref().unwrap_or(path),
            "error": code,
            "message": self.detail,
            "status_code": status.as_u16(),
            "timestamp": millis(now),
            "request_id": request_id,
        });
        if let Some(members) = body.as_object_mut() {
            if !self.errors.is_empty() {
                members.insert("errors".to_owned(), json!(self.errors));
            }
            members.extend(self.members.clone());
        }
        body
    }
}

/// To the millisecond, as problems have it.
fn millis(now: Timestamp) -> String {
    let text = now.to_string();
    match text.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{}Z", fraction.get(..3).unwrap_or("000")),
        None => text,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every error (RFC 9457, `application/problem+json`).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemSchema {
    /// A page that explains this kind: `/problems/{slug}`.
    r#type: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// What it is about.
    instance: String,
    /// The kind as a code.
    error: String,
    /// As `detail`.
    message: String,
    /// As `status`.
    status_code: u16,
    /// When.
    timestamp: String,
    /// By which the server's log names this request.
    request_id: String,
    /// Only where fields are wrong.
    errors: Option<Vec<FieldProblem>>,
    /// Only of `INVALID_TRANSITION`: the statuses possible now.
    allowed: Option<Vec<String>>,
}
