//! `Idempotency-Key`: a request that is repeated gets the answer of the first.
//!
//! The answer is stored in the transaction of what it tells of, so it is there exactly if that is. While the first is under way, on
//! whichever node, a second is refused.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Record, StoredAnswer};

use super::auth::Principal;
use super::limits::{IDEMPOTENCY_KEPT, IDEMPOTENCY_KEY_CHARS};
use super::problem::{Kind, Problem};
use crate::engine::{Answer, Once, OnceAnswer, Submission};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Keys whose first request is not answered yet.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<[u8; 32]>>>);

/// A request with a key, under way until the last clone is dropped. One goes with what is handed to the engine: a request is under
/// way until it is decided, also if its caller has gone away.
#[derive(Clone)]
pub(crate) struct Keyed(Arc<Held>);

struct Held {
    once: Once,
    under_way: UnderWay,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.once.key);
    }
}

impl Keyed {
    pub(crate) fn once(&self) -> &Once {
        &self.0.once
    }

    /// Has the submission done once, and its answer kept; a refusal does not use the key up.
    pub(crate) fn keep(
        &self,
        submission: &mut Submission,
        now: Timestamp,
        answer: impl Fn(&[Answer]) -> Result<JsonAnswer, Problem> + Send + Sync + 'static,
    ) {
        let keyed = self.clone();
        submission.once = Some(keyed.once().clone());
        submission.records = Some(Arc::new(move |answers: &[Answer]| {
            let answer = answer(answers).ok();
            let stored = answer.map(|answer| Record::Answer(answer.to_stored(keyed.once(), now)));
            stored.into_iter().collect()
        }));
    }
}

/// The response to what was done once: made of the answers now, or the one that was given before.
pub(crate) fn respond(
    done: OnceAnswer,
    response: impl FnOnce(&[Answer]) -> Result<Response<Body>, Problem>,
) -> Result<Response<Body>, Problem> {
    match done {
        OnceAnswer::Decided(answers) => response(&answers),
        OnceAnswer::Before(stored) => replay(&stored),
        OnceAnswer::KeyReused => Err(reused()),
        OnceAnswer::UnderWay => Err(under_way()),
        OnceAnswer::TooManyReceipts => Err(Problem::too_many_receipts()),
    }
}

impl UnderWay {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a request, if it has one. `method_and_path` is what it is scoped to besides the principal.
    pub(crate) fn key(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
        method_and_path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Keyed>, Problem> {
        self.key_of_subject(headers, principal.subject(), method_and_path, body, now)
    }

    /// As [`UnderWay::key`], where perhaps nobody is signed in: their subject is the empty one.
    pub(crate) fn key_of_subject(
        &self,
        headers: &HeaderMap,
        subject: &str,
        method_and_path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Keyed>, Problem> {
        let Some(key) = key_of(headers)? else {
            return Ok(None);
        };
        let kept = Span::from_nanos(i64::try_from(IDEMPOTENCY_KEPT.as_nanos()).unwrap_or(i64::MAX));
        let once = Once {
            key: hash(&[subject.as_bytes(), method_and_path.as_bytes(), key]),
            // With the key, which is stored nowhere: from the hash alone nobody can guess at a password in the body.
            body_hash: hash(&[key, body]),
            not_before: Timestamp::from_nanos(now.as_nanos().saturating_sub(kept.as_nanos())),
        };
        if !self.lock().insert(once.key) {
            return Err(under_way());
        }
        let under_way = self.clone();
        Ok(Some(Keyed(Arc::new(Held { once, under_way }))))
    }
}

/// The header's value, if it is there.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bad = |message: String| Err(Problem::field("Idempotency-Key", "length", message));
    if values.next().is_some() {
        return bad("must be sent once".to_owned());
    }
    let chars = String::from_utf8_lossy(value.as_bytes()).chars().count();
    if !(1..=IDEMPOTENCY_KEY_CHARS).contains(&chars) {
        return bad(format!(
            "must have 1 to {IDEMPOTENCY_KEY_CHARS} characters, this has {chars}"
        ));
    }
    Ok(Some(value.as_bytes()))
}

/// Hashes parts so that no two lists of parts are one.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// An answer of JSON, as it can be stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JsonAnswer {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    /// `None`: it showed a secret and cannot be given again.
    body: Option<String>,
}

impl JsonAnswer {
    pub(crate) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        Self {
            status: status.as_u16(),
            location: None,
            etag: None,
            body: Some(serde_json::to_string(body).unwrap_or_default()),
        }
    }

    pub(crate) fn with_location(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub(crate) fn with_version(mut self, version: u32) -> Self {
        self.etag = Some(format!("\"{version}\""));
        self
    }

    /// The record of it under a key.
    pub(crate) fn to_stored(&self, once: &Once, now: Timestamp) -> StoredAnswer {
        StoredAnswer {
            key: once.key,
            body_hash: once.body_hash,
            stored_at: now,
            content: serde_json::to_vec(self).unwrap_or_default().into(),
        }
    }

    /// As [`JsonAnswer::to_stored`], but without the body, which has a secret.
    pub(crate) fn to_stored_without_secret(&self, once: &Once, now: Timestamp) -> StoredAnswer {
        let without = Self {
            body: None,
            ..self.clone()
        };
        without.to_stored(once, now)
    }
}

impl IntoResponse for JsonAnswer {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.unwrap_or_default()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let texts = [(header::LOCATION, self.location), (header::ETAG, self.etag)];
        for (name, text) in texts {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Gives a stored answer again.
pub(crate) fn replay(stored: &StoredAnswer) -> Result<Response<Body>, Problem> {
    let answer: JsonAnswer = serde_json::from_slice(&stored.content).map_err(|_| Problem::internal())?;
    if answer.body.is_none() {
        return Err(Problem::new(
            Kind::Conflict,
            "this was done before, and its answer had a secret that is shown once only",
        ));
    }
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// That the first request with a key is not answered yet.
fn under_way() -> Problem {
    Problem::new(
        Kind::Conflict,
        "a request with this Idempotency-Key is under way: wait for its answer",
    )
}

/// That a key came with another body before.
pub(crate) fn reused() -> Problem {
    Problem::new(
        Kind::IdempotencyKeyReused,
        "this Idempotency-Key was used with another body",
    )
}
