//! The kinds of problems, and what is fixed about each.

use axum::http::StatusCode;

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
    kind: Kind,
    status: StatusCode,
    code: &'static str,
    slug: &'static str,
    title: &'static str,
    /// For the page behind `type`: what it means and what to do.
    cure: &'static str,
}

static TABLE: [About; 17] = [
    About {
        kind: Kind::ValidationFailed,
        status: StatusCode::BAD_REQUEST,
        code: "VALIDATION_FAILED",
        slug: "validation-failed",
        title: "Validation failed",
        cure: "One or more fields are missing, unknown, of the wrong type or out of bounds. `errors` names each of them \
                 and what it must be. Correct them and send the request again.",
    },
    About {
        kind: Kind::MalformedJson,
        status: StatusCode::BAD_REQUEST,
        code: "MALFORMED_JSON",
        slug: "malformed-json",
        title: "Malformed JSON",
        cure: "The body is not JSON in UTF-8. `detail` says where reading stopped.",
    },
    About {
        kind: Kind::Unauthenticated,
        status: StatusCode::UNAUTHORIZED,
        code: "UNAUTHENTICATED",
        slug: "unauthenticated",
        title: "Unauthenticated",
        cure: "Send `Authorization: Bearer` with a token from `POST /auth/login` or an API key. A token may have expired \
                 or been revoked: sign in again.",
    },
    About {
        kind: Kind::Forbidden,
        status: StatusCode::FORBIDDEN,
        code: "FORBIDDEN",
        slug: "forbidden",
        title: "Forbidden",
        cure: "You are known, but your role may not do this, or what you named belongs to someone else.",
    },
    About {
        kind: Kind::NotFound,
        status: StatusCode::NOT_FOUND,
        code: "NOT_FOUND",
        slug: "not-found",
        title: "Not found",
        cure: "There is nothing under this path or id. Look for a slip in it; `/docs` lists the paths.",
    },
    About {
        kind: Kind::MethodNotAllowed,
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "METHOD_NOT_ALLOWED",
        slug: "method-not-allowed",
        title: "Method not allowed",
        cure: "The path exists, but not with this method. The header `Allow` lists those that it has.",
    },
    About {
        kind: Kind::RequestTimeout,
        status: StatusCode::REQUEST_TIMEOUT,
        code: "REQUEST_TIMEOUT",
        slug: "request-timeout",
        title: "Request timeout",
        cure: "The body came too slowly. Of a stream of events, the lines that were complete are kept: sending all of it again \
                 is safe.",
    },
    About {
        kind: Kind::InvalidTransition,
        status: StatusCode::CONFLICT,
        code: "INVALID_TRANSITION",
        slug: "invalid-transition",
        title: "Invalid transition",
        cure: "The order cannot go from its status to this one. `allowed` lists the statuses that are possible now.",
    },
    About {
        kind: Kind::Conflict,
        status: StatusCode::CONFLICT,
        code: "CONFLICT",
        slug: "conflict",
        title: "Conflict",
        cure: "The request contradicts what is there. `detail` says what.",
    },
    About {
        kind: Kind::PreconditionFailed,
        status: StatusCode::PRECONDITION_FAILED,
        code: "PRECONDITION_FAILED",
        slug: "precondition-failed",
        title: "Precondition failed",
        cure: "It has changed since you read it: `If-Match` names an older version. Read it again and decide anew.",
    },
    About {
        kind: Kind::PayloadTooLarge,
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "PAYLOAD_TOO_LARGE",
        slug: "payload-too-large",
        title: "Payload too large",
        cure: "The body or the number of its entries is over the limit that `detail` names. Send it in parts.",
    },
    About {
        kind: Kind::UnsupportedMediaType,
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code: "UNSUPPORTED_MEDIA_TYPE",
        slug: "unsupported-media-type",
        title: "Unsupported media type",
        cure: "Send `Content-Type: application/json`, or what `detail` names.",
    },
    About {
        kind: Kind::IdempotencyKeyReused,
        status: StatusCode::UNPROCESSABLE_ENTITY,
        code: "IDEMPOTENCY_KEY_REUSED",
        slug: "idempotency-key-reused",
        title: "Idempotency key reused",
        cure: "This `Idempotency-Key` was used for a request with another body. Take a new key for a new request.",
    },
    About {
        kind: Kind::RateLimited,
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "RATE_LIMITED",
        slug: "rate-limited",
        title: "Rate limited",
        cure: "Too many requests. Wait as many seconds as `Retry-After` says; a batch counts as one request.",
    },
    About {
        kind: Kind::HeadersTooLarge,
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        code: "HEADERS_TOO_LARGE",
        slug: "headers-too-large",
        title: "Request header fields too large",
        cure: "The request line and its headers together are over 64 KiB, or there are more than 100 headers.",
    },
    About {
        kind: Kind::Internal,
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "INTERNAL",
        slug: "internal",
        title: "Internal error",
        cure: "The server failed. Its log has the reason beside the `request_id`: tell it to whoever runs the server.",
    },
    About {
        kind: Kind::Unavailable,
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "UNAVAILABLE",
        slug: "unavailable",
        title: "Unavailable",
        cure: "The server cannot take this now: it is busy, stopping, or its storage does not answer. Try again after \
                 as many seconds as `Retry-After` says, with the same `Idempotency-Key`.",
    },
];

impl Kind {
    /// Every kind.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|about| about.kind)
    }

    fn about(self) -> &'static About {
        TABLE
            .iter()
            .find(|about| about.kind == self)
            .expect("the table has every kind: a test looks")
    }

    pub(crate) fn status(self) -> StatusCode {
        self.about().status
    }

    /// The name in `error`.
    pub(crate) fn code(self) -> &'static str {
        self.about().code
    }

    pub(crate) fn slug(self) -> &'static str {
        self.about().slug
    }

    pub(crate) fn title(self) -> &'static str {
        self.about().title
    }

    pub(crate) fn cure(self) -> &'static str {
        self.about().cure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_kind_once() {
        // The last of the enumeration: if all before it are there too, none is missing.
        assert_eq!(TABLE.len(), Kind::Unavailable as usize + 1);
        for (place, about) in TABLE.iter().enumerate() {
            assert_eq!(about.kind as usize, place, "{}", about.code);
        }
    }
}
