//! What callers are told when something is not done: RFC 9457 problem details, with four members that older clients read.
//!
//! A [`Problem`] travels as an extension of an empty response; the front of the server writes the body, as only there request id
//! and time are known. So every error of every path has the one form.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::limits::LISTED_FIELD_PROBLEMS;

/// The kinds of problems: the wire contract's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    ValidationFailed,
    MalformedJson,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    InvalidTransition,
    Conflict,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    IdempotencyKeyReused,
    RateLimited,
    HeadersTooLarge,
    Internal,
    Unavailable,
}

/// What is fixed about a kind.
struct About {
    status: StatusCode,
    code: &'static str,
    slug: &'static str,
    title: &'static str,
    /// For the page behind `type`: what it means and what to do.
    cure: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Self; 17] = [
        Self::ValidationFailed,
        Self::MalformedJson,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::InvalidTransition,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::Unavailable,
    ];

    const fn about(self) -> About {
        let (status, code, slug, title, cure) = match self {
            Self::ValidationFailed => (
                StatusCode::BAD_REQUEST,
                "VALIDATION_FAILED",
                "validation-failed",
                "Validation failed",
                "One or more fields are missing, unknown, of the wrong type or out of bounds. `errors` names each of them \
                 and what it must be. Correct them and send the request again.",
            ),
            Self::MalformedJson => (
                StatusCode::BAD_REQUEST,
                "MALFORMED_JSON",
                "malformed-json",
                "Malformed JSON",
                "The body is not JSON in UTF-8. `detail` says where reading stopped.",
            ),
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHENTICATED",
                "unauthenticated",
                "Unauthenticated",
                "Send `Authorization: Bearer` with a token from `POST /auth/login` or an API key. A token may have expired \
                 or been revoked: sign in again.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "forbidden",
                "Forbidden",
                "You are known, but your role may not do this, or what you named belongs to someone else.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "not-found",
                "Not found",
                "There is nothing under this path or id. Look for a slip in it; `/docs` lists the paths.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "method-not-allowed",
                "Method not allowed",
                "The path exists, but not with this method. The header `Allow` lists those that it has.",
            ),
            Self::RequestTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "REQUEST_TIMEOUT",
                "request-timeout",
                "Request timeout",
                "The body came too slowly. Of a stream of events, the lines that were complete are kept: sending all of it again \
                 is safe.",
            ),
            Self::InvalidTransition => (
                StatusCode::CONFLICT,
                "INVALID_TRANSITION",
                "invalid-transition",
                "Invalid transition",
                "The order cannot go from its status to this one. `allowed` lists the statuses that are possible now.",
            ),
            Self::Conflict => (
                StatusCode::CONFLICT,
                "CONFLICT",
                "conflict",
                "Conflict",
                "The request contradicts what is there. `detail` says what.",
            ),
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "PRECONDITION_FAILED",
                "precondition-failed",
                "Precondition failed",
                "It has changed since you read it: `If-Match` names an older version. Read it again and decide anew.",
            ),
            Self::PayloadTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                "payload-too-large",
                "Payload too large",
                "The body or the number of its entries is over the limit that `detail` names. Send it in parts.",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "unsupported-media-type",
                "Unsupported media type",
                "Send `Content-Type: application/json`, or what `detail` names.",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "IDEMPOTENCY_KEY_REUSED",
                "idempotency-key-reused",
                "Idempotency key reused",
                "This `Idempotency-Key` was used for a request with another body. Take a new key for a new request.",
            ),
            Self::RateLimited => (
                StatusCode::TOO_MANY_REQUESTS,
                "RATE_LIMITED",
                "rate-limited",
                "Rate limited",
                "Too many requests. Wait as many seconds as `Retry-After` says; a batch counts as one request.",
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "HEADERS_TOO_LARGE",
                "headers-too-large",
                "Request header fields too large",
                "The request line and its headers together are over 64 KiB, or there are more than 100 headers.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "internal",
                "Internal error",
                "The server failed. Its log has the reason beside the `request_id`: tell it to whoever runs the server.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "unavailable",
                "Unavailable",
                "The server cannot take this now: it is busy, stopping, or its storage does not answer. Try again after \
                 as many seconds as `Retry-After` says, with the same `Idempotency-Key`.",
            ),
        };
        About {
            status,
            code,
            slug,
            title,
            cure,
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.about().status
    }

    /// The name in `error`.
    pub(crate) const fn code(self) -> &'static str {
        self.about().code
    }

    pub(crate) const fn slug(self) -> &'static str {
        self.about().slug
    }

    pub(crate) const fn title(self) -> &'static str {
        self.about().title
    }

    pub(crate) const fn cure(self) -> &'static str {
        self.about().cure
    }
}

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

/// Something that was not done, and why.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    instance: Option<String>,
    members: Map<String, Value>,
    errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            instance: None,
            members: Map::new(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// One or more fields are wrong. The detail names the first.
    pub(crate) fn fields(errors: Vec<FieldProblem>) -> Self {
        let detail = match errors.first() {
            Some(first) if first.field.is_empty() => first.message.clone(),
            Some(first) => format!("{} {}", first.field, first.message),
            None => "the request is not valid".to_owned(),
        };
        let mut problem = Self::new(Kind::ValidationFailed, detail);
        problem.errors = errors;
        problem.errors.truncate(LISTED_FIELD_PROBLEMS);
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
        self.headers.push((name, value));
        self
    }

    /// What it is about, where that is not the request's own path.
    pub(crate) fn about(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    pub(crate) fn with_member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// What is wrong with fields, if that is it.
    pub(crate) fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The body. `path` stands for `instance` where the problem names none.
    pub(crate) fn to_json(&self, path: &str, request_id: &str, now: Timestamp) -> Value {
        let About {
            status,
            code,
            slug,
            title,
            ..
        } = self.kind.about();
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
#[expect(dead_code, reason = "describes the body that `Problem::to_json` writes")]
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
